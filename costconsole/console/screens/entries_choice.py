"""Which entries are listed, and in which order: the keys, sheets and commands that say so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.binding import Binding

from costconsole.cache.entryfilter import NOTHING, EntryFilter, parse_filter
from costconsole.console.page import Page
from costconsole.console.palette import Command
from costconsole.console.screens.entries_board import Board
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_filter import FilterSheet, known_values
from costconsole.console.screens.entries_finder import Mode
from costconsole.console.screens.entries_order import NATURAL, Order, OrderSheet, orders_for
from costconsole.console.screens.entries_query import QueryInput
from costconsole.console.screens.entries_words import MODE_WORDS
from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible

FILTER_BINDING = Binding(
    "f", "filter", "filter", id="entries.filter", tooltip="list only some of the entries"
)
CHOICE_BINDINGS = (
    Binding("F", "no_filter", "filter off", show=False, id="entries.no_filter"),
    Binding("o", "order", "order", id="entries.order", tooltip="list them in another order"),
    Binding("ctrl+t", "next_mode", "mode", id="entries.mode", tooltip="search by meaning, by text or by key"),
    Binding(
        "c,ctrl+n",
        "next_cache",
        "cache",
        id="entries.cache",
        tooltip="search the next cache, or all of them",
    ),
)


class ChoiceKeys(Page):
    """The actions of the bindings above, for a page that has a `_feed` and a `_board`."""

    _feed: Feed
    _board: Board

    def action_next_mode(self) -> None:
        self._feed.next_mode()
        self._board.titles()

    def action_next_cache(self) -> None:
        self._feed.next_cache()
        self._board.titles()

    def action_filter(self) -> None:
        feed = self._feed
        held = feed.found.held if feed.found is not None else ()
        caches = feed.caches or ()
        known = known_values(caches, [one.entry for one in held])
        self.console_app.push_screen(FilterSheet(feed.where, caches, known, self.list_only))

    def action_no_filter(self) -> None:
        self.list_only(NOTHING)

    def list_only(self, where: EntryFilter) -> None:
        """List the entries that pass this."""
        if where != self._feed.where:
            self._feed.filter(where)
            self._board.titles()
            self.refresh_bindings()

    def action_order(self) -> None:
        found = self._feed.found
        if found is None:
            return
        complete = found.next is None and found.order is None
        counted = any(one.entry.hits is not None for one in found.held)
        now = found.question.order or NATURAL[found.by]
        orders = orders_for(found.by, complete=complete, counted=counted)
        self.console_app.push_screen(OrderSheet(orders, now, self.list_by))

    def list_by(self, order: Order) -> None:
        """List them in this order."""
        found = self._feed.found
        natural = NATURAL[found.by] if found is not None else None
        self._feed.sort(None if order == natural else order)

    def why_no_choice(self, action: str) -> str:
        """Why one of them can't be done now, or ""."""
        if action == "next_cache" and len(self._feed.caches or ()) < 2:
            return "there is only one cache" if self._feed.caches else "there is no cache yet"
        if action in ("next_mode", "filter") and not self._feed.caches:
            return "there is no cache yet"
        if action == "order" and (self._feed.found is None or not self._feed.found.held):
            return "there is nothing to sort"
        if action == "no_filter" and not self._feed.where:
            return "no filter is on"
        return ""

    def commands(self, typed: str) -> Sequence[Command]:
        verb, _, rest = typed.strip().partition(" ")
        if verb == "filter" and rest.strip():
            return (self._filter_command(rest.strip()),)
        modes: dict[str, Mode] = {"search": "meaning", "text": "text", "key": "key"}
        if verb not in modes or not rest.strip():
            return ()
        mode, text = modes[verb], rest.strip()
        run = partial(self._search_for, mode, text)
        return (Command(f"search {MODE_WORDS[mode]}: {text}", run, group="Entries"),)

    def _filter_command(self, text: str) -> Command:
        try:
            where = parse_filter(text, self._feed.caches or ())
        except UsageProblem as problem:
            why = visible(str(problem))
            return Command(why, partial(self.say, why), group="Entries", why_not=why)
        return Command(
            f"list only: {' '.join(where.tokens())}", partial(self.list_only, where), group="Entries"
        )

    def _search_for(self, mode: Mode, text: str) -> None:
        self._feed.mode = mode
        self._board.titles()
        if self.query_one("#query", QueryInput).value == text:
            self._feed.ask()
        else:
            self.query_one("#query", QueryInput).value = text
