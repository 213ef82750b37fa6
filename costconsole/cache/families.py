"""Keys that look like a cache's, counted by SCAN: how caches that have no index are found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from costconsole.cache.layouts.base import Family, KeyShape
from costconsole.cache.scan import walk
from costconsole.redis_store.replies import text

_MOST = 200
"""Families of one shape; a shape that parts keys into more is not a cache's."""
_STEP = 10_000
_EXAMPLES = 20
_NAMES = {"hash": "hashes", "string": "strings", "ReJSON-RL": "JSON keys", "vectorset": "vector sets"}


@dataclass(frozen=True, slots=True)
class Families:
    """What was found, and the kinds of keys (in words) of which not all were looked at."""

    found: tuple[Family, ...] = ()
    unfinished: tuple[str, ...] = ()


async def find_families(client: Any, shapes: Iterable[KeyShape], budget_s: float) -> Families:
    """The families of every shape. A user who may not scan sees none.

    A walk takes at most `budget_s` seconds. They run one after another, for the server can do only one at a
    time, and each must get far enough to see a few keys among a million others. All shapes of a type share a
    walk over the keys of this type, where they aren't most of the keys; if it doesn't come to an end, each
    pattern has a walk of its own. Hashes mostly are most of the keys.
    """
    types: dict[str, list[KeyShape]] = {}
    for shape in shapes:
        types.setdefault(shape.type, []).append(shape)
    found: list[Family] = []
    unfinished: list[str] = []
    for kind, same in types.items():
        patterns: dict[str, list[KeyShape]] = {}
        for shape in same:
            patterns.setdefault(shape.pattern, []).append(shape)
        if kind != "hash" and len(patterns) > 1:
            families, complete = await _walked(client, "*", same, budget_s)
            if complete:
                found += families
                continue
        for pattern, alike in patterns.items():
            families, complete = await _walked(client, pattern, alike, budget_s)
            found += families
            if not complete:
                unfinished.append(_NAMES.get(kind, kind))
    return Families(tuple(found), tuple(dict.fromkeys(unfinished)))


async def _walked(
    client: Any, pattern: str, shapes: list[KeyShape], budget_s: float
) -> tuple[list[Family], bool]:
    """Families of shapes of one type among the keys that match a pattern, and whether all were seen."""
    from redis.exceptions import ResponseError

    counts: list[Counter[bytes]] = [Counter() for _ in shapes]
    samples: list[dict[bytes, list[bytes]]] = [{} for _ in shapes]
    complete = False
    try:
        async for step in walk(client, pattern, budget_s=budget_s, kind=shapes[0].type, count=_STEP):
            for at, shape in enumerate(shapes):
                _count(step.keys, shape, counts[at], samples[at])
            complete = step.after is None
    except ResponseError:
        return [], True
    families = [
        Family(
            text(prefix),
            shape.type,
            count,
            text(sampled[prefix][0]),
            complete,
            shape,
            tuple(text(key) for key in sampled[prefix]),
        )
        for shape, counted, sampled in zip(shapes, counts, samples, strict=True)
        for prefix, count in counted.items()
    ]
    return families, complete


def _count(
    keys: Iterable[bytes], shape: KeyShape, counts: Counter[bytes], samples: dict[bytes, list[bytes]]
) -> None:
    for key in keys:
        match = shape.key.match(key)
        if match is None:
            continue
        prefix = match.group(1)
        if prefix in samples or len(samples) < _MOST:
            counts[prefix] += 1
            seen = samples.setdefault(prefix, [])
            if len(seen) < _EXAMPLES:
                seen.append(key)
