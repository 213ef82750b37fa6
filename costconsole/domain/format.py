"""Figures as text, one look everywhere.

Every function returns the shortest text of its kind and never more than the width that its docstring
states, so a column of that width, right-aligned, does not jump. Unknown is `–`, zero is `0`, and what
rounds to zero without being it says so (`<0.1`). Digits are grouped by commas; a unit stands in the
header, or behind a space.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo

from costconsole.domain.money import NANO

UNKNOWN = "–"
ESTIMATE = "≈"
_SCALES = ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def count(n: int | None) -> str:
    """A number of things: `1,204`, `999,999`, then `1.20 M`. At most 7 cells."""
    if n is None:
        return UNKNOWN
    return f"{n:,}" if -100_000 < n < 1_000_000 else compact(n)


def compact(n: int | None) -> str:
    """A number to three figures: `874`, `1.20 k`, `210 k`, `1.23 M`. At most 6 cells, 7 when negative."""
    if n is None:
        return UNKNOWN
    sign, size = ("-", -n) if n < 0 else ("", n)
    if size < 1000:
        return f"{sign}{size}"
    for at, (scale, letter) in enumerate(_SCALES):
        if size >= scale:
            text = _three(size / scale)
            if text == "1000" and at:
                text, letter = "1.00", _SCALES[at - 1][1]
            return f"{sign}{text} {letter}" if len(text) < 5 else f"{sign}{size:.0e}".replace("e+", "e")
    raise AssertionError("a thousand and more has a scale")


def _three(value: float) -> str:
    """Three figures of a number >= 1, as `1.23`, `12.3`, `123`, `1000`."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def percent(share: float | None) -> str:
    """A share (1 = all) in percent without its sign: `63.2`, `100`, `<0.1`. At most 5 cells up to 9,999 %.

    Only what is all is `100`, and only nothing is `0`.
    """
    if share is None or not math.isfinite(share):
        return UNKNOWN
    sign, value = ("-", -share * 100) if share < 0 else ("", share * 100)
    if value == 0:
        return "0"
    if value < 0.05:
        return f"{sign}<0.1" if not sign else "-0.0"
    if 99.95 <= value < 100:
        return f"{sign}99.9"
    if value == 100:
        return f"{sign}100"
    return f"{sign}{value:.1f}" if value < 999.5 else f"{sign}{value:,.0f}"


def points(change: float | None) -> str:
    """A change between two shares, in percentage points, with its direction: `▲ 2.1`, `▼ 0.4`, `= 0.0`."""
    if change is None or not math.isfinite(change):
        return ""
    size = f"{abs(change) * 100:.1f}"
    if size == "0.0":
        return "= 0.0"
    return f"{'▲' if change > 0 else '▼'} {size}"


def rate(per_s: float | None) -> str:
    """Things per second: `38.2`, `0.03`, `1,204`. At most 6 cells below 100,000."""
    if per_s is None or not math.isfinite(per_s):
        return UNKNOWN
    if per_s == 0:
        return "0"
    if per_s < 0.005:
        return "<0.01"
    if per_s < 0.995:
        return f"{per_s:.2f}"
    return f"{per_s:.1f}" if per_s < 999.5 else f"{per_s:,.0f}"


def milliseconds(ms: float | None) -> str:
    """A latency for a column headed `ms`: `0.4`, `6.1`, `412`, `1,980`, then `120 s`. At most 6 cells."""
    if ms is None or not math.isfinite(ms):
        return UNKNOWN
    if ms < 0.05:
        return "0" if ms <= 0 else "<0.1"
    if ms < 9.95:
        return f"{ms:.1f}"
    if ms < 99_999.5:
        return f"{ms:,.0f}"
    seconds = ms / 1000
    return f"{seconds:.0f} s" if seconds < 999.5 else f"{seconds / 60:,.0f} min"


