"""Finding entries for the list: which search answers a question, and what must be said of its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.page import Cursor, EntryPage
from costconsole.console.screens.entries_order import HITS, MOST_HIT, OLDEST, SAMPLE, Held, Order
from costconsole.console.source import Source
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem

Mode = Literal["meaning", "text", "key"]
By = Literal["newest", "meaning", "text", "key"]
MODES: tuple[Mode, ...] = ("meaning", "text", "key")
NEAREST = 20
PAGE = 100
SORTED_PAGE = 500
_MODEL_STATES = ("off", "starting", "ready")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `cache` None: all of `caches`. `quiet`: asked again by itself, not by the user.

    `where` is the filter, `order` the order that was chosen (None: that of the search itself).
    """

    mode: Mode
    text: str
    caches: tuple[CacheInfo, ...]
    cache: CacheInfo | None = None
    quiet: bool = False
    where: EntryFilter = NOTHING
    order: Order | None = None

    @property
    def chosen(self) -> tuple[CacheInfo, ...]:
        """The caches in which entries are looked for."""
        return self.where.among(self.caches if self.cache is None else (self.cache,))


@dataclass(frozen=True, slots=True)
class Found:
    """The answer, so far: `more` goes on from `next`.

    `by` is how it was found in the end, `why` why not as asked, `waits` that the model is still starting.
    `took_ms` is from the question to this answer.
    """

    question: Question
    by: By
    held: tuple[Held, ...] = ()
    total: int | None = None
    next: Cursor | None = None
    partial: bool = False
    note: str = ""
    why: str = ""
    waits: bool = False
    took_ms: float = 0.0
    order: Order | None = None
    """The order in which they came, where it isn't the natural one of `by`."""

    @property
    def sort(self) -> Order | None:
        """The order that the loaded entries are still to be put in."""
        wanted = self.question.order
        return None if wanted == self.order else wanted


class Finder:
    """Answers questions through a source. `clock` is Unix ms, `timer` seconds of any origin.

    Where `outdated` says that nobody waits for the answer any more, it goes no further than it has come.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.perf_counter,
        outdated: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._outdated = outdated
        self._clock = clock
        self._timer = timer
        self._last: dict[str, bytes] = {}

    async def find(self, question: Question) -> Found:
        """One page, or the nearest. Raises a Problem when Redis can't be read."""
        began = self._timer()
        found = await self._find(question)
        return replace(found, took_ms=(self._timer() - began) * 1000)

    async def more(self, found: Found) -> Found:
        """The same with its next page. Raises a Problem."""
        if found.next is None:
            return found
        limit = max(1, min(SORTED_PAGE, SAMPLE - len(found.held))) if found.sort else PAGE
        page = await self._page(found.question, found.by, found.next, limit)
        known = {held.entry.key for held in found.held}
        fresh = [held for held in self._held(found.question, page) if held.entry.key not in known]
        return replace(
            found, held=(*found.held, *fresh), next=page.next, partial=page.partial, note=page.note
        )

    async def _find(self, question: Question) -> Found:
        text = question.text.strip()
        if not text:
            page, order = await self._listing(question)
            return replace(self._found(question, "newest", page), order=order)
        if question.mode != "meaning":
            return self._found(question, question.mode, await self._page(question, question.mode))
        why, waits = self._why_not_meaning(question.chosen)
        if not why:
            try:
                page = await self._nearest(question, text)
            except _ModelProblem as problem:
                why = str(problem)
            else:
                if page.entries or not page.note:
                    return self._found(question, "meaning", page)
                why = page.note
        page = await self._page(question, "text")
        return replace(self._found(question, "text", page), why=why, waits=waits)

    def _why_not_meaning(self, caches: Sequence[CacheInfo]) -> tuple[str, bool]:
        """Why these caches can't be searched by meaning now, and whether that will pass by itself."""
        if not any(cache.has_vectors for cache in caches):
            problem = next((c.problem for c in caches if c.problem), "")
            if len(caches) == 1 and not problem:
                return f"{caches[0].name} holds no vectors", False
            return problem or "no cache here holds vectors", False
        embedder = self._source.embedder
        if embedder.status == "off":
            embedder.start()
        status = embedder.status
        if status == "ready":
            return "", False
        if status.startswith("failed: "):
            return status.removeprefix("failed: "), False
        doing = "" if status in _MODEL_STATES else f" ({status})"
        return f"the model {embedder.name} is starting{doing}…", True

    async def _nearest(self, question: Question, text: str) -> EntryPage:
        from costconsole.cache.meaning import by_meaning, texts_for

        if set(texts_for(text, question.chosen)) - {text}:
            return await by_meaning(
                self._source.search, text, question.chosen, NEAREST, self._embed, where=question.where
            )
        (vector,) = await self._embed([text])
        if self._outdated():
            return EntryPage()
        caches = None if question.cache is None else question.chosen
        return await self._source.search.by_vector(vector, caches, NEAREST, where=question.where)

    async def _embed(self, texts: Sequence[str]) -> list[bytes]:
        """The vectors of these texts; those of the last question are remembered."""
        new = [text for text in texts if text not in self._last]
        if new:
            try:
                made = await self._source.embedder.aembed(new)
            except Problem as problem:
                raise _ModelProblem(str(problem)) from None
            self._last |= {text: one.vector for text, one in zip(new, made, strict=True)}
        self._last = {text: self._last[text] for text in texts}
        return list(self._last.values())

    async def _listing(self, question: Question) -> tuple[EntryPage, Order | None]:
        """The first page of all entries, and the order in which they come, if it isn't newest first."""
        if question.order == HITS:
            page = await self._source.search.most_hit(question.cache, MOST_HIT, where=question.where)
            if page.entries:
                return page, HITS
        page = await self._page(question, "newest")
        return page, OLDEST if question.order == OLDEST else None

    async def _page(
        self, question: Question, by: By, before: Cursor | None = None, limit: int = PAGE
    ) -> EntryPage:
        search, text, where = self._source.search, question.text.strip(), question.where
        if by == "newest":
            oldest = question.order == OLDEST
            return await search.newest(question.cache, limit, before, where=where, oldest=oldest)
        if by == "key":
            return await search.by_key(text, limit, before, where=where)
        caches = None if question.cache is None else question.chosen
        return await search.by_text(text, caches, limit, before, where=where)

    def _found(self, question: Question, by: By, page: EntryPage) -> Found:
        held = self._held(question, page)
        return Found(question, by, held, self._total(question), page.next, page.partial, page.note)

    def _held(self, question: Question, page: EntryPage) -> tuple[Held, ...]:
        now, only = self._clock(), question.cache
        return tuple(Held(e, now) for e in page.entries if only is None or e.cache == only.name)

    def _total(self, question: Question) -> int | None:
        """Entries in the chosen caches when they were found; None when one of them isn't counted."""
        counts = [cache.entries for cache in question.chosen]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None


