"""Searches whose answers come when the test says so, and caches that can't be searched as they should."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.page import Cursor, EntryPage, ScanPlace
from costconsole.cache.scan import Position
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedding
from tests.console import fakes


class HeldEmbedder(fakes.FakeEmbedder):
    """Answers a text only when it is let go; the vector tells the text."""

    def __init__(self, status: str = "ready") -> None:
        super().__init__(status)
        self.gates: dict[str, asyncio.Event] = {}
        self.free = False
        self.in_flight = 0
        self.most_in_flight = 0

    def let_go(self, text: str) -> None:
        self.gates.setdefault(text, asyncio.Event()).set()

    def start(self) -> None:
        if self.status == "off":
            self.status = "starting"

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        self.asked.extend(texts)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if not self.free:
                await self.gates.setdefault(texts[0], asyncio.Event()).wait()
        finally:
            self.in_flight -= 1
        return [Embedding(text.encode(), 1, False) for text in texts]


class EchoSearch(fakes.FakeSearch):
    """By meaning it finds one entry that names the text; lists `count` entries in pages."""

    def __init__(self, count: int = 0, *, prompts: Sequence[str] = ()) -> None:
        super().__init__(fakes.entries(40, prompts=prompts))
        self.count = count
        self.pages_read = 0
        self.note = ""

    async def by_vector(
        self,
        vector: bytes,
        caches: Sequence[CacheInfo] | None = None,
        k: int = 20,
        *,
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        self.asked.append(("vector", vector.decode()))
        if self.problem is not None:
            raise self.problem
        entry = replace(self.found[0], prompt=f"found for {vector.decode()}")
        return EntryPage((entry,), note=self.note, partial=bool(self.note))

    async def newest(
        self,
        cache: CacheInfo | None = None,
        limit: int = 50,
        before: Any = None,
        *,
        where: EntryFilter = NOTHING,
        oldest: bool = False,
    ) -> EntryPage:
        if not self.count:
            return await super().newest(cache, limit, before, where=where, oldest=oldest)
        self._answer("oldest" if oldest else "newest", cache)
        self.pages_read += 1
        start = before.places["all"].looked_at if before is not None else 0
        end = min(self.count, start + limit)
        more = Cursor({"all": ScanPlace(Position(), (), end)}) if end < self.count else None
        numbers = range(start, end) if not oldest else range(self.count - start - 1, self.count - end - 1, -1)
        shown = tuple(e for e in map(numbered, numbers) if where.holds(e, fakes.NOW_MS))
        partial = bool(where) and more is not None
        note = f"looked at {end:,} of {self.count:,} entries of support so far" if partial else ""
        return EntryPage(shown, self.count, more, partial, note)


def numbered(n: int) -> CacheEntry:
    """The n-th newest of very many entries."""
    return CacheEntry(
        key=f"many:{n:064x}",
        cache="support",
        library="costconsole",
        prompt=f"prompt number {n}",
        response="an answer",
        model="gpt-4o",
        created_ms=fakes.NOW_MS - n * 1000,
        hits=n,
    )


NO_SEARCH = replace(
    fakes.CACHES[0],
    index=None,
    dims=None,
    problem="this Redis has no search module: entries can be read and searched by text, not by meaning",
)


def unreadable() -> Problem:
    return Problem("prod-cache:6379/0 lets this user not read entries: grant +hmget")
