"""The newest or oldest matches of a query, exactly, at any depth and size, from an index of a number.

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
_WIDE = 1e15
"""Wider than all times in seconds: from there on the index is asked how far apart its values are."""
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Window:
    """Keys in order. `ended`: nothing beyond them matches. `late`: the server may have given up on it."""

    keys: list[bytes]
    ended: bool
    late: bool = False


async def keys_in_order(
    client: Any, index: str, field: str, place: IndexPlace, count: int, query: str | None, end: str = ""
) -> Window:
    """Up to `count` keys from `place.value` on, newest first (`place.oldest`: oldest first); fewer only at
    the end. None beyond the value `end` is looked for ("": there is no bound).
    """
    end = end or place.opposite
    if (float(place.value) - float(end)) * (1 if place.oldest else -1) > 0:
        return Window([], ended=True)
    asked = _Asked(client, index, field, place.value, end, query, max(_MOST, 4 * count), place.oldest)
    if query is None and place.value == place.first:
        reply = await client.execute_command(
            "FT.SEARCH", index, "*", "NOCONTENT", "WITHOUTCOUNT", "SORTBY", field, asked.order,
            "LIMIT", 0, count, "DIALECT", 2,
        )  # fmt: skip
        if len(reply) - 1 == count:
            return Window(list(reply[1:]), ended=False)
    far = end if await asked.matches(end) <= asked.most else await _far(asked, place, count)
    if far == place.value != end:
        return Window(await asked.any_of(far, count), ended=False)
    started = time.monotonic()
    reply = await client.execute_command(
        "FT.SEARCH", index, asked.within(far), "NOCONTENT", "SORTBY", field, asked.order,
        "LIMIT", 0, count, "DIALECT", 2,
    )  # fmt: skip
    late = time.monotonic() - started > _SERVER_LIMIT_S
    return Window(list(reply[1:]), far == end and len(reply) - 1 < count, late)


@dataclass(frozen=True, slots=True)
class _Asked:
    client: Any
    index: str
    field: str
    near: str
    end: str
    query: str | None
    most: int
    oldest: bool

    @property
    def order(self) -> str:
        return "ASC" if self.oldest else "DESC"

    @property
    def sign(self) -> int:
        """In which direction one goes on."""
        return 1 if self.oldest else -1

    def within(self, far: str) -> str:
        # A reach beyond the end is cut there.
        far = min(far, self.end, key=float) if self.oldest else max(far, self.end, key=float)
        low, high = (self.near, far) if self.oldest else (far, self.near)
        span = f"@{self.field}:[{low} {high}]"
        return f"({self.query}) {span}" if self.query else span

    async def matches(self, far: str) -> int:
        """How many match up to `far`, counted up to one more than `most`."""
        reply = await self.client.execute_command(
            "FT.AGGREGATE", self.index, self.within(far), "LIMIT", self.most, 1, "DIALECT", 2
        )
        return int(reply[0])

    async def any_of(self, far: str, count: int) -> list[bytes]:
        """Any `count` of the matches up to `far`, without sorting them."""
        reply = await self.client.execute_command(
            "FT.AGGREGATE", self.index, self.within(far), "LOAD", 1, "@__key", "LIMIT", 0, count, "DIALECT", 2
        )
        return [row[1] for row in reply[1:] if len(row) > 1]

    async def reach(self, depth: int) -> tuple[float, float]:
        """The first value there is and the one `depth` entries further, about (the server rounds them)."""
        replies = await arun_all(self.client, [self._at(0), self._at(depth)])
        first, further = _value(replies[0]), _value(replies[1])
        top = time.time() if first is None else first
        return top, top + self.sign * 3600.0 if further is None else further

    async def width(self) -> float:
        """How far apart the first and the last value are, at most: units and clocks may differ."""
        replies = await arun_all(self.client, [self._at(0, "ASC"), self._at(0, "DESC")])
        least, most = _value(replies[0]), _value(replies[1])
        if least is None or most is None:
            return 0.0
        # What the server says of them is rounded.
        return 1.01 * (most - least) + 1e-3 * max(abs(least), abs(most))

    def _at(self, offset: int, order: str = "") -> Command:
        return (
            "FT.SEARCH", self.index, "*", "WITHOUTCOUNT", "RETURN", 1, self.field,
            "SORTBY", self.field, order or self.order, "LIMIT", offset, 1, "DIALECT", 2,
        )  # fmt: skip


def _value(reply: Any) -> float | None:
    try:
        return float(reply[2][1])
    except (IndexError, TypeError, ValueError):
        return None


async def _far(asked: _Asked, place: IndexPlace, count: int) -> str:
    """A bound up to which there are at least `count` matches, and if possible at most `most`."""
    if place.seen and await asked.matches(place.value) >= count:
        return place.value  # the page ends among entries that share this one value
    if place.value == place.first or not place.span:
        first, far = await asked.reach(_FIRST_PAGES * count)
        top = first if place.value == place.first else float(place.value)
        span = abs(first - far)
    else:
        top, span = float(place.value), place.span * 1.5
    span = max(span, abs(top) * 1e-12)
    narrow, wide, far = top, None, top + asked.sign * span
    widest: float | None = None
    for _ in range(_STEPS):
        found = await asked.matches(repr(far))
        if count <= found <= asked.most:
            return repr(far)
        if found < count:
            narrow = far
            span *= 4
            if wide is None and span > _WIDE:
                widest = await asked.width() if widest is None else widest
                # One step further than all values: a window that has them all needs no bound.
                if span > 4 * widest:
                    return asked.end
        else:
            wide = far
        far = top + asked.sign * span if wide is None else (narrow + wide) / 2
        if wide is not None and far in (narrow, wide):
            return repr(wide)  # so many share one value that no window tells them apart
    return asked.end if wide is None else repr(wide)
