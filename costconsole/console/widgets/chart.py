"""Charts over time, drawn by plotext, sent to the terminal only where they changed.

plotext keeps one figure for the whole process and is not thread-safe, so a lock guards it; it is imported
when the first chart is built, and builds in a thread. What it returns is read cell by cell: its colours only
say which series a cell belongs to, the theme decides how that looks. Series differ by texture as well (a
full and a striped area, lines by their dashes), so a chart is legible without colour. Rules, the vertical
lines that a key moves, are laid over what is drawn: moving one draws nothing anew.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from costconsole.console.widgets.painted import Line, Painted, Span, centred

Charset = Literal["braille", "block", "ascii"]

_DOTS: dict[str, int] = {"braille": 2, "block": 2, "ascii": 1}
_DOT_ROWS: dict[str, int] = {"braille": 4, "block": 2, "ascii": 1}
"""Columns and rows of dots in one cell."""
_MARKERS: dict[str, tuple[str, str]] = {
    "braille": ("braille", "braille"),
    "block": ("hd", "hd"),
    "ascii": ("#", ":"),
}
_LINES: dict[str, tuple[str, ...]] = {"ascii": ("*", "o", "x")}
_BAND: dict[str, str] = {"ascii": "."}
_BAND_STEP = 3
"""A band has a dot in every third column, and in every other row of it."""
_SWATCHES: dict[str, tuple[str, str]] = {"braille": ("⣿", "⡇"), "block": ("█", "▌"), "ascii": ("#", ":")}
_LOCK = threading.Lock()
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass(frozen=True, slots=True)
class Area:
    """One filled series: its top at each dot column, from 0 up; None leaves a gap."""

    name: str
    ink: str
    tops: tuple[float | None, ...]
    striped: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: its value at each dot column; None, or a value above the chart, leaves a gap.

    `dash` is how many dot columns are drawn, and how many then are not.
    """

    name: str
    ink: str
    values: tuple[float | None, ...]
    dash: tuple[int, int] = (1, 0)


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two lines, thinly dotted; either may be None."""

    name: str
    ink: str
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A vertical line at a place 0..1 of the x axis, of one sign a row. It gives way to curves."""

    at: float
    sign: str
    ink: str


@dataclass(frozen=True, slots=True)
class Plot:
    """What a chart shows. `areas` and `curves` go from front to back, bands lie behind all. Ticks are
    (place, label): x in 0..1, y a value."""

    areas: tuple[Area, ...]
    y_max: float
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    curves: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(top for area in self.areas for top in area.tops) and not any(
            value is not None for curve in self.curves for value in curve.values
        )

    @property
    def columns(self) -> int:
        """Dot columns that its series have."""
        series = (*(a.tops for a in self.areas), *(c.values for c in self.curves))
        return len(series[0]) if series else 1

    @property
    def label_width(self) -> int:
        return max((len(label) for _value, label in self.y_ticks), default=0) + 1


Plotter = Callable[[int], Plot]
"""Makes the plot for a number of dot columns."""


def legend(areas: Sequence[tuple[str, bool]], charset: Charset) -> str:
    """What the areas of (name, striped) look like: `⣿ exact  ⡇ semantic`."""
    return "  ".join(f"{_SWATCHES[charset][striped]} {name}" for name, striped in areas)


def draw_plot(plot: Plot, width: int, height: int, charset: Charset = "braille") -> tuple[Line, ...]:
    """The plot as `height` lines of `width` cells. Takes some milliseconds; call it in a thread."""
    with _LOCK:
        text = _plotext(plot, width, height, charset)
    series: tuple[Area | Curve | Band, ...] = (*plot.areas, *plot.curves, *plot.bands)
    inks = {str(n): one.ink for n, one in enumerate(series, 1)}
    return tuple(_inked(row, inks) for row in text.split("\n")[:height])


