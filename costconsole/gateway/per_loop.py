"""One client per event loop: a connection that belongs to one loop must never be used from another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes a value for each event loop on first use there, and closes what it made."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[object]]) -> None:
        self._make = make
        self._close = close
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self) -> T:
        """The value of the running loop. Raises RuntimeError outside of a loop."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is None:
            found = self._make()
            with self._lock:
                self._made[loop] = found
        return found

    async def aclose(self) -> None:
        """Close the value of the running loop; those of other loops as `close` does."""
        with self._lock:
            mine = self._made.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await self._close(mine)
        self.close()

    def close(self, timeout_s: float = 1.0) -> None:
        """Close all values, each on its own loop. A loop that runs no more takes its sockets with it."""
        with self._lock:
            made = list(self._made.items())
            self._made.clear()
        for loop, value in made:
            if loop.is_closed() or not loop.is_running():
                continue
            future = asyncio.run_coroutine_threadsafe(self._closing(value), loop)
            if loop is not _running():
                try:
                    future.result(timeout_s)
                except Exception:
                    pass

    async def _closing(self, value: T) -> None:
        await self._close(value)


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
