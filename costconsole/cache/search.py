"""Finding entries in every cache: the newest, by meaning, by text, by key; and one entry whole.

For an async client. All calls only read, may be cancelled at any moment, and take what a broken or foreign
cache does to them as a note, not as an error; errors of the connection are the caller's to handle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache.brute import nearest_by_reading
from costconsole.cache.commands import Command, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.listing import Batch, from_index, from_keys, merge, place_after
from costconsole.cache.page import Cursor, EntryPage, IndexPlace, Place, ScanPlace
from costconsole.cache.reading import Readers, read_entries, with_use
from costconsole.cache.scan import Position, walk
from costconsole.cache.textquery import glob_escaped, holds, is_glob
from costconsole.domain.entry import CacheEntry, CacheInfo, Neighbor
from costconsole.redis_store.keys import Keys

__all__ = ["Cursor", "EntryPage", "EntrySearch"]

_WIDER = 8
"""So many times more is looked for where vectors were found whose answers are gone."""
_KEYS = "\x00keys"
"""Name of the place of a search by key, which walks all caches at once."""


class EntrySearch:
    """Reads the caches that `find_caches` found. `caches` may be replaced at any time.

    `hits_client` reads the counts of hits where the ledger has a Redis of its own. `budget_s` is how long
    one call may walk over keys where no index helps.
    """

    def __init__(
        self,
        client: Any,
        caches: Iterable[CacheInfo],
        keys: Keys,
        *,
        hits_client: Any = None,
        budget_s: float = 0.25,
    ) -> None:
        self.caches = tuple(caches)
        self.keys = keys
        self._client = client
        self._readers = Readers(client, hits_client or client)
        self._budget_s = budget_s

    def cache(self, name: str) -> CacheInfo | None:
        """The cache of that name."""
        return next((cache for cache in self.caches if cache.name == name), None)

    def cache_of(self, key: bytes | str) -> CacheInfo | None:
        """The cache that this key is an entry of."""
        raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
        return next((cache for cache in self.caches if layout_of(cache).owns(cache, raw)), None)

    async def newest(
        self, cache: CacheInfo | str | None = None, limit: int = 50, before: Cursor | None = None
    ) -> EntryPage:
        """Entries of one cache, or of all (None), newest first; `before` is the last page's `next`."""
        return await self._list(self._chosen(cache), limit, before, None)

    async def by_text(
        self,
        query: str,
        caches: Iterable[CacheInfo] | CacheInfo | str | None = None,
        limit: int = 50,
        before: Cursor | None = None,
    ) -> EntryPage:
        """Entries whose prompt or answer holds every word of the query, newest first."""
        if not query.strip():
            return EntryPage(note="type a word to search for")
        return await self._list(self._chosen(caches), limit, before, query)

    async def by_vector(
        self,
        vector: bytes,
        caches: Iterable[CacheInfo] | CacheInfo | str | None = None,
        k: int = 20,
        *,
        scope: str = "",
    ) -> EntryPage:
        """The `k` entries nearest to a float32 vector over the caches, best first, with similarities.

        With a scope, only entries of it, as the gateway looks them up.
        Caches that can't be searched by it (other dimensions, no vectors, no index) are named in the note.
        """
        found, notes = await self._nearest_entries(vector, self._chosen(caches), k, scope)
        return EntryPage(found, partial=bool(notes), note="; ".join(notes))

    async def by_key(self, query: str, limit: int = 50, before: Cursor | None = None) -> EntryPage:
        """The entry of this key, or entries whose key matches a pattern (`*`, `?`, `[...]`) or holds it."""
        query = query.strip()
        if not query:
            return EntryPage(note="type a key, or a part of one")
        if before is None and (entry := await self._exists(query)) is not None:
            return EntryPage((entry,), total=1)
        pattern = query if is_glob(query) else f"*{glob_escaped(query)}*"
        place = before.places.get(_KEYS) if before else None
        start = place if isinstance(place, ScanPlace) else ScanPlace(Position())
        waiting, position, looked_at = [key for _, key in start.waiting], start.position, start.looked_at
        if position is not None:
            async for step in walk(self._client, pattern, position, budget_s=self._budget_s):
                waiting += [key for key in step.keys if self.cache_of(key) and key not in waiting]
                position = step.after
                if len(waiting) >= limit:
                    break
        entries = await self._fill(waiting[:limit])
        rest = ScanPlace(position, tuple((-1, key) for key in waiting[limit:]), looked_at)
        more = position is not None or bool(rest.waiting)
        note = "not every key was looked at yet" if position is not None else ""
        shown = tuple(entry for entry in entries.values() if entry is not None)
        return EntryPage(shown, None, Cursor({_KEYS: rest}) if more else None, position is not None, note)

    async def entry(self, key: bytes | str) -> CacheEntry | None:
        """An entry with all its fields and its size; None when there is none of this key."""
        raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
        cache = self.cache_of(raw)
        if cache is None:
            return None
        layout = layout_of(cache)
        whole, ttl, size = await arun_all(
            self._client, [layout.read_whole(cache, raw), ("PTTL", raw), ("MEMORY", "USAGE", raw)]
        )
        entry = None if isinstance(whole, Exception) else layout.parse_whole(cache, raw, whole)
        if entry is None:
            return None
        listed = (await self._fill([raw]))[raw] or entry
        entry = with_use(entry, ttl, listed.hits, listed.last_hit_ms)
        size_bytes = size if isinstance(size, int) and size else None
        return replace(entry, size_bytes=size_bytes, fingerprint=listed.fingerprint)

    async def neighbors(self, entry: CacheEntry, k: int = 5) -> tuple[Neighbor, ...]:
        """The `k` nearest other entries of the same cache; none where it has no vectors."""
        raw = entry.key.encode("utf-8", "surrogateescape")
        cache = self.cache_of(raw)
        vector = await self._vector(cache, raw) if cache else None
        if cache is None or vector is None:
            return ()
        found, _ = await self._nearest_entries(vector, (cache,), k + 1)
        others = [near for near in found if near.key != entry.key][:k]
        return tuple(
            Neighbor(near.key, near.similarity or 0.0, near.prompt, near.model, near.scope) for near in others
        )

    async def _vector(self, cache: CacheInfo, key: bytes) -> bytes | None:
        """The stored vector of an entry, from whichever part of the cache has it."""
        layout = layout_of(cache)
        commands = [
            command for part in layout.parts(cache) if (command := layout.read_vector(part, key)) is not None
        ]
        vectors = (
            layout.parse_vector(cache, reply)
            for reply in await arun_all(self._client, commands)
            if not isinstance(reply, Exception)
        )
        return next((vector for vector in vectors if vector is not None), None)

    def _chosen(self, caches: Iterable[CacheInfo] | CacheInfo | str | None) -> tuple[CacheInfo, ...]:
        if caches is None:
            return self.caches
        if isinstance(caches, CacheInfo):
            return (caches,)
        if isinstance(caches, str):
            found = self.cache(caches)
            return (found,) if found else ()
        return tuple(caches)

    async def _list(
        self, caches: Sequence[CacheInfo], limit: int, before: Cursor | None, query: str | None
    ) -> EntryPage:
        """One page of a listing, or of a search by text, over these caches."""
        starts = {
            cache.name: before.places[cache.name] if before else _start(cache, query)
            for cache in caches
            if before is None or cache.name in before.places
        }
        chosen = [cache for cache in caches if cache.name in starts]
        batches = await asyncio.gather(
            *(self._batch(cache, starts[cache.name], limit, query, len(chosen)) for cache in chosen)
        )
        rows = merge(batches, limit)
        taken = {row.key for row in rows}
        places = {
            batch.cache.name: place
            for batch in batches
            if (place := place_after(batch, starts[batch.cache.name], taken)) is not None
        }
        entries = tuple(row.entry for row in rows if row.entry is not None)
        counts = [cache.entries for cache in caches]
        known = [count for count in counts if count is not None]
        notes = [batch.note for batch in batches if batch.note]
        return EntryPage(
            entries,
            total=sum(known) if query is None and len(known) == len(counts) else None,
            next=Cursor(places) if places else None,
            partial=bool(notes),
            note="; ".join(notes),
        )

    async def _batch(
        self, cache: CacheInfo, start: Place, limit: int, query: str | None, caches: int
    ) -> Batch:
        matches = None if query is None else lambda e: holds(query, e.prompt, e.response)
        try:
            if isinstance(start, IndexPlace):
                layout = layout_of(cache)
                words = layout.text_query(cache, query) if query else None
                again = None if layout.text_is_exact(cache) else matches
                return await from_index(self._readers, cache, start, limit, words, again)
            return await from_keys(
                self._readers,
                cache,
                start,
                limit,
                budget_s=self._budget_s / max(1, caches),
                matches=matches,
                enough=query is not None,
            )
        except ResponseError as error:
            return Batch(cache, (), True, note=f"{cache.name} can't be read: {error}")

    async def _nearest(
        self, vector: bytes, caches: Sequence[CacheInfo], k: int, scope: str = ""
    ) -> tuple[list[tuple[bytes, float]], list[str]]:
        """Keys and similarities, and a note for every cache that couldn't be asked, or not wholly."""
        asked: list[tuple[CacheInfo, Command]] = []
        unindexed: list[CacheInfo] = []
        notes: list[str] = []
        for cache in caches:
            layout = layout_of(cache)
            for part in layout.parts(cache):
                problem = _why_not(part, vector)
                command = None if problem else layout.knn(part, vector, k, scope)
                if command is not None:
                    asked.append((part, command))
                elif problem:
                    notes.append(problem)
                elif _must_be_read(part) and not scope:
                    unindexed.append(part)
        found: list[tuple[bytes, float]] = []
        replies = await arun_all(self._client, [command for _, command in asked])
        for (cache, _), reply in zip(asked, replies, strict=True):
            if isinstance(reply, Exception):
                notes.append(f"{cache.name} can't be searched: {reply}")
                continue
            mine, raw = _mine(cache, reply)
            if len(mine) < k <= raw:
                # Another cache's entries took the places: its index covers them as well.
                wider = layout_of(cache).knn(cache, vector, k * 10, scope)
                (again,) = await arun_all(self._client, [wider] if wider else [])
                mine = mine if isinstance(again, Exception) else _mine(cache, again)[0][:k]
            found += mine
        for cache in unindexed:
            try:
                compared = await nearest_by_reading(
                    self._client, cache, vector, k, budget_s=self._budget_s / len(unindexed)
                )
            except ResponseError as error:
                notes.append(f"{cache.name} can't be searched: {error}")
                continue
            found += compared.nearest
            notes += [cache.problem and f"{cache.name}: {cache.problem}", compared.note]
        return found, [note for note in dict.fromkeys(notes) if note]

    async def _exists(self, query: str) -> CacheEntry | None:
        raw = query.encode("utf-8", "surrogateescape")
        return (await self._fill([raw]))[raw] if self.cache_of(raw) else None

    async def _nearest_entries(
        self, vector: bytes, caches: Sequence[CacheInfo], k: int, scope: str = ""
    ) -> tuple[tuple[CacheEntry, ...], list[str]]:
        """The `k` nearest entries that are there, best first: a vector may outlive its answer."""
        entries: tuple[CacheEntry, ...] = ()
        notes: list[str] = []
        for wanted in (k, k * _WIDER):
            found, notes = await self._nearest(vector, caches, wanted, scope)
            found.sort(key=lambda pair: -pair[1])
            similarities = dict(found)
            shown = await self._fill(list(similarities)[:wanted])
            entries = tuple(
                replace(entry, similarity=similarities[key])
                for key, entry in shown.items()
                if entry is not None
            )[:k]
            if all(entry is not None for entry in shown.values()):
                break
        return entries, notes

    async def _fill(self, keys: Sequence[bytes]) -> dict[bytes, CacheEntry | None]:
        """Entries for a list, by key, in the order of the keys; None: it is gone."""
        groups: dict[str, list[bytes]] = {}
        for key in keys:
            if (cache := self.cache_of(key)) is not None:
                groups.setdefault(cache.name, []).append(key)
        chosen = [(cache, groups[cache.name]) for cache in self.caches if cache.name in groups]
        batches = await asyncio.gather(*(read_entries(self._readers, *pair) for pair in chosen))
        found = {one.key: one.entry for batch in batches for one in batch}
        return {key: found.get(key) for key in keys}


