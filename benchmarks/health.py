"""The deep health checks beside a client that sends PINGs: how long it waits, and during what.

python -m benchmarks.health [--entries 100000] [--index HNSW] [--dims 32]
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import redis
import redis.asyncio

from benchmarks.eviction import KEYS, ping
from benchmarks.million import Clock, fill
from costconsole.cache.catalog import survey
from costconsole.demo.server import EmbeddedRedis
from costconsole.embedding.embedder import Embedding, pack_normalized
from costconsole.health.collect import examine_caches
from costconsole.health.sample import DEEP
from costconsole.redis_store.probe import probe


class Model:
    """As quick as none, so that the server alone is measured."""

    name = "none"

    def __init__(self, dims: int) -> None:
        self.dims = dims

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(pack_normalized([1.0] * self.dims), 1, False) for _ in texts]


async def examine(url: str, dims: int) -> list[tuple[float, str]]:
    """All findings; when each step began, in seconds of the shared clock, and its words."""
    client = redis.asyncio.Redis.from_url(url, protocol=2)
    steps = [(time.monotonic(), "nothing")]
    await asyncio.sleep(1.0)
    server = await probe(client, namespace=KEYS.namespace)
    steps.append((time.monotonic(), "survey (FT.INFO)"))
    seen = await survey(client, server, KEYS)

    def told(words: str) -> None:
        steps.append((time.monotonic(), words.split(",")[0]))

    told("walk")
    async for finding in examine_caches(client, server, KEYS, seen, Model(dims), budget=DEEP, progress=told):
        print(f"  {finding.status:<4} {finding.check:<13} {finding.what} ({finding.count})")
    steps.append((time.monotonic(), "end"))
    await client.aclose()
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--index", default="HNSW")
    parser.add_argument("--dims", type=int, default=32)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with EmbeddedRedis() as server:
        client = redis.Redis.from_url(server.url, protocol=2)
        clock = Clock()
        fill(client, args.index, args.entries, args.dims)
        clock.say("fill", f"{args.entries:,} entries, index {args.index}, load {os.getloadavg()[0]:.1f}")
        ready, stop, waits = context.Event(), context.Event(), context.Queue()
        other = context.Process(target=ping, args=(server.url, ready, stop, waits))
        other.start()
        ready.wait(20)
        steps = asyncio.run(examine(server.url, args.dims))
        stop.set()
        pings = waits.get(timeout=10)
        other.join()
    clock.say("examine", "")
    longest: dict[str, tuple[int, float]] = {}
    starts = [at for at, _ in steps]
    for at, took in pings:
        # A PING that waited belongs to the step in which it was answered.
        name = steps[max(0, bisect.bisect(starts, at + took) - 1)][1]
        count, most = longest.get(name, (0, 0.0))
        longest[name] = (count + 1, max(most, took * 1000))
    for name, (count, most) in longest.items():
        print(f"{name:<40} {count:>6} PINGs, the longest {most:>7.1f} ms")


if __name__ == "__main__":
    main()
