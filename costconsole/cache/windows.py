"""The newest matches of a query, exactly, at any depth and size, from an index sorted by a number.

RediSearch's own shortcut for this (`SORTBY` with `WITHOUTCOUNT`) is right for `*` alone, and even there it
may stop short when entries were deleted; with a filter it returns wrong entries, and with text it crashed
the server (2.10.5). Its plain way is always right, but sorts every match, and gives up silently after half
a second. So the plain way is asked for a window of values that holds enough matches and not too many; the
window is found by counting, and counting stops early.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from costconsole.cache.commands import Command, arun_all
from costconsole.cache.page import IndexPlace

_MOST = 500
"""A window holds at most so many matches where values tell them apart: a millisecond to sort."""
_FIRST_PAGES = 8
_SERVER_LIMIT_S = 0.45
_WIDEST = 1e15
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Window:
    """Keys newest first. `ended`: nothing older matches. `late`: the server may have given up on it."""

    keys: list[bytes]
    ended: bool
    late: bool = False


async def newest_keys(
    client: Any, index: str, field: str, place: IndexPlace, count: int, query: str | None
) -> Window:
    """Up to `count` keys whose `field` is at most `place.value`, newest first; fewer only at the end."""
    asked = _Asked(client, index, field, place.value, query, max(_MOST, 4 * count))
    if query is None and place.value == "+inf":
        reply = await client.execute_command(
            "FT.SEARCH", index, "*", "NOCONTENT", "WITHOUTCOUNT", "SORTBY", field, "DESC",
            "LIMIT", 0, count, "DIALECT", 2,
        )  # fmt: skip
        if len(reply) - 1 == count:
            return Window(list(reply[1:]), ended=False)
    low = "-inf" if await asked.matches("-inf") <= asked.most else await _low(asked, place, count)
    if low == place.value:
        return Window(await asked.any_of(low, count), ended=False)
    started = time.monotonic()
    reply = await client.execute_command(
        "FT.SEARCH", index, asked.within(low), "NOCONTENT", "SORTBY", field, "DESC",
        "LIMIT", 0, count, "DIALECT", 2,
    )  # fmt: skip
    late = time.monotonic() - started > _SERVER_LIMIT_S
    return Window(list(reply[1:]), low == "-inf" and len(reply) - 1 < count, late)


@dataclass(frozen=True, slots=True)
class _Asked:
    client: Any
    index: str
    field: str
    high: str
    query: str | None
    most: int

    def within(self, low: str) -> str:
        span = f"@{self.field}:[{low} {self.high}]"
        return f"({self.query}) {span}" if self.query else span

    async def matches(self, low: str) -> int:
        """How many match from `low` on, counted up to one more than `most`."""
        reply = await self.client.execute_command(
            "FT.AGGREGATE", self.index, self.within(low), "LIMIT", self.most, 1, "DIALECT", 2
        )
        return int(reply[0])

    async def any_of(self, low: str, count: int) -> list[bytes]:
        """Any `count` of the matches from `low` on, without sorting them."""
        reply = await self.client.execute_command(
            "FT.AGGREGATE", self.index, self.within(low), "LOAD", 1, "@__key", "LIMIT", 0, count, "DIALECT", 2
        )
        return [row[1] for row in reply[1:] if len(row) > 1]

    async def recent(self, depth: int) -> tuple[float, float]:
        """The newest value there is and the one `depth` entries further, about (the server rounds them)."""
        replies = await arun_all(self.client, [self._at(0), self._at(depth)])
        newest = _value(replies[0])
        further = _value(replies[1])
        top = time.time() if newest is None else newest
        return top, top - 3600.0 if further is None else further

    def _at(self, offset: int) -> Command:
        return (
            "FT.SEARCH", self.index, "*", "WITHOUTCOUNT", "RETURN", 1, self.field,
            "SORTBY", self.field, "DESC", "LIMIT", offset, 1, "DIALECT", 2,
        )  # fmt: skip


def _value(reply: Any) -> float | None:
    try:
        return float(reply[2][1])
    except (IndexError, TypeError, ValueError):
        return None


async def _low(asked: _Asked, place: IndexPlace, count: int) -> str:
    """A lower bound above which there are at least `count` matches, and if possible at most `most`."""
    if place.seen and await asked.matches(place.value) >= count:
        return place.value  # the page ends among entries that share this one value
    if place.value == "+inf" or not place.span:
        newest, low = await asked.recent(_FIRST_PAGES * count)
        top = newest if place.value == "+inf" else float(place.value)
        span = newest - low
    else:
        top, span = float(place.value), place.span * 1.5
    span = max(span, abs(top) * 1e-12)
    narrow, wide, low = top, None, top - span
    for _ in range(_STEPS):
        found = await asked.matches(repr(low))
        if count <= found <= asked.most:
            return repr(low)
        if found < count:
            narrow = low
            span *= 4
            if wide is None and span > _WIDEST:
                return "-inf"
        else:
            wide = low
        low = top - span if wide is None else (narrow + wide) / 2
        if wide is not None and low in (narrow, wide):
            return repr(wide)  # so many share one value that no window tells them apart
    return "-inf" if wide is None else repr(wide)