class _ModelProblem(Exception):
    """The model, not Redis, could not do it."""


def merge_newest(before: Found, first: Found) -> Found:
    """A listing with its first page read again: what is new comes in, what is gone leaves.

    Where the new page doesn't reach down to what was listed, the listing begins anew.
    """
    if first.next is None or not first.held:
        return replace(first, took_ms=before.took_ms)
    last = first.held[-1].entry.key
    at = next((n for n, held in enumerate(before.held) if held.entry.key == last), None)
    if at is None:
        return replace(first, took_ms=before.took_ms)
    fresh = {held.entry.key for held in first.held}
    rest = tuple(held for held in before.held[at + 1 :] if held.entry.key not in fresh)
    if not rest and before.next is None:
        return replace(first, took_ms=before.took_ms)
    return replace(
        before, held=(*first.held, *rest), next=before.next if rest else first.next, total=first.total
    )


def count_words(found: Found) -> str:
    """`20 of ≈10,431 · 9 ms`; the total is as old as the list of caches, hence the ≈."""
    from costconsole.domain.format import milliseconds

    loaded = f"{len(found.held):,}"
    whole = found.by == "newest" and found.next is None and not found.partial and not found.order
    if found.next is not None and (found.by != "newest" or found.total is None):
        loaded += "+"
    known = found.total is not None and found.total >= len(found.held)
    of = f" of ≈{found.total:,}" if known and not whole else ""
    prefix = ""
    if found.waits:
        prefix = "the model is starting… "
    elif found.why:
        prefix = "by text "
    return f"{prefix}{loaded}{of} · {milliseconds(found.took_ms)} ms"


def note_words(found: Found) -> tuple[str, str]:
    """What must be said under the list, and its ink; empty when there is nothing."""
    if found.why:
        after = "; by meaning as soon as it is ready" if found.waits else ""
        return f"{found.why.rstrip('.')}: found by text instead{after}", "warn"
    if found.by == "text" and not found.held and not found.note and found.next is None:
        return "words glued to an emoji, or to another word by a dash, are not seen", "muted"
    return found.note, "muted"
