"""A million entries: preview, eviction, stop and undo of a whole cache, and what they take of this process.

    python -m benchmarks.million [--entries 1000000] [--index none|FLAT|HNSW] [--dims 32] [--rounds ...]

Times are those of one run on a machine that others use as well; memory is this process's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import redis

from benchmarks.eviction import KEYS, evicting
from costconsole.cache.eviction import Progress, Selection
from costconsole.demo.server import EmbeddedRedis

PIPELINE = 1_000


def fill(client: Any, algorithm: str, entries: int, dims: int) -> str:
    """Small entries as RedisVL writes them, or exact ones of our own; returns the cache's name."""
    name = "cache" if algorithm else f"{KEYS.namespace}:exact"
    if algorithm:
        client.execute_command(
            "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, name, "SCHEMA", "prompt", "TEXT", "response",
            "TEXT", "inserted_at", "NUMERIC", "updated_at", "NUMERIC", "prompt_vector", "VECTOR", algorithm,
            6, "TYPE", "FLOAT32", "DIM", dims, "DISTANCE_METRIC", "COSINE",
        )  # fmt: skip
    rng = np.random.default_rng(7)
    prefix = name if algorithm else KEYS.exact_prefix.removesuffix(":")
    for start in range(0, entries, PIPELINE):
        vectors = rng.normal(size=(PIPELINE, dims)).astype("<f4")
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + PIPELINE, entries)):
            fields = {
                "entry_id": f"{number:064x}", "prompt": f"refund of order {number}?", "response": "Yes.",
                "inserted_at": f"{1_794_000_000 + number}.5", "updated_at": f"{1_794_000_000 + number}.5",
                "model": "gpt-x", "created_ms": 1_794_000_000_000 + number,
            }  # fmt: skip
            if algorithm:
                fields["prompt_vector"] = vectors[number - start].tobytes()
            pipe.hset(f"{prefix}:{number:064x}", mapping=fields)
        pipe.execute()
    return name


def memory_mb() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


class Clock:
    """Says how long each step took, and what this process holds."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def say(self, step: str, words: str) -> None:
        took = time.monotonic() - self.started
        print(
            f"{step:<28} {took:>8.2f} s  {memory_mb():>6.0f} MB (most {peak_mb():.0f})  {words}", flush=True
        )
        self.started = time.monotonic()


async def walk_through(url: str, client: Any, cache: str, entries: int) -> None:
    connection, eviction = await evicting(url)
    clock = Clock()
    preview = await eviction.preview(Selection(caches=(cache,)))
    clock.say("preview", f"{preview.count:,} found, complete {preview.complete}, bytes {preview.bytes}")
    stop = asyncio.Event()
    asked = [0.0]

    def after(share: float) -> Callable[[Progress], None]:
        def heard(progress: Progress) -> None:
            if progress.done >= entries * share and not stop.is_set():
                asked[0] = time.monotonic()
                stop.set()

        return heard

    done = await eviction.evict(preview.selection, on_progress=after(0.02), stop=stop)
    late = time.monotonic() - asked[0]
    clock.say(
        "evict, stopped at 2 %", f"{done.evicted:,} evicted, stopped {late * 1000:.0f} ms after the word"
    )
    stop.clear()
    back = await eviction.undo(on_progress=after(0.01), stop=stop)
    late = time.monotonic() - asked[0]
    clock.say("undo, stopped at 1 %", f"{back.restored:,} back, {back.remaining:,} not, {late * 1000:.0f} ms")
    back = await eviction.undo()
    clock.say("undo of the rest", f"{back.restored:,} back, {back.remaining:,} not")
    done = await eviction.evict(preview.selection)
    left = sum(1 for key in client.scan_iter(count=10_000) if not key.startswith(b"costconsole:"))
    clock.say(
        "evict all", f"{done.evicted:,} evicted, {done.skipped_count:,} skipped, {left} left {done.reason}"
    )
    back = await eviction.undo()
    clock.say("undo all", f"{back.restored:,} back, {back.skipped_count:,} skipped, {back.remaining:,} not")
    await connection.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--index", default="FLAT")
    parser.add_argument("--dims", type=int, default=32)
    parser.add_argument("--keep", action="store_true", help="leave the server until a key is pressed")
    args = parser.parse_args()
    with EmbeddedRedis() as server:
        client = redis.Redis.from_url(server.url, protocol=2)
        clock = Clock()
        cache = fill(client, "" if args.index == "none" else args.index, args.entries, args.dims)
        clock.say("fill", f"{args.entries:,} entries, index {args.index}, load {os.getloadavg()[0]:.1f}")
        asyncio.run(walk_through(server.url, client, cache, args.entries))
        if args.keep:
            print(server.url, flush=True)
            input()


if __name__ == "__main__":
    main()
