"""What fails is left alone for a while, so that calls don't pay for finding out again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Circuit:
    """Closed: use it. After a failure it is open for `rest_s`, doubling with each further one up to
    `longest_s`; then one caller at a time tries, and a success closes it."""

    def __init__(
        self, rest_s: float = 1.0, longest_s: float = 8.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s = rest_s
        self._longest_s = longest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self.reason = ""
        """Why it is open, or "": a sentence or the name of the error."""

    @property
    def closed(self) -> bool:
        return self._failures == 0

    def allows(self) -> bool:
        """Whether to try now. On True after a failure the caller is the one who tries."""
        if self._failures == 0:
            return True
        with self._lock:
            now = self._clock()
            if now < self._until:
                return False
            # The others go on without until this one has told how it went, or has been too long about it.
            self._until = now + self._first_s
            return True

    def succeeded(self) -> bool:
        """True when this closed it."""
        if self._failures == 0:
            return False
        with self._lock:
            self._failures = 0
            self.reason = ""
            return True

    def failed(self, reason: str) -> bool:
        """True when this opened it."""
        with self._lock:
            self._failures += 1
            self.reason = reason
            rest_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures - 1, 10))
            self._until = self._clock() + rest_s
            return self._failures == 1