def _plotext(plot: Plot, width: int, height: int, charset: Charset) -> str:
    import plotext

    columns = plot.columns
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.canvas("default")
    figure.plot_size(width, height)
    figure.axes(False)
    figure.legend(False)
    pad = plot.label_width
    figure.ruler("y").alignment(lim="edge").lim(0, plot.y_max)
    figure.ruler("x").alignment(lim="edge").lim(0, columns)
    figure.ruler("y").ticks(
        [v for v, _ in plot.y_ticks], [f"{label:>{pad - 1}} " for _, label in plot.y_ticks]
    )
    figure.ruler("x").ticks([at * columns for at, _ in plot.x_ticks], [label for _, label in plot.x_ticks])
    full, striped = _MARKERS[charset]
    rows = max(1, height - bool(plot.x_ticks)) * _DOT_ROWS[charset]
    first = len(plot.areas) + len(plot.curves) + 1
    for number, band in enumerate(plot.bands, first):
        _dots(figure, _band_dots(band, plot.y_max, rows), _BAND.get(charset, full), number)
    for number, area in reversed(list(enumerate(plot.areas, 1))):
        step = _DOTS[charset] if area.striped else 1
        dots = [
            (x + 0.5, _dot(top / plot.y_max, rows) * plot.y_max)
            for x, top in enumerate(area.tops)
            if top is not None and top > 0 and x % step == 0
        ]
        if dots:
            marker = plotext.marker(striped if area.striped else full, plotext.pixel(foreground=number))
            xs, ys = zip(*dots, strict=True)
            figure.draw(figure.signal(list(xs), list(ys), marker=marker).fillx())
    for n, curve in reversed(list(enumerate(plot.curves))):
        sign = _LINES[charset][n % 3] if charset in _LINES else full
        _dots(figure, _curve_dots(curve, plot.y_max, rows), sign, len(plot.areas) + n + 1)
    drawn: str = figure.build().string()
    figure.clear.data()
    return drawn


def _dots(figure: Any, dots: Sequence[tuple[float, float]], sign: str, number: int) -> None:
    import plotext

    if dots:
        xs, ys = zip(*dots, strict=True)
        marker = plotext.marker(sign, plotext.pixel(foreground=number))
        figure.draw(figure.signal(list(xs), list(ys), marker=marker))


def _curve_dots(curve: Curve, y_max: float, rows: int) -> list[tuple[float, float]]:
    """A dot a column, and in steep places those between, so that the line isn't torn."""
    on, off = curve.dash
    found: list[tuple[float, float]] = []
    before: int | None = None
    for x, value in enumerate(curve.values):
        if value is None or value > y_max * (1 + 0.5 / rows):
            before = None
            continue
        row = min(rows - 1, max(0, int(value / y_max * rows)))
        step = range(row, row + 1)
        if before is not None and abs(row - before) > 1:
            step = range(row, before) if row < before else range(before + 1, row + 1)
        before = row
        if x % (on + off) < on:
            found += [(x + 0.5, (each + 0.5) / rows * y_max) for each in step]
    return found


def _band_dots(band: Band, y_max: float, rows: int) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for x, (low, high) in enumerate(zip(band.lows, band.highs, strict=True)):
        if low is None or high is None or x % _BAND_STEP or low > y_max:
            continue
        first, last = int(low / y_max * rows), min(rows - 1, int(high / y_max * rows))
        found += [(x + 0.5, (row + 0.5) / rows * y_max) for row in range(first, last + 1) if row % 2 == 0]
    return found


def with_rules(
    lines: Sequence[Line], rules: Sequence[Rule], pad: int, width: int, height: int, soft: frozenset[str]
) -> tuple[Line, ...]:
    """Lines of a chart with rules over them: the canvas begins at cell `pad` and is `width` by `height`.

    A rule takes the cells that are empty or of an ink in `soft`.
    """
    if not rules:
        return tuple(lines)
    places = {pad + min(width - 1, max(0, int(rule.at * width))): rule for rule in rules}
    found: list[Line] = []
    for row, line in enumerate(lines):
        if row >= height:
            found.append(line)
            continue
        cells = [(sign, ink) for text, ink in line for sign in text]
        cells += [(" ", "muted")] * (pad + width - len(cells))
        for place, rule in places.items():
            sign, ink = cells[place]
            if sign in " \u2800" or ink in soft:
                cells[place] = (rule.sign, rule.ink)
        found.append(_joined(cells))
    return tuple(found)


