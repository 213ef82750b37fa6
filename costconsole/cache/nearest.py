"""The entries nearest to a vector: from an index, a vector set, or by reading every vector."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache.brute import nearest_by_reading
from costconsole.cache.commands import Command, arun_all
from costconsole.cache.entryfilter import NOTHING, EntryFilter
from costconsole.cache.layouts import layout_of
from costconsole.domain.entry import CacheInfo


async def nearest_keys(
    client: Any,
    caches: Sequence[CacheInfo],
    vector: bytes,
    k: int,
    *,
    scope: str = "",
    where: EntryFilter = NOTHING,
    budget_s: float = 0.25,
) -> tuple[list[tuple[bytes, float]], list[str]]:
    """Keys and similarities, and a note for every cache that couldn't be asked, or not wholly.

    A filter only holds as far as an index can tell: whoever asks looks at the entries once again.
    """
    now_ms = time.time() * 1000
    asked: list[tuple[CacheInfo, Command]] = []
    unindexed: list[CacheInfo] = []
    notes: list[str] = []
    for cache in caches:
        layout = layout_of(cache)
        for part in layout.parts(cache):
            problem = _why_not(part, vector)
            command = None if problem else _knn(part, vector, k, scope, query_of(cache, where, now_ms))
            if command is not None:
                asked.append((part, command))
            elif problem:
                notes.append(problem)
            elif _must_be_read(part) and not scope:
                unindexed.append(part)
    found: list[tuple[bytes, float]] = []
    replies = await arun_all(client, [command for _, command in asked])
    for (cache, _), reply in zip(asked, replies, strict=True):
        if isinstance(reply, Exception):
            notes.append(f"{cache.name} can't be searched: {reply}")
            continue
        mine, raw = _mine(cache, reply)
        if len(mine) < k <= raw:
            # Another cache's entries took the places: its index covers them as well.
            wider = _knn(cache, vector, k * 10, scope, query_of(cache, where, now_ms))
            (again,) = await arun_all(client, [wider] if wider else [])
            mine = mine if isinstance(again, Exception) else _mine(cache, again)[0][:k]
        found += mine
    for cache in unindexed:
        try:
            compared = await nearest_by_reading(client, cache, vector, k, budget_s=budget_s / len(unindexed))
        except ResponseError as error:
            notes.append(f"{cache.name} can't be searched: {error}")
            continue
        found += compared.nearest
        notes += [cache.problem and f"{cache.name}: {cache.problem}", compared.note]
    return found, [note for note in dict.fromkeys(notes) if note]


def query_of(cache: CacheInfo, where: EntryFilter, now_ms: float) -> str:
    """What of a filter the index of this cache can tell, as a query; "" when that is nothing."""
    layout = layout_of(cache)
    parts = [where.index_query(layout.tags(cache))]
    field = layout.created_field(cache)
    low, high = where.created_between(now_ms, layout.created_unit_ms(cache))
    if field is not None and (low, high) != ("-inf", "+inf"):
        parts.append(f"@{field}:[{low} {high}]")
    return " ".join(part for part in parts if part)


def _knn(cache: CacheInfo, vector: bytes, k: int, scope: str, query: str) -> Command | None:
    """The layout's search for the nearest, among those that a query finds."""
    command = layout_of(cache).knn(cache, vector, k, scope)
    if command is None or not query or command[0] != "FT.SEARCH":
        return command
    name, index, asked, *rest = command
    within, arrow, nearest = str(asked).partition("=>[")
    # One pass in order of nearness, whatever share of the index passes: the server's own guess at the best
    # way may compare every entry that does.
    nearest = nearest.replace(" AS ", " HYBRID_POLICY BATCHES AS ", 1)
    both = query if within == "*" else f"{within} {query}"
    return (name, index, f"({both}){arrow}{nearest}", *rest)


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
