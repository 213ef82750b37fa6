"""The console on a real Redis that freezes, dies and comes back under it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from costconsole.console.redis_source import RedisSource
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.errors import ConnectionProblem, Problem
from costconsole.domain.window import WINDOWS
from costconsole.ledger.ledger import Ledger
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.console.fakes import calls
from tests.console.terminal import Terminal

Fresh = Callable[..., EmbeddedRedis]


def fill(url: str) -> None:
    from dataclasses import replace

    ledger = Ledger(url)
    for call in calls(30):
        ledger.record(replace(call, ts_ms=int(time.time() * 1000)))
    assert ledger.flush()
    ledger.close()


async def test_it_reads_the_ledger_and_knows_what_it_may_do(redis_url: str) -> None:
    fill(redis_url)
    source = RedisSource(Settings(), parse_target(redis_url))
    assert not source.link.writable
    await source.open()
    view = await source.view(WINDOWS[2])
    assert view.total.calls == 30
    assert source.link.writable
    assert source.link.server is not None
    assert source.link.server.search
    assert await source.caches() == ()
    await source.close()


async def test_read_only_says_why(redis_url: str) -> None:
    source = RedisSource(Settings(read_only=True), parse_target(redis_url))
    await source.open()
    assert not source.link.writable
    assert "read-only" in source.link.why_read_only
    await source.close()


async def test_what_goes_wrong_is_a_problem_that_names_the_server() -> None:
    source = RedisSource(Settings(), parse_target("redis://:hunter2@127.0.0.1:1"))
    with pytest.raises(Problem, match="not connected yet"):
        await source.caches()
    with pytest.raises(ConnectionProblem, match=r"127\.0\.0\.1:1") as told:
        await source.open()
    assert "hunter2" not in str(told.value)
    await source.close()


def test_frozen_dead_and_back_again(fresh_server: Fresh) -> None:
    server = fresh_server(port=0)
    fill(server.url)
    with Terminal(["-m", "costconsole", "--redis", server.url, "--refresh", "0.5"]) as terminal:
        terminal.until("claude-haiku")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            frozen = time.monotonic()
            terminal.until("◌ stale")
            # Twice the interval and a second, and a little for a busy machine.
            assert time.monotonic() - frozen < 2 * 0.5 + 1 + 2
            terminal.until("does not answer")
            assert "claude-haiku" in terminal.text, "the last figures stay"
            terminal.until(r"◌ stale [2-9] s")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        terminal.until("● live")
        terminal.settle(0.2, timeout=1)
        assert "does not answer" not in terminal.text
        server.stop()
        terminal.until("✗ down since")
        assert "claude-haiku" in terminal.text
        terminal.type("2")
        terminal.type("1")
        server.start()
        terminal.until("● live")
        terminal.type("q")
        assert terminal.wait() == 0
        assert terminal.restored


def test_a_frozen_redis_does_not_keep_one_from_leaving(fresh_server: Fresh) -> None:
    server = fresh_server(port=0)
    fill(server.url)
    with Terminal(["-m", "costconsole", "--redis", server.url, "--refresh", "0.5"]) as terminal:
        terminal.until("claude-haiku")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            terminal.read(0.7)
            asked = time.monotonic()
            terminal.type("q")
            assert terminal.wait() == 0
            assert time.monotonic() - asked < 3
        finally:
            os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "flags", [["--redis", "http://x"], ["--theme", "solarised"], ["--redis", "redis://h:port"]]
)
def test_what_is_wrong_is_said_before_anything_is_drawn(flags: list[str]) -> None:
    with Terminal(["-m", "costconsole", *flags]) as terminal:
        assert terminal.wait() == 2
        assert b"\x1b" not in terminal.raw
        assert terminal.raw.startswith(b"costconsole: ")
