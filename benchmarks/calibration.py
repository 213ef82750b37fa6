"""How quick a proposal is, and how often it is wrong: python benchmarks/calibration.py [FILE.jsonl ...]

Without files only the times. A file has a look-up a line, {"s": similarity, "same": was the cached answer
right}, or a prompt a line, {"prompt", "answer_id", "ns", "cacheable"}: these are embedded and replayed under
a threshold of 0.95 first. For every file, number of labels and bound, labels are drawn --resamples times:

  uniform   drawn uniformly; cp: loosest threshold of a 0.005 grid that Clopper-Pearson alone certifies
  queue     drawn as the queue does; focus_cp: 30 % uniform, the rest above the curve's threshold, and cp

Each cell: share of runs that found a threshold / mean share of look-ups that would be hits (0 where none was
found) / share of runs whose threshold breaks the bound on the whole file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from costconsole.calibration.aim import pilot_size
from costconsole.calibration.bound import uppers
from costconsole.calibration.curve import fit_arrays
from costconsole.calibration.events import FLOOR, Event
from costconsole.calibration.propose import low_end, propose
from costconsole.calibration.queue import draw, share_left
from costconsole.calibration.queueing import next_start
from costconsole.calibration.replay import embed_prompts, replay

COARSE = np.round(np.arange(0.70, 0.9951, 0.005), 3)
SIZES, BOUNDS, ROUNDS = (50, 200, 1000), (0.01, 0.02, 0.05, 0.10), 4
METHODS = ("cp", "uniform", "focus_cp", "queue")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    times(np.random.default_rng(args.seed))
    for file in args.files:
        similarities, right = look_ups(file)
        kept = similarities >= FLOOR
        print(f"\n{file.name}: {len(similarities):,} look-ups, {int(kept.sum()):,} at 0.70 or above")
        table(similarities[kept], right[kept], args.resamples, np.random.default_rng(args.seed))


def times(rng: Any) -> None:
    scores = 1.0 - 0.6 * rng.beta(2, 2, 100_000)
    labelled = rng.choice(scores[scores >= FLOOR], 1_000)
    right = rng.random(1_000) < 1.0 / (1.0 + np.exp(-(3.0 + 12.0 * (labelled - 0.85))))
    events = [labelled_event(i, s, y, FLOOR) for i, (s, y) in enumerate(zip(labelled, right, strict=True))]
    began = time.perf_counter()
    propose(events, scores, current=0.95, max_error=0.05)
    first = time.perf_counter() - began
    began = time.perf_counter()
    propose(events, scores, current=0.95, max_error=0.04)
    print(f"curve and proposal, 100,000 look-ups, 1,000 labels: {time.perf_counter() - began:.3f} s", end="")
    print(f" ({first:.3f} s with the import of scipy)")
    centers = rng.normal(size=(4_000, 384))
    vectors = centers[rng.integers(0, 4_000, 20_000)] + 0.35 * rng.normal(size=(20_000, 384))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    began = time.perf_counter()
    found = replay(vectors, 0.9)
    print(f"replay of 20,000 prompts: {time.perf_counter() - began:.2f} s, hit rate {found.hit_rate:.3f}")


def look_ups(file: Path) -> tuple[Any, Any]:
    """Similarity of each look-up and whether the cached answer was right."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if "s" in rows[0]:
        return np.array([row["s"] for row in rows]), np.array([bool(row["same"]) for row in rows])
    from costconsole.embedding.local import LocalEmbedder

    unique = list({(row.get("ns", ""), row["prompt"]): row for row in rows}.values())
    order = np.random.default_rng(0).permutation(len(unique))
    rows = [unique[i] for i in order]
    embedder = LocalEmbedder()
    try:
        vectors = embed_prompts([Event(id="", similarity=0, query=row["prompt"]) for row in rows], embedder)
    finally:
        embedder.close()
    began = time.perf_counter()
    found = replay(
        vectors,
        0.95,
        scopes=[row.get("ns", "") for row in rows],
        cacheable=[row.get("cacheable", True) for row in rows],
    )
    print(f"{file.name}: replay of {len(rows):,} prompts: {time.perf_counter() - began:.2f} s")
    answers = [row["answer_id"] for row in rows]
    right = [j >= 0 and answers[j] == answer for j, answer in zip(found.neighbors, answers, strict=True)]
    return found.similarities.astype(float), np.array(right)


