"""What every command that talks to Redis begins with: settings, a connection, the server's abilities."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costconsole.domain.errors import ExitCode
from costconsole.redis_store.keys import Keys
from costconsole.settings import SETTINGS, Settings, load_settings

if TYPE_CHECKING:
    from costconsole.domain.figures import LedgerView
    from costconsole.domain.window import Window
    from costconsole.embedding.embedder import Embedder
    from costconsole.redis_store.probe import ServerInfo
    from costconsole.redis_store.target import RedisTarget


@dataclass(frozen=True, slots=True)
class Session:
    """One command's connection. `client` is async, `server` says what it can and what this user may."""

    settings: Settings
    keys: Keys
    target: RedisTarget
    client: Any
    server: ServerInfo
    ledger_target: RedisTarget
    ledger_client: Any
    """Where the ledger is: the same server, unless `--ledger` names another."""

    async def figures(self, window: Window, *, recent: int = 0) -> LedgerView:
        """The ledger's figures of a window. Raises a Problem that names the ledger's server."""
        from costconsole.ledger.reader import LedgerReader
        from costconsole.redis_store.connect import redis_errors
        from costconsole.redis_store.explain import explain

        reader = LedgerReader(self.ledger_client, self.keys, tz=self.settings.tz)
        try:
            return await reader.view(window, recent=recent)
        except redis_errors() as error:
            raise explain(error, self.ledger_target) from None


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings with this command's flags on top."""
    names = {setting.name for setting in SETTINGS}
    flags = {name: value for name, value in vars(args).items() if name in names}
    return load_settings(flags, config=getattr(args, "config", None))


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncIterator[Session]:
    """Find the Redis, connect, probe. Raises a Problem with exit code 3, 4 or 2."""
    from costconsole.redis_store.connect import connect_async, redis_errors
    from costconsole.redis_store.discover import find_target
    from costconsole.redis_store.explain import explain
    from costconsole.redis_store.probe import probe

    keys = Keys(settings.namespace)
    target = ledger_target = find_target(settings)
    client = ledger_client = connect_async(target, read_only=settings.read_only)
    if settings.ledger_url:
        ledger_target = find_ledger(settings)
        ledger_client = connect_async(ledger_target, read_only=settings.read_only)
    try:
        try:
            server = await probe(client, namespace=settings.namespace)
            yield Session(settings, keys, target, client, server, ledger_target, ledger_client)
        except BrokenPipeError:
            # Our own output's reader has left (`| head`); a broken connection comes as a Redis error.
            raise
        except redis_errors() as error:
            raise explain(error, target) from None
    finally:
        await client.aclose()
        if ledger_client is not client:
            await ledger_client.aclose()


def find_ledger(settings: Settings) -> RedisTarget:
    """The Redis of the ledger: that of `--ledger`, else the one of the caches."""
    from costconsole.redis_store.discover import find_target
    from costconsole.redis_store.target import parse_target

    if not settings.ledger_url:
        return find_target(settings)
    return parse_target(settings.ledger_url, origin=settings.origins.get("ledger_url", ""))


def run_session(args: argparse.Namespace, work: Callable[[Session], Awaitable[int]]) -> int:
    """Run an async command within a session."""

    async def main() -> int:
        async with open_session(settings_of(args)) as session:
            return await work(session)

    return int(asyncio.run(main()))


@asynccontextmanager
async def open_embedder(settings: Settings) -> AsyncIterator[Embedder]:
    """The embedder of the settings, closed afterwards."""
    from costconsole.embedding.factory import make_embedder

    embedder = make_embedder(
        settings.embedding_model, base_url=settings.embedding_url, api_key_env=settings.embedding_key_env
    )
    try:
        yield embedder
    finally:
        embedder.close()


DONE = int(ExitCode.OK)
