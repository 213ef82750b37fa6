"""Charts over time, drawn by plotext, sent to the terminal only where they changed.

plotext keeps one figure for the whole process and is not thread-safe, so a lock guards it; it is imported
when the first chart is built, and builds in a thread. What it returns is read cell by cell: its colours only
say which series a cell belongs to, the theme decides how that looks. Series differ by texture as well (a
full and a striped area), so a chart is legible without colour.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

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
class Plot:
    """What a chart shows. `areas` go from front to back. Ticks are (place, label): x in 0..1, y a value."""

    areas: tuple[Area, ...]
    y_max: float
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]

    @property
    def is_empty(self) -> bool:
        return not any(top for area in self.areas for top in area.tops)

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
    inks = {str(n): area.ink for n, area in enumerate(plot.areas, 1)}
    return tuple(_inked(row, inks) for row in text.split("\n")[:height])


def _plotext(plot: Plot, width: int, height: int, charset: Charset) -> str:
    import plotext

    columns = len(plot.areas[0].tops) if plot.areas else 1
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
    drawn: str = figure.build().string()
    figure.clear.data()
    return drawn


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
                    self.paint(made.lines)
        finally:
            self._busy = False


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a chart shows, and from what it was made."""

    origin: tuple[object, ...]
    lines: tuple[Line, ...]


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
    drawn = centred(empty, width, height) if plot.is_empty else draw_plot(plot, width, height, charset)
    return _Shown(origin, drawn)
