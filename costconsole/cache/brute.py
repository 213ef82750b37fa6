"""The nearest vectors where no index helps: every stored vector is compared, within a budget.

Vectors are read in slices and compared on the event loop a few milliseconds at a time. About 10,000 vectors
of 384 numbers are compared in a second; what the budget doesn't reach is said.
"""

from __future__ import annotations

import heapq
import math
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

from costconsole.cache.commands import Command, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.scan import Position, walk
from costconsole.domain.entry import CacheInfo

_SLICE = 64


@dataclass(frozen=True, slots=True)
class Compared:
    """The nearest keys with their similarities, best first, and what wasn't compared."""

    nearest: tuple[tuple[bytes, float], ...]
    note: str = ""


async def nearest_by_reading(
    client: Any, cache: CacheInfo, vector: bytes, k: int, *, budget_s: float
) -> Compared:
    """The `k` nearest of the vectors that can be read and compared in `budget_s` seconds."""
    layout = layout_of(cache)
    asked = array("f", vector)
    length = math.sqrt(sum(map(mul, asked, asked))) or 1.0
    best: dict[bytes, float] = {}
    compared = other = 0
    deadline = time.monotonic() + budget_s
    position: Position | None = Position()
    late = False
    async for step in walk(client, layout.key_pattern(cache), budget_s=budget_s):
        keys = [key for key in step.keys if layout.owns(cache, key)]
        position = step.after
        for at in range(0, len(keys), _SLICE):
            if compared and time.monotonic() >= deadline:
                late = True
                break
            some = keys[at : at + _SLICE]
            for key, stored in zip(some, await _vectors(client, cache, some), strict=True):
                if stored is None:
                    continue
                if len(stored) != len(vector):
                    other += 1
                    continue
                compared += 1
                similarity = _cosine(asked, length, array("f", stored))
                if similarity is not None:
                    best[key] = similarity
            if len(best) > 4 * k:
                best = dict(heapq.nlargest(k, best.items(), key=lambda pair: pair[1]))
        if late:
            break
    notes = []
    if late or position is not None:
        total = "" if cache.entries is None else f" of {cache.entries:,}"
        notes.append(f"compared {compared:,}{total} vectors of {cache.name}, which has no index to ask")
    if other:
        vectors = "vector" if other == 1 else "vectors"
        have = "has" if other == 1 else "have"
        notes.append(f"{other:,} {vectors} of {cache.name} {have} other dimensions than the model in use")
    found = heapq.nlargest(k, best.items(), key=lambda pair: pair[1])
    return Compared(tuple(found), "; ".join(notes))


async def _vectors(client: Any, cache: CacheInfo, keys: Sequence[bytes]) -> list[bytes | None]:
    layout = layout_of(cache)
    commands: list[Command] = []
    for key in keys:
        command = layout.read_vector(cache, key)
        if command is None:
            return [None] * len(keys)
        commands.append(command)
    replies = await arun_all(client, commands)
    return [None if isinstance(reply, Exception) else layout.parse_vector(cache, reply) for reply in replies]


def _cosine(asked: array[float], length: float, stored: array[float]) -> float | None:
    """None for a vector without a direction."""
    size = math.sqrt(sum(map(mul, stored, stored)))
    if not size or not math.isfinite(size):
        return None
    product: float = sum(map(mul, asked, stored))
    return max(-1.0, min(1.0, product / (length * size)))
