"""Reading what the checks judge: a sample of a cache's entries, and what lies near them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from costconsole.cache.commands import Command, arun_all, memory_of
from costconsole.cache.layouts import layout_of
from costconsole.cache.reading import Readers, read_entries
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.embedding.embedder import pack_normalized
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
    found: list[Sampled] = []
    refused: dict[str, None] = {}
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        progress(f"{cache.name}: entries, {start:,} of {len(keys):,}")
        read = {one.key: one.entry for one in await read_entries(readers, cache, batch)}
        known = [(key, entry) for key in batch if (entry := read.get(key)) is not None]
        for (_, entry), told in zip(known, await _more(readers.caches, cache, known), strict=True):
            refused |= dict.fromkeys(told.refused)
            found.append(
                Sampled(
                    entry.key,
                    entry,
                    vector=told.vector,
                    vector_bytes=told.vector_bytes,
                    size_bytes=told.size,
                    idle_ms=told.idle_ms,
                    missing=told.missing,
                )
            )
    return tuple(found), f"this user may not run {', '.join(refused)}" if refused else ""


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be known of a key beside the entry in it."""

    size: int | None
    idle_ms: int | None
    vector: bytes | None
    vector_bytes: int | None
    missing: tuple[str, ...]
    refused: tuple[str, ...]


async def _more(client: Any, cache: CacheInfo, known: Sequence[tuple[bytes, CacheEntry]]) -> list[_Told]:
    """Size, idle time, stored vector, missing siblings and refused commands of each, in one round trip."""
    layout = layout_of(cache)
    parts = layout.parts(cache)
    commands: list[Command] = []
    shapes: list[tuple[list[CacheInfo], list[bytes]]] = []
    for key, _ in known:
        vectors = [(part, read) for part in parts if (read := layout.read_vector(part, key)) is not None]
        others = [other for other in layout.siblings(cache, key) if other != key]
        commands += [memory_of(key), ("OBJECT", "IDLETIME", key)]
        commands += [read for _, read in vectors]
        commands += [("EXISTS", other) for other in others]
        shapes.append(([part for part, _ in vectors], others))
    replies = iter(await arun_all(client, commands))
    told: list[_Told] = []
    for with_vector, others in shapes:
        size, idle = next(replies), next(replies)
        stored = [(part, next(replies)) for part in with_vector]
        exist = [next(replies) for _ in others]
        parsed = [layout.parse_vector(p, r) for p, r in stored if r and not isinstance(r, Exception)]
        lengths = [len(reply) for _, reply in stored if isinstance(reply, bytes)]
        answers = [("MEMORY USAGE", size), ("OBJECT IDLETIME", idle), *(("EXISTS", one) for one in exist)]
        told.append(
            _Told(
                size if isinstance(size, int) and size else None,
                idle * 1000 if isinstance(idle, int) else None,
                next((vector for vector in parsed if vector is not None), None),
                lengths[0] if lengths else None,
                tuple(_shown(o) for o, there in zip(others, exist, strict=True) if there == 0),
                tuple(name for name, answer in answers if _refused(answer)),
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
    chosen: list[tuple[str, CacheEntry | None, bytes]] = []
    for one in sampled:
        if one.vector is not None and len(chosen) < probes:
            chosen.append((one.key, one.entry, one.vector))
    if not chosen and cache.dims:
        # Vectors may have outlived all of their entries: any look-up then finds them.
        chosen = [("", None, pack_normalized([1.0] * cache.dims))]
    if not chosen:
        return Nearness(), ""
    trip_ms = await _round_trip_ms(readers.caches)
    took: list[float] = []
    near: list[tuple[str, CacheEntry | None, bytes, float]] = []
    started = time.monotonic()
    for at, (name, entry, vector) in enumerate(chosen):
        if time.monotonic() - started > budget_s or (len(took) >= _SLOW_PROBES and min(took) > _SLOW_MS):
            break
        if at % 10 == 0:
            progress(f"{cache.name}: nearest neighbours, {at} of {len(chosen)}")
        asked = [(part, layout.knn(part, vector, _NEIGHBORS)) for part in layout.parts(cache)]
        commands = [(part, command) for part, command in asked if command is not None]
        if not commands:
            break
        begun = time.perf_counter()
        replies = await arun_all(readers.caches, [command for _, command in commands])
        took.append(max(0.0, (time.perf_counter() - begun) * 1000 - trip_ms))
        # A rest as long as the look-up: the server has other clients.
        await asyncio.sleep(min(0.1, took[-1] / 1000))
        for (part, _), reply in zip(commands, replies, strict=True):
            if isinstance(reply, Exception):
                return Nearness(), f"it can't be searched: {reply}"
            near += [(name, entry, key, similarity) for key, similarity in layout.parse_knn(part, reply)]
    wanted = {key: None for name, _, key, _ in near if _shown(key) != name}
    mine = [key for key in wanted if layout.owns(cache, key)][:_MOST_PAIRS]
    foreign = dict.fromkeys(_shown(key) for key in wanted if owner_of(key) not in ("", cache.name))
    entries: dict[bytes, CacheEntry | None] = {}
    for start in range(0, len(mine), _BATCH):
        for found in await read_entries(readers, cache, mine[start : start + _BATCH]):
            entries[found.key] = found.entry
    gone = dict.fromkeys(_shown(key) for key in mine if entries.get(key) is None)
    pairs: dict[tuple[str, ...], Pair] = {}
    for name, entry, key, similarity in near:
        other = entries.get(key)
        if other is not None and entry is not None and other.key != name:
            pairs.setdefault(tuple(sorted((name, other.key))), Pair(entry, other, similarity))
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
