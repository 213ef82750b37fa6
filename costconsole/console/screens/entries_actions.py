"""What the page of entries can do to them: select, evict, undo, give a time to live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from textual.binding import Binding

from costconsole.console.keymap import key_name
from costconsole.console.page import Page
from costconsole.console.screens.entries_chosen import Chosen, given
from costconsole.console.screens.entries_confirm import ConfirmSheet
from costconsole.console.screens.entries_feed import Feed
from costconsole.console.screens.entries_finder import PAGE, Found
from costconsole.console.screens.entries_said import (
    entries_words,
    evicted_words,
    lives_words,
    progress_words,
    restored_words,
    until_words,
)
from costconsole.console.screens.entries_sheets import TtlSheet, UndoSheet
from costconsole.domain.entry import CacheEntry
from costconsole.domain.errors import Problem
from costconsole.domain.text import first_words, visible

if TYPE_CHECKING:
    from costconsole.cache.outcome import Preview, Progress
    from costconsole.cache.selection import Selection

ACTION_BINDINGS = (
    Binding("d", "evict", "evict", id="entries.evict", tooltip="evict the entry, or those selected"),
    Binding(
        "D",
        "evict_found",
        "evict all",
        id="entries.evict_found",
        tooltip="evict all that the search and the filter find",
    ),
    Binding("z", "undo", "undo", id="entries.undo", tooltip="bring back what was evicted last"),
    Binding("t", "ttl", "ttl", id="entries.ttl", tooltip="let it expire, or never"),
    Binding("s", "mark", "select", id="entries.mark", tooltip="select the entry, to evict several at once"),
    Binding("u", "undos", "evictions to undo", show=False, id="entries.undos"),
)
_CHANGES = frozenset({"evict", "evict_found", "undo", "ttl"})
Changed = Literal["words", "marks", "entries"]
_DRAWN_S = 0.1
_SAID_S = 60.0
_HISTORY = 50


class ActionKeys:
    """The actions of the bindings above, for a page that has them as `_actions`."""

    _actions: EntryActions

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


class EntryActions:
    """Does it, one thing at a time; `changed` is told when its words, the marks or the entries are others."""

    def __init__(
        self,
        page: Page,
        feed: Feed,
        chosen: Chosen,
        *,
        changed: Callable[[Changed], None],
    ) -> None:
        self.words = ""
        """What is being done, or what came of it; its ink is `ink`."""
        self.ink = "strong"
        self._page = page
        self._feed = feed
        self._chosen = chosen
        self._changed = changed
        self._stop: asyncio.Event | None = None
        self._drawn_s = 0.0
        self._said_of: tuple[object, ...] = ()
        self._mine: list[str] = []

    # -- what can be done

    @property
    def running(self) -> bool:
        """Whether entries are being evicted or brought back."""
        return self._stop is not None

    def why_not(self, action: str) -> str:
        """Why an action can't be done now, or ""."""
        if action in _CHANGES:
            link = self._page.console_app.link
            if not link.writable:
                return f"nothing can be changed here: {link.why_read_only or 'read-only'}"
            if self.running:
                return "something is still being done; Esc stops it"
        found = self._feed.found
        if action in ("evict", "ttl", "mark", "evict_found") and (found is None or not found.held):
            return "there is no entry here"
        if action == "evict_found" and found is not None:
            return self._why_not_all(found)
        return ""

    def _why_not_all(self, found: Found) -> str:
        question = found.question
        if found.by == "newest" and len(question.chosen) > 1 and not question.where:
            return "that would be everything: search or filter first, or choose one cache"
        return ""

    # -- selecting

    def mark(self) -> None:
        """Select the entry under the cursor, or no longer."""
        self._chosen.mark()
        self._changed("marks")

    def back(self) -> bool:
        """`Esc`: stop what runs, or forget what was selected, or what was said last."""
        if self._stop is not None:
            self._stop.set()
            self.words = self.words.replace("Esc stops", "stopping…")
            self._changed("words")
        elif self._chosen.marks:
            self._chosen.marks = frozenset()
            self._changed("marks")
        else:
            return False
        return True

    def forget(self) -> None:
        """Another answer is listed: what was selected in the last one is meant no longer."""
        self._chosen.marks = frozenset()
        if not self.running and self._asked != self._said_of:
            self.words = ""

    # -- evicting

    def evict(self) -> None:
        """Ask whether to evict what is selected, or the one entry."""
        from costconsole.cache.selection import Selection

        what, entries = self._chosen.targets()
        if entries:
            self._ask(what, partial(given, Selection.of(entries)))
        else:
            self._page.say("there is no entry under the cursor")

    def evict_found(self) -> None:
        """Ask whether to evict all that the search finds."""
        found = self._feed.found
        if found is None or self._feed.searching:
            self._page.say("still searching: wait until the list answers")
            return
        what, select = self._chosen.all_of(found)
        self._ask(what, select)

    def _ask(self, what: str, select: Callable[[], Awaitable[Selection]]) -> None:
        async def look() -> Preview:
            return await self._page.source.eviction.preview(await select())

        app = self._page.console_app
        app.push_screen(ConfirmSheet(what, look, self._go, now_ms=app.clock()))

    def _go(self, preview: Preview) -> None:
        self._run(partial(self._evict, preview))

    async def _evict(self, preview: Preview, stop: asyncio.Event) -> tuple[str, bool]:
        evicted = await self._page.source.eviction.evict(
            preview.selection,
            on_progress=self._heard,
            stop=stop,
            undoable=not preview.impossible,
            total=preview.about,
        )
        if evicted.undo_id:
            self._mine.append(evicted.undo_id)
        gone = frozenset(evicted.keys)
        if evicted.evicted > len(gone):
            # Not all are named: what is listed is read anew, from its beginning.
            self._feed.ask()
        else:
            self._take_off(gone)
        app = self._page.console_app
        expires = app.clock() + preview.undo_hours * 3_600_000
        until = until_words(expires, app.clock(), app.settings.tz)
        return evicted_words(evicted, until, self._key_of("entries.undo")), bool(
            evicted.failed or evicted.reason
        )

    def _take_off(self, gone: frozenset[str]) -> None:
        """Off the list at once, and then see what has come in their place."""
        if gone:
            self._chosen.step_off(gone)
            self._feed.without(gone)
        self._feed.ask(quiet=True)

    def _key_of(self, action: str) -> str:
        bound = self._page.console_app.get_default_screen().active_bindings
        return next((key_name(key) for key, found in bound.items() if found.binding.id == action), "undo")

    # -- undoing

    def undo(self) -> None:
        """Bring back what this console evicted last; of others' evictions, and older ones, show the list."""
        if self._mine:
            self._run(partial(self._restore, self._mine[-1]))
        else:
            self.undos()

    def undos(self) -> None:
        """Show the evictions that can be undone."""
        self._page.run_worker(self._show_undos(), group="undos", exclusive=True, exit_on_error=False)

    async def _show_undos(self) -> None:
        page = self._page
        app = page.console_app
        try:
            found = await page.source.eviction.history(_HISTORY)
        except Problem as problem:
            page.say(str(problem), bad=True)
            return
        if not any(one.remaining for one in found):
            page.say("there is nothing to undo: nothing was evicted in the last 24 hours")
        elif len(app.screen_stack) == 1:
            app.push_screen(UndoSheet(found, self._undo_this, now_ms=app.clock(), tz=app.settings.tz))

    def _undo_this(self, undo_id: str) -> None:
        why = self.why_not("undo")
        if why:
            self._page.say(why)
        else:
            self._run(partial(self._restore, undo_id))

    async def _restore(self, undo_id: str, stop: asyncio.Event) -> tuple[str, bool]:
        eviction = self._page.source.eviction
        try:
            restored = await eviction.undo(undo_id, on_progress=self._heard, stop=stop)
        except Problem:
            self._mine = [one for one in self._mine if one != undo_id]
            raise
        if not restored.remaining:
            self._mine = [one for one in self._mine if one != undo_id]
        found = self._feed.found
        # Of a long list only the first page is read again by itself.
        self._feed.ask(quiet=found is None or len(found.held) <= PAGE)
        return restored_words(restored), bool(restored.failed or restored.reason)

    # -- time to live

    def ttl(self) -> None:
        """Ask for a time to live of what is selected, or of the one entry."""
        _, entries = self._chosen.targets()
        if not entries:
            self._page.say("there is no entry under the cursor")
            return
        first = entries[0]
        if len(entries) == 1:
            whose = first_words(first.prompt or first.key, 200)
            now = f"{lives_words(first.ttl_ms)} now"
        else:
            whose, now = f"{entries_words(len(entries))} that are selected", "each its own now"
        self._page.console_app.push_screen(
            TtlSheet(whose, now, lambda seconds: self._run(partial(self._set_ttl, entries, seconds)))
        )

    async def _set_ttl(
        self, entries: Sequence[CacheEntry], seconds: float | None, stop: asyncio.Event
    ) -> tuple[str, bool]:
        from costconsole.cache.outcome import Progress

        eviction, done, problems = self._page.source.eviction, list[str](), list[str]()
        for entry in entries:
            if stop.is_set():
                break
            try:
                await eviction.set_ttl(entry.key, seconds)
            except Problem as problem:
                problems.append(str(problem))
            else:
                done.append(entry.key)
            self._heard(Progress(len(done), 0, len(problems), len(entries), "setting the time to live of"))
        self._feed.relive(frozenset(done), None if seconds is None else round(seconds * 1000))
        self._feed.ask(quiet=True)
        lives = lives_words(None if seconds is None else round(seconds * 1000))
        if len(entries) == 1:
            return (problems[0], True) if problems else (lives, False)
        words = f"{entries_words(len(done))}: {lives}"
        words = f"stopped: {words}" if stop.is_set() else words
        return (f"{words} · {len(problems):,} not: {problems[0]}" if problems else words), bool(problems)

    # -- while it runs

    def _run(self, work: Callable[[asyncio.Event], Awaitable[tuple[str, bool]]]) -> None:
        if self.running:
            self._page.say(self.why_not("evict"))
            return
        self._stop = asyncio.Event()
        self._drawn_s = 0.0
        self.words, self.ink = "", "strong"
        self._changed("words")
        self._page.run_worker(self._worked(work, self._stop), group="entries", exit_on_error=False)

    async def _worked(
        self, work: Callable[[asyncio.Event], Awaitable[tuple[str, bool]]], stop: asyncio.Event
    ) -> None:
        words, bad = "", False
        try:
            words, bad = await work(stop)
        except Problem as problem:
            words, bad = str(problem), True
        except Exception as error:
            words, bad = f"an error inside the console ({type(error).__name__})", True
            asyncio.get_running_loop().call_exception_handler({"message": "entries", "exception": error})
        finally:
            self._stop = None
        self.words, self.ink = visible(words), "bad" if bad else "strong"
        self._said_of = self._asked
        self._changed("entries")
        self._page.set_timer(_SAID_S, partial(self._unsay, self.words))
        if self._page.console_app.page is not self._page or not self._page.query_one("#note").display:
            self._page.say(words, bad=bad)

    def _unsay(self, words: str) -> None:
        if self.words == words:
            self.words = ""
            self._changed("words")

    @property
    def _asked(self) -> tuple[object, ...]:
        """What is searched for, how, where, and what may pass."""
        cache = self._feed.cache
        return self._feed.mode, self._feed.text, "" if cache is None else cache.name, self._feed.where

    def _heard(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._drawn_s < _DRAWN_S or self._stop is None:
            return
        self._drawn_s = now
        self.words = progress_words(progress, stopping=self._stop.is_set())
        self._changed("words")
