"""An eviction that takes entries out of a fake search, slice by slice, and puts them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from costconsole.cache.manifest import Undoable
from costconsole.cache.outcome import WHY, Evicted, Preview, Progress, Restored
from costconsole.cache.selection import Selection
from costconsole.domain.entry import CacheEntry
from costconsole.domain.errors import Problem
from tests.console import fakes

SLICE = 10


class FakeEviction:
    """`changed` keys are skipped; with `gate`, every slice but the first waits until it is set."""

    def __init__(self, search: fakes.FakeSearch) -> None:
        self.search = search
        self.selections: list[Selection] = []
        self.changed: set[str] = set()
        self.impossible = ""
        self.undoable: bool | None = None
        self.gate: asyncio.Event | None = None
        self.ttls: list[tuple[str, float | None]] = []
        self.past: list[tuple[Undoable, tuple[CacheEntry, ...]]] = []

    def _meant(self, selection: Selection) -> tuple[CacheEntry, ...]:
        keys = {listed.key for listed in selection.keys}
        return tuple(
            entry
            for entry in self.search.found
            if (entry.key in keys if keys else not selection.caches or entry.cache in selection.caches)
            and (selection.text.lower() in (entry.prompt or "").lower())
            and (selection.min_similarity is None or (entry.similarity or 0) >= selection.min_similarity)
        )

    async def preview(self, selection: Selection) -> Preview:
        meant = self._meant(selection)
        self.selections.append(selection)
        caches = tuple(dict.fromkeys(entry.cache for entry in meant))
        size = 3200 * len(meant)
        chosen = Selection.of(meant)
        return Preview(len(meant), True, meant[:5], size, caches, 24, self.impossible, "", chosen, len(meant))

    async def evict(
        self,
        selection: Selection,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
        undoable: bool = True,
        total: int | None = None,
    ) -> Evicted:
        self.undoable = undoable
        done: list[CacheEntry] = []
        skipped: list[tuple[str, str]] = []
        meant, stopped = self._meant(selection), False
        for at in range(0, len(meant), SLICE):
            for entry in meant[at : at + SLICE]:
                if entry.key in self.changed:
                    skipped.append((entry.key, WHY["changed"]))
                else:
                    done.append(entry)
            gone = {entry.key for entry in done}
            self.search.found = tuple(e for e in self.search.found if e.key not in gone)
            if on_progress is not None:
                on_progress(Progress(len(done), len(skipped), 0, total, "evicting"))
            if self.gate is not None:
                await self.gate.wait()
            if stop is not None and stop.is_set():
                stopped = True
                break
        undo_id = f"undo-{len(self.past)}" if undoable and done else ""
        if undo_id:
            self.remember(undo_id, tuple(done))
        keys = tuple(entry.key for entry in done)
        return Evicted(undo_id, len(done), keys, tuple(skipped), stopped, len(skipped))

    def remember(self, undo_id: str, entries: tuple[CacheEntry, ...], who: str = "me") -> None:
        now, count = fakes.NOW_MS, len(entries)
        day = now + 86_400_000
        self.past.append((Undoable(undo_id, now, who, "here", "3 chosen", count, count, day), entries))

    async def undo(
        self,
        undo_id: str | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> Restored:
        for n, (one, entries) in enumerate(self.past):
            if one.undo_id == undo_id and one.remaining:
                self.past[n] = (replace(one, remaining=0, undone_ms=fakes.NOW_MS), ())
                # In the order in which they were.
                back = {*self.search.found, *entries}
                self.search.found = tuple(sorted(back, key=lambda e: -(e.created_ms or 0)))
                return Restored(one.undo_id, len(entries), ())
        raise Problem(f"eviction {undo_id} is undone already: nothing of it is left to bring back")

    async def history(self, limit: int = 20) -> tuple[Undoable, ...]:
        return tuple(one for one, _ in reversed(self.past))[:limit]

    async def set_ttl(self, key: str, seconds: float | None) -> int | None:
        self.ttls.append((key, seconds))
        ttl = None if seconds is None else round(seconds * 1000)
        self.search.found = tuple(replace(e, ttl_ms=ttl) if e.key == key else e for e in self.search.found)
        return ttl
