"""The one loop that reads: at most one request in flight, the next one planned when the last has ended.

A slow server means fewer frames, never a queue. The loop knows nothing of the screen: it calls back with
views and with the state of the connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from costconsole.console.source import Link, LinkState, Source
from costconsole.domain.errors import ConnectionProblem, Problem
from costconsole.domain.figures import LedgerView
from costconsole.domain.window import Window
from costconsole.redis_store.backoff import Backoff

FLOOR_S = 0.5
_LONGEST_WAIT_S = 5.0
# An application that starts together with the console reports its first calls within seconds.
_EAGER_S = 0.25
_EAGER_READS = 40


def now_ms() -> int:
    return int(time.time() * 1000)


class Poller:
    """Reads `source.view(window)` every `interval_s` seconds until `run` is cancelled.

    `on_view(view)` gets every view; `on_link(link)` the state whenever it changed, and about once a refresh
    while the figures are old, so that their age can be shown. `on_bug(error)` gets what is no `Problem` and
    returns the sentence that is shown for it.
    """

    def __init__(
        self,
        source: Source,
        window: Window,
        interval_s: float,
        *,
        on_view: Callable[[LedgerView], None],
        on_link: Callable[[Link], None],
        on_bug: Callable[[Exception], str],
        clock: Callable[[], int] = now_ms,
        backoff: Backoff | None = None,
    ) -> None:
        self.source = source
        self.link = replace(source.link, state="connecting", since_ms=clock())
        self._window = window
        self._interval_s = interval_s
        self._paused = False
        self._on_view = on_view
        self._on_link = on_link
        self._on_bug = on_bug
        self._clock = clock
        # Somebody is looking at the screen: a server that is back should not be missed for long.
        self._backoff = backoff or Backoff(cap_s=_LONGEST_WAIT_S)
        self._wake = asyncio.Event()
        self._due = False
        self._open = False
        self._eager_reads = _EAGER_READS

    @property
    def window(self) -> Window:
        return self._window

    @window.setter
    def window(self, window: Window) -> None:
        self._window = window
        self.refresh_now()

    @property
    def interval_s(self) -> float:
        return self._interval_s

    @interval_s.setter
    def interval_s(self, seconds: float) -> None:
        self._interval_s = max(FLOOR_S, seconds)
        self._wake.set()

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._due = self._due or not paused
        self._wake.set()

    def refresh_now(self) -> None:
        """Read as soon as the request in flight has ended."""
        self._due = True
        self._wake.set()

    async def run(self) -> None:
        """Read for ever. Ends by being cancelled, which also drops the request in flight."""
        while True:
            self._due = False
            window = self._window
            retry_ms = await self._attempt(window)
            if retry_ms is None:
                await self._rest()
            else:
                await self._wait_for_retry(retry_ms)

    async def _rest(self) -> None:
        """Wait for the next refresh; while paused, for being woken."""
        while not self._due:
            self._wake.clear()
            interval_s = self._interval_s
            if self._eager_reads > 0:
                self._eager_reads -= 1
                interval_s = min(interval_s, _EAGER_S)
            if not await _wait(self._wake, None if self._paused else interval_s):
                return

    async def _wait_for_retry(self, retry_ms: int) -> None:
        while not self._due and (left_s := (retry_ms - self._clock()) / 1000) > 0:
            self._wake.clear()
            await _wait(self._wake, min(left_s, max(1.0, self._interval_s)))
            self._on_link(self.link)

    async def _attempt(self, window: Window) -> int | None:
        """One read. None when it succeeded, else when to try again (Unix ms)."""
        started = time.perf_counter()
        task = asyncio.ensure_future(self._read(window))
        try:
            await self._watch(task)
            view = task.result()
        except Problem as problem:
            return self._failed(str(problem), down=isinstance(problem, ConnectionProblem))
        except asyncio.CancelledError:
            task.cancel()
            raise
        except Exception as error:
            return self._failed(self._on_bug(error), down=False)
        self._backoff.reset()
        latency_ms = (time.perf_counter() - started) * 1000
        if view.present:
            self._eager_reads = 0
        self._set("live", read_ms=self._clock(), latency_ms=latency_ms, reason="", retry_at_ms=None)
        if window == self._window:
            self._on_view(view)
        return None

    async def _read(self, window: Window) -> LedgerView:
        if not self._open:
            await self.source.open()
            self._open = True
        return await self.source.view(window)

    async def _watch(self, task: asyncio.Future[LedgerView]) -> None:
        """Wait for the answer; say so when it is overdue, and go on saying how old the figures are."""
        patience_s = 2 * self._interval_s
        while True:
            done, _ = await asyncio.wait({task}, timeout=patience_s)
            if done:
                return
            if self.link.state == "live":
                self._set("stale", reason=f"{self.link.label} does not answer")
            elif self.link.state in ("stale", "down"):
                self._on_link(self.link)
            patience_s = max(1.0, self._interval_s)

    def _failed(self, reason: str, *, down: bool) -> int:
        self._open = self._open and not down
        retry_ms = self._clock() + round(self._backoff.next_s() * 1000)
        state: LinkState = "down" if down or self.link.read_ms is None else "stale"
        self._set(state, reason=reason, retry_at_ms=retry_ms)
        return retry_ms

    def _set(
        self,
        state: LinkState,
        *,
        reason: str,
        read_ms: int | None = None,
        latency_ms: float | None = None,
        retry_at_ms: int | None = None,
    ) -> None:
        before = self.link
        self.link = replace(
            self.source.link,
            state=state,
            reason=reason,
            since_ms=before.since_ms if state == before.state else self._clock(),
            read_ms=read_ms if read_ms is not None else before.read_ms,
            latency_ms=latency_ms if latency_ms is not None else before.latency_ms,
            retry_at_ms=retry_at_ms,
        )
        self._on_link(self.link)


async def _wait(event: asyncio.Event, seconds: float | None) -> bool:
    """Whether the event came before the time was over."""
    try:
        return await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
