"""Entries newest first: exactly from an index, or from a walk over keys within a budget."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from costconsole.cache.layouts import layout_of
from costconsole.cache.page import IndexPlace, Place, ScanPlace
from costconsole.cache.reading import Found, Readers, read_entries
from costconsole.cache.scan import walk
from costconsole.cache.windows import newest_keys
from costconsole.domain.entry import CacheEntry, CacheInfo

_ROUNDS = 10
_LARGEST_ROUND = 2_000
_MOST_WAITING = 50_000


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a listing. `value` is its age as the index has it, `order` what listings merge by."""

    cache: CacheInfo
    key: bytes
    order: float
    value: str
    entry: CacheEntry | None
    """None: a key of another cache, or one that is gone; it only moves the place on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one cache, newest first; `ended`: there are no more. `scan` is where a walk stands."""

    cache: CacheInfo
    rows: tuple[Row, ...]
    ended: bool
    scan: ScanPlace | None = None
    note: str = ""


async def from_index(
    readers: Readers,
    cache: CacheInfo,
    place: IndexPlace,
    limit: int,
    query: str | None = None,
    matches: Callable[[CacheEntry], bool] | None = None,
) -> Batch:
    """At least `limit` entries after `place` (if there are as many) that match the query.

    `matches` is a second test, for a query that finds more than was meant.
    """
    layout = layout_of(cache)
    field, unit_ms = layout.created_field(cache), layout.created_unit_ms(cache)
    rows: list[Row] = []
    ended, note, entries = False, "", 0
    for round_ in range(_ROUNDS):
        # Where the index covers other caches as well, each round looks further than the one before.
        count = min(limit << round_, max(limit, _LARGEST_ROUND)) + len(place.seen)
        window = await newest_keys(readers.caches, str(cache.index), str(field), place, count, query)
        if window.late:
            note = f"the server may have given up on {cache.name} after half a second: entries can be missing"
        keys = [key for key in window.keys if key not in place.seen]
        fresh = [_row(cache, found, unit_ms, matches) for found in await read_entries(readers, cache, keys)]
        rows += fresh
        entries += sum(1 for row in fresh if row.entry is not None)
        ended = window.ended
        if ended or entries >= limit:
            break
        place = after(place, fresh)
    return Batch(cache, tuple(rows), ended, note=note)


async def from_keys(
    readers: Readers,
    cache: CacheInfo,
    place: ScanPlace,
    limit: int,
    *,
    budget_s: float,
    matches: Callable[[CacheEntry], bool] | None = None,
    enough: bool = False,
) -> Batch:
    """The newest of the entries that a walk of at most `budget_s` seconds sees, and saw before.

    With `enough` the walk stops at `limit` finds: for a search, where any find is welcome.
    """
    layout = layout_of(cache)
    waiting = list(place.waiting)
    position, looked_at, dropped = place.position, place.looked_at, False
    if position is not None or not looked_at:
        async for step in walk(readers.caches, layout.key_pattern(cache), position, budget_s=budget_s):
            keys = [key for key in step.keys if layout.owns(cache, key)]
            looked_at += len(keys)
            position = step.after
            for found in await read_entries(readers, cache, keys):
                entry = found.entry
                if entry is not None and (matches is None or matches(entry)):
                    waiting.append((-1 if entry.created_ms is None else entry.created_ms, found.key))
            if len(waiting) > _MOST_WAITING:
                waiting, dropped = heapq.nlargest(_MOST_WAITING, set(waiting)), True
            if enough and len(waiting) >= limit:
                break
    waiting = sorted(set(waiting), reverse=True)
    shown = await read_entries(readers, cache, [key for _, key in waiting[:limit]])
    rows = tuple(
        Row(cache, found.key, float(created), "", found.entry)
        for (created, _), found in zip(waiting, shown, strict=False)
    )
    scan = ScanPlace(position, tuple(waiting), looked_at)
    note = ""
    if position is not None or dropped:
        total = "" if cache.entries is None else f" of {cache.entries:,}"
        note = f"looked at {looked_at:,}{total} entries of {cache.name} so far"
    return Batch(cache, rows, position is None and len(waiting) <= limit, scan, note)


def merge(batches: Sequence[Batch], limit: int) -> list[Row]:
    """The newest `limit` entries of all batches, in order."""
    rows = heapq.merge(*(batch.rows for batch in batches), key=lambda row: -row.order)
    found: list[Row] = []
    for row in rows:
        if row.entry is not None:
            found.append(row)
            if len(found) == limit:
                break
    return found


def place_after(batch: Batch, start: Place, taken: set[bytes]) -> Place | None:
    """Where the next page begins in this cache when just these keys of the batch were shown."""
    if batch.scan is not None:
        waiting = tuple(pair for pair in batch.scan.waiting if pair[1] not in taken)
        if not waiting and batch.scan.position is None:
            return None
        return ScanPlace(batch.scan.position, waiting, batch.scan.looked_at)
    last = max((at for at, row in enumerate(batch.rows) if row.key in taken), default=-1)
    if batch.ended and not any(row.entry is not None for row in batch.rows[last + 1 :]):
        return None
    if last < 0 and not any(row.entry is not None for row in batch.rows):
        last = len(batch.rows) - 1  # nothing but other caches' keys: move on past them
    assert isinstance(start, IndexPlace)
    return after(start, batch.rows[: last + 1])


def after(place: IndexPlace, rows: Iterable[Row]) -> IndexPlace:
    """The place behind these rows."""
    counted = [row for row in rows if row.value]
    if not counted:
        return place
    value = counted[-1].value
    seen = frozenset(row.key for row in counted if row.value == value)
    span = float(counted[0].value) - float(value)
    return IndexPlace(value, seen | place.seen if value == place.value else seen, span or place.span)


def _row(cache: CacheInfo, found: Found, unit_ms: float, matches: Callable[[CacheEntry], bool] | None) -> Row:
    try:
        value = float(found.age)
    except ValueError:
        return Row(cache, found.key, -1.0, "", None)
    entry = found.entry
    if entry is not None and matches is not None and not matches(entry):
        entry = None
    return Row(cache, found.key, value * unit_ms, repr(value), entry)
