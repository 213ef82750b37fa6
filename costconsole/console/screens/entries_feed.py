"""What the page of entries shows, and when it is read: as one types, again by itself, and page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.console.screens.entries_finder import MODES, Finder, Found, Mode, Question, merge_newest
from costconsole.console.screens.entries_latest import Latest
from costconsole.console.screens.entries_order import SAMPLE, Held, Order, Weighed
from costconsole.console.source import Source
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem

AGAIN_S = {"newest": 2.0, "meaning": 5.0, "text": 5.0, "key": 5.0}
"""Seconds after which what is on screen is read again."""
CACHES_S = 4.0
"""Seconds after which it is asked whether there are other caches."""
NO_CACHES_S = 15.0
"""Seconds after which they are looked for thoroughly where there was none: that costs more."""
_SLOW_S = 0.4
_WEIGHED_AT_ONCE = 250
_WEIGHED_MS = 5_000
"""So long a size and an idle time are believed."""
_MODEL_S = 0.25


class Watcher(Protocol):
    """Whoever draws what a feed holds."""

    def feed_found(self, *, anew: bool) -> None:
        """`Feed.found` is another: `anew` with other entries, else the same question's once more."""

    def feed_caches(self) -> None:
        """`Feed.caches` are others."""

    def feed_state(self) -> None:
        """There is, or no longer is, a problem, or an answer takes long."""

    def feed_timer(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` in so many seconds, unless nobody looks any more."""


class Feed:
    """Holds one question and its answer; `timer` counts seconds from any origin, `clock` is Unix ms."""

    def __init__(
        self, source: Source, watcher: Watcher, clock: Callable[[], int], timer: Callable[[], float]
    ) -> None:
        self.mode: Mode = "meaning"
        self.text = ""
        self.caches: tuple[CacheInfo, ...] | None = None
        """None until they were looked for."""
        self.found: Found | None = None
        self.problem = ""
        """One sentence, when something could not be read."""
        self.where: EntryFilter = NOTHING
        self.order: Order | None = None
        """The chosen order; None: that of the search itself."""
        self.weights: dict[str, Weighed] = {}
        """Sizes and idle times of entries that were in sight, by key."""
        self.stopped = False
        """Whether the user stopped looking for more."""
        self._source = source
        self._watcher = watcher
        self._timer = timer
        self._clock = clock
        self._chosen = ""
        self._stuck: Found | None = None
        self._partly = False
        self._wanted = False
        self._asked_s = self._looked_s = self._checked_s = 0.0
        self.answers: Latest[Question, Found] = Latest(self._find, show=self._show, fail=self._failed)
        self._finder = Finder(source, clock, timer, lambda: self.answers.outdated)
        self._pages = Latest(self._finder.more, show=self._show_more, fail=self._more_failed)
        self._looks = Latest(self._source.caches, show=self._show_caches, fail=self._failed)
        self._weighing = Latest(self._weigh, show=self._show_weights, fail=lambda _keys, _error: None)
        self._changes = Latest(self._changed, show=self._show_changed, fail=lambda _asked, _error: None)

    # -- what is asked

    @property
    def cache(self) -> CacheInfo | None:
        """The chosen cache; None: all of them."""
        return next((cache for cache in self.caches or () if cache.name == self._chosen), None)

    def next_mode(self) -> None:
        """Search in the next way."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self.order = None
        self.ask()

    def type(self, text: str) -> None:
        """Search for this. An order that was chosen for a listing isn't one for a search."""
        if bool(text.strip()) != bool(self.text.strip()):
            self.order = None
        self.text = text
        self.ask()

    def filter(self, where: EntryFilter) -> None:
        """Let only these pass."""
        self.where = where
        self.ask()

    def sort(self, order: Order | None) -> None:
        """List in this order."""
        self.order = order
        self.ask()

    def next_cache(self) -> None:
        """Search the next cache, after the last one all of them."""
        names = ["", *(cache.name for cache in self.caches or ())]
        self._chosen = names[(names.index(self._chosen) + 1) % len(names)]
        self.ask()

    def ask(self, *, quiet: bool = False) -> None:
        """Read what mode, text and cache say; `quiet`: once more, by itself."""
        if not self.caches:
            return
        self._asked_s = self._timer()
        self._pages.drop()
        if not quiet:
            self.stopped = self._wanted = False
        question = Question(self.mode, self.text, self.caches, self.cache, quiet, self.where, self.order)
        self.answers.ask(question)
        if not quiet:
            self._watcher.feed_timer(_SLOW_S, self._watcher.feed_state)

    def look(self, *, again: bool = False) -> None:
        """Look for caches; with `again`, also where they are known."""
        if again or not self._looks.busy:
            self._looks.ask(again)

    def tick(self, *, held: bool) -> None:
        """Called about once a second. What somebody reads (`held`) is left as it is."""
        if self.caches is None:
            self.look()
            return
        now = self._timer()
        if self._partly and not self._source.looked.running:
            self.look()
        elif not self.caches and not self._partly and now - self._looked_s >= NO_CACHES_S:
            self._looked_s = now
            self.look(again=True)
        elif now - self._checked_s >= CACHES_S and not self._looks.busy:
            self._checked_s = now
            self._changes.ask(None)
        found = self.found
        if found is None or found.partial or held or self.answers.busy or self._pages.busy:
            return
        if now - self._asked_s >= AGAIN_S[found.by]:
            self.ask(quiet=True)

    def more(self, *, wanted: bool = True) -> None:
        """Read the next page, where there is one and it is `wanted` by who looks at the list."""
        found = self.found
        self._wanted = wanted
        if not wanted:
            return
        if found is None or found.next is None or found is self._stuck or self.stopped:
            return
        if found.sort is not None and len(found.held) >= SAMPLE:
            return
        if not self._pages.busy and not self.answers.busy:
            self._pages.ask(found)

    def stop(self) -> bool:
        """Look no further, until `go_on`; False when nothing is looked for that takes long."""
        found = self.found
        if self.stopped or not self.looking or found is None:
            return False
        self.stopped = True
        self._pages.drop()
        self._watcher.feed_state()
        return True

    def go_on(self) -> None:
        """Look further where it was stopped."""
        self.stopped = False
        self.more()
        self._watcher.feed_state()

    @property
    def looking(self) -> bool:
        """Whether more is being looked for, in pages that took their whole time or are to be sorted."""
        found = self.found
        if found is None or found.next is None or found is self._stuck or self.stopped or not self._wanted:
            return False
        return found.partial if found.sort is None else len(found.held) < SAMPLE

    def weigh(self, keys: Sequence[str]) -> None:
        """Read sizes and idle times of these entries, where they aren't known, or no longer true."""
        before_ms = self._clock() - _WEIGHED_MS
        wanted = tuple(
            key for key in keys if (w := self.weights.get(key)) is None or w.read_ms < before_ms
        )  # fmt: skip
        if wanted and not self._weighing.busy:
            self._weighing.ask(wanted)

    async def _weigh(self, keys: tuple[str, ...]) -> dict[str, Weighed]:
        found: dict[str, Weighed] = {}
        for at in range(0, len(keys), _WEIGHED_AT_ONCE):
            weights = await self._source.search.weights(keys[at : at + _WEIGHED_AT_ONCE])
            now_ms = self._clock()
            found |= {key: Weighed(weight, now_ms) for key, weight in weights.items()}
        return found

    def _show_weights(self, _keys: tuple[str, ...], found: dict[str, Weighed]) -> None:
        listed = {one.entry.key for one in self.found.held} if self.found is not None else set()
        kept = {key: weighed for key, weighed in self.weights.items() if key in listed}
        self.weights = {**kept, **found}
        self._watcher.feed_found(anew=False)

    def without(self, keys: frozenset[str]) -> None:
        """These were removed: list them no longer, before anything is read again."""
        if self.found is not None:
            held = tuple(one for one in self.found.held if one.entry.key not in keys)
            self.found = replace(self.found, held=held)
            self._watcher.feed_found(anew=False)

    def relive(self, keys: frozenset[str], ttl_ms: int | None) -> None:
        """The time to live of these was changed."""
        if self.found is not None:
            now = self._clock()
            held = tuple(
                Held(replace(one.entry, ttl_ms=ttl_ms), now) if one.entry.key in keys else one
                for one in self.found.held
            )
            self.found = replace(self.found, held=held)
            self._watcher.feed_found(anew=False)

    # -- life

    @property
    def searching(self) -> bool:
        """Whether what is on screen doesn't answer what is asked yet."""
        question = self.found.question if self.found is not None else None
        same = question is not None and (question.text, question.mode, question.where, question.order) == (
            self.text, self.mode, self.where, self.order
        )  # fmt: skip
        return self.answers.busy and not same

    @property
    def busy(self) -> bool:
        return any(latest.busy for latest in (self.answers, self._pages, self._looks, self._weighing))

    async def settle(self) -> None:
        """Wait until everything that was asked has been answered."""
        while self.busy:
            for latest in (self._looks, self.answers, self._pages, self._weighing):
                await latest.settle()

    def drop(self) -> None:
        """Stop reading."""
        for latest in (self.answers, self._pages, self._looks, self._changes, self._weighing):
            latest.drop()

    # -- answers

    async def _find(self, question: Question) -> Found:
        return await self._finder.find(question)

    def _show(self, question: Question, found: Found) -> None:
        before, asked = self.found, replace(question, quiet=False)
        found = replace(found, question=asked)
        again = question.quiet and before is not None and _same(before, found, asked)
        if again and before is not None:
            if found.by == "newest":
                found = merge_newest(before, found)
            else:
                found = replace(found, took_ms=before.took_ms)
        self.found, self.problem, self._stuck = found, "", None
        self._watcher.feed_found(anew=not again)
        if found.waits:
            self._watcher.feed_timer(_MODEL_S, self._model_may_be_ready)

    def _model_may_be_ready(self) -> None:
        found = self.found
        if found is None or not found.waits or self.answers.busy or not self.text.strip():
            return
        status = self._source.embedder.status
        if status == "ready" or status.startswith("failed"):
            self.ask()
        else:
            self._watcher.feed_timer(_MODEL_S, self._model_may_be_ready)

    def _show_more(self, before: Found, found: Found) -> None:
        if self.found is before:
            self.found = found
            self._watcher.feed_found(anew=False)

    def _more_failed(self, before: Found, error: Exception) -> None:
        self._stuck = before
        self._failed(before, error)

    def failed(self, error: Exception) -> None:
        """Something else could not be read: say so in the same place."""
        self._failed(None, error)

    def _failed(self, _asked: object, error: Exception) -> None:
        if isinstance(error, Problem):
            self.problem = str(error)
        else:
            self.problem = f"an error inside the console ({type(error).__name__})"
            asyncio.get_running_loop().call_exception_handler({"message": "entries", "exception": error})
        self._watcher.feed_state()

    # -- caches

    def _show_caches(self, _again: bool, caches: tuple[CacheInfo, ...]) -> None:
        self._partly = self._source.looked.running
        if caches == self.caches and self.found is not None and not self.problem:
            self._watcher.feed_state()
            return
        self._looked_s = self._checked_s = self._timer()
        others = caches_differ(self.caches, caches)
        self.caches = caches
        if self._chosen not in {cache.name for cache in caches}:
            self._chosen = ""
        self._watcher.feed_caches()
        # Counts alone are no reason to show the answer from its beginning.
        self.ask(quiet=not others and self.found is not None and not self.problem)

    async def _changed(self, _asked: None) -> bool:
        return await self._source.caches_changed()

    def _show_changed(self, _asked: None, changed: bool) -> None:
        if changed:
            self.look(again=True)


def caches_differ(before: tuple[CacheInfo, ...] | None, after: tuple[CacheInfo, ...]) -> bool:
    """Whether caches came or went, or are made otherwise; not whether they have grown."""

    def made(caches: tuple[CacheInfo, ...]) -> list[CacheInfo]:
        return [replace(cache, entries=None, memory_bytes=None) for cache in caches]

    return before is None or made(before) != made(after)


def _same(before: Found, found: Found, asked: Question) -> bool:
    """Whether an answer is to the question that is on screen, found in the same way."""
    was = before.question
    return (
        (before.by, was.mode, was.text) == (found.by, asked.mode, asked.text)
        and (was.where, was.order) == (asked.where, asked.order)
        and not caches_differ(was.chosen, asked.chosen)
    )
