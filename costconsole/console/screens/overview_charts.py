"""What the two charts of the Overview show: pure functions of a view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from costconsole.console.widgets.chart import Area, Plot
from costconsole.domain.figures import Figures, LedgerView
from costconsole.domain.format import decimals_for, dollars
from costconsole.domain.money import NANO
from costconsole.domain.window import GRAIN_MS, Grain

_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
_DAYS = (1, 2, 3, 5, 7, 10, 14, 30, 90)
_TICK_CELLS = 9
_OPEN_SHARE = 0.2
"""The open bucket's rate is drawn once this share of it has passed: before, a single call would tower."""

_PER: dict[Grain, str] = {"minute": "a minute", "hour": "an hour", "day": "a day"}


def outcome_title(view: LedgerView, *, whole: bool = True) -> str:
    """`whole` is False beside figures of one model alone: the series are of all calls."""
    return f"Outcomes, % of {'' if whole else 'all '}calls · {view.window.label}"


def spend_title(view: LedgerView, *, whole: bool = True) -> str:
    what = "Spend and saved" if whole else "All calls' cost"
    return f"{what}, $ {_PER[view.window.grain]} · {view.window.label}"


@dataclass(frozen=True, slots=True)
class _Column:
    """What falls into one column of dots; `buckets` counts whole buckets, the open one by its share."""

    calls: int
    exact: int
    semantic: int
    spend_nano: int
    saved_nano: int
    buckets: float


def _columns(view: LedgerView, count: int) -> list[_Column | None]:
    """The view's series on `count` columns; None where there is nothing to know yet."""
    grain_ms = GRAIN_MS[view.window.grain]
    slots = max(1, (view.to_ms - view.from_ms) // grain_ms)
    by_start = {point.start_ms: point.figures for point in view.series}
    found: list[_Column | None] = []
    for i in range(count):
        first = i * slots // count
        last = max(first + 1, (i + 1) * slots // count)
        starts = [view.from_ms + n * grain_ms for n in range(first, last)]
        column_start = view.from_ms + i * (view.to_ms - view.from_ms) / count
        if column_start > view.read_ms:
            found.append(None)
            continue
        passed = [min(1.0, (view.read_ms - start) / grain_ms) for start in starts if start < view.read_ms]
        found.append(_sum([by_start.get(start, _NOTHING) for start in starts[: len(passed)]], sum(passed)))
    return found


_NOTHING = Figures()


def _sum(figures: Sequence[Figures], buckets: float) -> _Column:
    return _Column(
        sum(f.calls for f in figures),
        sum(f.exact for f in figures),
        sum(f.semantic for f in figures),
        sum(f.spend_nano for f in figures),
        sum(f.saved.total for f in figures),
        buckets,
    )


def outcome_plot(view: LedgerView, tz: tzinfo | None) -> Callable[[int], Plot]:
    """Exact hits, semantic hits stacked on them (their top is the hit rate); the rest was missed."""

    def plot(count: int) -> Plot:
        columns = _columns(view, count)
        exact = tuple(100 * c.exact / c.calls if c and c.calls else None for c in columns)
        hits = tuple(100 * (c.exact + c.semantic) / c.calls if c and c.calls else None for c in columns)
        return Plot(
            (Area("exact", "accent", exact), Area("semantic", "second", hits, striped=True)),
            100,
            ((0, "0"), (50, "50"), (100, "100")),
            time_ticks(view.from_ms, view.to_ms, tz, count // 2),
        )

    return plot


def spend_plot(view: LedgerView, tz: tzinfo | None) -> Callable[[int], Plot]:
    """Dollars a bucket: spend, and what was saved on top of it, which together are the baseline."""

    def plot(count: int) -> Plot:
        columns = _columns(view, count)
        rates = [
            (c.spend_nano / c.buckets, max(0, c.saved_nano) / c.buckets)
            if c and c.calls and c.buckets >= _OPEN_SHARE
            else None
            for c in columns
        ]
        top = nice_ceiling(
            max((spend + saved for rate in rates if rate for spend, saved in [rate]), default=0)
        )
        decimals = decimals_for(top)
        return Plot(
            (
                Area("spend", "strong", tuple(r[0] / NANO if r else None for r in rates)),
                Area("saved", "good", tuple(sum(r) / NANO if r else None for r in rates), striped=True),
            ),
            top / NANO,
            tuple((value / NANO, dollars(value, decimals)) for value in (0, top // 2, top)),
            time_ticks(view.from_ms, view.to_ms, tz, count // 2),
        )

    return plot


def nice_ceiling(value: float) -> int:
    """The smallest 1, 2, 4, 5 or 10 times a power of ten that is not below `value`; at least 10."""
    scale = 10
    while scale * 10 < value:
        scale *= 10
    return next(scale * step for step in (1, 2, 4, 5, 10) if scale * step >= value)


def time_ticks(from_ms: int, to_ms: int, tz: tzinfo | None, cells: int) -> tuple[tuple[float, str], ...]:
    """Round local times within [from, to) as (place 0..1, label), no closer than `_TICK_CELLS` cells."""
    span = to_ms - from_ms
    most = max(1, cells // _TICK_CELLS)
    minutes = next((m for m in _MINUTES if span / (m * 60_000) <= most), None)
    if minutes is not None:
        moments = _minute_ticks(from_ms, to_ms, tz, minutes)
        return tuple(((at - from_ms) / span, f"{_local(at, tz):%H:%M}") for at in moments)
    days = next((d for d in _DAYS if span / (d * 86_400_000) <= most), 365)
    return tuple(
        ((at - from_ms) / span, f"{_local(at, tz):%m-%d}") for at in _day_ticks(from_ms, to_ms, tz, days)
    )


def _minute_ticks(from_ms: int, to_ms: int, tz: tzinfo | None, minutes: int) -> list[int]:
    ahead = _local(from_ms, tz).utcoffset() or timedelta()
    ahead_ms, step = int(ahead.total_seconds() * 1000), minutes * 60_000
    first = -(-(from_ms + ahead_ms) // step) * step - ahead_ms
    return list(range(first, to_ms, step))


def _day_ticks(from_ms: int, to_ms: int, tz: tzinfo | None, days: int) -> list[int]:
    day = _local(from_ms, tz).date()
    found: list[int] = []
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=tz)
        at = int((midnight if tz else midnight.astimezone()).timestamp() * 1000)
        if at >= to_ms:
            return found
        if at >= from_ms and day.toordinal() % days == 0:
            found.append(at)
        day += timedelta(days=1)


def _local(at_ms: int, tz: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(tz)
