"""Looking for caches: those with an index are known at once, the others when all keys were looked at."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from costconsole.console.source import Looked
from costconsole.domain.errors import Problem

if TYPE_CHECKING:
    from costconsole.cache.catalog import Survey

    Look = Callable[[Callable[[Survey], None], Callable[[int], None]], Awaitable[Survey]]
    """A survey; it is given who is to be told of the indexed caches, and of the keys looked at so far."""

_PATIENCE_S = 0.3
"""A walk that ends within this is waited for; behind a longer one stands what is known already."""
_REST = 20
"""A look is followed by so many times its own length without another that nobody asked for."""


class Discovery:
    """One look at a time. `seen` is the newest survey; `told` gets each when it is new."""

    def __init__(self, look: Look, told: Callable[[Survey], None]) -> None:
        self.seen: Survey | None = None
        self._look = look
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self._keys = 0
        self._looked_s = 0.0

    @property
    def looked(self) -> Looked:
        """How far the look for caches has come."""
        if self._task is not None:
            return Looked(self._keys, running=True)
        return Looked(self._keys, left_out=self.seen.left_out if self.seen is not None else "")

    @property
    def rests(self) -> bool:
        """Whether it is too early for another look that nobody asked for."""
        took_s = self.seen.took_s if self.seen is not None else 0.0
        return self._task is not None or time.monotonic() - self._looked_s < took_s * _REST

    async def survey(self, *, again: bool = False) -> Survey:
        """What is known, as soon as that is something. Raises what the look does, while it is waited for.

        A look that is under way is joined, not begun anew. Who is cancelled doesn't stop it.
        """
        if self._task is None and (self.seen is None or again):
            self._first.clear()
            self._keys = 0
            self._task = asyncio.create_task(self._run(), name="look for caches")
            self._task.add_done_callback(_heard)
        if (task := self._task) is not None:
            first = asyncio.ensure_future(self._first.wait())
            try:
                await asyncio.wait({task, first}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({task}, timeout=_PATIENCE_S)
            finally:
                first.cancel()
            if task.done() and not task.cancelled():
                task.result()
        if self.seen is None:
            raise Problem("the connection was made anew while caches were looked for: look again")
        return self.seen

    async def forget(self) -> None:
        """Stop looking, and know of nothing."""
        task, self._task, self.seen = self._task, None, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def _run(self) -> None:
        mine = asyncio.current_task()
        before = self.seen
        try:
            found = await self._look(lambda seen: self._indexed(seen, before), self._count)
            self._looked_s = time.monotonic()
            self._set(found)
        finally:
            if self._task is mine:
                self._task = None

    def _indexed(self, seen: Survey, before: Survey | None) -> None:
        """Those with an index, and what a look before has found beside them."""
        if before is not None:
            names = {cache.name for cache in seen.caches}
            others = [one for one in before.caches if not one.index and one.name not in names]
            seen = replace(seen, caches=(*seen.caches, *others), families=before.families)
        self._set(seen)
        self._first.set()

    def _set(self, seen: Survey) -> None:
        self.seen = seen
        self._told(seen)

    def _count(self, keys: int) -> None:
        self._keys = keys


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever waits for it is told what went wrong; when nobody does, the next look will tell."""
    if not task.cancelled():
        task.exception()
