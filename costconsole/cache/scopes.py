"""The groups that look-ups in a cache never leave: tenants, or models with their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache.commands import Command, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.reading import Readers, read_entries
from costconsole.cache.textquery import tag_escaped
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import text

_MOST = 500
"""Groups that are counted; where there are more, the first of them in the index's order."""


@dataclass(frozen=True, slots=True)
class ScopeGroup:
    """One group of a cache, how many entries it has, and one of them."""

    scope: str
    entries: int
    sample: CacheEntry

    @property
    def label(self) -> str:
        """What tells people more than a hash: the model that answered."""
        return self.sample.model


async def scope_groups(client: Any, cache: CacheInfo) -> tuple[ScopeGroup, ...]:
    """The groups of a cache, largest first; none where its look-ups aren't limited to one.

    Asks the index once for each group: for a screen that somebody opens, not for a timer.
    """
    layout = layout_of(cache)
    field = layout.scope_field
    if not field or not cache.index:
        return ()
    try:
        values = await client.execute_command("FT.TAGVALS", cache.index, field)
    except ResponseError:
        return ()
    asked: list[Command] = [
        (
            "FT.SEARCH", cache.index, f"@{field}:{{{tag_escaped(text(value))}}}", "NOCONTENT",
            "LIMIT", 0, 20, "DIALECT", 2,
        )
        for value in sorted(values)[:_MOST]
    ]  # fmt: skip
    replies = await arun_all(client, asked)
    counted = []
    for reply in replies:
        keys = [] if isinstance(reply, Exception) else [key for key in reply[1:] if layout.owns(cache, key)]
        if keys:
            counted.append((int(reply[0]), keys[0]))
    read = await read_entries(Readers(client, client), cache, [key for _, key in counted])
    groups = [
        ScopeGroup(found.entry.scope, count, found.entry)
        for (count, _), found in zip(counted, read, strict=True)
        if found.entry is not None
    ]
    return tuple(sorted(groups, key=lambda group: (-group.entries, group.scope)))
