"""Evicting with a way back, against UNLINK of the same keys and plain copies of them, as ratios in one run.

    python -m benchmarks.eviction [--entries 10000] [--graph 20000] [--from-graph 1000]

The copies of the reference are what any client would do: DUMP, PEXPIRETIME and SET in pipelines. How long
another client waits is measured by a process of its own that sends a PING every 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import redis
import redis.asyncio

from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction, Listed, Selection
from costconsole.cache.policy import Author
from costconsole.cache.search import EntrySearch
from costconsole.demo.server import EmbeddedRedis
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import probe

DIMS = 384
KEYS = Keys("bench")
PIPELINE = 500
ROUNDS = 5


def fill(client: Any, name: str, algorithm: str, entries: int) -> list[str]:
    """Entries as RedisVL writes them, behind an index of that algorithm ("": none); returns their keys."""
    if algorithm:
        client.execute_command(
            "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, name, "SCHEMA", "prompt", "TEXT", "response",
            "TEXT", "inserted_at", "NUMERIC", "updated_at", "NUMERIC", "prompt_vector", "VECTOR", algorithm,
            6, "TYPE", "FLOAT32", "DIM", DIMS, "DISTANCE_METRIC", "COSINE",
        )  # fmt: skip
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(entries, DIMS)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prefix = name if algorithm else KEYS.exact_prefix.removesuffix(":")
    keys = [f"{prefix}:{number:064x}" for number in range(entries)]
    for start in range(0, entries, PIPELINE):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + PIPELINE, entries)):
            fields = {
                "entry_id": f"{number:064x}", "prompt": f"how do I refund order number {number}?",
                "response": "An answer of some length. " * 24, "inserted_at": f"{1_795_000_000 + number}.5",
                "updated_at": f"{1_795_000_000 + number}.5", "model": "gpt-x", "created_ms": number,
            }  # fmt: skip
            if algorithm:
                fields["prompt_vector"] = vectors[number].tobytes()
            pipe.hset(keys[number], mapping=fields)
            pipe.expire(keys[number], 86_400)
        pipe.execute()
    return keys


def unlink_with_copies(client: Any, keys: Sequence[str]) -> None:
    """The reference: copies by the client, then UNLINK of the same keys."""
    for start in range(0, len(keys), PIPELINE):
        part = keys[start : start + PIPELINE]
        pipe = client.pipeline(transaction=False)
        for key in part:
            pipe.dump(key)
            pipe.pexpiretime(key)
        replies = pipe.execute()
        for at, key in enumerate(part):
            pipe.set(f"copy:{{{key}}}", b"%d\n" % replies[2 * at + 1] + replies[2 * at], px=86_400_000)
        for key in part:
            pipe.unlink(key)
        pipe.execute()


async def evicting(url: str) -> tuple[Any, Eviction]:
    client = redis.asyncio.Redis.from_url(url, protocol=2)
    server = await probe(client, namespace=KEYS.namespace)
    search = EntrySearch(client, await find_caches(client, server, KEYS), KEYS)
    return client, Eviction(client, search, KEYS, server, Author("bench", "here"))


async def listed(eviction: Eviction, keys: Sequence[str]) -> Selection:
    """The keys with the fingerprints that a list gives."""
    preview = await eviction.preview(Selection(tuple(Listed(key) for key in keys)), budget_s=600)
    assert preview.count == len(keys)
    return preview.selection


def ping(url: str, stop: Event, waits: Any) -> None:
    """Send PINGs until `stop`; puts the waits in ms."""
    client = redis.Redis.from_url(url, protocol=2)
    found = []
    while not stop.is_set():
        started = time.perf_counter()
        client.ping()
        found.append((time.perf_counter() - started) * 1000)
        time.sleep(0.002)
    waits.put(found)


def beside(url: str, work: Callable[[], object]) -> tuple[float, list[float]]:
    """Seconds of the work, and what another client waited meanwhile in ms."""
    context = multiprocessing.get_context("spawn")
    stop, waits = context.Event(), context.Queue()
    other = context.Process(target=ping, args=(url, stop, waits))
    other.start()
    time.sleep(1.0)
    started = time.perf_counter()
    work()
    took = time.perf_counter() - started
    stop.set()
    found = waits.get(timeout=10)
    other.join()
    return took, found


def compare(algorithm: str, entries: int) -> None:
    """Rounds of the reference and of ours in turn, on the same server with the same entries."""
    reference, ours, back = [], [], []
    for _ in range(ROUNDS):
        with EmbeddedRedis() as server:
            client = redis.Redis.from_url(server.url, protocol=2)
            keys = fill(client, "cache", algorithm, entries)
            started = time.perf_counter()
            unlink_with_copies(client, keys)
            reference.append(time.perf_counter() - started)
        with EmbeddedRedis() as server:
            client = redis.Redis.from_url(server.url, protocol=2)
            keys = fill(client, "cache", algorithm, entries)

            async def work(url: str = server.url, keys: Sequence[str] = keys) -> None:
                connection, eviction = await evicting(url)
                selection = await listed(eviction, keys)
                started = time.perf_counter()
                done = await eviction.evict(selection)
                ours.append(time.perf_counter() - started)
                assert done.evicted == entries
                started = time.perf_counter()
                undone = await eviction.undo()
                back.append(time.perf_counter() - started)
                assert undone.restored == entries
                await connection.aclose()

            asyncio.run(work())
    # The best rounds: whatever else the machine did takes time from each of the others.
    base, mine = min(reference), min(ours)
    print(
        f"{algorithm or 'no index':<9} {entries:>7,} {base:>13.2f} {mine:>10.2f} {mine / base:>7.2f}x"
        f" {min(back):>8.2f}"
    )


def waiting(entries: int, chosen: int) -> None:
    """What another client waits for beside evictions from an HNSW graph, and beside their undo."""
    with EmbeddedRedis() as server:
        client = redis.Redis.from_url(server.url, protocol=2)
        keys = fill(client, "graph", "HNSW", entries)
        _, still = beside(server.url, lambda: time.sleep(1))
        row("nothing", 1.0, still)

        alone: list[float] = []

        def evict() -> None:
            async def work() -> None:
                connection, eviction = await evicting(server.url)
                selection = await listed(eviction, keys[:chosen])
                started = time.perf_counter()
                await eviction.evict(selection)
                alone.append(time.perf_counter() - started)
                await connection.aclose()

            asyncio.run(work())

        def undo() -> None:
            async def work() -> None:
                connection, eviction = await evicting(server.url)
                await eviction.undo()
                await connection.aclose()

            asyncio.run(work())

        row(f"evict {chosen:,}", *beside(server.url, evict))
        row(f"undo {chosen:,}", *beside(server.url, undo))
        took, waits = beside(server.url, lambda: unlink_with_copies(client, keys[:chosen]))
        row(f"reference, {chosen:,}", took, waits)
        print(f"evictions alone {alone[0]:.2f} s: {alone[0] / took:.2f}x the reference")


def row(name: str, took: float, waits: Sequence[float]) -> None:
    ordered = sorted(waits)
    print(
        f"{name:<18} {took:>7.2f} s  {ordered[len(ordered) // 2]:>7.2f}"
        f" {ordered[int(len(ordered) * 0.99)]:>8.2f} {ordered[-1]:>8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--graph", type=int, default=20_000)
    parser.add_argument("--from-graph", type=int, default=1_000)
    args = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}; the best of {ROUNDS} rounds, seconds")
    print(f"{'index':<9} {'entries':>7} {'UNLINK+copies':>13} {'evict':>10} {'ratio':>8} {'undo':>8}")
    for algorithm in ("", "FLAT"):
        compare(algorithm, args.entries)
    print(f"\nanother client's wait beside HNSW with {args.graph:,} entries (ms: median, p99, longest)")
    waiting(args.graph, args.from_graph)


if __name__ == "__main__":
    main()
