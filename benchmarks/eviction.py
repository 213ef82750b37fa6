"""Evicting with a way back, against UNLINK of the same keys and plain copies of them, as ratios in one run.

    python -m benchmarks.eviction [--entries 10000] [--blocks 5] [--indexes none FLAT HNSW]

Both work on one server with one index, block by block in turn, so that the graph and whatever else the
machine does are the same for both. The copies of the reference are what any client would do: DUMP,
PEXPIRETIME and SET in pipelines. How long another client waits is measured by a process of its own that
sends a PING every 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import redis

from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction, Listed, Selection
from costconsole.cache.policy import Author
from costconsole.cache.search import EntrySearch
from costconsole.demo.server import EmbeddedRedis
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import probe
from costconsole.redis_store.target import parse_target

DIMS = 384
KEYS = Keys("bench")
PIPELINE = 500


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
    client = connect_async(parse_target(url))
    server = await probe(client, namespace=KEYS.namespace)
    search = EntrySearch(client, await find_caches(client, server, KEYS), KEYS)
    return client, Eviction(client, search, KEYS, server, Author("bench", "here"))


async def listed(eviction: Eviction, keys: Sequence[str]) -> Selection:
    """The keys with the fingerprints that a list gives."""
    preview = await eviction.preview(Selection(tuple(Listed(key) for key in keys)), budget_s=600)
    assert preview.count == len(keys)
    return preview.selection


def ping(url: str, ready: Event, stop: Event, waits: Any) -> None:
    """Send PINGs until `stop`; puts when each began and what it waited, in seconds of the shared clock."""
    client = redis.Redis.from_url(url, protocol=2)
    found = []
    while not stop.is_set():
        started = time.monotonic()
        client.ping()
        found.append((started, time.monotonic() - started))
        ready.set()
        time.sleep(0.002)
    waits.put(found)


@dataclass
class Measured:
    """Blocks of one kind of work: wall and processor seconds of server and client, and when each was."""

    wall: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)

    def waits(self, pings: Sequence[tuple[float, float]]) -> list[float]:
        """What PINGs waited while this went on, in ms, sorted."""
        return sorted(
            took * 1000
            for at, took in pings
            if any(start <= at + took and at <= end for start, end in self.spans)
        )


class Watch:
    """Measures what is done inside it into `into`."""

    def __init__(self, client: Any, into: Measured) -> None:
        self.client, self.into = client, into

    def _server(self) -> float:
        used = self.client.info("cpu")
        return float(used["used_cpu_user"] + used["used_cpu_sys"])

    def __enter__(self) -> None:
        self.cpu, self.own, self.started = self._server(), time.process_time(), time.monotonic()

    def __exit__(self, *_: object) -> None:
        ended = time.monotonic()
        self.into.own.append(time.process_time() - self.own)
        self.into.wall.append(ended - self.started)
        self.into.server.append(self._server() - self.cpu)
        self.into.spans.append((self.started, ended))


def compare(algorithm: str, entries: int, blocks: int) -> None:
    """Both in turn, each `entries` in so many blocks; then the undo of all of ours."""
    context = multiprocessing.get_context("spawn")
    reference, ours, back = Measured(), Measured(), Measured()
    with EmbeddedRedis() as server:
        client = redis.Redis.from_url(server.url, protocol=2)
        keys = fill(client, "cache", algorithm, 2 * entries)
        ready, stop, waits = context.Event(), context.Event(), context.Queue()
        other = context.Process(target=ping, args=(server.url, ready, stop, waits))
        other.start()
        ready.wait(20)
        still = time.monotonic()
        time.sleep(1.0)
        alone = Measured(spans=[(still, time.monotonic())])

        async def mine(part: Sequence[str]) -> None:
            connection, eviction = await evicting(server.url)
            selection = await listed(eviction, part)
            with Watch(client, ours):
                done = await eviction.evict(selection)
            assert done.evicted == len(part)
            await connection.aclose()

        async def undo() -> None:
            connection, eviction = await evicting(server.url)
            for one in await eviction.history(100):
                with Watch(client, back):
                    await eviction.undo(one.undo_id)
            await connection.aclose()

        size = entries // blocks
        parts = [keys[at : at + size] for at in range(0, 2 * blocks * size, size)]
        for turn in range(blocks):
            # Who begins alternates, as the index shrinks.
            for which in (0, 1) if turn % 2 == 0 else (1, 0):
                part = parts.pop()
                if which:
                    asyncio.run(mine(part))
                else:
                    with Watch(client, reference):
                        unlink_with_copies(client, part)
        asyncio.run(undo())
        stop.set()
        pings = waits.get(timeout=10)
        other.join()
    turns = statistics.median(mine / other for mine, other in zip(ours.wall, reference.wall, strict=True))
    cpu = (sum(ours.server) + sum(ours.own)) / (sum(reference.server) + sum(reference.own))
    print(
        f"{algorithm or 'none':<6} {sum(reference.wall):>9.2f} {sum(ours.wall):>8.2f} {sum(back.wall):>8.2f}"
        f" {sum(ours.wall) / sum(reference.wall):>7.2f}x {turns:>6.2f}x {cpu:>6.2f}x"
        f" {sum(ours.server):>8.2f}/{sum(reference.server):<6.2f}"
        f" {sum(ours.own):>6.2f}/{sum(reference.own):<6.2f}"
        f" {_longest(ours.waits(pings))} {_longest(back.waits(pings))} {_longest(reference.waits(pings))}"
        f" {_longest(alone.waits(pings))}",
        flush=True,
    )


def _longest(waits: Sequence[float]) -> str:
    if not waits:
        return f"{'-':>13}"
    return f"{waits[int(len(waits) * 0.99)]:>6.1f}/{waits[-1]:<6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--indexes", nargs="*", default=["none", "FLAT", "HNSW"])
    args = parser.parse_args()
    print(
        f"load {os.getloadavg()[0]:.1f}; {args.entries:,} entries each, {args.blocks} blocks in turn: "
        "seconds, ratio of all, the median turn's, of processor time; another client's wait p99/longest, ms"
    )
    print(
        f"{'index':<6} {'reference':>9} {'evict':>8} {'undo':>8} {'all':>8} {'turn':>7} {'CPU':>7}"
        f" {'server CPU':>15} {'client CPU':>13} {'evict':>13} {'undo':>13} {'reference':>13} {'nothing':>13}"
    )
    for name in args.indexes:
        compare("" if name == "none" else name, args.entries, args.blocks)


if __name__ == "__main__":
    main()
