"""Finding every cache in a Redis: the indexes, each asked once, and our own keys where there is none.

Discovery runs when the console connects and when somebody asks for it, never on a timer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.cache.commands import arun_all
from costconsole.cache.indexinfo import IndexInfo, parse_index_info
from costconsole.cache.layouts import LAYOUTS
from costconsole.cache.layouts.base import Family, Surroundings
from costconsole.cache.policy import parse_policy, read_command
from costconsole.cache.scan import walk
from costconsole.domain.entry import CacheInfo
from costconsole.redis_store.keys import NAMESPACES, Keys
from costconsole.redis_store.replies import text

if TYPE_CHECKING:
    from costconsole.redis_store.probe import ServerInfo

_OWN_FAMILY = re.compile(rb"costconsole:\{[^{}]+\}:(?:exact|semantic):")
_NO_MODULE = "this Redis has no search module: entries can be read and searched by text, not by meaning"
_NO_RIGHT = (
    "this Redis user may not list search indexes (FT._LIST, FT.INFO): grant +@search to search by meaning"
)


async def find_caches(
    client: Any, server: ServerInfo | None, keys: Keys, *, budget_s: float = 0.25
) -> tuple[CacheInfo, ...]:
    """All caches that are understood, our own first. Each index is asked once (FT.INFO blocks on HNSW).

    Without search, or without the right to it, our own caches are found by their keys, within `budget_s`
    seconds of scanning. Errors of the connection are the caller's to handle.
    """
    indexes, why = await _indexes(client)
    families = await _own_families(client, budget_s)
    seen = Surroundings(
        indexes=indexes,
        families=families,
        thresholds=await _thresholds(client, keys, indexes, families),
        search=not why,
        why_no_search=why,
    )
    writable = server.can_write if server is not None else False
    return tuple(dataclasses.replace(cache, writable=writable) for cache in _detect(seen))


def _detect(seen: Surroundings) -> list[CacheInfo]:
    """Every layout in turn sees the indexes that none before it has claimed."""
    found: list[CacheInfo] = []
    for layout in LAYOUTS:
        claimed = layout.detect(seen)
        names = {cache.index for cache in claimed}
        seen = dataclasses.replace(seen, indexes=tuple(i for i in seen.indexes if i.name not in names))
        found += claimed
    return [_warned(cache, found) for cache in found]


def _warned(cache: CacheInfo, all_caches: Sequence[CacheInfo]) -> CacheInfo:
    """Say where an index covers the entries of another: its count and its memory are not its own."""
    if cache.library == "costconsole" or cache.problem:
        return cache
    stem = cache.prefix.removesuffix(":")
    covered = [other.name for other in all_caches if other is not cache and other.prefix.startswith(stem)]
    if not covered:
        return cache
    return dataclasses.replace(
        cache,
        problem=f"its index also covers the entries of {', '.join(covered)} (same beginning of the name): "
        f"its writer can serve them by mistake, and its count of entries includes them",
    )


async def _indexes(client: Any) -> tuple[tuple[IndexInfo, ...], str]:
    """The indexes, and why there are none to see."""
    from redis.exceptions import NoPermissionError, ResponseError

    try:
        names = sorted(text(name) for name in await client.execute_command("FT._LIST"))
    except NoPermissionError:
        return (), _NO_RIGHT
    except ResponseError as error:
        refused = "permission" in str(error).lower() or str(error).startswith("NOPERM")
        return (), _NO_RIGHT if refused else _NO_MODULE
    replies = await arun_all(client, [("FT.INFO", name) for name in names])
    found = tuple(
        parse_index_info(name, reply)
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, Exception)
    )
    refused = any(isinstance(reply, NoPermissionError) for reply in replies)
    return found, _NO_RIGHT if refused else ""


async def _own_families(client: Any, budget_s: float) -> tuple[Family, ...]:
    from redis.exceptions import ResponseError

    counts: Counter[bytes] = Counter()
    samples: dict[bytes, bytes] = {}
    complete = False
    with contextlib.suppress(ResponseError):  # a user who may not scan
        async for step in walk(client, "costconsole:{*}:[es]*:*", budget_s=budget_s, kind="hash"):
            for key in step.keys:
                if match := _OWN_FAMILY.match(key):
                    counts[match.group()] += 1
                    samples.setdefault(match.group(), key)
            complete = step.after is None
    return tuple(
        Family(text(prefix), "hash", count, text(samples[prefix]), complete)
        for prefix, count in counts.items()
    )


async def _thresholds(
    client: Any, keys: Keys, indexes: Sequence[IndexInfo], families: Sequence[Family]
) -> Mapping[str, float]:
    """The general threshold of each namespace of our own."""
    from redis.exceptions import ResponseError

    try:
        known = {text(name) for name in await client.execute_command("SMEMBERS", NAMESPACES)}
    except ResponseError:
        known = set()
    known.add(keys.namespace)
    for name in (*(index.name for index in indexes), *(family.prefix for family in families)):
        if match := re.match(r"costconsole:\{([^{}]+)\}:", name):
            known.add(match.group(1))
    names = sorted(name for name in known if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name))
    replies = await arun_all(client, [read_command(Keys(name)) for name in names])
    return {
        name: parse_policy(reply).threshold
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, Exception)
    }