def table(similarities: Any, right: Any, resamples: int, rng: Any) -> None:
    # A log is much larger than what is labelled of it: small files are repeated.
    often = -(-10 * SIZES[-1] // len(similarities))
    pairs = list(zip(similarities, right, strict=True)) * often
    pool = [labelled_event(i, s, y, FLOOR) for i, (s, y) in enumerate(pairs)]
    print(f"  {'labels':>6} {'bound':>6}" + "".join(f"{name:>24}" for name in METHODS))
    for size in SIZES:
        for bound in BOUNDS:
            if size < np.log(0.05) / np.log(1 - bound):
                continue
            cells = {name: [0.0, 0.0, 0.0] for name in METHODS}
            for _ in range(resamples):
                seed = int(rng.integers(1 << 31))
                for name, chosen in once(pool, similarities, right, size, bound, seed).items():
                    if chosen is not None:
                        hits = similarities >= chosen - 1e-9
                        cells[name][0] += 1
                        cells[name][1] += hits.mean()
                        cells[name][2] += (~right[hits]).mean() > bound
            words = "".join(
                f"{'  '.join(f'{value / resamples:.3f}' for value in cells[name]):>24}" for name in METHODS
            )
            print(f"  {size:>6} {bound:>6.0%}{words}", flush=True)


def once(
    pool: list[Event], similarities: Any, right: Any, size: int, bound: float, seed: int
) -> dict[str, float | None]:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(similarities), size)
    uniform = [pool[i] for i in chosen]  # the file itself comes first in the pool
    focus = focused(similarities, right, size, bound, rng)
    return {
        "cp": cp(similarities[chosen], ~right[chosen], bound, FLOOR),
        "uniform": propose(uniform, similarities, current=None, max_error=bound).threshold,
        "focus_cp": focus,
        "queue": propose(
            queued(pool, similarities, size, bound, seed), similarities, current=None, max_error=bound
        ).threshold,
    }


def cp(scores: Any, wrong: Any, bound: float, least: float) -> float | None:
    order = np.argsort(scores)
    bad = np.concatenate([np.cumsum(wrong[order][::-1])[::-1], [0]])
    index = np.searchsorted(scores[order], COARSE - 1e-9)
    able = (uppers(bad[index], len(scores) - index, 0.95) <= bound) & (least - 1e-9 <= COARSE)
    found = np.flatnonzero(able)
    return float(COARSE[found[0]]) if len(found) else None


def focused(similarities: Any, right: Any, size: int, bound: float, rng: Any) -> float | None:
    pilot = rng.integers(0, len(similarities), int(0.3 * size))
    low = low_end(fit_arrays(similarities[pilot], right[pilot]), similarities, bound)
    near = np.flatnonzero(similarities >= low)
    rest = near[rng.integers(0, len(near), size - len(pilot))]
    both = np.concatenate([pilot, rest])
    return cp(similarities[both], ~right[both], bound, low)


def queued(pool: list[Event], similarities: Any, size: int, bound: float, seed: int) -> list[Event]:
    """Labels as a person gives them: the pilot first, then rounds that are drawn by what is known."""
    labels: list[Event] = []
    for step in range(1 + ROUNDS):
        low = next_start(labels, similarities, bound, None, size)
        left = size - len(labels)
        more = min(left, pilot_size(bound, plan=size)) if step == 0 else -(-left // (1 + ROUNDS - step))
        done = {event.id for event in labels}
        labels += draw(pool, done, low, more, seed + step, share=share_left(labels, left))
    return labels


def labelled_event(i: int, similarity: float, right: bool, origin: float) -> Event:
    return Event(
        id=str(i),
        similarity=float(similarity),
        verdict="same" if right else "different",
        source="operator",
        certified=True,
        drawn_from=origin,
    )


if __name__ == "__main__":
    main()
