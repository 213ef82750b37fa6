"""Widgets that draw whole lines themselves and repaint only the cells that changed.

A repaint of a whole widget sends all of it over the wire. A changed digit costs a cursor move and a few
bytes, so lines are compared cell by cell, and only the spans that differ are marked dirty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from costconsole.console.inks import Inks
from costconsole.console.widgets.strips import changed_spans, segments_of


class Canvas(Widget):
    """Override `draw`; call `repaint` when what it draws from has changed."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: list[Strip] | None = None
        self._drawn_size = (0, 0)
        self.inks = Inks(self)

    def draw(self, width: int, height: int) -> Sequence[Content | Strip]:
        """The lines of the content area, at most `height`; longer ones are cut."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Draw again and mark only the cells that differ."""
        size = (self.content_size.width, self.content_size.height)
        old = self._drawn
        if old is None or size != self._drawn_size or not self.is_mounted:
            self._drawn = None
            self.refresh()
            return
        self._drawn = self._strips(*size)
        dirty = list(_dirty(old, self._drawn))
        if dirty:
            self.refresh(*dirty)

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        if self._drawn is None or self._drawn_size != (width, height):
            self._drawn = self._strips(width, height)
            self._drawn_size = (width, height)
        return self._drawn[y] if y < len(self._drawn) else Strip.blank(width, self.visual_style.rich_style)

    def notify_style_update(self) -> None:
        self._drawn = None
        self.inks.clear()
        super().notify_style_update()

    def _strips(self, width: int, height: int) -> list[Strip]:
        base = self.visual_style
        found: list[Strip] = []
        for line in self.draw(width, height)[:height] if width and height else ():
            if isinstance(line, Content):
                cut = line.truncate(width, ellipsis=True) if line.cell_length > width else line
                line = Strip(segments_of(self.inks, base, cut))
            found.append(line.adjust_cell_length(width, base.rich_style).simplify())
        found += [Strip.blank(width, base.rich_style)] * (height - len(found))
        return found


def _dirty(old: Sequence[Strip], new: Sequence[Strip]) -> Iterator[Region]:
    for y, (before, after) in enumerate(zip(old, new, strict=True)):
        for start, end in changed_spans(before, after):
            yield Region(start, y, end - start, 1)
