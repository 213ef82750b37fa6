"""Finding entries in every cache: the newest, by meaning, by text, by key; and one entry whole.

For an async client. All calls only read, may be cancelled at any moment, and take what a broken or foreign
cache does to them as a note, not as an error; errors of the connection are the caller's to handle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache.commands import arun_all, memory_of
from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.layouts import layout_of
from costconsole.cache.listing import Batch, Wanted, from_index, from_keys, merge, place_after
from costconsole.cache.nearest import nearest_keys
from costconsole.cache.page import Cursor, EntryPage, IndexPlace, Place, ScanPlace
from costconsole.cache.reading import Readers, Weight, read_entries, read_weights, with_use
from costconsole.cache.scan import Position, walk
from costconsole.cache.textquery import glob_escaped, holds, is_glob, is_loose
from costconsole.domain.entry import CacheEntry, CacheInfo, Neighbor
from costconsole.redis_store.keys import Keys

__all__ = ["Cursor", "EntryPage", "EntrySearch"]

_WIDER = 8
"""So many times more is looked for where the answers of vectors are gone, or don't pass a filter."""
_MOST_NEAR = 2_000
"""Of so many nearest entries at most those are read that pass a filter which no index knows of."""
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
        self,
        cache: Iterable[CacheInfo] | CacheInfo | str | None = None,
        limit: int = 50,
        before: Cursor | None = None,
        *,
        where: EntryFilter = NOTHING,
        oldest: bool = False,
    ) -> EntryPage:
        """Entries of one cache, or of all (None), newest first; `before` is the last page's `next`.

        With `oldest` the oldest come first, from an index exactly, elsewhere of those that were looked at.
        A page may end early, even empty, when looking for what passes takes long; it then says how far it
        came, and `next` goes on from there.
        """
        return await self._list(self._chosen(cache), limit, before, None, where, oldest=oldest)

    async def by_text(
        self,
        query: str,
        caches: Iterable[CacheInfo] | CacheInfo | str | None = None,
        limit: int = 50,
        before: Cursor | None = None,
        *,
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        """Entries whose prompt or answer holds every word of the query, newest first."""
        if not query.strip():
            return EntryPage(note="type a word to search for")
        return await self._list(self._chosen(caches), limit, before, query, where)

    async def by_vector(
        self,
        vector: bytes,
        caches: Iterable[CacheInfo] | CacheInfo | str | None = None,
        k: int = 20,
        *,
        scope: str = "",
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        """The `k` entries nearest to a float32 vector over the caches, best first, with similarities.

        With a scope, only entries of it, as the gateway looks them up.
        Caches that can't be searched by it (other dimensions, no vectors, no index) are named in the note.
        """
        found, notes = await self._nearest_entries(vector, self._chosen(caches), k, scope, where)
        return EntryPage(found, partial=bool(notes), note="; ".join(notes))

    async def by_key(
        self, query: str, limit: int = 50, before: Cursor | None = None, *, where: EntryFilter = NOTHING
    ) -> EntryPage:
        """The entry of this key, or entries whose key matches a pattern (`*`, `?`, `[...]`) or holds it."""
        query = query.strip()
        if not query:
            return EntryPage(note="type a key, or a part of one")
        now_ms = time.time() * 1000
        if before is None and (entry := await self._exists(query)) is not None:
            return EntryPage((entry,), total=1) if where.holds(entry, now_ms) else EntryPage()
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
        shown = tuple(e for e in entries.values() if e is not None and where.holds(e, now_ms))
        return EntryPage(shown, None, Cursor({_KEYS: rest}) if more else None, position is not None, note)

    async def entry(self, key: bytes | str) -> CacheEntry | None:
        """An entry with all its fields and its size; None when there is none of this key."""
        raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
        cache = self.cache_of(raw)
        if cache is None:
            return None
        layout = layout_of(cache)
        # Idle time first: a connection of somebody else's making may touch what it reads.
        idle, whole, ttl, size = await arun_all(
            self._client,
            [
                ("OBJECT", "IDLETIME", raw),
                layout.read_whole(cache, raw),
                ("PTTL", raw),
                memory_of(raw),
            ],
        )
        entry = None if isinstance(whole, Exception) else layout.parse_whole(cache, raw, whole)
        if entry is None:
            return None
        listed = (await self._fill([raw]))[raw] or entry
        entry = with_use(entry, ttl, listed.hits, listed.last_hit_ms)
        size_bytes = size if isinstance(size, int) and size else None
        idle_ms = idle * 1000 if isinstance(idle, int) else None
        return replace(entry, size_bytes=size_bytes, idle_ms=idle_ms, fingerprint=listed.fingerprint)

    async def weights(self, keys: Iterable[str]) -> dict[str, Weight]:
        """Size in memory and idle time of entries, by key; reading them disturbs neither."""
        return await read_weights(self._client, keys)

    async def most_hit(
        self,
        caches: Iterable[CacheInfo] | CacheInfo | str | None = None,
        limit: int = 50,
        *,
        where: EntryFilter = NOTHING,
    ) -> EntryPage:
        """The entries with the most hits, most first, of the caches whose hits are counted beside them."""
        chosen = where.among(self._chosen(caches))
        names = {cache.name for cache in chosen}
        zsets = [layout_of(cache).usage_keys(cache) for cache in chosen]
        counted = list(dict.fromkeys(zset[0] for zset in zsets if zset is not None))
        # Hits of all caches of a namespace stand in one zset: more are asked for than are wanted.
        replies = await arun_all(
            self._readers.hits, [("ZREVRANGE", zset, 0, limit * 4 - 1) for zset in counted]
        )
        keys = [
            key
            for reply in replies
            if not isinstance(reply, Exception)
            for key in reply
            if (cache := self.cache_of(key)) is not None and cache.name in names
        ]
        now_ms = time.time() * 1000
        entries = [
            entry
            for entry in (await self._fill(keys)).values()
            if entry is not None and where.holds(entry, now_ms)
        ]
        entries.sort(key=lambda entry: -(entry.hits or 0))
        uncounted = [cache.name for cache, zset in zip(chosen, zsets, strict=True) if zset is None]
        note = f"hits of {', '.join(uncounted)} are not counted" if uncounted else ""
        return EntryPage(tuple(entries[:limit]), partial=bool(note), note=note)

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
        self,
        caches: Sequence[CacheInfo],
        limit: int,
        before: Cursor | None,
        query: str | None,
        where: EntryFilter,
        *,
        oldest: bool = False,
    ) -> EntryPage:
        """One page of a listing, or of a search by text, over these caches."""
        caches = where.among(caches)
        now_ms = time.time() * 1000
        starts = {
            cache.name: before.places[cache.name] if before else _start(cache, where, now_ms, oldest)
            for cache in caches
            if before is None or cache.name in before.places
        }
        chosen = [cache for cache in caches if cache.name in starts]
        batches = await asyncio.gather(
            *(
                self._batch(cache, starts[cache.name], limit, query, len(chosen), where, now_ms)
                for cache in chosen
            )
        )
        rows = merge(batches, limit, oldest=oldest)
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
        plain = query is None and not where.of_entries
        return EntryPage(
            entries,
            total=sum(known) if plain and len(known) == len(counts) else None,
            next=Cursor(places) if places else None,
            partial=bool(notes),
            note="; ".join(notes),
        )

    async def _batch(
        self,
        cache: CacheInfo,
        start: Place,
        limit: int,
        query: str | None,
        caches: int,
        where: EntryFilter,
        now_ms: float,
    ) -> Batch:
        layout = layout_of(cache)
        budget_s = self._budget_s / max(1, caches)
        try:
            if isinstance(start, IndexPlace):
                words = layout.text_query(cache, query) if query else None
                known = where.index_query(layout.tags(cache))
                low, high = where.created_between(now_ms, layout.created_unit_ms(cache))
                bound = high if start.oldest else low
                sure = words is not None and layout.text_is_exact(cache) and not is_loose(query or "")
                again = None if sure else query
                wanted = Wanted(
                    limit,
                    budget_s,
                    " ".join(part for part in (words, known) if part) or None,
                    "" if bound in ("-inf", "+inf") else bound,
                    _test(again, where, now_ms),
                )
                return await from_index(self._readers, cache, start, wanted)
            wanted = Wanted(limit, budget_s, matches=_test(query, where, now_ms))
            return await from_keys(self._readers, cache, start, wanted, enough=query is not None)
        except ResponseError as error:
            return Batch(cache, (), True, note=f"{cache.name} can't be read: {error}")

    async def _exists(self, query: str) -> CacheEntry | None:
        raw = query.encode("utf-8", "surrogateescape")
        return (await self._fill([raw]))[raw] if self.cache_of(raw) else None

    async def _nearest_entries(
        self,
        vector: bytes,
        caches: Sequence[CacheInfo],
        k: int,
        scope: str = "",
        where: EntryFilter = NOTHING,
    ) -> tuple[tuple[CacheEntry, ...], list[str]]:
        """The `k` nearest entries that are there and pass, best first: a vector may outlive its answer."""
        entries: tuple[CacheEntry, ...] = ()
        notes: list[str] = []
        caches, now_ms = where.among(caches), time.time() * 1000
        steps = [k, k * _WIDER]
        if read_for := any(_is_read_for(cache, where) for cache in caches):
            steps.append(max(_MOST_NEAR, k * _WIDER))
        for wanted in steps:
            found, notes = await nearest_keys(
                self._client, caches, vector, wanted, scope=scope, where=where, budget_s=self._budget_s
            )
            found.sort(key=lambda pair: -pair[1])
            similarities = dict(found[:wanted])
            shown = await self._fill(list(similarities))
            entries = tuple(
                replace(entry, similarity=similarities[key])
                for key, entry in shown.items()
                if entry is not None and where.holds(entry, now_ms)
            )[:k]
            if len(entries) == k or len(found) < wanted:
                break
        else:
            if read_for:
                notes = [*notes, f"looked at the {wanted:,} nearest entries for those that pass the filter"]
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


def _start(cache: CacheInfo, where: EntryFilter, now_ms: float, oldest: bool) -> Place:
    layout = layout_of(cache)
    if layout.created_field(cache) is None:
        return ScanPlace(Position(), oldest=oldest)
    low, high = where.created_between(now_ms, layout.created_unit_ms(cache))
    return IndexPlace(low if oldest else high, oldest=oldest)


def _test(query: str | None, where: EntryFilter, now_ms: float) -> Callable[[CacheEntry], bool] | None:
    """What an entry that was read must pass; None: nothing."""
    if query is None:
        return (lambda entry: where.holds(entry, now_ms)) if where.of_entries else None
    return lambda entry: where.holds(entry, now_ms) and holds(query, entry.prompt, entry.response)


def _is_read_for(cache: CacheInfo, where: EntryFilter) -> bool:
    layout = layout_of(cache)
    return where.is_read_for(layout.tags(cache), age=layout.created_field(cache) is not None)
