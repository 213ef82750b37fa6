"""Entries: what is in the caches, is it right?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Input

from costconsole.console.page import Export
from costconsole.console.screens.entries_actions import ACTION_BINDINGS, ActionKeys, Changed, EntryActions
from costconsole.console.screens.entries_board import Board
from costconsole.console.screens.entries_choice import CHOICE_BINDINGS, FILTER_BINDING, ChoiceKeys
from costconsole.console.screens.entries_chosen import Chosen
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_listing import Listing, Shape, columns
from costconsole.console.screens.entries_panel import EntryPanel
from costconsole.console.screens.entries_query import EntryTable, QueryInput
from costconsole.console.screens.entries_reader import NoteLine, Notice
from costconsole.console.screens.entries_style import STYLE
from costconsole.console.screens.entries_words import copied, export_rows, no_cache_lines
from costconsole.console.screens.wrong_hits import WrongHits
from costconsole.console.source import Link
from costconsole.console.widgets.painted import Painted
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.figures import LedgerView

_NARROW = 110


class EntriesPage(ActionKeys, ChoiceKeys):
    """A search line, a filter, the entries that answer them, and one of them in full.

    Classes say what fits and what is shown: `-narrow` (below 110 columns: the entry takes the place of the
    list, with `-open`), `-nothing` (no cache at all), `-filtered` (a filter is on).
    """

    TITLE = "Entries"
    KEY = "2"
    FIRST_FOCUS = "#list"
    FILTER_WORD = "search"
    TIMER: ClassVar[Callable[[], float]] = time.perf_counter
    """Seconds of any origin; what searches took is told by it."""

    BINDING_GROUP_TITLE = "Entries"
    BINDINGS: ClassVar[list[BindingType]] = [
        FILTER_BINDING,
        *ACTION_BINDINGS,
        *CHOICE_BINDINGS,
        # Before the table, which scrolls with this key.
        Binding("l", "lab", "to lab", priority=True, id="entries.lab", tooltip="try its prompt in the Lab"),
        Binding("w", "wrong", "wrong", id="entries.wrong", tooltip="this answer is wrong for the search"),
        Binding("f5", "look_again", "look for caches again", show=False, id="entries.look_again"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._was_live = False
        self._visited: list[str] = []
        self.wrong = WrongHits(self, lambda: self._panel.again())

    # -- parts

    def compose(self) -> ComposeResult:
        app = self.console_app
        self._feed = Feed(self.source, self, app.clock, type(self).TIMER)
        table = EntryTable(columns(Shape()), id="list", classes="panel")
        panel = EntryPanel(
            self.source, clock=app.clock, tz=app.settings.tz, fail=self._feed.failed, id="entry"
        )
        self._chosen = Chosen(
            self,
            self._feed,
            table,
            panel,
            self._visited,
            listing=lambda: self._board.listing,
            view=lambda: self._board.view,
        )
        self._actions = EntryActions(self, self._feed, self._chosen, changed=self._acted)
        self._board = Board(
            self,
            self._feed,
            table,
            marks=lambda: self._chosen.marks,
            acts=lambda: (self._actions.words, self._actions.ink, self._actions.running),
        )
        with Horizontal(id="search", classes="panel"):
            yield Painted(id="query-mark")
            yield QueryInput(id="query")
            yield Painted(id="count")
        yield Painted(id="filter-line")
        with Horizontal(id="body"):
            yield table
            yield panel
        yield NoteLine(id="note")
        yield Notice(id="nothing")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        self.query_one("#query-mark", Painted).paint(((("› ", "accent"),),))
        self._table.set_empty("Looking for caches…")
        self._board.titles()
        self.watch(self._table, "scroll_y", self._scrolled, init=False)

    def on_unmount(self) -> None:
        self._feed.drop()

    @property
    def _table(self) -> EntryTable:
        return self.query_one("#list", EntryTable)

    @property
    def _panel(self) -> EntryPanel:
        return self.query_one("#entry", EntryPanel)

    @property
    def _input(self) -> QueryInput:
        return self.query_one("#query", QueryInput)

    def on_resize(self, event: Resize) -> None:
        narrow = event.size.width < _NARROW
        self.set_class(narrow, "-narrow")
        if not narrow:
            self.remove_class("-open")
        self.call_after_refresh(self._after_resize)

    def _after_resize(self) -> None:
        self._follow()
        self._board.note()
        self._scrolled()

    def _scrolled(self) -> None:
        self._board.need_more()
        self._board.weigh()

    @property
    def _listing(self) -> Listing | None:
        return self._board.listing

    async def settle(self) -> None:
        """Wait until everything that was asked for is on screen."""
        while self._feed.busy or self._panel.busy:
            await self._feed.settle()
            await self._panel.settle()

    # -- what comes in

    def show_link(self, link: Link) -> None:
        live = link.state == "live"
        if live and not self._was_live:
            self._feed.look()
        self._was_live = live
        self.refresh_bindings()

    def show(self, view: LedgerView) -> None:
        self._board.view = view
        self._feed.tick(held=self._held)
        self._board.draw()
        if self.source.looked.running:
            self.feed_state()

    @property
    def _held(self) -> bool:
        """Whether somebody reads: the list is scrolled, or the entry has the focus."""
        focused = self.screen.focused
        return not self._table.at_top or (focused is not None and self._panel in focused.ancestors)

    def feed_found(self, *, anew: bool) -> None:
        if anew:
            self._visited.clear()
            self._actions.forget()
            self._board.begin()
            self._follow()
        else:
            self._board.draw(anew=True)
        self.refresh_bindings()
        self.call_after_refresh(self._board.need_more)

    def feed_caches(self) -> None:
        caches = self._feed.caches
        self.set_class(not caches, "-nothing")
        if not caches:
            self._say_nothing()
            self.query_one("#nothing").focus()
        elif self.query_one("#nothing").has_focus:
            self._table.focus()
        self._board.titles()
        self.refresh_bindings()

    def _say_nothing(self) -> None:
        label, looked = self.source.link.label, self.source.looked
        self.query_one("#nothing", Painted).paint(lambda width, _height: no_cache_lines(label, looked, width))

    def feed_state(self) -> None:
        if self.has_class("-nothing"):
            self._say_nothing()
        self._board.count()
        self._board.note()

    def feed_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self.set_timer(seconds, then)

    # -- the entry beside the list

    @property
    def _panel_shows(self) -> bool:
        return not self.has_class("-narrow") or self.has_class("-open")

    def _follow(self) -> None:
        """Let the panel show the entry under the cursor."""
        if self._panel_shows and not self._visited:
            self._panel.load(self._table.cursor_key)

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        event.stop()
        if event.table.id != "list":
            return
        if self._panel_shows and event.key != self._panel.key:
            self._visited.clear()
            self._follow()
        self._board.need_more()

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        if event.table.id == "near":
            self._visit(event.key)
        else:
            self._open()

    def on_live_table_sorted(self, event: LiveTable.Sorted) -> None:
        event.stop()
        if event.table.id == "list":
            self.list_by((event.column, event.reverse))

    def _open(self) -> None:
        if self.has_class("-narrow"):
            self.add_class("-open")
            self._follow()
        self._panel.reader.focus()

    def _visit(self, key: str) -> None:
        """Go to a neighbour, and back from it with Esc."""
        if self._panel.key is not None:
            self._visited.append(self._panel.key)
        self._panel.load(key)
        self._table.move_to(key)
        self._panel.reader.focus()

    # -- keys

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._feed.type(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._table.focus()

    def on_query_input_move(self, event: QueryInput.Move) -> None:
        event.stop()
        self._table.action_move(event.rows)

    def filter_widget(self) -> Widget | None:
        return None if self.has_class("-nothing") else self._input

    def back(self) -> bool:
        focused = self.screen.focused
        if self._actions.back() or self._feed.stop():
            return True
        if self._visited:
            self._panel.load(self._visited.pop())
            self._table.move_to(self._panel.key or "")
        elif self.has_class("-narrow") and self.has_class("-open"):
            self.remove_class("-open")
            self._table.focus()
        elif self._input.value:
            self._input.value = ""
        elif focused is self._input or (focused is not None and self._panel in focused.ancestors):
            self._table.focus()
        else:
            return False
        return True

    def look_again(self) -> None:
        if self._feed.stopped:
            self._feed.go_on()
        else:
            self._feed.ask()

    def action_look_again(self) -> None:
        self._feed.look(again=True)
        self.say("looking for caches again")

    # -- changing entries

    def action_wrong(self) -> None:
        """Mark the entry as a wrong answer to what is searched for."""
        _, entries = self._chosen.targets()
        query = self._feed.text.strip()
        if len(entries) != 1:
            self.say("mark one entry at a time" if entries else "there is no entry under the cursor")
        elif entries[0].similarity is None or not query:
            self.say("type the prompt that it answered wrongly into the search by meaning; or t on page 1")
        else:
            entry = entries[0]
            self.wrong.mark_entry(entry.key, entry.similarity or 0.0, query, entry.prompt or "")

    def action_undo(self) -> None:
        if self.wrong.can_undo:
            self.wrong.undo()
        else:
            self._actions.undo()

    async def action_lab(self) -> None:
        """Try the prompt of the entry that is read, or of the one under the cursor."""
        panel = self._panel
        entry = panel.entry if panel.entry is not None and panel.entry.key == panel.key else None
        entry = self._chosen.cursor if entry is None or not self._panel_shows else entry
        if entry is None:
            self.say("there is no entry under the cursor")
        elif entry.prompt is None:
            self.say("this entry holds no prompt")
        else:
            routed = bool(self.console_app.settings.routing)
            await self.console_app.open_lab(entry.prompt, model="" if routed else entry.model)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "lab" and isinstance(self.screen.focused, Input):
            return False  # There its key is a letter.
        return super().check_action(action, parameters)

    def _acted(self, what: Changed) -> None:
        if what != "words":
            self._board.draw(anew=True)
        if what == "entries":
            self.wrong.forget()
            self._panel.again()
        self._board.note()
        self.refresh_bindings()

    def why_not(self, action: str) -> str:
        if action == "wrong" and (why := self.wrong.why_not()):
            return why
        if why := self._actions.why_not(action):
            return why
        return self.why_no_choice(action)

    # -- taking away

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        panel, key = self._panel, self._table.cursor_key
        if panel.near.has_focus and panel.near.cursor_key is not None and not whole:
            return "key of the neighbour", panel.near.cursor_key
        entry = panel.entry if panel.entry is not None and panel.entry.key == panel.key else None
        if entry is None or (not self._visited and entry.key != key):
            entry = self._chosen.cursor
        return None if entry is None else copied(entry, whole=whole)

    def exportable(self) -> Export | None:
        if self._listing is None or not self._listing.held:
            return None
        names, rows = export_rows(self._listing.held, self._feed.weights)
        return Export("entries", names, rows)
