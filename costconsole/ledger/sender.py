"""Brings batches to Redis, one script each, and says in words why it can't."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from costconsole.ledger.batch import Batch
from costconsole.ledger.script import LUA, SHA
from costconsole.redis_store.keys import NAMESPACES, Keys

if TYPE_CHECKING:
    from costconsole.redis_store.target import RedisTarget


class NotSent(Exception):
    """The batch may or may not have arrived; sent again, it still counts once. `str` says why, for people."""


class Sender:
    """One connection of one flusher thread. Sending is idempotent: see `script.py`."""

    def __init__(self, target: RedisTarget, keys: Keys) -> None:
        self._target = target
        self._keys = keys
        self._client: Any = None
        self._announced = False
        self.refused = ""
        """Why the server refused a part of a batch, such as a key of a wrong type."""

    def send(self, batch: Batch) -> bool:
        """Apply a batch. False: it had been applied before. Raises NotSent."""
        from costconsole.redis_store.connect import connect, explain

        keys, arguments = batch.arguments(self._keys)
        try:
            if self._client is None:
                self._client = connect(self._target)
            reply = self._run(len(keys), [*keys, *arguments])
            if not self._announced:
                self._announce()
        except Exception as error:
            self.close()
            raise NotSent(str(explain(error, self._target))) from None
        applied, refused, why = reply
        if refused:
            self.refused = f"Redis refused {refused} of a batch's writes: {_text(why)}"
        return bool(applied)

    def _run(self, count: int, arguments: list[str | bytes]) -> list[Any]:
        from redis.exceptions import NoScriptError

        try:
            reply = self._client.evalsha(SHA, count, *arguments)
        except NoScriptError:
            reply = self._client.eval(LUA, count, *arguments)
        return list(reply)

    def _announce(self) -> None:
        """Put the namespace on the list of all. It has a slot of its own, and may be forbidden."""
        from redis.exceptions import ResponseError

        with suppress(ResponseError):
            self._client.sadd(NAMESPACES, self._keys.namespace)
        self._announced = True

    def close(self) -> None:
        client, self._client, self._announced = self._client, None, False
        if client is not None:
            with suppress(Exception):
                client.close()

    def forget(self) -> None:
        """After a fork, in the child: the connection is the parent's and must not be closed properly."""
        self._client, self._announced = None, False


def _text(reply: object) -> str:
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else str(reply)