def duration(ms: float | None) -> str:
    """A length of time with its unit: `6.1 ms`, `412 ms`, `1.98 s`, `12.3 s`, `4 min`. At most 7 cells."""
    if ms is None or not math.isfinite(ms):
        return UNKNOWN
    if ms < 999.5:
        return f"{milliseconds(ms)} ms"
    seconds = ms / 1000
    return f"{_three(seconds)} s" if seconds < 599.5 else age(ms)


def age(ms: float | None) -> str:
    """How long ago, rounded down: `0 s`, `14 s`, `5 min`, `3 h`, `2 d`, `3 y`. At most 6 cells."""
    if ms is None:
        return UNKNOWN
    seconds = max(0, int(ms // 1000))
    for unit, size in (("y", 365 * 86_400), ("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size * (2 if unit == "y" else 1):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def size(n: int | None) -> str:
    """Bytes to three figures, in powers of 1000: `874 B`, `1.20 kB`, `61.4 MB`. At most 7 cells."""
    if n is None:
        return UNKNOWN
    return f"{n} B" if abs(n) < 1000 else f"{compact(n)}B"


def decimals_for(*amounts_nano: int | None) -> int:
    """How many decimals a column of dollars needs so that its largest amount shows three figures: 0 to 5."""
    largest = max((abs(a) for a in amounts_nano if a is not None), default=0) / NANO
    if largest == 0:
        return 2
    if largest >= 1000:
        return 0
    return max(2, min(5, 2 - math.floor(math.log10(largest))))


def dollars(nano: int | None, decimals: int = 2) -> str:
    """Dollars for a column headed `$`: `204.50`, `<0.01`, `-0.32`, from a million on `1.20 M`.

    With the decimals of `decimals_for` at most 7 cells, and one more for a minus.
    """
    if nano is None:
        return UNKNOWN
    if nano == 0:
        return "0"
    sign, value = ("-", -nano) if nano < 0 else ("", nano)
    usd = value / NANO
    if usd >= 999_999.5:
        return sign + compact(round(usd))
    text = f"{usd:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        return f"{sign}<{10.0**-decimals:.{decimals}f}"
    return sign + text


def similarity(value: float | None) -> str:
    """A cosine similarity to three places, without its zero: `.973`, `1.00`, `-.12`. At most 4 cells."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value >= 0.9995:
        return "1.00" if value >= 1 - 1e-9 else ".999"
    if value < 0:
        return f"-.{min(99, round(-value * 100)):02d}"
    return f"{value:.3f}"[1:]


def clock(ts_ms: int, tz: tzinfo | None = None) -> str:
    """The time of day, `22:14:03`, in `tz` (None: this machine's)."""
    return _at(ts_ms, tz).strftime("%H:%M:%S")


def clock_minute(ts_ms: int, tz: tzinfo | None = None) -> str:
    """The time of day to the minute, `22:14`."""
    return _at(ts_ms, tz).strftime("%H:%M")


def date(ts_ms: int, tz: tzinfo | None = None) -> str:
    """Month and day, `11-22`."""
    return _at(ts_ms, tz).strftime("%m-%d")


def stamp(ts_ms: int, tz: tzinfo | None = None) -> str:
    """A moment in full: `2026-11-22 22:14:03 +01:00`."""
    moment = _at(ts_ms, tz)
    return f"{moment:%Y-%m-%d %H:%M:%S} {_offset(moment, minutes=True)}"


def offset(ts_ms: int, tz: tzinfo | None = None) -> str:
    """What the zone is ahead of UTC at that moment: `+01`, `-03:30`."""
    return _offset(_at(ts_ms, tz), minutes=False)


def _at(ts_ms: int, tz: tzinfo | None) -> datetime:
    moment = datetime.fromtimestamp(ts_ms / 1000, UTC)
    return moment.astimezone(tz)


def _offset(moment: datetime, *, minutes: bool) -> str:
    ahead = moment.utcoffset()
    total = int(ahead.total_seconds() // 60) if ahead is not None else 0
    hours, rest = divmod(abs(total), 60)
    tail = f":{rest:02d}" if minutes or rest else ""
    return f"{'-' if total < 0 else '+'}{hours:02d}{tail}"
