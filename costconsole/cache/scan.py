"""Walking the keyspace in small steps, with a budget: never KEYS, never all at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

_COUNT = 1_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where a walk stands: the node of a cluster (0 elsewhere) and that node's cursor. None: at its end."""

    node: int = 0
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """Keys of one SCAN call, and the position after it (None: everything was walked)."""

    keys: tuple[bytes, ...]
    after: Position | None


async def walk(
    client: Any,
    pattern: str | bytes,
    start: Position | None = None,
    *,
    budget_s: float,
    kind: str = "",
    count: int = _COUNT,
) -> AsyncIterator[Step]:
    """Steps over all keys that match ("": all), until the end or until `budget_s` has passed.

    A walk goes on from `Step.after`; keys that exist all the while are seen at least once. `kind` limits it
    to one Redis type. `count` keys are looked at in a step: 10,000 take the server about 5 ms.
    """
    nodes = list(client.get_primaries()) if hasattr(client, "get_primaries") else [None]
    position = start or Position()
    deadline = time.monotonic() + budget_s
    while True:
        words: list[Any] = ["SCAN", position.cursor, "COUNT", count]
        if pattern:
            words += ["MATCH", pattern]
        if kind:
            words += ["TYPE", kind]
        where = {} if nodes[position.node] is None else {"target_nodes": nodes[position.node]}
        cursor, keys = await client.execute_command(*words, **where)
        if isinstance(cursor, dict):
            cursor = next(iter(cursor.values()))
        after = _after(position.node, int(cursor), len(nodes))
        yield Step(tuple(keys), after)
        if after is None or time.monotonic() >= deadline:
            return
        position = after


def _after(node: int, cursor: int, nodes: int) -> Position | None:
    if cursor:
        return Position(node, cursor)
    return Position(node + 1) if node + 1 < nodes else None
