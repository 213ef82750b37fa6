"""A tile: one question of the operator's, answered in two lines."""

from __future__ import annotations

from dataclasses import dataclass

from costconsole.console.safe import safe
from costconsole.console.widgets.painted import Line, Painted, spread

Pair = tuple[Line, Line]
"""What stands at the left and at the right end of a line."""


@dataclass(frozen=True, slots=True)
class TileText:
    """`title` names figure, window and unit; then the lines, the first one the answer.

    `short` is the title where there is no frame and little room.
    """

    title: str
    short: str
    rows: tuple[Pair, ...]


class Tile(Painted):
    """In a frame the title stands in the border; without one (`plain`) it is the first line."""

    DEFAULT_CSS = """
    Tile { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.plain = False
        self._titled = ""

    def show(self, tile: TileText) -> None:
        """Draw this; unchanged figures cost nothing."""
        if not self.plain and self._titled != tile.title:
            self.border_title = safe(tile.title)
            self._titled = tile.title

        def lines(width: int, height: int) -> list[Line]:
            rows = [spread(left, right, width) for left, right in tile.rows]
            return [((tile.short, "muted"),), *rows] if self.plain else rows

        self.paint(lines)
