"""Search as one types: from the key to the rows, against the embedding and the KNN that it can't do without.

    python -m benchmarks.entries [--entries 10000] [--keys 200] [--size 120x36]

Fills a Redis of its own with synthetic entries (clustered vectors of 384 numbers, an HNSW index), opens the
real page over it, and types. A key counts until the rows of its text stand in the table (`rows`), and until
they are painted (`paint`; the toolkit paints at most 60 times a second). `floor` embeds texts of the same
lengths with the same model and asks one KNN 20 over the same connection pool, in turns with the typing.
`ratio` is of the medians of `rows` and `floor`. Times are milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import replace
from typing import Any

import redis
import redis.asyncio
from textual.events import Key

from costconsole.cache.semantic import SemanticCache
from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PageEntry
from costconsole.console.redis_source import RedisSource
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.themes import choose_theme
from costconsole.demo.server import EmbeddedRedis
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings

KEYS = Keys("default")
DIMS = 384
TYPED = (
    "can i get a refund after thirty days",
    "how do i reset the password of my account",
    "which plan includes single sign on",
    "the invoice shows the wrong address",
    "where can i see the limits of the api",
    "is my data stored in europe",
)
FLOOR = (
    "may one return a parcel that was opened",
    "where do i change the language of the app",
    "does this plan have a yearly discount",
    "my package has not arrived since monday",
    "who can read the logs of my project",
    "how long is a trial of it",
)


def fill(client: redis.Redis, entries: int) -> None:
    """Entries in the layout of the semantic cache, around clustered unit vectors."""
    import numpy as np

    SemanticCache(KEYS, DIMS).ensure_index(client)
    random = np.random.default_rng(7)
    centres = random.standard_normal((max(10, entries // 25), DIMS)).astype("<f4")
    now = time.time()
    for start in range(0, entries, 1000):
        count = min(1000, entries - start)
        vectors = centres[random.integers(0, len(centres), count)]
        vectors = vectors + random.standard_normal((count, DIMS)).astype("<f4") * 0.5
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        pipe = client.pipeline(transaction=False)
        for n in range(count):
            number = start + n
            pipe.hset(
                f"{KEYS.semantic_prefix}{number:064x}",
                mapping={
                    "entry_id": f"{number:064x}",
                    "prompt": f"How do I return order {number} that arrived broken, and when is it refunded?",
                    "response": "Within **30 days**: keep the receipt, and send it back to us. " * 4,
                    "inserted_at": f"{now - entries + number:.3f}",
                    "updated_at": f"{now - entries + number:.3f}",
                    "model": "gpt-4o",
                    "scope": "support",
                    "prompt_vector": vectors[n].astype("<f4").tobytes(),
                },
            )
        pipe.execute()


class TimedPage(EntriesPage):
    """The page, telling when rows of a text stand and when they are painted."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: asyncio.Event = asyncio.Event()
        self.painted: asyncio.Event = asyncio.Event()
        self.rows_s = self.painted_s = 0.0
        self.by = ""

    def feed_found(self, *, anew: bool) -> None:
        super().feed_found(anew=anew)
        if anew:
            found = self._feed.found
            assert found is not None
            self.rows_s, self.by = time.perf_counter(), found.by
            self.rows.set()
            self.call_after_refresh(self._is_painted)

    def _is_painted(self) -> None:
        self.painted_s = time.perf_counter()
        self.painted.set()


async def press(app: CostConsoleApp, page: TimedPage, key: str, sign: str | None) -> tuple[float, float]:
    """Milliseconds from this key to its rows, and to their paint."""
    page.rows.clear()
    page.painted.clear()
    began = time.perf_counter()
    app.post_message(Key(key, sign))
    await asyncio.wait_for(page.rows.wait(), 30)
    await asyncio.wait_for(page.painted.wait(), 30)
    return (page.rows_s - began) * 1000, (page.painted_s - began) * 1000


async def floor(source: RedisSource, client: Any, text: str) -> float:
    """Milliseconds for one embedding and one KNN 20."""
    began = time.perf_counter()
    (embedding,) = await source.embedder.aembed([text])
    await client.execute_command(
        "FT.SEARCH", KEYS.semantic_index, "*=>[KNN 20 @prompt_vector $v EF_RUNTIME 64 AS d]", "NOCONTENT",
        "SORTBY", "d", "LIMIT", 0, 20, "PARAMS", 2, "v", embedding.vector, "DIALECT", 2,
    )  # fmt: skip
    return (time.perf_counter() - began) * 1000


async def measure(url: str, keys: int, size: tuple[int, int]) -> dict[str, object]:
    """Type `keys` keys into the page, in turns with the floor."""
    settings = replace(Settings(), redis_url=url, timezone="UTC")
    source = RedisSource(settings, parse_target(url))
    theme, _ = choose_theme(settings.theme, 256)
    entry = PageEntry("entries", "2", "Entries", "benchmarks.entries", "TimedPage")
    app = CostConsoleApp(settings, source, theme, pages=(entry,))
    rows: list[float] = []
    paints: list[float] = []
    floors: list[float] = []
    async with app.run_test(size=size) as pilot:
        while app.page is None:
            await pilot.pause(0.1)
        page: Any = app.page
        source.embedder.start()
        while source.embedder.status != "ready" or not page.rows.is_set():
            await pilot.pause(0.1)
        await pilot.press("slash")
        client = redis.asyncio.Redis.from_url(url, protocol=2)
        while len(rows) < keys:
            for typed, other in zip(TYPED, FLOOR, strict=True):
                for at, sign in enumerate(typed, 1):
                    taken = await press(app, page, "space" if sign == " " else sign, sign)
                    # A space behind a word asks for the same text again.
                    if sign != " " and page.by == "meaning":
                        rows.append(taken[0])
                        paints.append(taken[1])
                        floors.append(await floor(source, client, other[:at]))
                    if len(rows) >= keys:
                        break
                page.query_one("#query").value = ""
                await asyncio.wait_for(page.rows.wait(), 30)
                await page.settle()
                if len(rows) >= keys:
                    break
        await client.aclose()
        await app.stop_reading()
    found = {"rows": rows, "paint": paints, "floor": floors}
    figures: dict[str, object] = {
        f"{name}_{label}": round(value, 2)
        for name, values in found.items()
        for label, value in (("p50", statistics.median(values)), ("p95", _p95(values)))
    }
    ratio = statistics.median(rows) / statistics.median(floors)
    return {"keys": len(rows), **figures, "ratio": round(ratio, 2)}


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(0.95 * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--size", default="120x36")
    arguments = parser.parse_args()
    width, height = (int(n) for n in arguments.size.split("x"))
    with EmbeddedRedis() as server:
        began = time.perf_counter()
        with redis.Redis.from_url(server.url, protocol=2) as client:
            fill(client, arguments.entries)
        filled = time.perf_counter() - began
        found = asyncio.run(measure(server.url, arguments.keys, (width, height)))
    print(json.dumps({"entries": arguments.entries, "fill_s": round(filled, 1), **found}))


if __name__ == "__main__":
    main()
