"""Identical requests at the same time do their work once, among threads and event loops alike.

The first caller for a key leads; whoever comes before it is done follows and gets the same result, or the
same error. A leader that goes away without either (its task was cancelled, its thread interrupted) hands
over: one follower leads anew, the others follow that one.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class _Abandoned(Exception):
    """The leader left without a result."""


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    thread: int
    done: Future[T] | None = None
    """Made for the first follower: most flights have none."""


class SingleFlight(Generic[T]):
    """`run` and `arun` return the result and whether this caller led (did the work itself)."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._lock = threading.Lock()

    def run(self, key: str, work: Callable[[], T]) -> tuple[T, bool]:
        while True:
            flight, done = self._join(key)
            if done is None:
                try:
                    result = work()
                except BaseException as error:
                    self._fail(key, flight, error)
                    raise
                self._land(key, flight, result)
                return result, True
            if flight.thread == threading.get_ident():
                # The leader is a task of this very thread's loop: waiting for it would be waiting for us.
                return work(), True
            try:
                return done.result(), False
            except _Abandoned:
                continue
            except Exception as error:
                raise _own_copy(error) from None

    async def arun(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        while True:
            flight, done = self._join(key)
            if done is None:
                try:
                    result = await work()
                except BaseException as error:
                    self._fail(key, flight, error)
                    raise
                self._land(key, flight, result)
                return result, True
            try:
                return await asyncio.wrap_future(done), False
            except _Abandoned:
                continue
            except Exception as error:
                raise _own_copy(error) from None

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def _join(self, key: str) -> tuple[_Flight[T], Future[T] | None]:
        """The flight, and what to wait for; None for the one who leads it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight(threading.get_ident())
                return flight, None
            if flight.done is None:
                flight.done = Future()
                # A follower that is cancelled must not cancel the flight for the others.
                flight.done.set_running_or_notify_cancel()
            return flight, flight.done

    def _land(self, key: str, flight: _Flight[T], result: T) -> None:
        with self._lock:
            del self._flights[key]
        if flight.done is not None:
            flight.done.set_result(result)

    def _fail(self, key: str, flight: _Flight[T], error: BaseException) -> None:
        with self._lock:
            del self._flights[key]
        if flight.done is not None:
            # Only an error of the work itself is an answer for others; being stopped concerns the leader.
            flight.done.set_exception(error if isinstance(error, Exception) else _Abandoned())


def _own_copy(error: Exception) -> Exception:
    """A copy to raise: one exception raised in many threads would gather all their tracebacks."""
    try:
        return copy.copy(error).with_traceback(None)
    except Exception:
        return error
