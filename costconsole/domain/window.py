"""Time windows, and the rollup buckets that cover them.

Rollups are kept by epoch minute, hour and day (UTC). A window is covered by the coarsest buckets that lie
in it whole, so that a day costs 24 reads; it starts on a bucket's edge, and its last bucket is open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from costconsole.domain.errors import UsageProblem

Grain = Literal["minute", "hour", "day"]
GRAIN_MS: dict[Grain, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """One rollup bucket: `number` minutes, hours or days since 1970 (UTC)."""

    start_ms: int
    grain: Grain

    @property
    def number(self) -> int:
        return self.start_ms // GRAIN_MS[self.grain]

    @property
    def end_ms(self) -> int:
        return self.start_ms + GRAIN_MS[self.grain]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time up to now, such as the last hour, and the grain of its series."""

    label: str
    seconds: int

    @property
    def grain(self) -> Grain:
        """The bucket of one point on a chart: minutes up to 6 h, hours up to 7 d, then days."""
        if self.seconds <= 6 * 3600:
            return "minute"
        return "hour" if self.seconds <= 7 * 86_400 else "day"

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """[from, to) in ms: `to` ends the open bucket, `from` lies `seconds` before it, on an edge."""
        size = GRAIN_MS[self.grain]
        to_ms = (now_ms // size + 1) * size
        return to_ms - -(-self.seconds * 1000 // size) * size, to_ms


WINDOWS = tuple(
    Window(label, seconds)
    for label, seconds in (
        ("5m", 300),
        ("15m", 900),
        ("1h", 3600),
        ("6h", 21_600),
        ("24h", 86_400),
        ("7d", 604_800),
        ("30d", 2_592_000),
    )
)
"""The windows that the console steps through."""


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `5m`, `1h`, `7d`, `2w` or sums such as `1h30m`. Raises UsageProblem."""
    pieces = re.findall(r"(\d+)([smhdw])", text.strip().lower())
    if not pieces or "".join(a + b for a, b in pieces) != text.strip().lower():
        raise UsageProblem(f"{text!r} is not a duration: write a number and s, m, h, d or w, such as 1h")
    seconds = sum(int(number) * _UNIT_S[unit] for number, unit in pieces)
    if not seconds:
        raise UsageProblem(f"{text!r} is no time at all: write for example 5m, 1h or 7d")
    return seconds


def parse_window(text: str) -> Window:
    """The window of that label, or of any duration from a minute to a year. Raises UsageProblem."""
    seconds = parse_duration(text)
    if not 60 <= seconds <= 366 * 86_400:
        raise UsageProblem(f"a window of {text!r} is outside what rollups hold: choose 1m to 366d")
    return next((w for w in WINDOWS if w.seconds == seconds), Window(text.strip().lower(), seconds))


def cover(from_ms: int, to_ms: int, coarsest: Grain = "day") -> tuple[Bucket, ...]:
    """The fewest buckets, none above `coarsest`, whose union is [from, to) widened to whole minutes."""
    grains: tuple[Grain, ...] = ("day", "hour", "minute")
    grains = grains[grains.index(coarsest) :]
    minute = GRAIN_MS["minute"]
    at = from_ms // minute * minute
    end = -(-to_ms // minute) * minute
    found: list[Bucket] = []
    while at < end:
        fitting = (g for g in grains if at % GRAIN_MS[g] == 0 and at + GRAIN_MS[g] <= end)
        grain: Grain = next(fitting, "minute")
        found.append(Bucket(at, grain))
        at += GRAIN_MS[grain]
    return tuple(found)
