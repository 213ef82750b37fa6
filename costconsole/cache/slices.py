"""Removing entries slice by slice: while the server works on some, the next are made ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costconsole.cache.manifest import Manifest
from costconsole.cache.outcome import OUT_OF_MEMORY, WHY, Tally, refusal
from costconsole.cache.pace import Pace
from costconsole.cache.policy import Author
from costconsole.cache.removal import doomed_of, remove, sharing
from costconsole.cache.selection import Match
from costconsole.cache.trash import Doomed
from costconsole.redis_store.connect import redis_errors
from costconsole.redis_store.replies import text

_TRIES = 3
_NAMED_AT_ONCE = 64
"""The manifest is told of so many at least, where slices are smaller."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """Entries that the manifest names, of one or several slices."""

    taken: Sequence[Match]
    doomed: Sequence[Doomed]
    members: Sequence[bytes]
    tries: int


class Slices:
    """The removals of one eviction. `kept` None: without a way back. Counts into `tally`."""

    def __init__(
        self, client: Any, undo_id: str, kept: Manifest | None, author: Author, what: str, tally: Tally
    ) -> None:
        self._client = client
        self._undo_id = undo_id
        self._kept = kept
        self._author = author
        self._what = what
        self._tally = tally
        self._pace = Pace()
        self._waiting: list[Match] = []
        self._flight: asyncio.Task[None] | None = None

    async def add(self, matches: Sequence[Match]) -> None:
        """Take more entries on, and remove as many as fill slices."""
        self._waiting += matches
        while len(self._waiting) >= self._size() and not self._tally.stops():
            await self._step()

    async def finish(self) -> None:
        """Remove the rest."""
        while (self._waiting or self._flight) and not self._tally.stops():
            await (self._step() if self._waiting else self._land())
        await self._land()

    async def settle(self) -> None:
        """Wait for what is under way, whatever has happened, and count it."""
        with contextlib.suppress(*redis_errors()):
            await self._land()

    def _size(self) -> int:
        return max(self._pace.size, _NAMED_AT_ONCE)

    async def _step(self) -> None:
        taken = self._waiting[: self._size()]
        del self._waiting[: len(taken)]
        if sharing(taken):
            await self._land()  # what they share must be read when nothing changes it any more
        ready = await self._ready(taken, _TRIES)
        await self._land()
        if self._tally.stops():
            await self._withdraw(ready.members)
            return
        self._flight = asyncio.create_task(self._remove(ready))
        await asyncio.sleep(0)

    async def _ready(self, taken: Sequence[Match], tries: int) -> _Ready:
        doomed = await doomed_of(self._client, taken, self._undo_id)
        members = [one.member() for one in doomed]
        if self._kept is not None:
            indexes = {match.cache.index for match in taken if match.cache and match.cache.index}
            await self._kept.announce(members, self._author, self._what, indexes)
        return _Ready(taken, doomed, members, tries)

    async def _land(self) -> None:
        if self._flight is None:
            return
        flight = self._flight
        try:
            await asyncio.shield(flight)
        finally:
            if flight.done():
                self._flight = None

    async def _remove(self, ready: _Ready) -> None:
        at = 0
        while at < len(ready.taken):
            end = at + self._pace.size
            if self._tally.stops():
                await self._withdraw(ready.members[at:])
                return
            part = _Ready(ready.taken[at:end], ready.doomed[at:end], ready.members[at:end], ready.tries)
            words, busy = await remove(self._client, part.doomed, copies=self._kept is not None)
            self._pace.took(len(part.taken), busy)
            await self._count(part, words)
            self._tally.tell()
            at = end
            # The console draws, and other tasks come in, between two slices.
            await asyncio.sleep(0)

    async def _count(self, ready: _Ready, words: Sequence[str]) -> None:
        untried: list[Match] = []
        left = [member for member, word in zip(ready.members, words, strict=True) if word != "done"]
        for match, word in zip(ready.taken, words, strict=True):
            if word == "done":
                self._tally.count(text(match.key))
            elif word == "moved" and ready.tries:
                pass
            elif word in WHY:
                self._tally.count(text(match.key), WHY[word])
            elif word:
                self._tally.count(text(match.key), refusal(word), failed=True)
                if "OOM" in word:
                    self._tally.stopped, self._tally.reason = True, OUT_OF_MEMORY
            else:
                untried.append(match)
        self._waiting[:0] = untried  # the server refused one before them
        await self._withdraw(left)
        for match, word in zip(ready.taken, words, strict=True):
            if word == "moved" and ready.tries:
                # What went before it in this slice has moved its place in the key they share.
                again = await self._ready([match], ready.tries - 1)
                said, _ = await remove(self._client, again.doomed, copies=self._kept is not None)
                await self._count(again, said)

    async def _withdraw(self, members: Sequence[bytes]) -> None:
        if self._kept is not None:
            await self._kept.withdraw(members)
