"""What the page of entries draws around and in its list: titles, filter, rows, count and note."""

from __future__ import annotations

from collections.abc import Callable

from textual.widget import Widget

from costconsole.console.page import Page
from costconsole.console.safe import safe
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_filter import filter_line
from costconsole.console.screens.entries_finder import Found, count_words, note_words
from costconsole.console.screens.entries_listing import Listing, Shape, columns, listed, thresholds_now
from costconsole.console.screens.entries_order import NATURAL, WEIGHED
from costconsole.console.screens.entries_query import EntryTable, LineInput
from costconsole.console.screens.entries_reader import NoteLine
from costconsole.console.screens.entries_words import (
    MODE_WORDS,
    cache_words,
    empty_words,
    list_title,
    title_words,
)
from costconsole.console.widgets.painted import Painted, fit
from costconsole.domain.figures import LedgerView


class Board:
    """Draws what the feed holds. `marks` are the keys of selected entries, `acts` what is said of actions."""

    def __init__(
        self,
        page: Page,
        feed: Feed,
        table: EntryTable,
        *,
        marks: Callable[[], frozenset[str]],
        acts: Callable[[], tuple[str, str, bool]],
    ) -> None:
        self.listing: Listing | None = None
        self.view: LedgerView | None = None
        self._page = page
        self._feed = feed
        self._table = table
        self._marks = marks
        self._acts = acts

    # -- around the list

    def titles(self) -> None:
        """Title and hint of the search line, and the filter under it."""
        page, feed = self._page, self._feed
        panel, caches = page.query_one("#search", Widget), feed.caches or ()
        panel.border_title = safe(title_words(feed.mode, feed.cache, caches))
        panel.border_subtitle = safe(cache_words(feed.cache, caches))
        page.query_one("#query", LineInput).placeholder = f"/ searches {MODE_WORDS[feed.mode]}"
        page.set_class(bool(feed.where), "-filtered")
        chosen = caches if feed.cache is None else (feed.cache,)
        line = filter_line(feed.where, len(feed.where.among(chosen)), page.console_app.settings.charset)
        page.query_one("#filter-line", Painted).paint((line,))

    def count(self) -> None:
        """How many were found, or that it is searched."""
        found = self._feed.found
        words = "searching…" if self._feed.searching else "" if found is None else count_words(found)
        ink = "warn" if found is not None and found.why else "muted"
        self._page.query_one("#count", Painted).paint(
            lambda width, _height: (((fit(words, width, right=True), ink),),)
        )

    def note(self) -> None:
        """One sentence under the list: a problem first, then what is done, then what was not looked at."""
        feed, cache = self._feed, self._feed.cache
        words, ink = ("", "muted") if feed.found is None else note_words(feed.found)
        said, said_ink, running = self._acts()
        if feed.problem and not running:
            words, ink = feed.problem, "bad"
        elif said:
            words, ink = said, said_ink
        elif feed.looking:
            words, ink = f"{words or 'reading what is to be sorted'} · Esc stops", "strong"
        elif feed.stopped:
            words, ink = f"stopped: {words} · ctrl+r goes on" if words else "stopped", "strong"
        elif not words and cache is not None and cache.problem:
            words, ink = f"{cache.name}: {cache.problem}", "warn"
        elif not words and cache is None:
            looked = self._page.source.looked
            words, ink = looked.words or looked.left_out, "muted" if looked.running else "warn"
        self._page.query_one(NoteLine).tell(words, ink)

    # -- the list

    @property
    def shape(self) -> Shape:
        """Which columns there are."""
        found, feed = self._feed.found, self._feed
        by = found.by if found is not None else "newest"
        order = None if found is None else found.question.order
        several = feed.cache is None and len(feed.caches or ()) > 1
        return Shape(by == "meaning", by == "key", several, "" if order is None else order[0])

    def begin(self) -> None:
        """Show another answer from its beginning."""
        found, table = self._feed.found, self._table
        assert found is not None
        wanted = columns(self.shape)
        if wanted != table.columns:
            table.set_columns(wanted)
        self.draw(anew=True)
        table.action_to_end(-1)
        table.scroll_to(y=0, animate=False, force=True)

    def draw(self, *, anew: bool = False) -> None:
        """Rows, count and note; `anew` when there are other rows, else only their ages have changed."""
        found, listing = self._feed.found, self.listing
        if found is None:
            return
        now = self._page.console_app.clock()
        thresholds, differ = thresholds_now(self._feed.caches or (), self.view)
        if anew or listing is None or listing.thresholds != thresholds:
            drawn = {} if listing is None or listing.shape != self.shape else listing.drawn
            listing = listed(
                self.shape,
                found.by,
                found.held,
                found.sort,
                thresholds,
                may_differ=differ,
                now_ms=now,
                charset=self._page.console_app.settings.charset,
                drawn=drawn,
                marks=self._marks(),
                weights=self._feed.weights,
            )
        elif listing.now_ms != now:
            listing = listing.at(now)
        else:
            return
        self.listing = listing
        table = self._table
        table.set_empty(empty_words(found))
        table.mark_order(*(found.sort or found.order or NATURAL[found.by]))
        table.update_rows(listing)
        self._border(found)
        self.count()
        self.note()
        self.weigh()

    def _border(self, found: Found) -> None:
        table, marked = self._table, len(self._marks())
        title = list_title(found)
        if str(table.border_title or "") != title:
            table.border_title = safe(title)
        held = found.by == "newest" and not table.at_top
        words = "held; g follows the newest again" if held and found.sort is None else ""
        words = f"{marked:,} selected; Esc selects none" if marked else words
        if str(table.border_subtitle or "") != words:
            table.border_subtitle = safe(words)

    def weigh(self) -> None:
        """Have sizes and idle times read: of all that are to be sorted by them, else of those in sight."""
        found, listing, table = self._feed.found, self.listing, self._table
        if found is None or listing is None:
            return
        if found.sort is not None and found.sort[0] in WEIGHED:
            self._feed.weigh([held.entry.key for held in found.held])
        elif WEIGHED & table.columns_in_sight:
            top = round(table.scroll_y)
            self._feed.weigh(listing.keys(top, top + table.rows_in_sight))

    def need_more(self) -> None:
        """Ask for the next page when the end of what is loaded comes near, or more is to be sorted."""
        listing, table, found = self.listing, self._table, self._feed.found
        if listing is None or found is None:
            return
        if found.sort is not None:
            self._feed.more()
            return
        at = listing.index_of(table.cursor_key) if table.cursor_key is not None else 0
        seen = max(at or 0, round(table.scroll_y) + table.rows_in_sight)
        self._feed.more(wanted=seen + table.rows_in_sight >= len(listing))
