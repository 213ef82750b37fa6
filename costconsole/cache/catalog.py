"""Finding every cache in a Redis: the indexes, each asked once, and our own keys where there is none.

Discovery runs when the console connects and when somebody asks for it, never on a timer.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.cache.commands import Command, arun_all, index_names
from costconsole.cache.families import Families, find_families
from costconsole.cache.gauges import SPEND_GAUGES
from costconsole.cache.indexinfo import IndexInfo, parse_index_info
from costconsole.cache.layouts import LAYOUTS
from costconsole.cache.layouts.base import Family, Layout, Surroundings
from costconsole.cache.policy import parse_policy, read_command
from costconsole.domain.entry import CacheInfo
from costconsole.redis_store.keys import NAMESPACES, Keys
from costconsole.redis_store.lookups import own_uses
from costconsole.redis_store.replies import text

if TYPE_CHECKING:
    from costconsole.redis_store.probe import ServerInfo

BUDGET_S = 5.0
"""So long the keys are walked over, unless more was asked for: some millions of them."""
_ROUNDS = 3
"""So often a layout may ask for more before it says what it found."""
_NO_MODULE = "this Redis has no search module: a search by meaning has to read every vector"
_NO_RIGHT = (
    "this Redis user may not list search indexes (FT._LIST, FT.INFO): grant +@search, or a search by "
    "meaning has to read every vector"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Survey:
    """The caches that are understood, and every index of the server, understood or not."""

    caches: tuple[CacheInfo, ...] = ()
    indexes: tuple[IndexInfo, ...] = ()
    families: tuple[Family, ...] = ()
    looked_at: int = 0
    """Keys that were looked at for caches without an index."""
    complete: bool = True
    """Whether those were all keys."""
    took_s: float = 0.0

    @property
    def left_out(self) -> str:
        """One sentence when caches may be missing, or counts are open; "": every key was looked at."""
        if self.complete:
            return ""
        return (
            f"Only {self.looked_at:,} of the keys of this Redis were looked at in the time for it: a cache "
            f"that has no index may be missing, or its entries not be counted. `costconsole caches --deep` "
            f"looks at all of them."
        )


async def find_caches(
    client: Any,
    server: ServerInfo | None,
    keys: Keys,
    *,
    mappings: Mapping[str, Mapping[str, Any]] | None = None,
    budget_s: float = BUDGET_S,
) -> tuple[CacheInfo, ...]:
    """All caches that are understood, our own first: `survey` without the rest."""
    return (await survey(client, server, keys, mappings=mappings, budget_s=budget_s)).caches


async def survey(
    client: Any,
    server: ServerInfo | None,
    keys: Keys,
    *,
    mappings: Mapping[str, Mapping[str, Any]] | None = None,
    budget_s: float = BUDGET_S,
    on_indexed: Callable[[Survey], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Survey:
    """All caches, and all indexes. Each index is asked once (FT.INFO blocks on HNSW).

    Caches that no index tells of are found by their keys, in `budget_s` seconds of scanning at most:
    `on_indexed` gets those that are known before, `on_progress` the count of keys looked at so far.
    `mappings` is the setting `caches`: what the user says of hand-made ones. Errors of the connection are
    the caller's to handle.
    """
    began = time.monotonic()
    indexes, why = await _indexes(client)
    writable = server.can_write if server is not None else False

    async def understood(families: Families) -> Survey:
        seen = Surroundings(
            indexes=indexes,
            families=families.found,
            thresholds=await _thresholds(client, keys, indexes, families.found),
            search=not why,
            why_no_search=why,
            mappings=mappings or {},
        )
        seen = dataclasses.replace(seen, replies=await _probed(client, seen))
        caches = tuple(dataclasses.replace(cache, writable=writable) for cache in _detect(seen))
        took_s = time.monotonic() - began
        return Survey(caches, indexes, families.found, families.looked_at, families.complete, took_s)

    if on_indexed is not None:
        on_indexed(await understood(Families(complete=False)))
    shapes = dict.fromkeys(shape for layout in LAYOUTS for shape in layout.shapes)
    return await understood(await find_families(client, (*shapes, SPEND_GAUGES), budget_s, on_progress))


async def _probed(client: Any, seen: Surroundings) -> dict[Command, Any]:
    """What the server says to the probes of all layouts, and to those that follow from that."""
    asked: set[Command] = set()
    replies: dict[Command, Any] = {}
    for _ in range(_ROUNDS):
        known = dataclasses.replace(seen, replies=replies)
        wanted = dict.fromkeys(
            command for layout in LAYOUTS for command in layout.probes(_for(layout, known))
        )
        commands = [command for command in wanted if command not in asked]
        if not commands:
            break
        asked.update(commands)
        for command, reply in zip(commands, await arun_all(client, commands), strict=True):
            if not isinstance(reply, Exception):
                replies[command] = reply
    return replies


def _for(layout: Layout, seen: Surroundings) -> Surroundings:
    """What one layout gets to see."""
    return dataclasses.replace(seen, families=tuple(f for f in seen.families if f.shape in layout.shapes))


def _detect(seen: Surroundings) -> list[CacheInfo]:
    """Every layout in turn sees the indexes that none before it has claimed."""
    found: list[CacheInfo] = []
    for layout in LAYOUTS:
        claimed = layout.detect(_for(layout, seen))
        names = {cache.index for cache in claimed}
        seen = dataclasses.replace(seen, indexes=tuple(i for i in seen.indexes if i.name not in names))
        found += claimed
    return _distinct([_warned(cache, found) for cache in found])


def _distinct(caches: Sequence[CacheInfo]) -> list[CacheInfo]:
    """Each by a name of its own: two libraries may have given the same."""
    taken: set[str] = set()
    found = []
    for cache in caches:
        name, number = cache.name, 1
        while name in taken:
            number += 1
            name = f"{cache.name} ({cache.library}{f' {number - 1}' if number > 2 else ''})"
        taken.add(name)
        found.append(dataclasses.replace(cache, name=name))
    return found


def _warned(cache: CacheInfo, all_caches: Sequence[CacheInfo]) -> CacheInfo:
    """Say where an index covers the entries of another: its count and its memory are not its own."""
    if cache.library == "costconsole" or cache.problem or not cache.index:
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
        names = sorted(text(name) for name in await index_names(client))
    except NoPermissionError:
        return (), _NO_RIGHT
    except ResponseError as error:
        refused = "permission" in str(error).lower() or str(error).startswith("NOPERM")
        return (), _NO_RIGHT if refused else _NO_MODULE
    replies = await arun_all(client, [("FT.INFO", name) for name in names])
    refused = any(isinstance(reply, NoPermissionError) for reply in replies)
    return _parsed(names, replies), _NO_RIGHT if refused else ""


async def read_indexes(client: Any, names: Sequence[str]) -> tuple[IndexInfo, ...]:
    """What these indexes have counted by now. Not to be polled: FT.INFO stops a server with a large HNSW."""
    return _parsed(names, await arun_all(client, [("FT.INFO", name) for name in names]))


def _parsed(names: Sequence[str], replies: Sequence[Any]) -> tuple[IndexInfo, ...]:
    return tuple(
        parse_index_info(name, reply, own_uses=own_uses(name))
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, Exception)
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
