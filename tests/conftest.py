"""Fixtures that every test may use: a home of its own, and real Redis servers."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import platformdirs
import pytest

from costconsole.demo.server import EmbeddedRedis

if TYPE_CHECKING:
    import redis
    import redis.asyncio

pytest_plugins = ["tests.plugins_embedding"]

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Only this much of the developer's surroundings reaches a test: the model's cache, for exporting a model
# again in each session would take longer than the tests.
_MODELS = os.environ.get("COSTCONSOLE_CACHE_DIR") or str(platformdirs.user_cache_path("costconsole"))


def pytest_configure(config: pytest.Config) -> None:
    """A home of its own for each test process, before any module reads the environment."""
    home = tempfile.mkdtemp(prefix="costconsole-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith("COSTCONSOLE_")]:
        del os.environ[name]
    for name in ("NO_COLOR", "FORCE_COLOR", "SSH_TTY", "SSH_CONNECTION", "TMUX"):
        os.environ.pop(name, None)
    os.environ.update(
        HOME=home,
        XDG_CONFIG_HOME=f"{home}/.config",
        XDG_CACHE_HOME=f"{home}/.cache",
        XDG_STATE_HOME=f"{home}/.local/state",
        XDG_DATA_HOME=f"{home}/.local/share",
        TZ="UTC",
        HF_HUB_OFFLINE="1",
        COSTCONSOLE_CACHE_DIR=_MODELS,
    )
    time.tzset()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """One server with all modules for the whole test process; tests get it empty through `redis_url`."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of the shared server, with nothing in it (FLUSHALL drops the search indexes as well)."""
    import redis

    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        client.flushall()
        client.script_flush()
        client.function_flush()
        for index in client.execute_command("FT._LIST"):
            client.execute_command("FT.DROPINDEX", index)
    return redis_server.url


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A plain synchronous client (RESP2, bytes) on the empty shared server."""
    import redis

    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
async def aclient(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A plain asynchronous client (RESP2, bytes) on the empty shared server."""
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Callable[..., EmbeddedRedis]]:
    """`fresh_server(modules=True, port=None, args=(), keep=True)`: a started server of the test's own.

    The test may stop, start, SIGSTOP or kill it; with `keep`, its data survives `stop()` and `start()`.
    `port=0` is a free loopback port.
    """
    servers: list[EmbeddedRedis] = []

    def make(
        modules: bool = True, port: int | None = None, args: Sequence[Any] = (), keep: bool = True
    ) -> EmbeddedRedis:
        data = tmp_path / f"redis-{len(servers)}" if keep else None
        server = EmbeddedRedis(data, port, modules, tuple(str(arg) for arg in args))
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.stop()
