"""The poll loop: one request at a time, states that tell the truth, and back-off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from costconsole.console.poll import Poller
from costconsole.console.source import Link
from costconsole.domain.errors import TimeoutProblem
from costconsole.domain.figures import LedgerView
from costconsole.domain.window import WINDOWS
from costconsole.redis_store.backoff import Backoff
from tests.console import fakes


class Told:
    """What the loop told, and a way to wait for it."""

    def __init__(self) -> None:
        self.views: list[LedgerView] = []
        self.links: list[Link] = []
        self._news = asyncio.Event()

    def view(self, view: LedgerView) -> None:
        self.views.append(view)
        self._news.set()

    def link(self, link: Link) -> None:
        self.links.append(link)
        self._news.set()

    def bug(self, error: Exception) -> str:
        return f"a bug: {type(error).__name__}"

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def polling(source: fakes.FakeSource, interval_s: float = 0.01) -> AsyncIterator[tuple[Poller, Told]]:
    told = Told()
    poller = Poller(
        source,
        WINDOWS[2],
        interval_s,
        on_view=told.view,
        on_link=told.link,
        on_bug=told.bug,
        backoff=Backoff(base_s=0.01, cap_s=0.02),
    )
    task = asyncio.create_task(poller.run())
    try:
        yield poller, told
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_it_reads_again_and_again_and_never_two_at_once() -> None:
    source = fakes.FakeSource()
    async with polling(source) as (_poller, told):
        await told.until(lambda: len(told.views) >= 5)
    assert source.most_in_flight == 1
    assert source.opened == 1


async def test_a_server_that_hangs_makes_the_figures_stale_and_gets_no_second_request() -> None:
    source = fakes.FakeSource()
    async with polling(source) as (poller, told):
        await told.until(lambda: len(told.views) >= 1)
        source.hang = asyncio.Event()
        await told.until(lambda: poller.link.state == "stale")
        assert poller.link.read_ms is not None
        assert "does not answer" in poller.link.reason
        assert source.in_flight == 1
        source.hang.set()
        source.hang = None
        await told.until(lambda: poller.link.state == "live")
    assert source.most_in_flight == 1


async def test_refused_is_down_with_reason_and_retry_until_it_is_back() -> None:
    source = fakes.FakeSource()
    async with polling(source) as (poller, told):
        await told.until(lambda: len(told.views) >= 1)
        source.problem = fakes.refused()
        await told.until(lambda: poller.link.state == "down")
        since = poller.link.since_ms
        assert "refused the connection" in poller.link.reason
        assert poller.link.retry_at_ms is not None
        opened = source.opened
        await told.until(lambda: source.opened >= opened + 3)
        assert poller.link.since_ms == since, "down since the first failure, not since the last"
        source.problem = None
        await told.until(lambda: poller.link.state == "live")
        assert poller.link.reason == ""


async def test_a_timeout_is_stale_and_not_down() -> None:
    source = fakes.FakeSource()
    async with polling(source) as (poller, told):
        await told.until(lambda: len(told.views) >= 1)
        source.problem = TimeoutProblem("prod did not answer within 5 s: is it busy?")
        await told.until(lambda: poller.link.reason.startswith("prod did not answer"))
        assert poller.link.state == "stale"


async def test_a_bug_in_reading_is_said_and_the_loop_goes_on() -> None:
    broken = [lambda _window: 1 / 0, fakes.view]
    source = fakes.FakeSource(views=broken)
    async with polling(source) as (_poller, told):
        await told.until(lambda: len(told.views) >= 1)
    assert any(link.reason == "a bug: ZeroDivisionError" for link in told.links)


async def test_paused_it_reads_only_when_it_is_asked_to() -> None:
    source = fakes.FakeSource()
    async with polling(source) as (poller, told):
        await told.until(lambda: len(told.views) >= 1)
        poller.paused = True
        await asyncio.sleep(0.05)
        before = len(source.asked)
        await asyncio.sleep(0.1)
        assert len(source.asked) == before
        poller.refresh_now()
        await told.until(lambda: len(source.asked) == before + 1)


async def test_another_window_is_read_at_once_and_an_answer_for_the_old_one_dropped() -> None:
    source = fakes.FakeSource(hang=asyncio.Event())
    async with polling(source, interval_s=3600) as (poller, told):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        poller.window = WINDOWS[0]
        assert source.hang is not None
        source.hang.set()
        await told.until(lambda: len(told.views) >= 1)
    assert [view.window for view in told.views] == [WINDOWS[0]]


def test_the_interval_has_a_floor() -> None:
    async def build() -> Poller:
        told = Told()
        return Poller(
            fakes.FakeSource(), WINDOWS[0], 1, on_view=told.view, on_link=told.link, on_bug=told.bug
        )

    poller = asyncio.run(build())
    poller.interval_s = 0.01
    assert poller.interval_s == 0.5
