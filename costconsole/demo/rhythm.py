"""When calls come: a day's rhythm in ten minutes, with bursts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

DAY_S = 600.0
WARM_UP_S = 6.0
_WARM_UP = 2.5
_BURST_GAP_S = 75.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call's time in seconds after the start. `burst` counts the bursts so far; 0 is none going on."""

    at_s: float
    burst: int


def day_factor(at_s: float) -> float:
    """The share of the mean rate at a time of the day, 0.5 to 1.5. The start is a morning, at the mean."""
    turn = 2 * math.pi * at_s / DAY_S
    return 1 + 0.45 * math.sin(turn) + 0.1 * math.sin(2 * turn)


def arrivals(rate: float, rng: random.Random) -> Iterator[Arrival]:
    """Poisson arrivals without end, `rate` a second over a day; the first seconds are busier.

    Bursts come every 75 s or so, last 4 to 12 s, and about double the rate.
    """
    at_s, count, factor = 0.0, 0, 1.0
    begins_s = WARM_UP_S + rng.expovariate(1 / _BURST_GAP_S)
    ends_s = 0.0
    while True:
        if at_s >= begins_s:
            count += 1
            ends_s = at_s + rng.uniform(4, 12)
            begins_s = ends_s + rng.expovariate(1 / _BURST_GAP_S)
            factor = rng.uniform(1.6, 2.4)
        bursting = at_s < ends_s
        extra = _WARM_UP if at_s < WARM_UP_S else factor if bursting else 1.0
        at_s += rng.expovariate(rate * day_factor(at_s) * extra)
        yield Arrival(at_s, count if bursting else 0)
