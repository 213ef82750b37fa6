"""A table for figures that change all the time: virtual, with fixed columns, repainted cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from costconsole.console.inks import Inks
from costconsole.console.safe import safe
from costconsole.console.widgets.columns import Column, LazyRows, Place, Row, Rows, arrange, sort_rows
from costconsole.console.widgets.painted import fit
from costconsole.console.widgets.strips import changed_spans, segments_of
from costconsole.domain.text import visible

__all__ = ["Column", "LazyRows", "LiveTable", "Row", "Rows"]

_HEAD = 1  # Lines of the heading.


class LiveTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows under a fixed heading, with a cursor that stays on its row while others come and go.

    `update_rows` is cheap to call with every refresh: cells that did not change are not sent again.
    """

    BINDING_GROUP_TITLE = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, what, show=False, id=f"table.{name}")
        for keys, action, what, name in (
            ("down,j", "move(1)", "down", "down"),
            ("up,k", "move(-1)", "up", "up"),
            ("home,g", "to_end(-1)", "first row", "first"),
            ("end,G", "to_end(1)", "last row", "last"),
            ("pagedown", "page(1)", "page down", "page_down"),
            ("pageup", "page(-1)", "page up", "page_up"),
            ("ctrl+d", "half_page(1)", "half a page down", "half_down"),
            ("ctrl+u", "half_page(-1)", "half a page up", "half_up"),
            ("right,l", "pan(8)", "scroll right", "right"),
            ("left,h", "pan(-8)", "scroll left", "left"),
            ("less_than_sign", "sort_column(-1)", "sort by the column before", "sort_left"),
            ("greater_than_sign", "sort_column(1)", "sort by the next column", "sort_right"),
            ("r", "reverse", "reverse the order", "reverse"),
            ("enter", "select", "open", "open"),
        )
    ]
    DEFAULT_CSS = """
    LiveTable {
        width: 1fr; height: 1fr; scrollbar-size: 1 1; scrollbar-gutter: stable; overflow-x: hidden;
    }
    """

    class RowHighlighted(Message):
        """The cursor came to another row. `key` is None when there is no row."""

        def __init__(self, table: LiveTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    class RowSelected(Message):
        """Enter, or a click on the row that has the cursor."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    class Sorted(Message):
        """The user chose another order. Rows with raw values are sorted already."""

        def __init__(self, table: LiveTable, column: str, reverse: bool) -> None:
            super().__init__()
            self.table = table
            self.column = column
            self.reverse = reverse

        @property
        def control(self) -> LiveTable:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        sort: str | None = None,
        reverse: bool = True,
        empty: str = "",
        cursor: bool = True,
        tail: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`sort` is the key of the column to sort by at first; `empty` is shown when there is no row.

        With `tail`, a cursor on the first row stays there, whichever row comes first next.
        """
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self._sort_key = sort
        self._reverse = reverse
        self._empty = safe(empty)
        self._has_cursor = cursor
        self._tail = tail
        self._inks = Inks(self)
        self._given: Rows = ()
        self._rows: Rows = ()
        self._index: dict[str, int] = {}
        self._cursor = 0
        self._cursor_key: str | None = None
        self._places: tuple[Place, ...] = ()
        self._cache: dict[tuple[int, int], tuple[Row | None, bool, bool, Strip]] = {}

    # -- what a page calls

    def update_rows(self, rows: Rows) -> None:
        """Show these rows. The cursor stays on the row of its key, else where it was."""
        self._given = rows
        self._order()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; rows must be given anew."""
        self.columns = tuple(columns)
        self._given = self._rows = ()
        self._forget()

    def set_empty(self, text: str) -> None:
        """What to say, and to do, when there is no row."""
        self._empty = safe(text)
        if not len(self._rows):
            self._forget()

    def show_count(
        self, shown: int, total: int | None = None, *, filtered: str = "", about: bool = False
    ) -> None:
        """Put `212 of 10,431 · /text` into the border."""
        count = f"{shown:,}"
        if total is not None and (total != shown or about):
            count += f" of {'≈' if about else ''}{total:,}"
        if filtered:
            count += f" · /{filtered}"
        self.border_subtitle = safe(count)

    @property
    def sorting(self) -> tuple[str | None, bool]:
        """Key of the column that it is sorted by, and whether the largest comes first."""
        return self._sort_key, self._reverse

    def sort_by(self, key: str, reverse: bool | None = None) -> None:
        """Sort by a column: largest first, or the other way round when it is sorted by it already."""
        if reverse is None:
            reverse = not self._reverse if key == self._sort_key else True
        self._sort_key, self._reverse = key, reverse
        self._cursor, self._cursor_key = 0, None
        self.scroll_to(y=0, animate=False, force=True)
        self._order()
        self.refresh(Region(0, 0, self.size.width, _HEAD))
        self.post_message(self.Sorted(self, key, reverse))

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._cursor_key if len(self._rows) else None

    @property
    def row_count(self) -> int:
        return len(self._rows)

    def row(self, key: str) -> Row | None:
        """The row of that key, if it is there."""
        index = self._find(key)
        return None if index is None else self._rows[index]

    def move_to(self, key: str) -> None:
        """Put the cursor on the row of that key."""
        index = self._find(key)
        if index is not None:
            self._set_cursor(index)

    # -- order and cursor

    def _order(self) -> None:
        rows = self._given
        index = self._sort_index()
        if index is not None and not isinstance(rows, LazyRows) and any(row.sort for row in rows):
            rows = sort_rows(rows, index, self._reverse)
        before, count = self._rows, len(self._rows)
        top = round(self.scroll_y)
        old = {y: self._line(y) for y in range(self._lines_visible())} if self._painted else {}
        self._rows = rows
        self._index = {} if isinstance(rows, LazyRows) else {row.key: i for i, row in enumerate(rows)}
        sticks = self._tail and self._cursor == 0
        found = None if sticks or self._cursor_key is None else self._find(self._cursor_key)
        was_seen = top <= self._cursor < top + self._lines_visible()
        self._cursor = max(0, min(self._cursor if found is None else found, len(rows) - 1))
        self._settle_cursor(1)
        if len(rows) != count or not before:
            self._measure()
        self._cache.clear()
        if was_seen:
            self._show_cursor()
        if not old or round(self.scroll_y) != top:
            self.refresh()
            return
        dirty = [
            Region(start, y + _HEAD, end - start, 1)
            for y, strip in old.items()
            for start, end in changed_spans(strip, self._line(y))
        ]
        if dirty:
            self.refresh(*dirty)

    def _sort_index(self) -> int | None:
        return next((i for i, c in enumerate(self.columns) if c.key == self._sort_key), None)

    def _find(self, key: str) -> int | None:
        return self._rows.index_of(key) if isinstance(self._rows, LazyRows) else self._index.get(key)

    def _settle_cursor(self, direction: int) -> None:
        """Step off a divider, take the key of the row, and tell when it is another one."""
        count = len(self._rows)
        at = self._cursor
        while 0 <= at < count and self._rows[at].divider:
            at += direction
        if not 0 <= at < count:
            at = self._cursor
            while 0 <= at < count and self._rows[at].divider:
                at -= direction
        self._cursor = max(0, min(at, count - 1))
        key = self._rows[self._cursor].key if count else None
        if key != self._cursor_key:
            self._cursor_key = key
            if self._has_cursor:
                self.post_message(self.RowHighlighted(self, key))

    def _set_cursor(self, index: int) -> None:
        if not len(self._rows):
            return
        before = self._cursor
        self._cursor = max(0, min(index, len(self._rows) - 1))
        self._settle_cursor(1 if index >= before else -1)
        if self._cursor == before:
            return
        if not self._show_cursor():
            top = round(self.scroll_y)
            self.refresh(*(Region(0, i - top + _HEAD, self.size.width, 1) for i in (before, self._cursor)))

    def _show_cursor(self) -> bool:
        """Scroll as little as needed to see the cursor; True when that was needed."""
        height = self._lines_visible()
        top = round(self.scroll_y)
        if not height or top <= self._cursor < top + height:
            return False
        at = self._cursor if self._cursor < top else self._cursor - height + 1
        self.scroll_to(y=at, animate=False, force=True)
        return True

    def action_move(self, rows: int) -> None:
        if self._has_cursor:
            self._set_cursor(self._cursor + rows)
        else:
            self.scroll_relative(y=rows, animate=False)

    def action_to_end(self, direction: int) -> None:
        self._set_cursor(0 if direction < 0 else len(self._rows) - 1)

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self._lines_visible() - 1))

    def action_half_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self._lines_visible() // 2))

    def action_pan(self, columns: int) -> None:
        self.scroll_relative(x=columns, animate=False, force=True)

    def action_sort_column(self, direction: int) -> None:
        sortable = [place.column.key for place in self._places if place.column.sort]
        if sortable:
            at = sortable.index(self._sort_key) if self._sort_key in sortable else -direction
            self.sort_by(sortable[(at + direction) % len(sortable)], True)

    def action_reverse(self) -> None:
        if self._sort_key is not None:
            self.sort_by(self._sort_key, not self._reverse)

    def action_select(self) -> None:
        if self._has_cursor and self.cursor_key is not None:
            self.post_message(self.RowSelected(self, self.cursor_key))

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self._has_cursor:
            return
        if offset.y < _HEAD:
            at = offset.x + round(self.scroll_x)
            for place in self._places:
                if place.column.sort and place.x <= at < place.x + place.width:
                    self.sort_by(place.column.key)
            return
        index = round(self.scroll_y) + offset.y - _HEAD
        if index >= len(self._rows) or self._rows[index].divider:
            return
        if index == self._cursor:
            self.action_select()
        self._set_cursor(index)

    # -- drawing

    @property
    def _painted(self) -> bool:
        return bool(self.is_mounted and self._places)

    def _lines_visible(self) -> int:
        return max(0, self.scrollable_content_region.height - _HEAD)

    def _measure(self) -> None:
        width = self.scrollable_content_region.width
        self._places = arrange(self.columns, width)
        needed = max((place.x + place.width for place in self._places), default=0)
        self.virtual_size = Size(max(width, needed), len(self._rows) + _HEAD)

    def _forget(self) -> None:
        self._cache.clear()
        self._measure()
        self.refresh()

    def on_resize(self, _event: Resize) -> None:
        self._forget()

    def on_focus(self) -> None:
        self._repaint_cursor()

    def on_blur(self) -> None:
        self._repaint_cursor()

    def _repaint_cursor(self) -> None:
        self.refresh(Region(0, self._cursor - round(self.scroll_y) + _HEAD, self.size.width, 1))

    def notify_style_update(self) -> None:
        self._cache.clear()
        self._inks.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        return self._heading() if y < _HEAD else self._line(y - _HEAD)

    def _heading(self) -> Strip:
        base = self.visual_style + self._inks["heading"]
        marked = self.visual_style + self._inks["sorted"]
        cells: list[tuple[Place, str | Content, Style]] = []
        for place in self._places:
            title, style = place.column.title, base
            if place.column.key == self._sort_key:
                mark = "▼" if self._reverse else "▲"
                title = mark + title if place.column.align == "right" else title + mark
                style = marked
            cells.append((place, safe(title), style))
        return self._joined(cells, base)

    def _line(self, y: int) -> Strip:
        index = y + round(self.scroll_y)
        row = self._rows[index] if index < len(self._rows) else None
        under_cursor = self._has_cursor and index == self._cursor and row is not None
        focused = self.has_focus
        known = self._cache.get((y, index))
        if known is not None and known[0] is row and known[1:3] == (under_cursor, focused):
            return known[3]
        strip = self._draw(row, under_cursor, focused, is_first=index == 0)
        self._cache[(y, index)] = (row, under_cursor, focused, strip)
        return strip

    def _draw(self, row: Row | None, under_cursor: bool, focused: bool, *, is_first: bool) -> Strip:
        base = self.visual_style + self._inks["text"]
        width = self.scrollable_content_region.width
        if row is None:
            if is_first and self._empty:
                empty = base + self._inks["muted"]
                return Strip(segments_of(self._inks, empty, self._empty)).adjust_cell_length(
                    width, base.rich_style
                )
            return Strip.blank(width, base.rich_style)
        if row.divider:
            base += self._inks["divider"]
            label = _content(row.cells[0])
            line = safe("─ ") + label + safe(" " + "─" * max(0, width - label.cell_length - 3))
            return Strip(segments_of(self._inks, base, line)).adjust_cell_length(width, base.rich_style)
        if under_cursor:
            name = "cursor" if focused else "cursor-blurred"
            base += self._inks[name]
        cells = [(place, row.cells[place.index], base) for place in self._places]
        return self._joined(cells, base)

    def _joined(self, cells: Sequence[tuple[Place, str | Content, Style]], base: Style) -> Strip:
        segments: list[Segment] = []
        plain = base.rich_style
        # Plain text is most of a table: it is put together before a segment is made of it.
        text = ""
        for n, (place, cell, style) in enumerate(cells):
            gap = " " if n else ""
            if isinstance(cell, str):
                text += gap + fit(visible(cell), place.width, right=place.column.align == "right")
                continue
            if text or gap:
                segments.append(Segment(text + gap, plain))
                text = ""
            segments.extend(self._cell(place, cell, style))
        if text:
            segments.append(Segment(text, plain))
        strip = Strip(segments)
        left = round(self.scroll_x)
        width = self.scrollable_content_region.width
        return strip.crop_extend(left, left + width, plain).simplify()

    def _cell(self, place: Place, content: Content, style: Style) -> Iterator[Segment]:
        if content.cell_length > place.width:
            content = content.truncate(place.width, ellipsis=True)
        space = " " * (place.width - content.cell_length)
        if space and place.column.align == "right":
            yield Segment(space, style.rich_style)
        yield from segments_of(self._inks, style, content)
        if space and place.column.align == "left":
            yield Segment(space, style.rich_style)


def _content(cell: str | Content) -> Content:
    return safe(cell) if isinstance(cell, str) else cell
