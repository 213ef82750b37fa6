"""Which entries are meant: these keys, or all that a search or a filter matches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.layouts import layout_of
from costconsole.cache.page import Cursor
from costconsole.cache.reading import Readers, read_entries
from costconsole.cache.scan import Position, walk
from costconsole.cache.search import EntrySearch
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import Problem, UsageProblem

_PAGE = 500
_FIRST_NEIGHBORS = 100
_MOST_NEIGHBORS = 25_600
_STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class Listed:
    """A key, and what its entry was when it was shown (`CacheEntry.fingerprint`; "": not compared)."""

    key: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Either `keys`, or filters of which every one that is given must hold.

    `caches`: names (none: all caches). `vector` with `min_similarity`: what a search by meaning finds;
    `text`: what a search by words finds. `where`: what a filter lets pass.
    `listed_ms`: entries stored later than that (Unix ms) were not shown and are not meant.
    """

    keys: tuple[Listed, ...] = ()
    caches: tuple[str, ...] = ()
    vector: bytes = b""
    min_similarity: float | None = None
    text: str = ""
    where: EntryFilter = NOTHING
    listed_ms: int | None = None
    vectors: tuple[tuple[str, bytes], ...] = ()
    """By a cache's name: its vector of the prompt, where its writer embeds another text than `vector`'s."""

    @classmethod
    def of(cls, entries: Iterable[CacheEntry]) -> Selection:
        """These entries, as they are shown."""
        return cls(tuple(Listed(entry.key, entry.fingerprint) for entry in entries))

    def check(self, search: EntrySearch) -> None:
        """Raise UsageProblem for a selection that can't be meant."""
        filters = (self.caches, self.vector, self.text, self.where)
        if self.keys and any(filters):
            raise UsageProblem("give keys or filters, not both")
        if not self.keys and not any(filters):
            raise UsageProblem("nothing is selected: give keys, or a filter such as --cache or --model")
        if self.vector and self.min_similarity is None:
            raise UsageProblem("a search by meaning finds everything: give a least similarity")
        for name in self.caches:
            if search.cache(name) is None:
                raise UsageProblem(f"no cache is named {name!r}: `costconsole caches` lists them")

    def sentence(self) -> str:
        """The selection in words, without anything that a user has written."""
        if self.keys:
            return f"{len(self.keys)} chosen"
        words = []
        if self.caches:
            words.append(f"cache {', '.join(self.caches)}")
        if self.vector:
            words.append(f"similarity of {self.min_similarity:g} or more to a text")
        if self.text:
            words.append("words in it")
        if self.where:
            words.append(self.where.sentence())
        return "; ".join(words)

    def holds(self, entry: CacheEntry, now_ms: int) -> bool:
        """Whether the filters hold for an entry that was found."""
        created = entry.created_ms
        return self.where.holds(entry, now_ms) and (
            self.listed_ms is None or created is None or created <= self.listed_ms
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A selected entry. `cache` None: the key is not an entry of any cache."""

    key: bytes
    cache: CacheInfo | None
    fingerprint: str = ""
    entry: CacheEntry | None = None


async def matches(
    client: Any, search: EntrySearch, selection: Selection, now_ms: int
) -> AsyncIterator[tuple[Match, ...]]:
    """The selected entries in batches, each entry once; a batch may be empty (a sign of life)."""
    # Hashes take half the memory of the keys, of which there may be a million.
    seen: set[int] = set()
    async for batch in _found(client, search, selection, now_ms):
        fresh = {number: match for match in batch if (number := hash(match.key)) not in seen}
        seen.update(fresh)
        yield tuple(fresh.values())


def _found(
    client: Any, search: EntrySearch, selection: Selection, now_ms: int
) -> AsyncIterator[Sequence[Match]]:
    if selection.keys:
        return _by_key(search, selection)
    chosen = [
        cache
        for cache in selection.where.among(search.caches)
        if not selection.caches or cache.name in selection.caches
    ]
    if selection.vector:
        return _by_vector(search, selection, chosen, now_ms)
    if selection.text:
        return _by_pages(search, selection, chosen, now_ms)
    return _by_filter(client, search, selection, chosen, now_ms)


async def _by_key(search: EntrySearch, selection: Selection) -> AsyncIterator[Sequence[Match]]:
    for at in range(0, len(selection.keys), _PAGE):
        batch = []
        for listed in selection.keys[at : at + _PAGE]:
            key = listed.key.encode("utf-8", "surrogateescape")
            batch.append(Match(key, search.cache_of(key), listed.fingerprint))
        yield batch


async def _by_vector(
    search: EntrySearch, selection: Selection, chosen: Sequence[CacheInfo], now_ms: int
) -> AsyncIterator[Sequence[Match]]:
    """All within the similarity: the nearest are asked for until one of them lies beyond it."""
    least, vectors = selection.min_similarity or 0.0, dict(selection.vectors)
    for cache in chosen:
        k = _FIRST_NEIGHBORS
        while True:
            page = await search.by_vector(vectors.get(cache.name, selection.vector), cache, k)
            near = [entry for entry in page if (entry.similarity or 0.0) >= least]
            if len(near) < k or len(near) < len(page):
                break
            if k >= _MOST_NEIGHBORS:
                raise Problem(
                    f"more than {k:,} entries of {cache.name} are that similar: raise the similarity"
                )
            k *= 4
        yield [_match(search, entry) for entry in near if selection.holds(entry, now_ms)]


async def _by_pages(
    search: EntrySearch, selection: Selection, chosen: Sequence[CacheInfo], now_ms: int
) -> AsyncIterator[Sequence[Match]]:
    before: Cursor | None = None
    where = selection.where
    while True:
        if selection.text:
            page = await search.by_text(selection.text, chosen, _PAGE, before, where=where)
        else:
            page = await search.newest(chosen, _PAGE, before, where=where)
        yield [_match(search, entry) for entry in page if selection.holds(entry, now_ms)]
        before = page.next
        if before is None:
            return


async def _by_filter(
    client: Any, search: EntrySearch, selection: Selection, chosen: Sequence[CacheInfo], now_ms: int
) -> AsyncIterator[Sequence[Match]]:
    """From the index where one sorts by age; elsewhere from a walk over the keys."""
    for cache in chosen:
        layout = layout_of(cache)
        if layout.created_field(cache) is not None:
            async for batch in _by_pages(search, selection, (cache,), now_ms):
                yield batch
            continue
        readers = Readers(client, client)
        position: Position | None = Position()
        while position is not None:
            async for step in walk(client, layout.key_pattern(cache), position, budget_s=_STEP_S):
                keys = [key for key in dict.fromkeys(step.keys) if layout.owns(cache, key)]
                found = await read_entries(readers, cache, keys)
                yield [
                    Match(one.key, cache, one.entry.fingerprint, one.entry)
                    for one in found
                    if one.entry is not None and selection.holds(one.entry, now_ms)
                ]
                position = step.after


def _match(search: EntrySearch, entry: CacheEntry) -> Match:
    key = entry.key.encode("utf-8", "surrogateescape")
    return Match(key, search.cache_of(key), entry.fingerprint, entry)


def frozen(selection: Selection, found: Sequence[Match], listed_ms: int, *, complete: bool) -> Selection:
    """The selection as it was shown: just these entries, or the filter without what is stored later."""
    if selection.keys:
        now = {match.key.decode("utf-8", "surrogateescape"): match.fingerprint for match in found}
        return Selection(tuple(Listed(one.key, now.get(one.key, one.fingerprint)) for one in selection.keys))
    if complete and len(found) <= 10_000 and all(match.cache is not None for match in found):
        listed = (Listed(m.key.decode("utf-8", "surrogateescape"), m.fingerprint) for m in found)
        return Selection(tuple(listed))
    return replace(selection, listed_ms=listed_ms)
