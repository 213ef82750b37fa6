"""What is remembered between calls: which model a conversation has, and which models failed lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

_CONVERSATIONS: Final = 10_000
_LONGEST_REST: Final = 8


class Kept(NamedTuple):
    """The model of a conversation and the route that led to it."""

    model: str
    route: str
    task: str


class Sticky:
    """The models of the conversations that went on lately, at most `limit` of them. Thread-safe.

    A provider keeps what it has read of a conversation for a while, at a fraction of the price; another
    model would have to read it all.
    """

    def __init__(self, now: Callable[[], float], limit: int = _CONVERSATIONS) -> None:
        self._now = now
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()

    def get(self, conversation: str, seconds: float) -> Kept | None:
        """What was kept for this conversation, if it went on within these seconds."""
        with self._lock:
            found = self._kept.get(conversation)
            if found is None:
                return None
            if not 0 <= self._now() - found[0] < seconds:
                del self._kept[conversation]
                return None
            return found[1]

    def keep(self, conversation: str, kept: Kept) -> None:
        with self._lock:
            self._kept[conversation] = (self._now(), kept)
            self._kept.move_to_end(conversation)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


class CoolDown:
    """Models that failed are left alone for a while, twice as long after each more failure. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failed: dict[str, tuple[float, int]] = {}

    def note_failure(self, model: str) -> None:
        with self._lock:
            self._failed[model] = (self._now(), self._failed.get(model, (0.0, 0))[1] + 1)

    def note_success(self, model: str) -> None:
        if model in self._failed:
            with self._lock:
                self._failed.pop(model, None)

    def left_s(self, model: str, seconds: float) -> float:
        """Seconds for which the model is still left alone: 0.0 if it can be asked."""
        if model not in self._failed:
            return 0.0
        with self._lock:
            failed_at, times = self._failed.get(model, (0.0, 0))
        rest = seconds * min(_LONGEST_REST, 2 ** max(0, times - 1)) if times else 0.0
        return max(0.0, min(rest, failed_at + rest - self._now()))

    def resting(self, seconds: float) -> dict[str, float]:
        """The models that are left alone, and for how many seconds yet."""
        with self._lock:
            names = list(self._failed)
        return {name: left for name in names if (left := self.left_s(name, seconds)) > 0}
