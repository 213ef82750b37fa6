"""Entries: what is in the caches, is it right?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Input

from costconsole.console.page import Export, Page
from costconsole.console.palette import Command
from costconsole.console.safe import safe
from costconsole.console.screens.entries_actions import ACTION_BINDINGS, Changed, EntryActions
from costconsole.console.screens.entries_chosen import Chosen
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_finder import Mode, count_words, note_words
from costconsole.console.screens.entries_listing import (
    NATURAL,
    Listing,
    Shape,
    columns,
    listed,
    thresholds_now,
)
from costconsole.console.screens.entries_panel import EntryPanel
from costconsole.console.screens.entries_query import EntryTable, QueryInput
from costconsole.console.screens.entries_reader import NoteLine, Notice
from costconsole.console.screens.entries_style import STYLE
from costconsole.console.screens.entries_words import (
    LIST_TITLES,
    MODE_WORDS,
    cache_words,
    copied,
    empty_words,
    export_rows,
    no_cache_lines,
    title_words,
)
from costconsole.console.source import Link
from costconsole.console.widgets.painted import Painted, fit
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.figures import LedgerView

_NARROW = 110


class EntriesPage(Page):
    """A search line, the entries that answer it, and one of them in full.

    Classes say what fits and what is shown: `-narrow` (below 110 columns: the entry takes the place of the
    list, with `-open`), `-nothing` (no cache at all).
    """

    TITLE = "Entries"
    KEY = "2"
    FIRST_FOCUS = "#list"
    TIMER: ClassVar[Callable[[], float]] = time.perf_counter
    """Seconds of any origin; what searches took is told by it."""

    BINDING_GROUP_TITLE = "Entries"
    BINDINGS: ClassVar[list[BindingType]] = [
        *ACTION_BINDINGS,
        Binding(
            "ctrl+t", "next_mode", "mode", id="entries.mode", tooltip="search by meaning, by text or by key"
        ),
        Binding(
            "c,ctrl+n",
            "next_cache",
            "cache",
            id="entries.cache",
            tooltip="search the next cache, or all of them",
        ),
        Binding("f5", "look_again", "look for caches again", show=False, id="entries.look_again"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._listing: Listing | None = None
        self._by = ""
        self._sort: tuple[str, bool] | None = None
        self._view: LedgerView | None = None
        self._was_live = False
        self._visited: list[str] = []

    # -- parts

    def compose(self) -> ComposeResult:
        app = self.console_app
        self._feed = Feed(self.source, self, app.clock, type(self).TIMER)
        table = EntryTable(
            columns(Shape()),
            why_not_sorted=self._feed.why_not_sorted,
            say=self.say,
            id="list",
            classes="panel",
        )
        panel = EntryPanel(
            self.source, clock=app.clock, tz=app.settings.tz, fail=self._feed.failed, id="entry"
        )
        self._chosen = Chosen(
            self,
            self._feed,
            table,
            panel,
            self._visited,
            listing=lambda: self._listing,
            view=lambda: self._view,
        )
        self._actions = EntryActions(self, self._feed, self._chosen, changed=self._acted)
        with Horizontal(id="search", classes="panel"):
            yield Painted(id="query-mark")
            yield QueryInput(id="query")
            yield Painted(id="count")
        with Horizontal(id="body"):
            yield table
            yield panel
        yield NoteLine(id="note")
        yield Notice(id="nothing")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        self.query_one("#query-mark", Painted).paint(((("› ", "accent"),),))
        self._table.set_empty("Looking for caches…")
        self._titles()
        self.watch(self._table, "scroll_y", self._need_more, init=False)

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
        self._note()
        self._need_more()

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
        self._view = view
        self._feed.tick(held=self._held)
        self._draw()

    @property
    def _held(self) -> bool:
        """Whether somebody reads: the list is scrolled, or the entry has the focus."""
        focused = self.screen.focused
        return not self._table.at_top or (focused is not None and self._panel in focused.ancestors)

    def feed_found(self, *, anew: bool) -> None:
        if anew:
            self._begin()
        else:
            self._draw(anew=True)
        self.refresh_bindings()
        self.call_after_refresh(self._need_more)

    def feed_caches(self) -> None:
        caches = self._feed.caches
        self.set_class(not caches, "-nothing")
        if not caches:
            label = self.source.link.label
            self.query_one("#nothing", Painted).paint(lambda width, _height: no_cache_lines(label, width))
            self.query_one("#nothing").focus()
        elif self.query_one("#nothing").has_focus:
            self._table.focus()
        self._titles()
        self.refresh_bindings()

    def feed_state(self) -> None:
        self._count()
        self._note()

    def feed_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self.set_timer(seconds, then)

    def _begin(self) -> None:
        """Show another answer from its beginning."""
        found, table = self._feed.found, self._table
        assert found is not None
        self._visited.clear()
        self._actions.forget()
        if self._by != found.by:
            self._by, self._sort = found.by, None
        table.set_empty(empty_words(found))
        wanted = columns(self._shape)
        if wanted != table.columns:
            table.set_columns(wanted)
        title = LIST_TITLES[found.by]
        if str(table.border_title or "") != title:
            table.border_title = safe(title)
        self._draw(anew=True)
        table.action_to_end(-1)
        table.scroll_to(y=0, animate=False, force=True)
        self._follow()

    def _need_more(self) -> None:
        """Ask for the next page when the end of what is loaded comes near."""
        listing, table = self._listing, self._table
        if listing is None:
            return
        at = listing.index_of(table.cursor_key) if table.cursor_key is not None else 0
        seen = max(at or 0, round(table.scroll_y) + table.rows_in_sight)
        if seen + table.rows_in_sight >= len(listing):
            self._feed.more()

    def _titles(self) -> None:
        feed, panel = self._feed, self.query_one("#search")
        caches = feed.caches or ()
        panel.border_title = safe(title_words(feed.mode, feed.cache, caches))
        panel.border_subtitle = safe(cache_words(feed.cache, caches))
        self._input.placeholder = f"/ searches {MODE_WORDS[feed.mode]}"

    # -- drawing

    @property
    def _shape(self) -> Shape:
        found = self._feed.found
        by = found.by if found is not None else "newest"
        return Shape(
            by == "meaning", by == "key", self._feed.cache is None and len(self._feed.caches or ()) > 1
        )

    def _draw(self, *, anew: bool = False) -> None:
        """Rows, count and note; `anew` when there are other rows, else only their ages have changed."""
        found, listing = self._feed.found, self._listing
        if found is None:
            return
        now = self.console_app.clock()
        thresholds, differ = thresholds_now(self._feed.caches or (), self._view)
        if anew or listing is None or listing.thresholds != thresholds:
            drawn = {} if listing is None or listing.shape != self._shape else listing.drawn
            listing = listed(
                self._shape,
                found.by,
                found.held,
                None if self._feed.why_not_sorted() else self._sort,
                thresholds,
                may_differ=differ,
                now_ms=now,
                charset=self.console_app.settings.charset,
                drawn=drawn,
                marks=self._chosen.marks,
            )
        elif listing.now_ms != now:
            listing = listing.at(now)
        else:
            return
        self._listing = listing
        column, reverse = self._sort or NATURAL[found.by]
        self._table.mark_order(column, reverse)
        self._table.update_rows(listing)
        marked = len(self._chosen.marked)
        held = found.by == "newest" and not self._table.at_top
        words = "held; g follows the newest again" if held else ""
        words = f"{marked:,} selected; Esc selects none" if marked else words
        if str(self._table.border_subtitle or "") != words:
            self._table.border_subtitle = safe(words)
        self._count()
        self._note()

    def _count(self) -> None:
        found = self._feed.found
        words = "searching…" if self._feed.searching else "" if found is None else count_words(found)
        ink = "warn" if found is not None and found.why else "muted"
        self.query_one("#count", Painted).paint(
            lambda width, _height: (((fit(words, width, right=True), ink),),)
        )

    def _note(self) -> None:
        found, cache = self._feed.found, self._feed.cache
        words, ink = ("", "muted") if found is None else note_words(found)
        if self._feed.problem and not self._actions.running:
            words, ink = self._feed.problem, "bad"
        elif self._actions.words:
            words, ink = self._actions.words, self._actions.ink
        elif not words and cache is not None and cache.problem:
            words, ink = f"{cache.name}: {cache.problem}", "warn"
        self.query_one(NoteLine).tell(words, ink)

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
        self._need_more()

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        if event.table.id == "near":
            self._visit(event.key)
        else:
            self._open()

    def on_live_table_sorted(self, event: LiveTable.Sorted) -> None:
        event.stop()
        if event.table.id == "list":
            self._sort = (event.column, event.reverse)
            self._draw(anew=True)
            self._table.action_to_end(-1)

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
        self._feed.text = event.value
        self._feed.ask()

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
        if self._actions.back():
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

    def action_next_mode(self) -> None:
        self._feed.next_mode()
        self._titles()

    def action_next_cache(self) -> None:
        self._feed.next_cache()
        self._titles()

    def action_look_again(self) -> None:
        self._feed.look(again=True)
        self.say("looking for caches again")

    # -- changing entries

    def _acted(self, what: Changed) -> None:
        if what != "words":
            self._draw(anew=True)
        if what == "entries":
            self._panel.again()
        self._note()
        self.refresh_bindings()

    def action_evict(self) -> None:
        self._actions.evict()

    def action_evict_found(self) -> None:
        self._actions.evict_found()

    def action_mark(self) -> None:
        self._actions.mark()

    def action_undo(self) -> None:
        self._actions.undo()

    def action_undos(self) -> None:
        self._actions.undos()

    def action_ttl(self) -> None:
        self._actions.ttl()

    def why_not(self, action: str) -> str:
        if why := self._actions.why_not(action):
            return why
        if action == "next_cache" and len(self._feed.caches or ()) < 2:
            return "there is only one cache" if self._feed.caches else "there is no cache yet"
        if action == "next_mode" and not self._feed.caches:
            return "there is no cache yet"
        return ""

    def commands(self, typed: str) -> Sequence[Command]:
        verb, _, rest = typed.strip().partition(" ")
        modes: dict[str, Mode] = {"search": "meaning", "text": "text", "key": "key"}
        if verb not in modes or not rest.strip():
            return ()
        mode, text = modes[verb], rest.strip()
        return (
            Command(
                f"search {MODE_WORDS[mode]}: {text}", partial(self._search_for, mode, text), group="Entries"
            ),
        )

    def _search_for(self, mode: Mode, text: str) -> None:
        self._feed.mode = mode
        self._titles()
        if self._input.value == text:
            self._feed.ask()
        else:
            self._input.value = text

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
        names, rows = export_rows(self._listing.held)
        return Export("entries", names, rows)
