"""Reads the ledger: an asynchronous reader that is asked every second, and one read for a command."""

from __future__ import annotations

import asyncio
from datetime import tzinfo
from typing import Any

from costconsole.domain.figures import LedgerView
from costconsole.domain.window import Window
from costconsole.ledger.view import Command, ViewCore, now_ms
from costconsole.redis_store.keys import Keys

CHUNK = 32
"""Buckets in one round trip of a first read, so that parsing them keeps an event loop for little."""


class LedgerReader:
    """Views of one namespace, each but the first from one pipelined round trip.

    `aclient` is a `redis.asyncio` client, or a cluster's, with RESP2 and bytes. `tz` decides when today
    began (None: this machine's). After an error everything is read afresh.
    """

    def __init__(self, aclient: Any, keys: Keys, *, tz: tzinfo | None = None) -> None:
        self._client = aclient
        self._core = ViewCore(keys, tz)
        self._lock = asyncio.Lock()

    def invalidate(self) -> None:
        """Forget what was read, such as after connecting to another server."""
        self._core.invalidate()

    async def view(self, window: Window, *, recent: int = 50, now_ms: int | None = None) -> LedgerView:
        """The figures of `window` and the `recent` newest calls. Raises what the client raises."""
        async with self._lock:
            try:
                return await self._view(window, recent, now_ms)
            except BaseException:
                self._core.invalidate()
                raise

    async def _view(self, window: Window, recent: int, at_ms: int | None) -> LedgerView:
        core = self._core
        plan = core.plan(window, now_ms() if at_ms is None else at_ms, recent)
        head: tuple[Command, ...] = plan.head
        buckets = list(plan.buckets)
        while head or buckets:
            part, buckets = buckets[:CHUNK], buckets[CHUNK:]
            replies = await self._ask([*head, *map(core.command, part)])
            if head:
                core.take_head(plan, replies[: len(head)])
            for bucket, reply in zip(part, replies[len(head) :], strict=True):
                core.take(bucket, reply)
            head = ()
            if not buckets:
                buckets = core.missing(plan.frame)
        for _ in core.steps(plan):
            await asyncio.sleep(0)
        return core.view(plan)

    async def _ask(self, commands: list[Command]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def read_view(
    client: Any,
    keys: Keys,
    window: Window,
    *,
    tz: tzinfo | None = None,
    recent: int = 50,
    at_ms: int | None = None,
) -> LedgerView:
    """One view through a synchronous client. Raises what the client raises."""
    core = ViewCore(keys, tz)
    plan = core.plan(window, now_ms() if at_ms is None else at_ms, recent)
    pipeline = client.pipeline(transaction=False)
    for command in (*plan.head, *map(core.command, plan.buckets)):
        pipeline.execute_command(*command)
    replies = pipeline.execute(raise_on_error=False)
    core.take_head(plan, replies[: len(plan.head)])
    for bucket, reply in zip(plan.buckets, replies[len(plan.head) :], strict=True):
        core.take(bucket, reply)
    return core.view(plan)
