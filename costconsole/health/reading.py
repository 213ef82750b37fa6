"""Reading what the checks judge: a sample of a cache's entries, and what lies near them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from costconsole.cache.commands import Command, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.reading import Readers, read_entries
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.health.finding import EVIDENCE
from costconsole.health.sample import Nearness, Pair, Sampled

_BATCH = 50
_NEIGHBORS = 8
_SLOW_MS = 50.0
_SLOW_PROBES = 5
_MOST_PAIRS = 2_000

Progress = Callable[[str], None]


async def read_sample(
    readers: Readers, cache: CacheInfo, keys: Sequence[bytes], progress: Progress
) -> tuple[tuple[Sampled, ...], str]:
    """The entries of these keys as far as they still exist, and what this user may not ask, in words."""
    layout = layout_of(cache)
    found: list[Sampled] = []
    refused: dict[str, None] = {}
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        progress(f"{cache.name}: entries, {start:,} of {len(keys):,}")
        read = {one.key: one.entry for one in await read_entries(readers, cache, batch)}
        known = [(key, entry) for key in batch if (entry := read.get(key)) is not None]
        for (_, entry), told in zip(known, await _more(readers.caches, cache, known), strict=True):
            size, idle, vector, missing, denied = told
            refused |= dict.fromkeys(denied)
            stored = layout.parse_vector(cache, vector) if vector is not None else None
            found.append(
                Sampled(
                    entry.key,
                    entry,
                    vector=stored,
                    vector_bytes=len(vector) if isinstance(vector, bytes) else None,
                    size_bytes=size,
                    idle_ms=idle,
                    missing=missing,
                )
            )
    return tuple(found), f"this user may not run {', '.join(refused)}" if refused else ""


_More = tuple[int | None, int | None, Any, tuple[str, ...], list[str]]


async def _more(client: Any, cache: CacheInfo, known: Sequence[tuple[bytes, CacheEntry]]) -> list[_More]:
    """Size, idle time, stored vector, missing siblings and refused commands of each, in one round trip."""
    layout = layout_of(cache)
    commands: list[Command] = []
    shapes: list[tuple[bool, list[bytes]]] = []
    for key, _ in known:
        vector = layout.read_vector(cache, key)
        others = [other for other in layout.siblings(cache, key) if other != key]
        commands += [("MEMORY", "USAGE", key), ("OBJECT", "IDLETIME", key)]
        commands += [vector] if vector is not None else []
        commands += [("EXISTS", other) for other in others]
        shapes.append((vector is not None, others))
    replies = iter(await arun_all(client, commands))
    told: list[_More] = []
    for has_vector, others in shapes:
        size, idle = next(replies), next(replies)
        vector = next(replies) if has_vector else None
        exist = [next(replies) for _ in others]
        answers = [("MEMORY USAGE", size), ("OBJECT IDLETIME", idle), ("EXISTS", exist[0] if exist else None)]
        told.append(
            (
                size if isinstance(size, int) and size else None,
                idle * 1000 if isinstance(idle, int) else None,
                None if isinstance(vector, Exception) else vector,
                tuple(
                    other.decode("utf-8", "backslashreplace")
                    for other, there in zip(others, exist, strict=True)
                    if there == 0
                ),
                [name for name, answer in answers if _refused(answer)],
            )
        )
    return told


def _refused(answer: Any) -> bool:
    return isinstance(answer, Exception) and "permission" in str(answer).lower()


async def look_near(
    readers: Readers,
    cache: CacheInfo,
    sampled: Sequence[Sampled],
    *,
    probes: int,
    budget_s: float,
    owner_of: Callable[[bytes], str],
    progress: Progress,
) -> tuple[Nearness, str]:
    """Ask the cache for what is near some sampled entries, one by one, and time it.

    A look-up in a large FLAT index stops the server, so few are made where they take long. `owner_of`
    names the cache that a key belongs to.
    """
    layout = layout_of(cache)
    chosen = [one for one in sampled if one.vector is not None][:probes]
    if not chosen:
        return Nearness(), ""
    trip_ms = await _round_trip_ms(readers.caches)
    took: list[float] = []
    near: list[tuple[Sampled, bytes, float]] = []
    foreign: dict[str, None] = {}
    gone: dict[str, None] = {}
    started = time.monotonic()
    for at, one in enumerate(chosen):
        if time.monotonic() - started > budget_s or (len(took) >= _SLOW_PROBES and min(took) > _SLOW_MS):
            break
        if at % 10 == 0:
            progress(f"{cache.name}: nearest neighbours, {at} of {len(chosen)}")
        command = layout.knn(cache, one.vector or b"", _NEIGHBORS)
        if command is None:
            break
        begun = time.perf_counter()
        (reply,) = await arun_all(readers.caches, [command])
        if isinstance(reply, Exception):
            return Nearness(), f"{cache.name} can't be searched: {reply}"
        took.append(max(0.0, (time.perf_counter() - begun) * 1000 - trip_ms))
        near += [(one, key, similarity) for key, similarity in layout.parse_knn(cache, reply)]
    wanted = {key: None for one, key, _ in near if key.decode("utf-8", "backslashreplace") != one.key}
    mine = [key for key in wanted if layout.owns(cache, key)][:_MOST_PAIRS]
    foreign = dict.fromkeys(_shown(key) for key in wanted if owner_of(key) not in ("", cache.name))
    entries: dict[bytes, CacheEntry | None] = {}
    for start in range(0, len(mine), _BATCH):
        for found in await read_entries(readers, cache, mine[start : start + _BATCH]):
            entries[found.key] = found.entry
    gone = dict.fromkeys(_shown(key) for key in mine if entries.get(key) is None)
    pairs: dict[tuple[str, ...], Pair] = {}
    for one, key, similarity in near:
        other = entries.get(key)
        if other is not None and other.key != one.key:
            pairs.setdefault(tuple(sorted((one.key, other.key))), Pair(one.entry, other, similarity))
    return (
        Nearness(
            len(took),
            tuple(took),
            tuple(pairs.values()),
            tuple(foreign)[:EVIDENCE],
            tuple(gone)[:EVIDENCE],
        ),
        "",
    )


def _shown(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


async def _round_trip_ms(client: Any) -> float:
    """The shortest of a few round trips: what a command costs that costs nothing."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        await client.ping()
        times.append((time.perf_counter() - begun) * 1000)
    return min(times)
