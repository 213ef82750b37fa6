"""What each guard refuses, on labelled pairs and on streams of prompts whose right answers are known.

    python -m benchmarks.guards pairs FILE...     JSON lines {"a", "b", "same"}
    python -m benchmarks.guards stream FILE...    JSON lines {"prompt", "answer_id"}, also "ns", "cacheable"

Pairs: on how many of the different and of the same pairs a guard fires, by least similarity.
Streams: prompts come in an order of their own (`--seed`), each prompt once. *Servable* is the largest share
of them that their nearest earlier prompt may answer with at most `--max-error` of these answers wrong, over
thresholds from 0.70. *Replayed* caches a prompt where nothing answered it, and tells hit rate and share of
wrong hits by threshold; of the neighbours that reach it the nearest that no guard refuses is served.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costconsole.cache.guards import fired
from costconsole.cache.serving import NEXT
from costconsole.domain.figures import GUARDS
from costconsole.embedding.local import LocalEmbedder

LEAST = 0.70
THRESHOLDS = (0.80, 0.86, 0.90, 0.95)
WAYS: dict[str, tuple[str, ...]] = {
    "no guard": (),
    "numbers": ("numbers",),
    "numbers, entities": ("numbers", "entities"),
    "all": GUARDS,
}
Row = dict[str, Any]


def vectors_of(texts: Sequence[str], kept: Path | None) -> Any:
    """One L2-normalized vector a text, (len(texts), dims). `kept` is a file that remembers them."""
    known: dict[str, Any] = {}
    if kept is not None and kept.exists():
        with np.load(kept) as stored:
            known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))
    missing = sorted(set(texts) - known.keys())
    if missing:
        embedder = LocalEmbedder()
        for at in range(0, len(missing), 64):
            part = missing[at : at + 64]
            for text, found in zip(part, embedder.embed(part), strict=True):
                known[text] = np.frombuffer(found.vector, "<f4")
            print(f"\rembedding {at + len(part):,} of {len(missing):,}", end="", file=sys.stderr)
        print(file=sys.stderr)
        embedder.close()
        if kept is not None:
            np.savez(kept, texts=np.array(list(known)), vectors=np.stack(list(known.values())))
    return np.stack([known[text] for text in texts])


def pairs(rows: list[Row], kept: Path | None) -> None:
    one = vectors_of([row["a"] for row in rows], kept)
    other = vectors_of([row["b"] for row in rows], kept)
    similarities = (one * other).sum(axis=1)
    started = time.perf_counter()
    found = [fired(row["a"], row["b"], max(0.9, float(s))) for row, s in zip(rows, similarities, strict=True)]
    taken = time.perf_counter() - started
    print(f"{len(rows):,} pairs, {taken / len(rows) * 1e6:.0f} µs each for all guards")
    same = np.array([bool(row["same"]) for row in rows])
    print(f"{'from':>5} {'guard':<10} {'different':>18} {'same':>18} {'ratio':>6}")
    for least in (0.80, 0.90, 0.95):
        near = similarities >= least
        for guard in GUARDS:
            fires = np.array([guard in names for names in found])
            counts = [(int((fires & part).sum()), int(part.sum())) for part in (near & ~same, near & same)]
            rates = [count / total if total else float("nan") for count, total in counts]
            ratio = rates[0] / rates[1] if rates[1] else float("nan")
            cells = [f"{c:>5} of {n:>4} {rate:>6.1%}" for (c, n), rate in zip(counts, rates, strict=True)]
            print(f"{least:>5.2f} {guard:<10} {cells[0]:>18} {cells[1]:>18} {ratio:>6.1f}")


def stream(rows: list[Row], kept: Path | None, seed: int, max_error: float) -> None:
    first = {(row.get("ns", ""), row["prompt"]): row for row in reversed(rows)}
    rows = list(first.values())
    random.Random(seed).shuffle(rows)
    vectors = vectors_of([row["prompt"] for row in rows], kept)
    spaces: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        spaces.setdefault(row.get("ns", ""), []).append(at)
    groups = [(np.array(members), vectors[members] @ vectors[members].T) for members in spaces.values()]
    print(f"{len(rows):,} prompts, order {seed}")
    print(f"servable at {max_error:.0%} wrong:")
    for way, switches in WAYS.items():
        share, error, threshold = servable(rows, groups, switches, max_error)
        print(f"  {way:<18} {share:>6.1%}  wrong {error:.2%}  from {threshold:.3f}")
    print("replayed, hit rate / wrong hits, by threshold:")
    print(" " * 21 + "".join(f"{t:>17.2f}" for t in THRESHOLDS))
    for way, switches in WAYS.items():
        cells = []
        for threshold in THRESHOLDS:
            hits, wrong = replay(rows, groups, switches, threshold)
            cells.append(f"{hits / len(rows):>7.1%} / {wrong / max(1, hits):>5.2%}")
        print(f"  {way:<18} " + "  ".join(cells))


def nearest_passing(
    rows: list[Row], me: int, order: Any, members: Any, near: Any, switches: Sequence[str]
) -> int | None:
    """The position of the nearest of `order` that no guard refuses: what a look-up serves."""
    query = rows[me]["prompt"]
    for at in order:
        if not fired(query, rows[members[at]]["prompt"], float(near[at]), switches):
            return int(at)
    return None


def servable(
    rows: list[Row], groups: list[tuple[Any, Any]], switches: Sequence[str], max_error: float
) -> tuple[float, float, float]:
    """(share, its share of wrong answers, threshold)"""
    events: list[tuple[float, bool]] = []
    for members, likeness in groups:
        cacheable = np.array([rows[at].get("cacheable", True) for at in members])
        for at in range(1, len(members)):
            near = np.where(cacheable[:at], likeness[at, :at], -1.0)
            order = [one for one in nearest(near, NEXT if switches else 1) if near[one] >= LEAST]
            found = nearest_passing(rows, int(members[at]), order, members, near, switches)
            if found is not None:
                right = rows[members[at]]["answer_id"] == rows[members[found]]["answer_id"]
                events.append((float(near[found]), right))
    events.sort(key=lambda event: -event[0])
    best, wrong = (0.0, 0.0, 1.0), 0
    for count, (similarity, right) in enumerate(events, start=1):
        wrong += not right
        last = count == len(events) or events[count][0] < similarity
        if last and wrong <= max_error * count:
            best = (count / len(rows), wrong / count, similarity)
    return best


def replay(
    rows: list[Row], groups: list[tuple[Any, Any]], switches: Sequence[str], threshold: float
) -> tuple[int, int]:
    """(hits, wrong hits)"""
    hits = wrong = 0
    for members, likeness in groups:
        cached = np.zeros(len(members), bool)
        for at, me in enumerate(members):
            near = np.where(cached, likeness[at], -1.0)
            order = [one for one in nearest(near, NEXT if switches else 1) if near[one] >= threshold]
            found = nearest_passing(rows, int(me), order, members, near, switches)
            if found is None:
                cached[at] = rows[me].get("cacheable", True)
            else:
                hits += 1
                wrong += rows[me]["answer_id"] != rows[members[found]]["answer_id"]
    return hits, wrong


def nearest(near: Any, k: int) -> Any:
    k = min(k, len(near))
    top = np.argpartition(-near, k - 1)[:k]
    return top[np.argsort(-near[top])]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("pairs", "stream"))
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, default=1, help="of the order of a stream (default 1)")
    parser.add_argument("--max-error", type=float, default=0.02, help="share of wrong answers (default 0.02)")
    parser.add_argument("--vectors", type=Path, help="a folder that keeps the vectors for the next time")
    chosen = parser.parse_args()
    for file in chosen.files:
        rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
        kept = chosen.vectors / f"{file.stem}.npz" if chosen.vectors else None
        print(f"\n{file.name}")
        if chosen.what == "pairs":
            pairs(rows, kept)
        else:
            stream(rows, kept, chosen.seed, chosen.max_error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
