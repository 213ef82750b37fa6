"""Reading entries for a list: what is stored, time to live and hits, in one round trip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costconsole.cache.commands import Command, arun_all, memory_of
from costconsole.cache.fingerprint import digest
from costconsole.cache.layouts import layout_of
from costconsole.domain.entry import CacheEntry, CacheInfo

_AT_ONCE = 250
"""So many are read in one round trip: what they take to parse must not hold up the event loop."""


@dataclass(frozen=True, slots=True)
class Readers:
    """The clients: of the caches, and of the ledger, which counts the hits (often the same one)."""

    caches: Any
    hits: Any


@dataclass(frozen=True, slots=True)
class Found:
    """A key that was read. `age` is the exact text by which its index sorts, or ""."""

    key: bytes
    entry: CacheEntry | None
    """None: it is gone, or belongs to another cache."""
    age: str = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of an entry's key in memory, and milliseconds since it was last used; None: not known."""

    size_bytes: int | None = None
    idle_ms: int | None = None


async def read_weights(client: Any, keys: Iterable[str]) -> dict[str, Weight]:
    """Sizes and idle times by key, in one round trip. Our connections don't touch what they read."""
    names = list(keys)
    raw = [key.encode("utf-8", "surrogateescape") for key in names]
    commands: list[Command] = [memory_of(key) for key in raw]
    commands += [("OBJECT", "IDLETIME", key) for key in raw]
    replies = [reply if isinstance(reply, int) else None for reply in await arun_all(client, commands)]
    sizes, idle = replies[: len(raw)], replies[len(raw) :]
    return {
        key: Weight(size or None, None if seconds is None else seconds * 1000)
        for key, size, seconds in zip(names, sizes, idle, strict=True)
    }


async def read_entries(readers: Readers, cache: CacheInfo, keys: Sequence[bytes]) -> list[Found]:
    """The entries of these keys, in their order, with time to live and hits."""
    found: list[Found] = []
    for at in range(0, len(keys), _AT_ONCE):
        found += await _read(readers, cache, keys[at : at + _AT_ONCE])
    return found


async def _read(readers: Readers, cache: CacheInfo, keys: Sequence[bytes]) -> list[Found]:
    layout = layout_of(cache)
    reads: list[Command] = [layout.read(cache, key) for key in keys]
    ttls: list[Command] = [("PTTL", key) for key in keys]
    zsets = layout.usage_keys(cache)
    uses: list[Command] = [("ZMSCORE", zset, *keys) for zset in zsets or ()]
    if readers.hits is readers.caches:
        replies = await arun_all(readers.caches, [*reads, *ttls, *uses])
        used = replies[2 * len(keys) :]
    else:
        replies, used = await asyncio.gather(
            arun_all(readers.caches, [*reads, *ttls]), arun_all(readers.hits, uses)
        )
    return [
        _found(cache, key, replies[at], replies[len(keys) + at], *_use(used, at))
        for at, key in enumerate(keys)
    ]


def _found(
    cache: CacheInfo, key: bytes, reply: Any, ttl: Any, hits: int | None, last_hit: int | None
) -> Found:
    if isinstance(reply, Exception):
        return Found(key, None)
    layout = layout_of(cache)
    age = layout.age(cache, reply) or ""
    entry = layout.parse(cache, key, reply) if layout.owns(cache, key) else None
    if entry is not None:
        entry = with_use(entry, ttl, hits, last_hit, digest(reply))
        entry = layout.used(cache, entry, round(time.time() * 1000))
    return Found(key, entry, age)


def with_use(
    entry: CacheEntry, ttl: Any, hits: int | None, last_hit: int | None, fingerprint: str = ""
) -> CacheEntry:
    """The entry with its time to live (the reply to PTTL) and its use, if that wasn't in the entry itself."""
    left = ttl if isinstance(ttl, int) and ttl >= 0 else None
    return replace(
        entry,
        ttl_ms=left,
        hits=entry.hits if hits is None else hits,
        last_hit_ms=entry.last_hit_ms if last_hit is None else last_hit,
        fingerprint=fingerprint or entry.fingerprint,
    )


def _use(used: Sequence[Any], at: int) -> tuple[int | None, int | None]:
    """Hits and last hit from the two replies to ZMSCORE; an entry that isn't in the zset had no hit."""
    if len(used) != 2 or isinstance(used[0], Exception):
        return None, None
    last = None if isinstance(used[1], Exception) or used[1][at] is None else int(used[1][at])
    return int(used[0][at] or 0), last
