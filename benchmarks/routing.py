"""How often the router is right, how much of the gap outcomes recover, and what a decision costs.

`python -m benchmarks.routing [--tasks FILE] [--outcomes FILE]`. FILE holds JSON lines as for
`costconsole routing train`: {"prompt", "label"} or {"prompt", "weak", "strong"} (with "bench" to tell
collections apart). What is learnt from a part is measured on the rest, over several draws. The time of a
decision without embedding is the median of many on a machine that may be busy; its target is 200 us.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from costconsole.embedding.local import LocalEmbedder
from costconsole.routing.choice import Ask
from costconsole.routing.defaults import default_config
from costconsole.routing.instruction import has_code, instruction, instruction_of
from costconsole.routing.model import TASKS
from costconsole.routing.router import Router

SIZES = (80, 200, 800, 3_000)
OUTCOMES = (200, 500, 1_500)
PROMPTS = (
    "Summarize the meeting notes below in three sentences.",
    "What is the capital of Mongolia?",
    "Write a Python function that merges two sorted lists.",
    "Which of these are mammals: whale, shark, bat, owl?",
    "A shop sells pens at $2 and pads at $5. Ann buys 3 pens and 4 pads. How much does she pay?",
    "Give me ten ideas for a rainy weekend with two small children.",
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.routing", description=__doc__)
    parser.add_argument("--tasks", metavar="FILE", help="prompts with a label")
    parser.add_argument("--outcomes", metavar="FILE", help="prompts with outcomes of both models")
    parser.add_argument("--keep", metavar="DIR", help="keep the vectors of the files' prompts here")
    parser.add_argument("--draws", type=int, default=3)
    args = parser.parse_args(argv)
    embedder = LocalEmbedder()
    try:
        router = Router(default_config({}), embedder=embedder)
        router.start()
        router.wait()
        _timing(router, embedder)
        if args.tasks:
            _tasks(router, embedder, *_read(args.tasks, embedder, args.keep), args.draws)
        if args.outcomes:
            _outcomes(*_read(args.outcomes, embedder, args.keep), args.draws)
    finally:
        embedder.close()
    return 0


def _timing(router: Router, embedder: LocalEmbedder) -> None:
    asks = []
    for prompt in PROMPTS:
        ask = Ask(messages=({"role": "user", "content": prompt},), requested="auto")
        (made,) = embedder.embed([instruction_of(ask.messages)])
        asks.append(Ask(messages=ask.messages, requested="auto", vector=made.vector))
    taken = _microseconds(lambda ask: router.decide(ask), asks * 300)
    print(f"decision without the embedding: {_quantiles(taken)} (target: median below 200 us)")
    whole = statistics.median(taken)
    for name, work in (
        ("instruction", lambda ask: instruction_of(ask.messages)),
        ("needs_vector", router.needs_vector),
    ):
        bare = [replace(ask, vector=None) for ask in asks * 100]
        part = statistics.median(_microseconds(work, bare))
        print(f"  {name}: {part / whole:.2f} of a decision")
    for length in (2_000, 20_000, 200_000):
        text = ("Summarize this:\n\n" + "The weather was fine and nobody said a word. " * length)[:length]
        ask = Ask(messages=({"role": "user", "content": text},), requested="auto", vector=asks[0].vector)
        part = statistics.median(_microseconds(router.decide, [ask] * 50))
        print(f"  {length:,} characters: {part / whole:.1f} decisions")


def _microseconds(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    taken = []
    for item in items:
        started = time.perf_counter()
        work(item)
        taken.append((time.perf_counter() - started) * 1e6)
    return taken


def _quantiles(taken: Sequence[float]) -> str:
    cuts = statistics.quantiles(taken, n=20)
    return f"median {statistics.median(taken):.0f} us, 95% below {cuts[18]:.0f} us"


def _read(name: str, embedder: LocalEmbedder, keep: str | None) -> tuple[list[dict[str, Any]], Any]:
    """The rows of a file and the vectors of their instructions."""
    import numpy as np

    rows = [json.loads(line) for line in Path(name).read_text("utf-8").split("\n") if line.strip()]
    kept = Path(keep) / f"{Path(name).stem}-{len(rows)}.npy" if keep else None
    if kept is not None and kept.is_file():
        return rows, np.load(kept)
    made: list[bytes] = []
    for start in range(0, len(rows), 64):
        texts = [instruction(row["prompt"]) for row in rows[start : start + 64]]
        made += [embedding.vector for embedding in embedder.embed(texts)]
        print(f"\rembedding {len(made):,} of {len(rows):,}", end="", file=sys.stderr)
    print(file=sys.stderr)
    vectors = np.frombuffer(b"".join(made), dtype="<f4").reshape(len(rows), -1)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, vectors)
    return rows, vectors


def _tasks(
    router: Router, embedder: LocalEmbedder, rows: list[dict[str, Any]], vectors: Any, draws: int
) -> None:
    import numpy as np

    from costconsole.routing.surface import features
    from costconsole.routing.train import LEAST_LABELS, Shipped, learn_head

    labels = np.array([row["label"] for row in rows])
    said, tiers, kinds = [], [], []
    for row, vector in zip(rows, vectors, strict=True):
        messages = ({"role": "user", "content": row["prompt"]},)
        choice = router.decide(Ask(messages=messages, requested="auto", vector=vector.tobytes()))
        said.append(choice.task)
        tiers.append(choice.model.tier)
        kinds.append(choice.kind)
    wanted = [TASKS[label] for label in labels]
    by_task = np.mean([TASKS[task] == tier for task, tier in zip(said, wanted, strict=True)])
    print(f"\n{len(rows):,} labelled prompts, out of the box (targets: 0.65 and 0.84)")
    print(f"  task {np.mean(np.array(said) == labels):.3f}, tier of the task {by_task:.3f}")
    served = np.mean([a == b for a, b in zip(tiers, wanted, strict=True)])
    unsure = kinds.count("unsure") / len(kinds)
    print(f"  tier of the model that answers {served:.3f} ({unsure:.1%} unsure, which go to the strong one)")
    for task in TASKS:
        of = labels == task
        print(f"    {task:<15} {of.sum():>5}  right {np.mean(np.array(said)[of] == task):.2f}")
    shown = np.array(
        [features(instruction(row["prompt"]), code=has_code(row["prompt"])) for row in rows], np.float32
    )
    print(
        f"learnt from n of them, measured on the rest, {draws} draws"
        " (targets: 200 0.67/0.87, 3,000 0.75/0.90)"
    )
    shipped = Shipped(embedder)
    for size in SIZES:
        if size >= len(rows):
            continue
        found = []
        for draw in range(draws):
            order = np.random.default_rng(draw).permutation(len(rows))
            kept, held = order[:size], order[size:]
            head = learn_head(labels[kept], vectors[kept], shown[kept], shipped)
            guessed = head.labels_of(vectors[held], shown[held], shipped.odds(vectors[held], shown[held]))
            right = np.mean(guessed == labels[held])
            tier = np.mean([TASKS[a] == TASKS[b] for a, b in zip(guessed, labels[held], strict=True)])
            found.append((right, tier))
        task, tier = np.mean(found, axis=0)
        spread = np.std(found, axis=0)
        note = "" if size >= LEAST_LABELS else "  (fewer than the router uses)"
        print(f"  {size:>5}: task {task:.3f} ± {spread[0]:.3f}, tier {tier:.3f} ± {spread[1]:.3f}{note}")


def _outcomes(rows: list[dict[str, Any]], vectors: Any, draws: int) -> None:
    import numpy as np

    from costconsole.routing.gain_fit import fit_gain, measure
    from costconsole.routing.surface import features

    shown = np.array(
        [features(instruction(row["prompt"]), code=has_code(row["prompt"])) for row in rows], np.float32
    )
    length = np.array([len(row["prompt"]) for row in rows])
    weak, strong = (np.array([float(row[name]) for row in rows]) for name in ("weak", "strong"))
    benches = np.array([row.get("bench", "all") for row in rows])
    print(
        f"\n{len(rows):,} outcomes: APGR on the rest, {draws} draws (0.5 is a coin; target: 0.63 with 1,500)"
    )
    for bench in sorted(set(benches)):
        of = np.flatnonzero(benches == bench)
        for size in OUTCOMES:
            if size > len(of) * 0.8:
                continue
            areas, own = [], []
            for draw in range(draws):
                order = np.random.default_rng(draw).permutation(of)
                kept, held = order[:size], order[size:]
                gain = fit_gain(vectors[kept], shown[kept], length[kept], weak[kept], strong[kept])
                scored = [gain.score(vectors[i], list(shown[i]), int(length[i]))[0] for i in held]
                areas.append(measure(scored, weak[held], strong[held]).apgr)
                own.append(gain.quality.apgr)
            print(
                f"  {bench:<8} {size:>5}: {np.mean(areas):.3f} ± {np.std(areas):.3f}"
                f"  (it expected {np.mean(own):.3f})"
            )


if __name__ == "__main__":
    raise SystemExit(main())
