"""Keys that look like a cache's, counted by SCAN: how caches that have no index are found."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from costconsole.cache.layouts.base import Family, KeyShape
from costconsole.cache.scan import walk
from costconsole.redis_store.replies import text

_MOST = 200
"""Families of one shape; a shape that parts keys into more is not a cache's."""


async def find_families(client: Any, shapes: Iterable[KeyShape], budget_s: float) -> tuple[Family, ...]:
    """The families of every shape, each walked for at most `budget_s` seconds, all at the same time.

    Two shapes with the same type and pattern share a walk. A user who may not scan sees none.
    """
    walks: dict[tuple[str, str], list[KeyShape]] = {}
    for shape in shapes:
        walks.setdefault((shape.type, shape.pattern), []).append(shape)
    found = await asyncio.gather(*(_walked(client, same, budget_s) for same in walks.values()))
    return tuple(family for families in found for family in families)


async def _walked(client: Any, shapes: list[KeyShape], budget_s: float) -> list[Family]:
    """Families of shapes that share their type and pattern."""
    from redis.exceptions import ResponseError

    counts: list[Counter[bytes]] = [Counter() for _ in shapes]
    samples: list[dict[bytes, bytes]] = [{} for _ in shapes]
    complete = False
    try:
        async for step in walk(client, shapes[0].pattern, budget_s=budget_s, kind=shapes[0].type):
            for at, shape in enumerate(shapes):
                _count(step.keys, shape, counts[at], samples[at])
            complete = step.after is None
    except ResponseError:
        return []
    return [
        Family(text(prefix), shape.type, count, text(sampled[prefix]), complete, shape)
        for shape, counted, sampled in zip(shapes, counts, samples, strict=True)
        for prefix, count in counted.items()
    ]


def _count(
    keys: Iterable[bytes], shape: KeyShape, counts: Counter[bytes], samples: dict[bytes, bytes]
) -> None:
    for key in keys:
        match = shape.key.match(key)
        if match is None:
            continue
        prefix = match.group(1)
        if prefix in samples or len(samples) < _MOST:
            counts[prefix] += 1
            samples.setdefault(prefix, key)
