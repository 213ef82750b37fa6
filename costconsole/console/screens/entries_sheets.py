"""Small sheets of the page of entries: a time to live, and the evictions that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_said import parse_ttl, until_words
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.painted import Painted
from costconsole.console.widgets.table import Column, LiveTable, Row
from costconsole.domain.errors import UsageProblem
from costconsole.domain.format import age, compact
from costconsole.domain.text import first_words, visible

if TYPE_CHECKING:
    from costconsole.cache.manifest import Undoable


class TtlSheet(Sheet):
    """Asks for a time to live; `chosen` gets seconds, or None for never."""

    BINDING_GROUP_TITLE = "Time to live"
    DEFAULT_CSS = """
    TtlSheet {
        #ttl { width: 24; }
        #now, #wrong, #whose { height: 1; }
        #whose { margin-bottom: 1; }
        #wrong { margin-top: 1; }
    }
    """

    def __init__(self, whose: str, now: str, chosen: Callable[[float | None], None]) -> None:
        super().__init__()
        self._whose = whose
        self._now = now
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        yield Static(
            join(safe("Time to live", "accent"), safe("   esc leaves it as it is", "muted")),
            classes="sheet-title",
        )
        yield Static(safe(self._whose), id="whose")
        yield Static(safe(self._now, "muted"), id="now")
        field = Input(placeholder="1h, 7d, 1d12h, never", select_on_focus=False, id="ttl")
        field.cursor_blink = False
        yield field
        yield Painted(id="wrong")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            seconds = parse_ttl(event.value)
        except UsageProblem as problem:
            self.query_one("#wrong", Painted).paint(((((str(problem)), "warn"),),))
            return
        self.dismiss()
        self._chosen(seconds)


class UndoSheet(Sheet):
    """The evictions of the last day; Enter brings one back, with `chosen`."""

    BINDING_GROUP_TITLE = "Undo"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self, found: Sequence[Undoable], chosen: Callable[[str], None], *, now_ms: int, tz: tzinfo | None
    ) -> None:
        super().__init__()
        self._found = found
        self._chosen = chosen
        self._now_ms = now_ms
        self._tz = tz

    def compose(self) -> ComposeResult:
        yield Static(
            join(
                safe("Evictions that can be undone", "accent"),
                safe("   enter brings one back   esc back", "muted"),
            ),
            classes="sheet-title",
        )
        yield LiveTable(
            [
                Column("ago", "ago", 6, "right"),
                Column("evicted", "evicted", 7, "right"),
                Column("left", "to undo", 7, "right"),
                Column("until", "until", 14),
                Column("who", "who", 16, drop=1),
                Column("what", "which", 18, flex=True),
            ],
            id="undos",
        )

    def on_mount(self) -> None:
        table = self.query_one(LiveTable)
        table.update_rows([self._row(one) for one in self._found])
        self.set_focus(table)

    def _row(self, one: Undoable) -> Row:
        state = " (undone)" if not one.remaining else " (partly undone)" if one.undone_ms is not None else ""
        cells = (
            age(self._now_ms - one.ts_ms),
            compact(one.evicted),
            compact(one.remaining),
            until_words(one.expires_ms, self._now_ms, self._tz),
            first_words(f"{one.who}@{one.host}", 40),
            visible(f"{one.what}{state}"),
        )
        if one.remaining:
            return Row(one.undo_id, cells)
        return Row(one.undo_id, tuple(safe(cell, "faint") for cell in cells))

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        self.dismiss()
        self._chosen(event.key)
