"""Which entries are meant: those selected, the one that is read, or all that a search finds."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from costconsole.console.page import Page
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_finder import Found
from costconsole.console.screens.entries_listing import Listing, thresholds_now
from costconsole.console.screens.entries_order import Held
from costconsole.console.screens.entries_panel import EntryPanel
from costconsole.console.screens.entries_query import EntryTable
from costconsole.domain.entry import CacheEntry
from costconsole.domain.errors import Problem
from costconsole.domain.format import similarity
from costconsole.domain.text import first_words

if TYPE_CHECKING:
    from costconsole.cache.entryfilter import EntryFilter
    from costconsole.cache.selection import Selection
    from costconsole.domain.figures import LedgerView

_MOST_KEYS = 10_000


class Chosen:
    """What stands on the page, and what of it is selected.

    `visited` are the keys from which the panel went to a neighbour; `listing` and `view` are the newest.
    """

    def __init__(
        self,
        page: Page,
        feed: Feed,
        table: EntryTable,
        panel: EntryPanel,
        visited: list[str],
        *,
        listing: Callable[[], Listing | None],
        view: Callable[[], LedgerView | None],
    ) -> None:
        self.marks: frozenset[str] = frozenset()
        """Keys of the selected entries."""
        self._page = page
        self._source = page.source
        self._feed = feed
        self._table = table
        self._panel = panel
        self._visited = visited
        self._listing = listing
        self._view = view

    @property
    def cursor(self) -> CacheEntry | None:
        """The entry under the cursor."""
        listing = self._listing()
        held = None if listing is None else listing.entry(self._table.cursor_key)
        return None if held is None else held.entry

    @property
    def shown(self) -> CacheEntry | None:
        """The neighbour that is read instead of the entry under the cursor."""
        return self._panel.entry if self._visited else None

    def mark(self) -> None:
        """Select the entry under the cursor, or no longer."""
        if (entry := self.cursor) is not None:
            self.marks ^= {entry.key}

    def step_off(self, gone: frozenset[str]) -> None:
        """Before these leave the list: go to the next that stays, and read none of them any more."""
        self.marks -= gone
        self._visited.clear()
        listing = self._listing()
        left = next_left(() if listing is None else listing.held, gone, self._table.cursor_key)
        if left is not None:
            self._table.move_to(left)
        if self._page.has_class("-open"):
            self._page.remove_class("-open")
            self._table.focus()

    def _reaching(self, found: Found) -> tuple[CacheEntry, ...]:
        """Listed entries with which their cache would answer; none of a cache without a known threshold."""
        thresholds, _ = thresholds_now(self._feed.caches or (), self._view())
        return tuple(
            held.entry
            for held in found.held
            if (held.entry.similarity or 0.0) >= thresholds.get(held.entry.cache, math.inf)
        )

    @property
    def marked(self) -> tuple[CacheEntry, ...]:
        """Selected entries that are listed, in the order of the list."""
        found = self._feed.found
        if found is None or not self.marks:
            return ()
        return tuple(held.entry for held in found.held if held.entry.key in self.marks)

    def targets(self) -> tuple[str, tuple[CacheEntry, ...]]:
        """What is selected, else the entry that is read, else the one under the cursor; and in words."""
        if marked := self.marked:
            return "selected in the list", marked
        if (shown := self.shown) is not None:
            return "the entry that is shown", (shown,)
        cursor = self.cursor
        return "the entry under the cursor", () if cursor is None else (cursor,)

    def all_of(self, found: Found) -> tuple[str, Callable[[], Awaitable[Selection]]]:
        """All that answers the question on screen, in words and as it is to be found again."""
        from costconsole.cache.selection import Selection

        question = found.question
        caches = () if question.cache is None else (question.cache.name,)
        text, where = question.text.strip(), question.where
        quoted = f"“{first_words(text, 60)}”"
        passing = f", of those that pass {' '.join(where.tokens())}" if where else ""
        if found.by == "newest" and where:
            what = f"all that pass {' '.join(where.tokens())}"
            return what, partial(given, Selection(caches=caches, where=where))
        if found.by == "newest":
            return "all of this cache", partial(given, Selection(caches=(question.chosen[0].name,)))
        if found.by == "text":
            selection = Selection(caches=caches, text=text, where=where)
            return f"all with the words {quoted}{passing}", partial(given, selection)
        if found.by == "key":
            return f"all whose key has {quoted}{passing}", partial(self._all_keys, found)
        reaching, cursor = self._reaching(found), self.cursor
        if not reaching and cursor is not None:
            least = cursor.similarity or 0.0
            near = [held.entry for held in found.held if (held.entry.similarity or 0.0) >= least]
            what = f"as near to {quoted} as the entry under the cursor, or nearer (none reaches a threshold)"
            what += passing
            return what, partial(given, Selection.of(near))
        thresholds, differ = thresholds_now(question.chosen, self._view())
        values = set(thresholds.values())
        if len(values) == 1 and len(thresholds) == len(question.chosen) and not differ:
            (least,) = values
            what = f"similarity {similarity(least)} (the threshold) or more to {quoted}"
            return what + passing, partial(self._near, text, least, caches, where)
        what = f"listed for {quoted}, and reaching the threshold of their cache"
        return what + passing, partial(given, Selection.of(reaching))

    async def _near(self, text: str, least: float, caches: tuple[str, ...], where: EntryFilter) -> Selection:
        from costconsole.cache.selection import Selection

        (embedding,) = await self._source.embedder.aembed([text])
        return Selection(caches=caches, vector=embedding.vector, min_similarity=least, where=where)

    async def _all_keys(self, found: Found) -> Selection:
        """The listed entries and those of the pages that are not loaded yet."""
        from costconsole.cache.selection import Selection

        only = found.question.cache
        entries = {held.entry.key: held.entry for held in found.held}
        before = found.next
        while before is not None and len(entries) < _MOST_KEYS:
            question = found.question
            page = await self._source.search.by_key(question.text.strip(), 500, before, where=question.where)
            entries |= {e.key: e for e in page.entries if only is None or e.cache == only.name}
            before = page.next
        if before is not None:
            raise Problem(f"more than {_MOST_KEYS:,} keys have this: write more of the key")
        return Selection.of(entries.values())


async def given(selection: Selection) -> Selection:
    return selection


def next_left(held: Iterable[Held], gone: frozenset[str], at: str | None) -> str | None:
    """The first entry from `at` on that is not gone, else the last one before it."""
    before, passed = None, False
    for one in held:
        key = one.entry.key
        passed = passed or key == at
        if key not in gone:
            if passed:
                return key
            before = key
    return before