def _start(cache: CacheInfo, query: str | None) -> Place:
    layout = layout_of(cache)
    if layout.created_field(cache) is None:
        return ScanPlace(Position())
    if query is not None and layout.text_query(cache, query) is None:
        return ScanPlace(Position())
    return IndexPlace()


def _why_not(cache: CacheInfo, vector: bytes) -> str:
    """Why a cache can't be searched by this vector, or ""."""
    dims = len(vector) // 4
    if cache.dims and cache.dims != dims:
        model = cache.detail("embedding_model")
        written = f" by {model}" if model else ""
        return (
            f"{cache.name} holds vectors of {cache.dims} dimensions{written}, the model in use gives {dims}"
        )
    if cache.metric not in (None, "COSINE"):
        return (
            f"{cache.name} compares by {cache.metric}, not by cosine: it can be listed and searched by text"
        )
    return ""


def _must_be_read(cache: CacheInfo) -> bool:
    """Whether a cache has vectors, and no index that could be asked for the nearest."""
    if cache.index or cache.kind == "exact":
        return False
    return layout_of(cache).read_vector(cache, cache.prefix.encode()) is not None


def _mine(cache: CacheInfo, reply: Any) -> tuple[list[tuple[bytes, float]], int]:
    layout = layout_of(cache)
    found = layout.parse_knn(cache, reply)
    return [pair for pair in found if layout.owns(cache, pair[0])], len(found)
