"""Evicting cached entries so that it can be undone, whichever library wrote them.

Errors of the connection are the caller's to handle, except in the middle of an eviction or an undo: what
was done by then is the result, and `reason` says what ended it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from costconsole.cache import manifest
from costconsole.cache.audit import audit_command, now_ms
from costconsole.cache.commands import arun_all, index_names
from costconsole.cache.layouts import layout_of
from costconsole.cache.manifest import Manifest, Undoable
from costconsole.cache.outcome import (
    OUT_OF_MEMORY,
    UNKNOWN,
    WHY,
    Evicted,
    Preview,
    Progress,
    Restored,
    Tally,
    ended,
    refusal,
)
from costconsole.cache.pace import Pace
from costconsole.cache.policy import Author
from costconsole.cache.removal import restore, rights_missing
from costconsole.cache.search import EntrySearch
from costconsole.cache.selection import Listed, Match, Selection, frozen, matches
from costconsole.cache.slices import Slices
from costconsole.cache.trash import KEPT_MS, Unit, copy_key, new_undo_id, read_member
from costconsole.cache.weighing import existing, memory_warning, sample_of, weigh
from costconsole.domain.errors import Problem, Refused, UsageProblem
from costconsole.domain.text import visible
from costconsole.redis_store.connect import redis_errors
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import ServerInfo
from costconsole.redis_store.replies import text

__all__ = ["Evicted", "Eviction", "Listed", "Preview", "Progress", "Restored", "Selection", "Undoable"]

UNDO_HOURS = KEPT_MS // 3_600_000
_SAMPLE = 5
_Kept = tuple[int, bytes, int, tuple[Unit, ...]]
"""An entry of a manifest: its part of it, how it stands there, its order, its units."""


class Eviction:
    """Evicts, undoes, and sets times to live, for an async client. Every change leaves an audit entry.

    `search` is the plain `EntrySearch` of the same client. Raises Refused where nothing may be written.
    """

    def __init__(
        self, client: Any, search: EntrySearch, keys: Keys, server: ServerInfo, author: Author
    ) -> None:
        self._client = client
        self._search = search
        self._keys = keys
        self._server = server
        self._author = author

    async def preview(self, selection: Selection, *, budget_s: float = 2.0) -> Preview:
        """Count what is selected, within a time, and weigh it. Changes nothing; works read-only as well."""
        selection.check(self._search)
        at = now_ms()
        deadline = time.monotonic() + budget_s
        found: list[Match] = []
        complete = True
        async for batch in matches(self._client, self._search, selection, at):
            found += await existing(self._client, batch) if selection.keys else batch
            if time.monotonic() > deadline:
                complete = False
                break
        sample = await sample_of(self._client, found[:_SAMPLE])
        about = len(found) if complete else self._about(selection, len(found))
        weight = await weigh(self._client, found, about or len(found))
        impossible = await self._no_undo(found[0].key if found else None)
        warning = await memory_warning(self._client, self._server, self._keys, weight or 0)
        return Preview(
            count=len(found),
            complete=complete,
            sample=sample,
            bytes=weight,
            caches=tuple(dict.fromkeys(match.cache.name for match in found if match.cache is not None)),
            undo_hours=UNDO_HOURS,
            impossible=impossible,
            warning="" if impossible else warning,
            selection=frozen(selection, found, at, complete=complete),
            about=about,
        )

    async def evict(
        self,
        selection: Selection,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
        undoable: bool = True,
        total: int | None = None,
    ) -> Evicted:
        """Remove what is selected, in slices; between two of them `stop` ends it.

        Raises Refused, before anything is done, where it could not be undone, unless `undoable` is False.
        """
        selection.check(self._search)
        self._must_write()
        undo_id = new_undo_id()
        known = len(selection.keys) if selection.keys else total
        tally = Tally("evicting", known, on_progress, stop)
        kept = Manifest(self._client, self._keys, undo_id) if undoable else None
        slices = Slices(self._client, undo_id, kept, self._author, selection.sentence(), tally)
        try:
            await self._evict(selection, slices, kept, tally)
        except redis_errors() as error:
            tally.stopped, tally.reason = True, ended(error)
            if not tally.done and tally.reason != OUT_OF_MEMORY:
                raise
        finally:
            await asyncio.shield(self._evicted(selection, undo_id if kept else "", slices, kept, tally))
        return Evicted(
            undo_id=undo_id if kept is not None and tally.done else "",
            evicted=tally.done,
            keys=tuple(tally.keys),
            skipped=tuple(tally.reasons),
            stopped=tally.stopped,
            skipped_count=tally.skipped + tally.failed,
            failed=tally.failed,
            reason=tally.reason,
        )

    async def undo(
        self,
        undo_id: str | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> Restored:
        """Bring back what an eviction removed: of this id, or of the newest that isn't undone (None).

        Raises Problem when there is nothing to undo. What was cut off goes on when it is called again.
        """
        self._must_write()
        undoable = await self._undoable(undo_id)
        tally = Tally("restoring", undoable.remaining, on_progress, stop)
        kept = Manifest(self._client, self._keys, undoable.undo_id)
        try:
            await self._restore(undoable, kept, tally)
        except redis_errors() as error:
            tally.stopped, tally.reason = True, ended(error)
            if not tally.done and tally.reason != OUT_OF_MEMORY:
                raise
        finally:
            await asyncio.shield(self._restored(undoable, kept, tally))
        left, note = 0, ""
        with contextlib.suppress(*redis_errors()):
            left = await manifest.remaining(self._client, self._keys, undoable.undo_id, undoable.parts)
            note = await self._gone_indexes(undoable.indexes) if tally.done else ""
        return Restored(
            undo_id=undoable.undo_id,
            restored=tally.done,
            skipped=tuple(tally.reasons),
            stopped=tally.stopped,
            skipped_count=tally.skipped + tally.failed,
            failed=tally.failed,
            remaining=left,
            reason=tally.reason,
            note=note,
        )

    async def history(self, limit: int = 20) -> tuple[Undoable, ...]:
        """The evictions of the last 24 hours, newest first."""
        return await manifest.history(self._client, self._keys, limit)

    async def set_ttl(self, key: str, seconds: float | None) -> int | None:
        """Let an entry expire in so many seconds, or never (None). Returns its new time to live in ms.

        Raises UsageProblem for a time that is none, Problem when there is no such entry.
        """
        self._must_write()
        if seconds is not None and not 0 < seconds < 1e10:
            raise UsageProblem(
                f"an entry can't live for {seconds:g} seconds: give more than 0, or none at all"
            )
        raw = key.encode("utf-8", "surrogateescape")
        cache = self._search.cache_of(raw)
        if cache is None:
            raise Problem(f"{visible(key)!r} can't be given a time to live: {UNKNOWN}")
        left = None if seconds is None else max(1, round(seconds * 1000))
        whole = layout_of(cache).siblings(cache, raw)
        before, exists = await arun_all(self._client, [("PTTL", raw), ("EXISTS", raw)])
        _raise_first((before, exists))
        if not exists:
            raise Problem(f"{visible(key)!r} can't be given a time to live: {WHY['gone']}")
        _raise_first(
            await arun_all(
                self._client,
                [("PERSIST", one) if left is None else ("PEXPIRE", one, left) for one in whole],
            )
        )
        await self._audit(
            "ttl", key=key, before=max(-1, int(before)), after=-1 if left is None else left, count=1
        )
        return left

    async def _evict(self, selection: Selection, slices: Slices, kept: Manifest | None, tally: Tally) -> None:
        asked = kept is None
        async for batch in matches(self._client, self._search, selection, now_ms()):
            known = [match for match in batch if match.cache is not None]
            for match in batch:
                if match.cache is None:
                    tally.count(text(match.key), UNKNOWN)
            if known and not asked:
                asked = True
                if why := await self._no_undo(known[0].key):
                    raise Refused(f"Nothing was evicted: {why}.")
            await slices.add(known)
            if tally.stops():
                break
        await slices.finish()

    async def _evicted(
        self, selection: Selection, undo_id: str, slices: Slices, kept: Manifest | None, tally: Tally
    ) -> None:
        await slices.settle()
        if not tally.done:
            return
        with contextlib.suppress(*redis_errors()):
            if kept is not None:
                await kept.note({"evicted": tally.done})
            await self._audit(
                "evict",
                count=tally.done,
                skipped=tally.skipped + tally.failed,
                undo_id=undo_id or None,
                why=selection.sentence(),
                state="stopped" if tally.stopped else "done",
            )

    async def _undoable(self, undo_id: str | None) -> Undoable:
        if undo_id is not None:
            found = await manifest.find(self._client, self._keys, undo_id)
            if found is None:
                raise Problem(
                    f"no eviction {visible(undo_id)!r} can be undone: copies are kept for {UNDO_HOURS} "
                    "hours; `costconsole undo` without an id undoes the newest"
                )
            if not found.remaining:
                raise Problem(f"eviction {undo_id} is undone already: nothing of it is left to bring back")
            return found
        open_ = [one for one in await self.history(100) if one.remaining]
        if not open_:
            raise Problem(f"there is nothing to undo: nothing was evicted in the last {UNDO_HOURS} hours")
        return next((one for one in open_ if one.undone_ms is None), open_[0])

    async def _restore(self, undoable: Undoable, kept: Manifest, tally: Tally) -> None:
        pace, ordered = Pace(), list[_Kept]()
        for part in range(undoable.parts):
            async for members in self._members(undoable.undo_id, part):
                plain: list[_Kept] = []
                for member in members:
                    entry = (part, member, *read_member(member, undoable.undo_id))
                    (ordered if entry[2] else plain).append(entry)
                await self._back(plain, kept, tally, pace)
        ordered.sort(key=lambda entry: -entry[2])
        await self._back(ordered, kept, tally, pace)

    async def _back(self, waiting: list[_Kept], kept: Manifest, tally: Tally, pace: Pace) -> None:
        while waiting and not tally.stops():
            taken, waiting = waiting[: pace.size], waiting[pace.size :]
            words, busy = await restore(self._client, [units for *_, units in taken])
            pace.took(len(taken), busy)
            finished: dict[int, list[bytes]] = {}
            for (part, member, _, units), word in zip(taken, words, strict=True):
                key = text(units[0].key)
                if word == "restored":
                    tally.count(key)
                elif word in WHY:
                    tally.count(key, WHY[word])
                elif word != "there":
                    tally.count(key, refusal(word), failed=True)
                    if "OOM" in word:
                        tally.stopped, tally.reason = True, OUT_OF_MEMORY
                if word in ("restored", "there", "expired", "lost"):
                    finished.setdefault(part, []).append(member)
            for part, members in finished.items():
                await kept.forget(part, members)
            tally.tell()
            await asyncio.sleep(0)

    async def _members(self, undo_id: str, part: int) -> AsyncIterator[list[bytes]]:
        # A member that is seen twice is back already, and not counted again.
        cursor = 0
        while True:
            cursor, members = await self._client.execute_command(
                "SSCAN", self._keys.undo_entries(undo_id, part), cursor, "COUNT", 500
            )
            yield list(dict.fromkeys(members))
            if not int(cursor):
                return

    async def _restored(self, undoable: Undoable, kept: Manifest, tally: Tally) -> None:
        with contextlib.suppress(*redis_errors()):
            await kept.note({"undone_ms": now_ms()})
            await self._audit(
                "undo",
                count=tally.done,
                skipped=tally.skipped + tally.failed,
                undo_id=undoable.undo_id,
                why=undoable.what,
                state="stopped" if tally.stopped else "done",
            )

    async def _gone_indexes(self, names: Sequence[str]) -> str:
        """A sentence when indexes that covered the entries are no more."""
        from redis.exceptions import ResponseError

        if not names:
            return ""
        try:
            there = {text(name) for name in await index_names(self._client)}
        except ResponseError:
            there = set()
        gone = [name for name in names if name not in there]
        if not gone:
            return ""
        return (
            f"the index {', '.join(gone)} is gone: the entries are back, but can't be searched until "
            "their writer makes it again"
        )

    def _about(self, selection: Selection, found: int) -> int | None:
        """How many entries are meant, when it is all of some caches: those count themselves."""
        if selection.vector or selection.text or selection.where or selection.keys:
            return None
        counts = [cache.entries for cache in self._search.caches if cache.name in selection.caches]
        known = [count for count in counts if count is not None]
        return max(found, sum(known)) if len(known) == len(counts) else None

    async def _no_undo(self, key: bytes | None) -> str:
        """Why an eviction could not be undone, or ""."""
        if not self._server.can_write:
            return self._server.why_read_only or "this connection may not write"
        sample = key or (self._keys.root + "probe").encode()
        missing = await rights_missing(self._client, sample, copy_key(sample, "probe"))
        if not missing:
            return ""
        user = visible(self._server.username) or "this user"
        return f"it could not be undone, for {user} may not run {', '.join(missing)}"

    def _must_write(self) -> None:
        if not self._server.can_write:
            raise Refused(f"nothing can be changed here: {self._server.why_read_only or 'read-only'}")

    async def _audit(self, what: str, **facts: Any) -> None:
        await self._client.execute_command(*audit_command(self._keys, self._author, what, **facts))


def _raise_first(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
