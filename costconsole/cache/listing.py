"""Entries newest or oldest first: exactly from an index, or from a walk over keys within a budget."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from costconsole.cache.layouts import layout_of
from costconsole.cache.page import IndexPlace, Place, ScanPlace
from costconsole.cache.reading import Found, Readers, read_entries
from costconsole.cache.scan import walk
from costconsole.cache.windows import keys_in_order
from costconsole.domain.entry import CacheEntry, CacheInfo

_LARGEST_ROUND = 1_000
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
    """Rows of one cache in order; `ended`: there are no more. `scan` is where a walk stands."""

    cache: CacheInfo
    rows: tuple[Row, ...]
    ended: bool
    scan: ScanPlace | None = None
    note: str = ""
    partial: bool = False
    """Whether looking ended at the budget, with fewer entries than were asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be listed of a cache, in the order of its place, and how long may be looked for it.

    `query` is asked of the index, `end` the value beyond which nothing is wanted ("": there is none), and
    `matches` a second test, for an index that finds more than was meant, or for a walk.
    """

    limit: int
    budget_s: float
    query: str | None = None
    end: str = ""
    matches: Callable[[CacheEntry], bool] | None = None


async def from_index(readers: Readers, cache: CacheInfo, place: IndexPlace, wanted: Wanted) -> Batch:
    """At least `limit` entries after `place` that match, if there are as many and the time allows."""
    layout = layout_of(cache)
    field, unit_ms = layout.created_field(cache), layout.created_unit_ms(cache)
    rows: list[Row] = []
    note, entries, limit = "", 0, wanted.limit
    deadline = time.monotonic() + wanted.budget_s
    start, round_ = place, 2 if place.looked_at > limit and wanted.matches is not None else 0
    while True:
        # Where the index finds much more than is meant, each round looks further than the one before.
        count = min(limit << round_, max(limit, _LARGEST_ROUND)) + len(place.seen)
        window = await keys_in_order(
            readers.caches, str(cache.index), str(field), place, count, wanted.query, wanted.end
        )
        if window.late:
            note = f"the server may have given up on {cache.name} after half a second: entries can be missing"
        keys = [key for key in window.keys if key not in place.seen]
        found = await read_entries(readers, cache, keys)
        fresh = [_row(cache, one, unit_ms, wanted.matches) for one in found]
        rows += fresh
        entries += sum(1 for row in fresh if row.entry is not None)
        late = time.monotonic() >= deadline
        if window.ended or entries >= limit or late:
            break
        place = after(place, fresh)
        round_ = min(round_ + 1, 16)
    partial = not window.ended and entries < limit
    if partial and not note:
        note = _looked(cache, start.looked_at + len(rows), whole=wanted.query is None and not wanted.end)
    return Batch(cache, tuple(rows), window.ended, note=note, partial=partial)


async def from_keys(
    readers: Readers, cache: CacheInfo, place: ScanPlace, wanted: Wanted, *, enough: bool = False
) -> Batch:
    """The first in order of the entries that a walk within the budget sees, and saw before.

    With `enough` the walk stops at `limit` finds: for a search, where any find is welcome.
    """
    layout = layout_of(cache)
    limit, matches = wanted.limit, wanted.matches
    waiting = list(place.waiting)
    position, looked_at, dropped = place.position, place.looked_at, False
    if position is not None or not looked_at:
        pattern = layout.key_pattern(cache)
        async for step in walk(readers.caches, pattern, position, budget_s=wanted.budget_s):
            keys = [key for key in step.keys if layout.owns(cache, key)]
            looked_at += len(keys)
            position = step.after
            for found in await read_entries(readers, cache, keys):
                entry = found.entry
                if entry is not None and (matches is None or matches(entry)):
                    waiting.append((-1 if entry.created_ms is None else entry.created_ms, found.key))
            if len(waiting) > _MOST_WAITING:
                waiting, dropped = _in_order(set(waiting), place)[:_MOST_WAITING], True
            if enough and len(waiting) >= limit:
                break
    waiting = _in_order(set(waiting), place)
    shown = await read_entries(readers, cache, [key for _, key in waiting[:limit]])
    rows = tuple(
        Row(cache, found.key, float(created), "", found.entry)
        for (created, _), found in zip(waiting, shown, strict=False)
    )
    scan = ScanPlace(position, tuple(waiting), looked_at, place.oldest)
    unfinished = position is not None or dropped
    note = _looked(cache, looked_at, whole=True) if unfinished else ""
    ended = position is None and len(waiting) <= limit
    return Batch(cache, rows, ended, scan, note, unfinished and len(rows) < limit)


def merge(batches: Sequence[Batch], limit: int, *, oldest: bool = False) -> list[Row]:
    """The first `limit` entries of all batches, in order.

    Where looking ended early in one index, entries beyond that point wait: others may come before them.
    """
    sign = 1 if oldest else -1
    lasts = (next((row for row in reversed(b.rows) if row.value), None) for b in batches if b.partial)
    reached = min((sign * last.order for last in lasts if last is not None), default=math.inf)
    rows = heapq.merge(*(batch.rows for batch in batches), key=lambda row: _rank(row, sign))
    found: list[Row] = []
    for row in rows:
        if row.entry is not None:
            if row.value and sign * row.order > reached:
                break
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
        return replace(batch.scan, waiting=waiting)
    left = [at for at, row in enumerate(batch.rows) if row.entry is not None and row.key not in taken]
    if batch.ended and not left:
        return None
    # What isn't an entry that is meant, before the first that is left, was looked at for good.
    assert isinstance(start, IndexPlace)
    return after(start, batch.rows[: left[0]] if left else batch.rows)


def after(place: IndexPlace, rows: Iterable[Row]) -> IndexPlace:
    """The place behind these rows."""
    rows = list(rows)
    counted = [row for row in rows if row.value]
    looked_at = place.looked_at + len(rows)
    if not counted:
        return replace(place, looked_at=looked_at)
    value = counted[-1].value
    seen = frozenset(row.key for row in counted if row.value == value)
    span = abs(float(counted[0].value) - float(value))
    seen = seen | place.seen if value == place.value else seen
    return IndexPlace(value, seen, span or place.span, place.oldest, looked_at)


def _row(cache: CacheInfo, found: Found, unit_ms: float, matches: Callable[[CacheEntry], bool] | None) -> Row:
    try:
        value = float(found.age)
    except ValueError:
        return Row(cache, found.key, -1.0, "", None)
    entry = found.entry
    if entry is not None and matches is not None and not matches(entry):
        entry = None
    return Row(cache, found.key, value * unit_ms, repr(value), entry)


def _in_order(waiting: Iterable[tuple[int, bytes]], place: ScanPlace) -> list[tuple[int, bytes]]:
    """By age, entries whose age isn't known last."""
    if not place.oldest:
        return sorted(waiting, reverse=True)
    return sorted(waiting, key=lambda pair: (math.inf if pair[0] < 0 else pair[0], pair[1]))


def _rank(row: Row, sign: int) -> float:
    return math.inf if sign > 0 and row.order < 0 else sign * row.order


def _looked(cache: CacheInfo, count: int, *, whole: bool) -> str:
    """How far it came. Of how many is known only where all were to be looked at (`whole`)."""
    total = "" if cache.entries is None or not whole else f" of {max(count, cache.entries):,}"
    return f"looked at {count:,}{total} entries of {cache.name} so far"
