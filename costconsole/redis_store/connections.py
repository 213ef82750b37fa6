"""How each new connection introduces itself, and where the read-only guard sits.

Mixed into redis-py's connection classes, the lowest place that every client, pipeline, transaction,
subscription and cluster node goes through. Nothing here imports redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from costconsole.redis_store.guard import check
from costconsole.redis_store.lookups import note

if TYPE_CHECKING:
    from redis.asyncio.connection import Connection as AsyncConnection
    from redis.connection import Connection
else:
    Connection = AsyncConnection = object

CLIENT_NAME = "costconsole"
# Looking at a cache must not change what it evicts next; the name lets an operator see who is looking.
# Servers before 7.2 don't know the first one and an ACL may forbid both: neither is worth failing for.
_NAME = ("CLIENT", "SETNAME", CLIENT_NAME)
_INTRODUCTION = (("CLIENT", "NO-TOUCH", "ON"), _NAME)
# An application's look-ups are real use: what is hit must not look idle to a server that evicts.
_AS_USER = (_NAME,)


class IntroducedConnection(Connection):
    """A synchronous connection that says who it is and, as a rule, leaves idle times alone."""

    introduction: tuple[tuple[str, ...], ...] = _INTRODUCTION

    def on_connect_check_health(self, check_health: bool = True) -> None:
        from redis.exceptions import ResponseError

        super().on_connect_check_health(check_health=check_health)
        for command in self.introduction:
            self.send_command(*command, check_health=False)  # type: ignore[no-untyped-call]
        for _ in self.introduction:
            try:
                self.read_response()
            except ResponseError:
                pass


class AsyncIntroducedConnection(AsyncConnection):
    """An asynchronous connection that says who it is and, as a rule, leaves idle times alone."""

    introduction: tuple[tuple[str, ...], ...] = _INTRODUCTION

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        from redis.exceptions import ResponseError

        await super().on_connect_check_health(check_health=check_health)
        for command in self.introduction:
            await self.send_command(*command, check_health=False)
        for _ in self.introduction:
            try:
                await self.read_response()
            except ResponseError:
                pass

    def pack_command(self, *args: Any) -> Any:
        if self.introduction is _INTRODUCTION:
            note(args)
        return super().pack_command(*args)


class GuardedConnection(Connection):
    """A connection, of either kind, over which nothing is sent that could change data. Raises Refused."""

    def pack_command(self, *args: Any) -> Any:
        check(args)
        return super().pack_command(*args)  # type: ignore[no-untyped-call]

    def pack_commands(self, commands: Iterable[Any]) -> Any:
        commands = list(commands)
        for args in commands:
            check(args)
        return super().pack_commands(commands)  # type: ignore[no-untyped-call]

    def send_command(self, *args: Any, **options: Any) -> Any:
        check(args)
        return super().send_command(*args, **options)  # type: ignore[no-untyped-call]


def dressed(base: Any, *, asynchronous: bool, read_only: bool, touch: bool = False) -> Any:
    """redis-py's connection class `base`, introduced and, with `read_only`, guarded."""
    introduced = AsyncIntroducedConnection if asynchronous else IntroducedConnection
    bases = (GuardedConnection, introduced, base) if read_only else (introduced, base)
    return type(f"CostConsole{base.__name__}", bases, {"introduction": _AS_USER if touch else _INTRODUCTION})