def _joined(cells: Sequence[Span]) -> Line:
    spans: list[Span] = []
    for sign, ink in cells:
        if spans and spans[-1][1] == ink:
            spans[-1] = (spans[-1][0] + sign, ink)
        else:
            spans.append((sign, ink))
    return tuple(spans)


def _dot(share: float, rows: int) -> float:
    """The middle of the highest dot that an area of this height fills; whatever is not 0 fills one."""
    return (max(1, round(min(1.0, share) * rows)) - 0.5) / rows


def _inked(row: str, inks: dict[str, str]) -> Line:
    spans: list[Span] = []
    ink, at = "muted", 0
    for match in _SGR.finditer(row):
        if match.start() > at:
            spans.append((row[at : match.start()], ink))
        ink, at = inks.get(match[1].removeprefix("38;5;"), "muted"), match.end()
    if at < len(row):
        spans.append((row[at:], ink))
    return tuple(spans)


class Chart(Painted):
    """A chart. `show_plot` takes a function from dot columns to a plot; drawing happens in a thread.

    While a drawing is under way newer plots replace each other: a slow machine draws fewer, never later.
    """

    DEFAULT_CSS = "Chart { width: 1fr; height: 1fr; }"

    def __init__(
        self, *, charset: Charset = "braille", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.charset: Charset = charset
        self._empty = ""
        self._plotter: Plotter | None = None
        self._shown: _Shown | None = None
        self._done: tuple[object, ...] = ()
        self._busy = False
        self._rules: tuple[Rule, ...] = ()

    def show_rules(self, rules: Sequence[Rule]) -> None:
        """Vertical lines over the chart from now on; shown at once, without drawing it anew."""
        if self._rules != tuple(rules):
            self._rules = tuple(rules)
            self._paint_shown()

    def _paint_shown(self) -> None:
        if self._shown is not None:
            self.paint(self._shown.ruled(self._rules))

    def show_plot(self, plotter: Plotter, *, empty: str) -> None:
        """Show this from now on; `empty` is the sentence for a plot without a value above 0."""
        self._plotter, self._empty = plotter, empty
        self._rebuild()

    def on_resize(self) -> None:
        self._rebuild()

    def _rebuild(self) -> None:
        width, height = self.content_size
        if not self._busy and self._plotter is not None and width > 12 and height > 2:
            self._busy = True
            self.run_worker(self._build(), group="chart", exit_on_error=False)

    async def _build(self) -> None:
        try:
            while (plotter := self._plotter) is not None:
                job = (plotter, self._empty, *self.content_size, self.charset)
                if job == self._done:
                    break
                made = await asyncio.to_thread(_make, *job, self._shown)
                self._done = job
                if made is not self._shown:
                    self._shown = made
                    self._paint_shown()
        finally:
            self._busy = False


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a chart shows, and from what it was made."""

    origin: tuple[object, ...]
    lines: tuple[Line, ...]
    canvas: tuple[int, int, int] = (0, 0, 0)
    """Where rules go: first cell, cells, rows; nowhere without rows."""
    soft: frozenset[str] = frozenset()

    def ruled(self, rules: Sequence[Rule]) -> tuple[Line, ...]:
        if not self.canvas[2]:
            return self.lines
        return with_rules(self.lines, rules, *self.canvas, self.soft)


def _make(
    plotter: Plotter, empty: str, width: int, height: int, charset: Charset, shown: _Shown | None
) -> _Shown:
    """What to show now: `shown` itself when nothing has changed. Runs in a thread."""
    # The labels' width is known only from a plot, and the number of columns from that width.
    canvas = max(1, width - plotter(1).label_width)
    plot = plotter(canvas * _DOTS[charset])
    origin = (plot, empty, width, height, charset)
    if shown is not None and shown.origin == origin:
        return shown
    if plot.is_empty:
        return _Shown(origin, centred(empty, width, height))
    rows = max(1, height - bool(plot.x_ticks))
    drawn = draw_plot(plot, width, height, charset)
    soft = frozenset(band.ink for band in plot.bands)
    return _Shown(origin, drawn, (plot.label_width, canvas, rows), soft)
