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
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class _Abandoned(Exception):
    """The leader left without a result."""


@dataclass(eq=False, slots=True)
class _Flight(Generic[T]):
    thread: int
    done: Future[T] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # A follower that is cancelled must not cancel the flight for the others.
        self.done.set_running_or_notify_cancel()


class SingleFlight(Generic[T]):
    """`run` and `arun` return the result and whether this caller led (did the work itself)."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[T]] = {}
        self._lock = threading.Lock()

    def run(self, key: str, work: Callable[[], T]) -> tuple[T, bool]:
        while True:
            flight, leads = self._join(key)
            if leads:
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
                return flight.done.result(), False
            except _Abandoned:
                continue
            except Exception as error:
                raise _own_copy(error) from None

    async def arun(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        while True:
            flight, leads = self._join(key)
            if leads:
                try:
                    result = await work()
                except BaseException as error:
                    self._fail(key, flight, error)
                    raise
                self._land(key, flight, result)
                return result, True
            try:
                return await asyncio.wrap_future(flight.done), False
            except _Abandoned:
                continue
            except Exception as error:
                raise _own_copy(error) from None

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def _join(self, key: str) -> tuple[_Flight[T], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight(threading.get_ident())
            return flight, True

    def _land(self, key: str, flight: _Flight[T], result: T) -> None:
        with self._lock:
            del self._flights[key]
        flight.done.set_result(result)

    def _fail(self, key: str, flight: _Flight[T], error: BaseException) -> None:
        with self._lock:
            del self._flights[key]
        # Only an error of the work itself is an answer for others; being stopped concerns the leader alone.
        flight.done.set_exception(error if isinstance(error, Exception) else _Abandoned())


def _own_copy(error: Exception) -> Exception:
    """A copy to raise: one exception raised in many threads would gather all their tracebacks."""
    try:
        return copy.copy(error).with_traceback(None)
    except Exception:
        return error
