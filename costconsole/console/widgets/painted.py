"""Widgets drawn as lines of inked spans.

A line is a tuple of `(text, ink)` spans; an ink is a name such as `muted`, which the theme resolves to a
style. Lines are plain values, so pages make them in pure functions; `Painted` turns them into strips, keeps
those of lines that stay, and lets `Canvas` send only the cells that changed. Text must be harmless already
(`domain.text.visible`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from costconsole.console.widgets.canvas import Canvas

Span = tuple[str, str]
Line = tuple[Span, ...]
Draw = Callable[[int, int], Sequence[Line]]
"""The lines for a width and a height in cells."""

INKS = ("text", "strong", "muted", "faint", "accent", "second", "good", "warn", "bad")


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells: padded on the left with `right`, cut with … where it is too long."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    space = " " * (width - length)
    return space + text if right else text + space


def width_of(line: Line) -> int:
    """The cells that a line takes."""
    return sum(cell_len(text) for text, _ink in line)


def spread(left: Line, right: Line, width: int) -> Line:
    """Two parts at the two ends of `width` cells; the right one is left out where there is no room."""
    if right:
        right = ((right[0][0].lstrip(), right[0][1]), *right[1:])
    space = width - width_of(left) - width_of(right)
    if space < 1 or not right:
        return left
    *before, (last, ink) = left or (("", "text"),)
    return (*before, (last + " " * space, ink), *right)


def fold(text: str, width: int) -> list[str]:
    """`text` folded at words into rows of at most `width` cells."""
    rows: list[str] = []
    for word in text.split():
        if rows and cell_len(rows[-1]) + cell_len(word) + 1 <= width:
            rows[-1] += " " + word
        else:
            rows.append(word)
    return rows


def centred(text: str, width: int, height: int) -> tuple[Line, ...]:
    """A sentence in the middle of an area, muted."""
    rows = fold(text, max(1, width - 4))
    blank: Line = ()
    return (
        *[blank] * max(0, (height - len(rows)) // 2),
        *(((row.center(width), "muted"),) for row in rows),
    )


class Painted(Canvas):
    """Shows what `paint` was given last: lines, or a function from a size to lines."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines_of: Draw = lambda _width, _height: ()
        self._rich: dict[str, Style] = {}
        self._made: dict[Line, Strip] = {}

    def paint(self, lines: Sequence[Line] | Draw) -> None:
        """Show these. Only cells that differ from what is shown are sent; none differ, none are."""
        if callable(lines):
            self._lines_of = lines
        else:
            kept = tuple(lines)
            self._lines_of = lambda _width, _height: kept
        self.repaint()

    @property
    def text(self) -> str:
        """What is drawn, without its inks."""
        size = self.content_size
        return "\n".join("".join(t for t, _ink in line) for line in self._lines_of(size.width, size.height))

    def draw(self, width: int, height: int) -> Sequence[Strip]:
        before, self._made = self._made, {}
        lines = self._lines_of(width, height)[:height]
        for line in lines:
            strip = before.get(line)
            if strip is None or strip.cell_length != width:
                segments = [Segment(text, self._ink(ink)) for text, ink in line if text]
                strip = Strip(segments).adjust_cell_length(width, self._ink("text")).simplify()
            self._made[line] = strip
        return [self._made[line] for line in lines]

    def _ink(self, ink: str) -> Style:
        style = self._rich.get(ink)
        if style is None:
            style = self._rich[ink] = (self.visual_style + self.inks[ink]).rich_style
        return style

    def notify_style_update(self) -> None:
        self._rich.clear()
        self._made.clear()
        super().notify_style_update()
