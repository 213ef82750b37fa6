"""The line that is typed into, and the list that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.widgets import Input

from costconsole.console.widgets.table import Column, LiveTable
from costconsole.domain.text import visible

_LONGEST = 2_000
"""Characters: longer than what a model reads of a prompt."""
_JOINERS = dict.fromkeys((0x200D, 0xFE0E, 0xFE0F))
_NAMED = frozenset({"slash", "space", "minus", "plus"})


class LineInput(Input):
    """One line that shows harmless text and takes every sign."""

    def __init__(self, value: str = "", *, id: str | None = None) -> None:
        super().__init__(value, select_on_focus=False, id=id)
        self.cursor_blink = False

    def replace(self, text: str, start: int, end: int) -> None:
        """What is typed or pasted is shown like any other text: nothing of it reaches the terminal raw."""
        room = _LONGEST - len(self.value) + abs(end - start)
        # How an emoji is to be drawn matters to no search, and would be shown as a number.
        text = text.translate(_JOINERS)
        super().replace(visible(text)[: max(0, room)], start, end)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Every sign is typed, also those whose keys have names."""
        return super().check_consume_key(key, character) or key in _NAMED


class QueryInput(LineInput):
    """One line; the arrow keys move the list under it meanwhile."""

    BINDING_GROUP_TITLE = "Search line"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"rows({rows})", what, show=False, id=f"query.{name}")
        for key, rows, what, name in (
            ("down", 1, "next row", "down"),
            ("up", -1, "row before", "up"),
            ("pagedown", 10, "ten rows on", "page_down"),
            ("pageup", -10, "ten rows back", "page_up"),
        )
    ]

    class Move(Message):
        """Move the list's cursor by so many rows."""

        def __init__(self, rows: int) -> None:
            super().__init__()
            self.rows = rows

    def action_rows(self, rows: int) -> None:
        self.post_message(self.Move(rows))


class EntryTable(LiveTable):
    """A table whose rows the page puts in order."""

    def __init__(
        self, columns: Sequence[Column], *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(columns, tail=True, id=id, classes=classes)

    def mark_order(self, column: str | None, reverse: bool) -> None:
        """Show by which column the rows are in order already."""
        if (column, reverse) != self.sorting:
            self._sort_key, self._reverse = column, reverse
            self.refresh(Region(0, 0, self.size.width, 1))

    @property
    def at_top(self) -> bool:
        """Whether the first row is in sight."""
        return round(self.scroll_y) == 0

    @property
    def rows_in_sight(self) -> int:
        return max(1, self.size.height - 1)

    @property
    def columns_in_sight(self) -> frozenset[str]:
        """Keys of the columns for which there is room."""
        return frozenset(place.column.key for place in self._places)
