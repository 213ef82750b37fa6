"""Filters and orders of the list of entries: a first page, and what has to be read to find few of many.

    python -m benchmarks.filters [--entries 100000] [--rounds 15]

Fills a Redis of its own with as many entries of our own semantic cache (TAG and NUMERIC fields; the vectors
are short, in a FLAT index, for no vector is compared here) and asks for pages of 100. `ms` is the median of
a first page, `blocked_ms` the longest time in which the event loop did not turn meanwhile, `pages` and
`whole_ms` what it takes to come to the end, or to 100 entries, where a page ends early at its budget.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

import redis
import redis.asyncio

from costconsole.cache.catalog import find_caches
from costconsole.cache.entryfilter import EntryFilter, parse_filter
from costconsole.cache.search import EntrySearch
from costconsole.demo.server import EmbeddedRedis
from costconsole.redis_store.keys import Keys

KEYS = Keys("default")
DAY_S = 86_400
FILTERS = (
    "",
    "model:gpt-4o",
    "model:rare",
    "age:>7d",
    "age:<1d",
    "age:>7d model:gpt-4o scope:s3",
    "ttl:none",
    "ttl:none model:gpt-4o age:>7d",
    "model:gpt-4*",
    "model:nobody*",
)


def fill(client: redis.Redis, entries: int) -> None:
    """Entries of ten days; one in 2,000 never expires, one in 10,000 is of the model `rare`."""
    client.execute_command(
        "FT.CREATE", KEYS.semantic_index, "ON", "HASH", "PREFIX", 1, KEYS.semantic_prefix, "SCHEMA",
        "prompt", "TEXT", "response", "TEXT", "inserted_at", "NUMERIC", "SORTABLE", "updated_at", "NUMERIC",
        "model", "TAG", "SEPARATOR", "\x1f", "CASESENSITIVE", "scope", "TAG", "SEPARATOR", "\x1f",
        "CASESENSITIVE", "route", "TAG", "tag", "TAG",
        "prompt_vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 4, "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip
    now = time.time()
    pipe = client.pipeline(transaction=False)
    for n in range(entries):
        at = f"{now - 10 * DAY_S * n / entries:.3f}"
        key = f"{KEYS.semantic_prefix}{n:064x}"
        model = "rare" if n % 10_000 == 9_999 else ("gpt-4o", "gpt-4o-mini", "claude-haiku-4-5")[n % 3]
        pipe.hset(
            key,
            mapping={
                "prompt": f"How do I return order {n} that arrived broken, and when is it refunded?",
                "response": "Within **30 days**: keep the receipt, and send it back to us. " * 4,
                "inserted_at": at,
                "updated_at": at,
                "model": model,
                "scope": f"s{n % 7}",
                "prompt_vector": b"\0\0\x80?" * 4,
            },
        )
        if n % 2_000 != 1_999:
            pipe.expire(key, 30 * DAY_S)
        if n % 1_000 == 999:
            pipe.execute()
    pipe.execute()


async def measure(url: str, rounds: int) -> list[dict[str, object]]:
    """A document for each filter, and for the listing with the oldest first."""
    client = redis.asyncio.Redis.from_url(url, protocol=2)
    search = EntrySearch(client, await find_caches(client, None, KEYS), KEYS)
    found = [await _one(search, parse_filter(text), text, rounds) for text in FILTERS]
    found.append(await _one(search, EntryFilter(), "oldest first", rounds, oldest=True))
    keys = [entry.key for entry in await search.newest(None, 2_000)]
    began = time.perf_counter()
    for at in range(0, len(keys), 250):
        await search.weights(keys[at : at + 250])
    weighed = (time.perf_counter() - began) * 1000
    found.append({"filter": "size and idle time of 2,000", "ms": round(weighed, 1)})
    await client.aclose()
    return found


async def _one(
    search: EntrySearch, where: EntryFilter, name: str, rounds: int, **options: Any
) -> dict[str, object]:
    times = []
    blocked = asyncio.create_task(_longest_turn())
    await asyncio.sleep(0)
    for _ in range(rounds):
        began = time.perf_counter()
        page = await search.newest(None, 100, where=where, **options)
        times.append((time.perf_counter() - began) * 1000)
    began, pages, shown = time.perf_counter(), 1, len(page)
    while page.next is not None and shown < 100:
        page = await search.newest(None, 100, page.next, where=where, **options)
        pages, shown = pages + 1, shown + len(page)
    whole = times[-1] + (time.perf_counter() - began) * 1000
    blocked.cancel()
    return {
        "filter": name or "(none)",
        "ms": round(statistics.median(times), 1),
        "shown": shown,
        "pages": pages,
        "whole_ms": round(whole, 1),
        "blocked_ms": round(await blocked, 1),
    }


async def _longest_turn() -> float:
    """The longest turn of the event loop in milliseconds, until it is cancelled."""
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with EmbeddedRedis() as server:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            fill(client, arguments.entries)
        for one in asyncio.run(measure(server.url, arguments.rounds)):
            print(json.dumps({"entries": arguments.entries, **one}))


if __name__ == "__main__":
    main()
