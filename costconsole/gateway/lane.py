"""The shortest way of one command to Redis and back.

redis-py's client spends more time around a command than the command takes (locks and metrics of its pool,
a poll of the socket, wrappers for retries). A look-up that has a tenth of a millisecond in all can't
afford that, so it goes straight over redis-py's connections, which stay in charge of the protocol, TLS,
logging in and time-outs. Clients of a cluster have no such pool and are used as they are.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


def lane(client: Any) -> Any:
    """`execute_command` on connections of its own, made by the client's pool; else the client itself."""
    return Lane(client.connection_pool) if hasattr(client, "connection_pool") else client


def alane(client: Any) -> Any:
    """`lane` for an async client."""
    return AsyncLane(client.connection_pool) if hasattr(client, "connection_pool") else client


class Lane:
    """Thread-safe: a connection is in nobody's hands or in one thread's. After a fork it begins anew."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        # Threads are few enough for a connection each: a limit of 100 would be an error to them.
        pool.max_connections = 100_000
        self._idle: deque[Any] = deque()
        self._process = os.getpid()

    def execute_command(self, *words: Any) -> Any:
        """The reply as it came. Raises what redis-py's connections raise."""
        if os.getpid() != self._process:
            self._idle, self._process = deque(), os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._pool.make_connection()
        try:
            try:
                connection.send_command(*words, check_health=False)
                return connection.read_response()
            except RedisConnectionError:
                # A server closes what was idle for long; it is found out here, and once more is enough.
                connection.disconnect()
                connection.send_command(*words, check_health=False)
                return connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            # Whatever the rest of the answer is, nobody may take it for the next one.
            connection.disconnect()
            raise
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


class AsyncLane:
    """For one event loop."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: deque[Any] = deque()

    async def execute_command(self, *words: Any) -> Any:
        connection = self._idle.pop() if self._idle else self._pool.make_connection()
        try:
            try:
                await connection.send_command(*words, check_health=False)
                return await connection.read_response()
            except RedisConnectionError:
                await connection.disconnect(nowait=True)
                await connection.send_command(*words, check_health=False)
                return await connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            self._idle.append(connection)

    async def aclose(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)
