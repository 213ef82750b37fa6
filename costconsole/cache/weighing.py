"""What an eviction would remove: how many, how heavy, and whether its copies fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.commands import arun_all, memory_of
from costconsole.cache.layouts import layout_of
from costconsole.cache.reading import Readers, read_entries
from costconsole.cache.selection import Match
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.format import size
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import ServerInfo, probe

_WEIGHED = 200


async def existing(client: Any, batch: Sequence[Match]) -> list[Match]:
    """Those that there are, with the fingerprint that they have now where none was given."""
    replies = await arun_all(client, [("EXISTS", match.key) for match in batch])
    there = [m for m, reply in zip(batch, replies, strict=True) if reply == 1 and m.cache is not None]
    groups: dict[str, tuple[CacheInfo, list[bytes]]] = {}
    for match in there:
        if match.cache is not None and not match.fingerprint:
            groups.setdefault(match.cache.name, (match.cache, []))[1].append(match.key)
    entries = {}
    for cache, keys in groups.values():
        for found in await read_entries(Readers(client, client), cache, keys):
            entries[found.key] = found.entry
    return [
        replace(match, entry=entry, fingerprint=entry.fingerprint)
        if (entry := entries.get(match.key)) is not None
        else match
        for match in there
    ]


async def sample_of(client: Any, found: Sequence[Match]) -> tuple[CacheEntry, ...]:
    sample = []
    for match in found:
        entry = match.entry
        if entry is None and match.cache is not None:
            readers = Readers(client, client)
            (read,) = await read_entries(readers, match.cache, [match.key])
            entry = read.entry
        if entry is not None:
            sample.append(entry)
    return tuple(sample)


async def weigh(client: Any, found: Sequence[Match], count: int) -> int | None:
    """Bytes of so many entries, from every n-th of those that were found."""
    chosen = found[:: max(1, len(found) // _WEIGHED)]
    keys = [
        key
        for match in chosen
        if match.cache is not None
        for key in layout_of(match.cache).siblings(match.cache, match.key)
    ]
    if not keys:
        return 0
    replies = await arun_all(client, [memory_of(key) for key in keys])
    sizes = [reply for reply in replies if isinstance(reply, int)]
    return round(sum(sizes) * count / len(chosen)) if sizes else None


async def memory_warning(client: Any, server: ServerInfo, keys: Keys, weight: int) -> str:
    """A sentence when the server hasn't the room for as many bytes of copies."""
    if not server.maxmemory_bytes:
        return ""
    used = (await probe(client, namespace=keys.namespace)).used_memory_bytes or 0
    free = max(0, server.maxmemory_bytes - used)
    if free >= 2 * weight:
        return ""
    return (
        f"the copies take about {size(weight)} for a day, and the server has {size(free)} left below its "
        "maxmemory: it may refuse them, or evict others for them"
    )
