"""A source of frozen values, and views that show what a screen must cope with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.page import EntryPage
from costconsole.cache.reading import Weight
from costconsole.console.source import Link, Looked
from costconsole.domain.call import Call, CostStatus, Outcome, Savings
from costconsole.domain.entry import CacheEntry, CacheInfo, Neighbor
from costconsole.domain.errors import ConnectionProblem, Problem
from costconsole.domain.figures import Figures, LedgerView, Point, Policy, Slice
from costconsole.domain.histogram import Histogram
from costconsole.domain.known import Known
from costconsole.domain.window import WINDOWS, Window
from costconsole.embedding.embedder import Embedding

NOW_MS = 1_795_386_843_000  # 2026-11-22 22:34:03 UTC
HOUR = WINDOWS[2]
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "o4-mini")
HOSTILE = (
    "\x1b]52;c;cHduZWQ=\x1b\\ \x1b]0;title\x07 \x1b[2J \x9b31m \r\n \x07",
    "[/] [/foo] [link=http://x] [@click=app.quit]x[/] [red]",
    "\u202egnisrever\u202c \u200b zero\u200dwidth \ufe0f",
    "漢字かな交じり文 🙂 e\u0301 " + "x" * 10_000,
    "=cmd|'/c calc'!A1",
    "\x00 \ud800 lone",
)
"""Prompts that try to act on a terminal, on markup, on columns and on spreadsheets."""


def figures(scale: int = 1, *, unpriced: int = 0) -> Figures:
    """Plausible figures of `scale` x 100 calls."""
    return Figures(
        calls=100 * scale,
        errors=scale // 2,
        exact=21 * scale,
        semantic=42 * scale,
        miss=33 * scale,
        bypass=4 * scale,
        unpriced=unpriced,
        input=41_200 * scale,
        output=15_400 * scale,
        cached_input=9_000 * scale,
        input_saved=26_000 * scale,
        output_saved=11_000 * scale,
        spend_nano=184_000_000 * scale,
        baseline_nano=675_000_000 * scale,
        saved=Savings(
            exact=120_000_000 * scale,
            semantic=208_000_000 * scale,
            routing=120_000_000 * scale,
            minimization=11_000_000 * scale,
            batch=0,
            provider_cache=32_000_000 * scale,
        ),
        hit_latency=Histogram.of([4, 5, 6, 6, 7, 14]),
        miss_latency=Histogram.of([480, 610, 640, 900, 1930]),
    )


def calls(n: int = 30, *, previews: Sequence[str] = ()) -> tuple[Call, ...]:
    """The newest `n` calls, newest first."""
    outcomes = (Outcome.SEMANTIC, Outcome.MISS, Outcome.EXACT, Outcome.SEMANTIC, Outcome.BYPASS)
    found = []
    for i in range(n):
        outcome = outcomes[i % len(outcomes)]
        hit = outcome.is_hit
        spend = 0 if hit else 4_100_000 + i * 10_000
        baseline = spend + 6_000_000
        found.append(
            Call(
                id=f"call-{i:04}",
                ts_ms=NOW_MS - i * 700,
                outcome=outcome,
                model=MODELS[i % len(MODELS)],
                provider="openai",
                input=0 if hit else 412,
                output=0 if hit else 156,
                input_saved=412 if hit else 0,
                output_saved=156 if hit else 0,
                latency_ms=6.5 if hit else 1900.0 + i,
                error="timeout" if i == 7 else "",
                similarity=None if outcome in (Outcome.EXACT, Outcome.BYPASS) else 0.973 - i / 500,
                threshold=0.95,
                spend_nano=spend,
                baseline_nano=baseline,
                savings=Savings(semantic=6_000_000),
                cost_status=CostStatus.CATALOG,
                preview=previews[i % len(previews)] if previews else f"How do I return order {1000 + i}?",
            )
        )
    return tuple(found)


def view(window: Window = HOUR, **changes: Any) -> LedgerView:
    """An ordinary window of ordinary traffic."""
    from_ms, to_ms = window.bounds(NOW_MS)
    size = {"minute": 60, "hour": 3600, "day": 86_400}[window.grain]
    points = (to_ms - from_ms) // (size * 1000)
    base = LedgerView(
        namespace="support",
        window=window,
        from_ms=from_ms,
        to_ms=to_ms,
        read_ms=NOW_MS,
        present=True,
        total=figures(1374),
        previous=figures(1200),
        today=figures(9000),
        series=tuple(
            Point(from_ms + i * size * 1000, size, figures(15 + (i * 7) % 11)) for i in range(points)
        ),
        by={
            "model": tuple(
                Slice(model, figures(600 // (i + 1), unpriced=3 if i == 4 else 0))
                for i, model in enumerate(MODELS)
            ),
            "route": (Slice("support", figures(800)), Slice("", figures(574))),
            "tag": (Slice("web", figures(1000)), Slice("mail", figures(374))),
            "outcome": tuple(Slice(outcome.value, figures(300)) for outcome in Outcome),
        },
        recent=calls(),
        calls_per_s=38.2,
        policy=Policy(version=3, threshold=0.95),
    )
    return replace(base, **changes)


def empty_view(window: Window = HOUR, *, present: bool = True) -> LedgerView:
    """No call yet; with `present=False`: no ledger in this Redis."""
    from_ms, to_ms = window.bounds(NOW_MS)
    return LedgerView(
        namespace="support", window=window, from_ms=from_ms, to_ms=to_ms, read_ms=NOW_MS, present=present
    )


def hostile_view(window: Window = HOUR) -> LedgerView:
    """Names and prompts that attack."""
    return view(
        window,
        by={
            dimension: tuple(Slice(text, figures(9 - i)) for i, text in enumerate(HOSTILE))
            for dimension in ("model", "route", "tag", "outcome")
        },
        recent=tuple(
            replace(call, model=HOSTILE[i % len(HOSTILE)], tag=HOSTILE[0])
            for i, call in enumerate(calls(30, previews=HOSTILE))
        ),
    )


def huge_view(window: Window = HOUR) -> LedgerView:
    """Figures of a very large house, which must not break a column."""
    big = figures(987_654_321)
    return view(
        window,
        total=big,
        previous=figures(1),
        today=big,
        by={"model": tuple(Slice(model * 4, big) for model in MODELS)},
        calls_per_s=123_456.7,
    )


def unpriced_view(window: Window = HOUR) -> LedgerView:
    """Calls of models that no price list knows."""
    unknown = replace(
        figures(10), unpriced=1000, spend_nano=0, baseline_nano=0, saved=Savings(), cached_input=0
    )
    recent = tuple(
        replace(c, spend_nano=None, baseline_nano=None, cost_status=CostStatus.UNPRICED) for c in calls()
    )
    return view(window, total=unknown, by={"model": (Slice("my-own-model", unknown),)}, recent=recent)


CACHES = (
    CacheInfo(
        name="support",
        library="costconsole",
        kind="semantic",
        prefix="costconsole:{support}:semantic:",
        entries=10_431,
        index="costconsole:{support}:semantic",
        dims=384,
        metric="COSINE",
        algorithm="HNSW",
        memory_bytes=63_000_000,
        writable=True,
        threshold=0.95,
    ),
    CacheInfo(
        name="llmcache",
        library="redisvl",
        kind="semantic",
        prefix="llmcache:",
        entries=212,
        index="llmcache",
        dims=384,
        metric="COSINE",
        algorithm="FLAT",
        writable=True,
        threshold=0.9,
    ),
)


def entries(n: int = 40, *, prompts: Sequence[str] = ()) -> tuple[CacheEntry, ...]:
    """Cached answers, most similar first."""
    return tuple(
        CacheEntry(
            key=f"costconsole:{{support}}:semantic:{i:06}",
            cache="support" if i % 3 else "llmcache",
            library="costconsole" if i % 3 else "redisvl",
            prompt=prompts[i % len(prompts)] if prompts else f"Can I get a refund after {30 + i} days?",
            response=f"Yes. **Within {30 + i} days** you get it all back.\n\n- keep the receipt\n- ask us",
            model=MODELS[i % len(MODELS)],
            created_ms=NOW_MS - (i + 1) * 3_600_000,
            ttl_ms=None if i % 5 == 0 else 432_000_000 - i * 1000,
            hits=211 - i,
            last_hit_ms=NOW_MS - i * 60_000,
            similarity=round(0.981 - i * 0.007, 4),
            scope="9f2c",
            size_bytes=3200,
            fields=(("entry_id", f"{i:06}"), ("inserted_at", "1795386843")),
        )
        for i in range(n)
    )


class FakeSearch:
    """Searches `entries`, whatever is asked for."""

    def __init__(self, found: tuple[CacheEntry, ...] | None = None) -> None:
        self.found = entries() if found is None else found
        self.asked: list[tuple[str, object]] = []
        self.wheres: list[EntryFilter] = []
        self.problem: Problem | None = None

    def _answer(self, how: str, what: object) -> tuple[CacheEntry, ...]:
        self.asked.append((how, what))
        if self.problem is not None:
            raise self.problem
        return self.found

    def _passing(self, found: tuple[CacheEntry, ...], where: EntryFilter) -> tuple[CacheEntry, ...]:
        self.wheres.append(where)
        return tuple(entry for entry in found if where.holds(entry, NOW_MS))

    async def newest(
        self,
        cache: CacheInfo | None = None,
        limit: int = 50,
        before: Any = None,
        *,
        where: EntryFilter = NOTHING,
        oldest: bool = False,
    ) -> EntryPage:
        found = self._passing(self._answer("oldest" if oldest else "newest", cache), where)
        if cache is not None:
            found = tuple(entry for entry in found if entry.cache == cache.name)
        return EntryPage(tuple(reversed(found))[:limit] if oldest else found[:limit], total=len(found))

    async def most_hit(
        self, caches: CacheInfo | None = None, limit: int = 50, *, where: EntryFilter = NOTHING
    ) -> EntryPage:
        found = self._passing(self._answer("most_hit", caches), where)
        return EntryPage(tuple(sorted(found, key=lambda e: -(e.hits or 0)))[:limit])

    async def by_vector(
        self,
        vector: bytes,
        caches: Sequence[CacheInfo] | None = None,
        k: int = 20,
        *,
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        return EntryPage(self._passing(self._answer("vector", vector), where)[:k])

    async def by_text(
        self,
        query: str,
        caches: Sequence[CacheInfo] | None = None,
        limit: int = 50,
        before: Any = None,
        *,
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        found = self._passing(self._answer("text", query), where)
        return EntryPage(tuple(e for e in found if query.lower() in (e.prompt or "").lower()))

    async def by_key(
        self, query: str, limit: int = 50, before: Any = None, *, where: EntryFilter = NOTHING
    ) -> EntryPage:
        found = self._passing(self._answer("key", query), where)
        return EntryPage(tuple(e for e in found if query in e.key))

    async def weights(self, keys: Sequence[str]) -> dict[str, Weight]:
        """Sizes and idle times that follow from the last digits of a key."""
        return {key: Weight(1000 + int(key[-3:], 16), int(key[-2:], 16) * 60_000) for key in keys}

    async def entry(self, key: str) -> CacheEntry | None:
        return next((e for e in self._answer("entry", key) if e.key == key), None)

    async def neighbors(self, entry: CacheEntry, k: int = 5) -> tuple[Neighbor, ...]:
        return tuple(
            Neighbor(e.key, e.similarity or 0.0, e.prompt, e.model, e.scope)
            for e in self._answer("neighbors", entry.key)
            if e.key != entry.key
        )[:k]


class FakeEmbedder:
    """Knows one vector."""

    name = "all-MiniLM-L6-v2"
    dims = 384

    def __init__(self, status: str = "ready") -> None:
        self.status = status
        self.asked: list[str] = []

    def start(self) -> None:
        self.status = "ready"

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        self.asked.extend(texts)
        return [Embedding(b"\0" * 1536, len(text.split()), False) for text in texts]


class NoThresholds:
    """No entry has a threshold of its own, and none in force is refuted."""

    async def entry_threshold(self, entry_key: str) -> float | None:
        return None

    async def alarm(self, max_error: float = 0.02) -> str:
        return ""


@dataclass
class FakeSource:
    """Answers with `views` in turn (the last one for ever), or fails with `problem`, or hangs.

    `views` holds views, or functions of the window.
    """

    views: list[Any] = field(default_factory=lambda: [view])
    writable: bool = True
    label: str = "prod-cache:6379/0"
    problem: Problem | None = None
    hang: asyncio.Event | None = None
    search: FakeSearch = field(default_factory=FakeSearch)
    embedder: FakeEmbedder = field(default_factory=FakeEmbedder)
    eviction: Any = None
    thresholds: Any = field(default_factory=NoThresholds)
    known_caches: tuple[CacheInfo, ...] = CACHES
    known_figures: Known = field(default_factory=Known)
    looked: Looked = field(default_factory=Looked)
    asked: list[Window] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    opened: int = 0
    closed: int = 0

    @property
    def link(self) -> Link:
        why = "" if self.writable else "--read-only"
        return Link(
            label=self.label, namespace="support", writable=self.writable, why_read_only=why, latency_ms=0.4
        )

    async def open(self) -> None:
        self.opened += 1
        if self.problem is not None:
            raise self.problem

    async def close(self) -> None:
        self.closed += 1

    async def view(self, window: Window) -> LedgerView:
        self.asked.append(window)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.hang is not None:
                await self.hang.wait()
            if self.problem is not None:
                raise self.problem
            answer = self.views.pop(0) if len(self.views) > 1 else self.views[0]
            found = answer(window) if callable(answer) else answer
            assert isinstance(found, LedgerView)
            return found
        finally:
            self.in_flight -= 1

    async def caches(self, refresh: bool = False) -> tuple[CacheInfo, ...]:
        return self.known_caches

    async def caches_changed(self) -> bool:
        return False

    async def known(self) -> Known:
        return self.known_figures


def refused() -> ConnectionProblem:
    return ConnectionProblem("prod-cache:6379/0 refused the connection: is Redis running there?")
