"""The two charts of the page of thresholds, over the threshold from 0.70 to 1: pure functions of a view."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from costconsole.console.screens.overview_charts import nice_ceiling
from costconsole.console.threshold_view import HIGHEST, LOWEST, ThresholdView
from costconsole.console.widgets.chart import Band, Charset, Curve, Plot, Rule
from costconsole.domain.format import decimals_for, dollars

RULES: dict[str, tuple[str, str]] = {"braille": ("┊", "┃"), "block": ("┊", "┃"), "ascii": (":", "|")}
"""The signs of the threshold in force, and of the line that keys move."""
_SIGNS: dict[str, tuple[str, str, str, str]] = {
    "braille": ("⠒⠒⠒", "⠒ ⠒", "⠁⠈⠂", "⠒⠒ "),
    "block": ("▀▀▀", "▀ ▀", "▖▗ ", "▀▀ "),
    "ascii": ("***", "o o", ". .", "oo "),
}
_SPAN = HIGHEST - LOWEST
_TICKS = (0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 1.0)


def place_of(threshold: float) -> float:
    """Where a threshold is on the x axis, 0..1."""
    return min(1.0, max(0.0, (threshold - LOWEST) / _SPAN))


def rules_of(current: float, line: float, charset: Charset) -> tuple[Rule, ...]:
    """The threshold in force and the moved line; where they meet, the line is seen."""
    now, moved = RULES[charset]
    return Rule(place_of(current), now, "text"), Rule(place_of(line), moved, "accent")


def rates_legend(view: ThresholdView, charset: Charset) -> str:
    """`⠒⠒⠒ hit %  ⠒ ⠒ $ a day to 12.40`: the scale's top."""
    top = max((s.saved_nano_a_day or 0 for s in view.steps), default=0)
    solid, dashed, _, _ = _SIGNS[charset]
    money = f"  {dashed} $ a day to {dollars(top, decimals_for(top))}" if top else ""
    return f"{solid} hit %{money}"


def errors_legend(charset: Charset) -> str:
    solid, _, band, bound = _SIGNS[charset]
    return f"{solid} median {band} 90 % {bound} certified"


def rates_plot(view: ThresholdView) -> Callable[[int], Plot]:
    """Hit rate in percent, and dollars a day on a scale of their own: their top is that of the chart."""

    def plot(count: int) -> Plot:
        thresholds = [step.point.threshold for step in view.steps]
        rates = [100 * step.point.hit_rate for step in view.steps]
        top = _ceiling(max(rates, default=0.0))
        curves = [Curve("hit rate", "accent", _columns(thresholds, rates, count))]
        money = [step.saved_nano_a_day or 0 for step in view.steps]
        if any(money):
            scaled = [top * value / max(money) for value in money]
            curves.append(Curve("saved", "second", _columns(thresholds, scaled, count), (2, 2)))
        if not view.lookups:
            curves = []
        ticks = ((0.0, "0"), (top / 2, f"{top / 2:g}"), (top, f"{top:g}"))
        return Plot((), top, ticks, x_ticks(count // 2), tuple(curves))

    return plot


def errors_plot(view: ThresholdView) -> Callable[[int], Plot]:
    """Share of wrong hits in percent: median, band, what is certified, and the bound that was asked for."""

    def plot(count: int) -> Plot:
        thresholds = [step.point.threshold for step in view.steps]
        points = [step.point for step in view.steps]
        goal = 100 * view.max_error
        shown = [
            100 * p.fhr_high for p in points if p.fhr_high is not None and p.threshold >= view.current - 0.1
        ]
        top = _ceiling(min(100.0, max([3 * goal, *shown])))
        ticks = ((0.0, "0"), (top / 2, f"{top / 2:g}"), (top, f"{top:g}"))
        if not view.proposal.labels or not view.lookups:
            return Plot((), top, ticks, x_ticks(count // 2))
        lows, middles, highs = (
            _columns(thresholds, [None if v is None else 100 * v for v in values], count)
            for values in (
                [p.fhr_low for p in points],
                [p.fhr for p in points],
                [p.fhr_high for p in points],
            )
        )
        bounds = _columns(thresholds, [100 * p.bound if p.labels else None for p in points], count)
        curves = (
            Curve("median", "accent", middles),
            Curve("certified bound", "second", bounds, (3, 2)),
            Curve("asked for", "muted", (goal,) * count, (1, 3)),
        )
        return Plot((), top, ticks, x_ticks(count // 2), curves, (Band("band", "faint", lows, highs),))

    return plot


def no_errors_words(view: ThresholdView) -> str:
    """Why there is no curve of errors."""
    if not view.lookups:
        return "Nothing is logged under this threshold yet."
    least = next((m.least for m in view.missing if m.max_error == view.max_error), None)
    many = (
        f" {least:,} labels would do for {100 * view.max_error:g} % if all of them are right."
        if least
        else ""
    )
    return f"No label yet, so nobody knows which hits are wrong. l shows pairs to label.{many}"


def x_ticks(cells: int) -> tuple[tuple[float, str], ...]:
    """Thresholds, as many as there is room for."""
    wanted = _TICKS if cells >= 50 else _TICKS[::2]
    return tuple((place_of(t), f"{t:.2f}".removeprefix("0")) for t in wanted)


def _ceiling(value: float) -> float:
    """A round number that isn't below `value` (percent): 1, 2, 4, 5 and 10 times a power of ten."""
    return min(100.0, nice_ceiling(max(1, round(value * 1000))) / 1000)


def _columns(
    thresholds: Sequence[float], values: Sequence[float | None], count: int
) -> tuple[float | None, ...]:
    """Values of the steps on `count` columns from 0.70 to 1, between two steps by a straight line."""
    found: list[float | None] = []
    for column in range(count):
        at = LOWEST + (column + 0.5) / count * _SPAN
        i = bisect_right(thresholds, at) - 1
        if i < 0 or i >= len(thresholds):
            found.append(None)
            continue
        one, other = values[i], values[i + 1] if i + 1 < len(values) else None
        if one is None or other is None:
            last = i + 1 >= len(thresholds) and at - thresholds[i] > 0.0026
            found.append(None if last else one)
            continue
        share = (at - thresholds[i]) / (thresholds[i + 1] - thresholds[i])
        found.append(one + (other - one) * share)
    return tuple(found)
