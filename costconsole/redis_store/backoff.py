"""How long to wait before the next attempt to connect: longer each time, never the same for everybody."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

BASE_S = 0.5
CAP_S = 15.0


def delay_s(attempt: int, chance: float, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> float:
    """Seconds to wait after failed attempt number `attempt` (0 is the first).

    Exponential with equal jitter: half of min(cap, base * 2**attempt) is fixed, so that a countdown means
    something, half is `chance` (0 to 1) of it, so that many consoles don't return at the same moment.
    """
    # The exponent is bounded: after days without a server, 2**attempt would no longer fit a float.
    whole = min(cap_s, base_s * 2.0 ** min(max(attempt, 0), 64))
    return whole / 2 + whole / 2 * chance


@dataclass(slots=True)
class Backoff:
    """The waits of one connection: `next_s()` after each failure, `reset()` once it answers again."""

    base_s: float = BASE_S
    cap_s: float = CAP_S
    chance: Callable[[], float] = random.random
    attempts: int = field(default=0, init=False)

    def next_s(self) -> float:
        """Seconds until the next attempt; counts this failure."""
        wait = delay_s(self.attempts, self.chance(), base_s=self.base_s, cap_s=self.cap_s)
        self.attempts += 1
        return wait

    def reset(self) -> None:
        self.attempts = 0
