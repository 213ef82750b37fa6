"""Keys that look like a cache's, counted in one walk over all: how caches that have no index are found.

One walk without a pattern is the cheapest for the server: a pattern that begins with `*` costs it ten times
as much for each key that it looks at, and every kind of key would need walks of its own.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from costconsole.cache.commands import arun_all
from costconsole.cache.layouts.base import Family, KeyShape
from costconsole.cache.scan import walk
from costconsole.redis_store.replies import text

_MOST = 200
"""Families of one shape; a shape that parts keys into more is not a cache's."""
_STEP = 2_000
"""Keys looked at in a step: about a millisecond of the server's time, and a few of ours."""
_ASKED_EVERY = 16
"""After so many steps another key of each family is asked for its type."""
_EXAMPLES = 20
_ELEMENT = re.compile(r"\[[^\]]*\]|[*?]|[^\[*?]+")


@dataclass(frozen=True, slots=True)
class Families:
    """What was found among the keys that were looked at, and whether those were all."""

    found: tuple[Family, ...] = ()
    looked_at: int = 0
    complete: bool = True


async def find_families(
    client: Any,
    shapes: Iterable[KeyShape],
    budget_s: float,
    on_progress: Callable[[int], None] | None = None,
) -> Families:
    """The families of every shape. A user who may not scan sees none.

    The walk takes at most `budget_s` seconds; `on_progress` gets the count of keys looked at so far. What
    type a family has is asked of some of its keys; only where they differ are they counted type by type.
    """
    from redis.exceptions import ResponseError

    groups = _groups(shapes)
    looked_at, steps, complete = 0, 0, False
    try:
        async for step in walk(client, "", budget_s=budget_s, count=_STEP):
            _count(step.keys, groups)
            complete = step.after is None
            if complete or steps % _ASKED_EVERY == 0 or any(group.untyped for group in groups):
                await _ask_types(client, groups)
            steps += 1
            looked_at += len(step.keys)
            if on_progress is not None:
                on_progress(looked_at)
    except ResponseError:
        return Families()
    found = [family for group in groups for family in await group.families(client, complete, budget_s)]
    return Families(tuple(found), looked_at, complete)


@dataclass(slots=True)
class _Seen:
    """The keys of one prefix."""

    count: int = 0
    examples: list[bytes] = field(default_factory=list)
    types: dict[bytes, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """Shapes that tell keys apart in the same way, but for their type.

    A key that is shorter than `shortest`, longer than `longest` or lacks `literal` is none of theirs.
    """

    key: re.Pattern[bytes]
    shapes: list[KeyShape]
    literal: bytes
    shortest: int
    longest: int | None
    seen: dict[bytes, _Seen] = field(default_factory=dict)
    untyped: dict[bytes, bytes] = field(default_factory=dict)
    """Keys whose type is to be asked, and their prefixes: the first of a prefix, and one of every step."""
    newest: dict[bytes, bytes] = field(default_factory=dict)

    def count(self, keys: Iterable[bytes]) -> None:
        """Those of the keys that are theirs."""
        for match in map(self.key.match, keys):
            if match is None:
                continue
            prefix = match.group(1)
            one = self.seen.get(prefix)
            if one is None:
                if len(self.seen) >= _MOST:
                    continue
                one = self.seen[prefix] = _Seen()
            key = match.string
            one.count += 1
            self.newest[prefix] = key
            if len(one.examples) < _EXAMPLES:
                one.examples.append(key)
                self.untyped[key] = prefix

    async def families(self, client: Any, complete: bool, budget_s: float) -> list[Family]:
        found = []
        for prefix, one in self.seen.items():
            types = Counter(one.types.values())
            types.pop("none", None)
            for shape in self.shapes:
                if shape.type not in types:
                    continue
                examples = [key for key in one.examples if one.types.get(key) == shape.type]
                count, whole = one.count, complete
                if len(types) > 1:
                    examples, count, whole = await _of_type(client, prefix, shape, budget_s)
                if examples:
                    names = tuple(text(key) for key in examples)
                    found.append(Family(text(prefix), shape.type, count, names[0], whole, shape, names))
        return found


def _count(keys: Sequence[bytes], groups: Iterable[_Group]) -> None:
    """Into the groups. What a whole step lacks, or is too short for, isn't looked for in each of its keys."""
    if not keys:
        return
    together = b"\n".join(keys)
    sized = sorted(keys, key=len)
    sizes = [len(key) for key in sized]
    for group in groups:
        if group.literal in together:
            start = bisect.bisect_left(sizes, group.shortest)
            end = len(sizes) if group.longest is None else bisect.bisect_right(sizes, group.longest)
            group.count(sized[start:end])


async def _ask_types(client: Any, groups: Iterable[_Group]) -> None:
    asked: list[tuple[_Seen, bytes]] = []
    for group in groups:
        keys = group.untyped | {key: prefix for prefix, key in group.newest.items()}
        asked += [(group.seen[prefix], key) for key, prefix in keys.items()]
        group.untyped, group.newest = {}, {}
    replies = await arun_all(client, [("TYPE", key) for _, key in asked])
    for (one, key), reply in zip(asked, replies, strict=True):
        if not isinstance(reply, Exception):
            one.types[key] = text(reply)


async def _of_type(
    client: Any, prefix: bytes, shape: KeyShape, budget_s: float
) -> tuple[list[bytes], int, bool]:
    """Examples, their count, and whether all were counted: of the keys of one type and prefix."""
    examples: list[bytes] = []
    count, complete = 0, False
    pattern = re.sub(rb"([\\*?\[\]^])", rb"\\\1", prefix) + b"*"
    async for step in walk(client, pattern, budget_s=budget_s, kind=shape.type, count=_STEP):
        for key in step.keys:
            match = shape.key.match(key)
            if match is not None and match.group(1) == prefix:
                count += 1
                if len(examples) < _EXAMPLES:
                    examples.append(key)
        complete = step.after is None
    return examples, count, complete


def _groups(shapes: Iterable[KeyShape]) -> list[_Group]:
    groups: dict[tuple[re.Pattern[bytes], str], _Group] = {}
    for shape in dict.fromkeys(shapes):
        known = groups.get((shape.key, shape.pattern))
        if known is None:
            groups[shape.key, shape.pattern] = _Group(shape.key, [shape], *_bounds(shape.pattern))
        else:
            known.shapes.append(shape)
    return list(groups.values())


def _bounds(pattern: str) -> tuple[bytes, int, int | None]:
    """Of what a pattern for SCAN matches: a piece that all have, and the least and the most bytes."""
    elements = [match.group() for match in _ELEMENT.finditer(pattern)]
    literals = [element.encode() for element in elements if element[0] not in "[*?"]
    size = sum(len(literal) for literal in literals) + sum(1 for element in elements if element[0] in "[?")
    return max(literals, key=len, default=b""), size, None if "*" in pattern else size
