"""Brings batches to Redis, one transaction each, and says in words why it can't.

Applied once: batches of a writer come in order, so the number of its last one, kept on the server and
written in the same transaction, tells whether a batch came before. The transaction watches that number:
should an earlier attempt, given up for lost, arrive only now, one of the two is refused by the server.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from costconsole.domain.window import Bucket
from costconsole.ledger.batch import Batch
from costconsole.ledger.script import ADMIT, FORGET, HITS_LENGTH
from costconsole.ledger.transaction import capped_values, command, end_of_life, transaction
from costconsole.redis_store.keys import NAMESPACES, Keys

if TYPE_CHECKING:
    from costconsole.redis_store.target import RedisTarget

_ATTEMPTS = 3
_REMEMBERED_DAYS = 4


class NotSent(Exception):
    """The batch may or may not have arrived; sent again, it still counts once. `str` says why, for people."""


class Sender:
    """The connection of one flusher thread."""

    def __init__(self, target: RedisTarget, keys: Keys) -> None:
        self._target = target
        self._keys = keys
        self._client: Any = None
        self._connection: Any = None
        self._room: dict[Bucket, dict[tuple[str, str], bool]] = {}
        """By day: whether a value has room there."""
        self.refused = ""
        """Why the server refused a part of a batch, such as a key of a wrong type."""

    def send(self, batch: Batch) -> bool:
        """Apply a batch. False: it had been applied before. Raises NotSent."""
        from costconsole.redis_store.connect import explain

        for _ in range(_ATTEMPTS):
            used = self._connection is not None
            try:
                if not used:
                    self._connect()
                applied = self._apply(batch)
            except Exception as error:
                self.close()
                if used and isinstance(error, ConnectionError):
                    continue  # It was cut since the last flush, which a new one may not be.
                raise NotSent(str(explain(error, self._target))) from None
            if applied is not None:
                return applied
        self.close()
        raise NotSent(f"{self._target.label} refuses a batch because another writer has its name.")

    def _connect(self) -> None:
        """Connect, and put the namespace on the list of all, which may be forbidden."""
        from redis.exceptions import ResponseError

        from costconsole.redis_store.connect import connect

        client: Any = connect(self._target)
        self._client = client
        with suppress(ResponseError):
            client.sadd(NAMESPACES, self._keys.namespace)
        if self._target.kind == "cluster":
            client = client.get_redis_connection(client.get_node_from_key(self._keys.calls))
        self._connection = client.connection_pool.get_connection()

    def _apply(self, batch: Batch) -> bool | None:
        """True: applied; False: had been applied; None: something came between."""
        now_ms = time.time_ns() // 1_000_000
        self._make_room(batch, now_ms)
        marker = self._keys.applied(batch.writer)
        watch = command("WATCH", marker) + command("GET", marker) + command("ZCARD", self._keys.last_hit)
        _, last, hits = self._ask(watch.encode(), 3)
        if last is not None and int(last) >= batch.number:
            self._ask(command("UNWATCH").encode(), 1)
            return False
        packed, count = transaction(batch, self._keys, self._has_no_room, now_ms)
        replies = self._ask(
            b"*1\r\n$5\r\nMULTI\r\n" + packed + b"*1\r\n$4\r\nEXEC\r\n", count + 2, raising=False
        )
        done = replies.pop()
        if done is None:
            return None
        if isinstance(done, Exception):
            # The reason is the answer to the command that was refused; EXEC only says that there was one.
            raise next((reply for reply in replies if isinstance(reply, Exception)), done)
        errors = [reply for reply in done if isinstance(reply, Exception)]
        if errors:
            self.refused = f"Redis refused {len(errors)} of a batch's writes: {errors[0]}"
        if hits > HITS_LENGTH:
            keys = self._keys
            self._ask(command("EVAL", FORGET, 2, keys.last_hit, keys.hits).encode(), 1)
        return True

    def _make_room(self, batch: Batch, now_ms: int) -> None:
        for day, values in capped_values(batch, now_ms).items():
            known = self._room.setdefault(day, {})
            new = sorted(values - known.keys())
            for start in range(0, len(new), 1_000):
                part = new[start : start + 1_000]
                words = [word for pair in part for word in pair]
                ask = command("EVAL", ADMIT, 1, self._keys.bucket(day), end_of_life(day), *words)
                (found,) = self._ask(ask.encode(errors="replace"), 1)
                known.update(zip(part, map(bool, found), strict=True))
        while len(self._room) > _REMEMBERED_DAYS:
            del self._room[min(self._room)]

    def _has_no_room(self, day: Bucket, dimension: str, value: str) -> bool:
        return not self._room[day].get((dimension, value), True)

    def _ask(self, packed: bytes, count: int, *, raising: bool = True) -> list[Any]:
        """Send commands, read `count` answers; errors among them are raised, or left there."""
        import hiredis
        from redis.exceptions import ResponseError

        # Thousands of short answers: redis-py's own loop takes longer for each than the server does.
        socket = self._connection._sock
        socket.sendall(packed)
        reader = hiredis.Reader(protocolError=ConnectionError, replyError=ResponseError)
        replies: list[Any] = []
        while len(replies) < count:
            reply = reader.gets()
            if reply is False:
                data = socket.recv(1 << 16)
                if not data:
                    raise ConnectionError("the server closed the connection")
                reader.feed(data)
            elif raising and isinstance(reply, Exception):
                raise reply
            else:
                replies.append(reply)
        return replies

    def close(self) -> None:
        client, connection = self._client, self._connection
        self.forget()
        for thing, ending in ((connection, "disconnect"), (client, "close")):
            if thing is not None:
                with suppress(Exception):
                    getattr(thing, ending)()

    def forget(self) -> None:
        """After a fork, in the child: the connection is the parent's and must not be closed properly."""
        self._client = self._connection = None
        self._room.clear()
