"""The list of what was evicted and can be undone: kept as long as the copies are.

Entries are named in it before they are removed, so that a console that dies in between leaves no copy that
nobody knows of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costconsole.cache.audit import now_ms
from costconsole.cache.commands import arun_all
from costconsole.cache.policy import Author
from costconsole.cache.trash import KEPT_MS
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

_LOOKED_AT = 100
_PART = 20_000
"""So many entries are named in one set: a server that lets a set of a million expire stands still for it."""


@dataclass(frozen=True, slots=True)
class Undoable:
    """An eviction of the last 24 hours. `evicted` None: it was cut off before it could count.

    `remaining`: entries that aren't back (of one that was cut off, some may never have left).
    """

    undo_id: str
    ts_ms: int
    who: str
    host: str
    what: str
    evicted: int | None
    remaining: int
    expires_ms: int
    undone_ms: int | None = None
    indexes: tuple[str, ...] = ()
    parts: int = 1
    """In how many sets the entries are named."""


class Manifest:
    """The manifest of one eviction."""

    def __init__(self, client: Any, keys: Keys, undo_id: str) -> None:
        self._client = client
        self._keys = keys
        self._undo_id = undo_id
        self._indexes: set[str] = set()
        self._begun = False
        self._part = 0
        self._in_part = 0

    async def announce(
        self, members: Sequence[bytes], author: Author, what: str, indexes: Iterable[str]
    ) -> None:
        """Name entries that are about to be removed. Raises what the server answers."""
        keys, undo_id = self._keys, self._undo_id
        commands: list[tuple[Any, ...]] = []
        new = set(indexes) - self._indexes
        full = self._in_part >= _PART
        if full:
            self._part, self._in_part = self._part + 1, 0
        if new or full or not self._begun:
            self._indexes |= new
            facts: dict[str, Any] = {"indexes": json.dumps(sorted(self._indexes)), "parts": self._part + 1}
            if not self._begun:
                at = now_ms()
                facts |= {"who": author.who, "host": author.host, "ts_ms": at, "what": what}
                commands += [
                    ("ZREMRANGEBYSCORE", keys.undos, "-inf", at - 2 * KEPT_MS),
                    ("ZADD", keys.undos, at, undo_id),
                ]
            commands.append(("HSET", keys.undo(undo_id), *(word for pair in facts.items() for word in pair)))
        entries = keys.undo_entries(undo_id, self._part)
        self._in_part += len(members)
        commands.append(("SADD", entries, *members))
        commands += [("PEXPIRE", keys.undo(undo_id), KEPT_MS)]
        commands += [("PEXPIRE", entries, KEPT_MS)]
        commands += [("PEXPIRE", keys.undos, 2 * KEPT_MS)]
        for reply in await arun_all(self._client, commands):
            if isinstance(reply, Exception):
                raise reply
        self._begun = True

    async def withdraw(self, members: Sequence[bytes]) -> None:
        """Take entries off the list that were named just now: they were not removed."""
        for part in range(max(0, self._part - 1), self._part + 1):
            await self.forget(part, members)

    async def forget(self, part: int, members: Sequence[bytes]) -> None:
        """Take entries off a part of the list: they are back."""
        if members:
            entries = self._keys.undo_entries(self._undo_id, part)
            await self._client.execute_command("SREM", entries, *members)

    async def note(self, facts: Mapping[str, Any]) -> None:
        """Write facts into the manifest, without making it live longer."""
        key = self._keys.undo(self._undo_id)
        if await self._client.execute_command("EXISTS", key):
            await self._client.execute_command("HSET", key, *(w for pair in facts.items() for w in pair))


async def history(client: Any, keys: Keys, limit: int) -> tuple[Undoable, ...]:
    """The evictions whose copies are still kept, newest first."""
    ids = await client.execute_command("ZREVRANGE", keys.undos, 0, max(limit, _LOOKED_AT) - 1)
    found = [one for one in [await find(client, keys, text(name)) for name in ids] if one is not None]
    return tuple(found[:limit])


async def find(client: Any, keys: Keys, undo_id: str) -> Undoable | None:
    """The manifest of this id; None: there is none, or it is older than 24 hours."""
    facts, left = await arun_all(client, [("HGETALL", keys.undo(undo_id)), ("PTTL", keys.undo(undo_id))])
    for reply in (facts, left):
        if isinstance(reply, Exception):
            raise reply
    known = {name: text(value) for name, value in pairs(facts).items()}
    if "ts_ms" not in known:
        return None
    parts = int(known.get("parts", 1))
    return Undoable(
        undo_id=undo_id,
        ts_ms=int(known["ts_ms"]),
        who=known.get("who", ""),
        host=known.get("host", ""),
        what=known.get("what", ""),
        evicted=int(known["evicted"]) if "evicted" in known else None,
        remaining=await remaining(client, keys, undo_id, parts),
        expires_ms=now_ms() + max(0, int(left)),
        undone_ms=int(known["undone_ms"]) if "undone_ms" in known else None,
        indexes=tuple(json.loads(known.get("indexes") or "[]")),
        parts=parts,
    )


async def remaining(client: Any, keys: Keys, undo_id: str, parts: int) -> int:
    """How many entries of an eviction aren't back yet."""
    counts = await arun_all(client, [("SCARD", keys.undo_entries(undo_id, part)) for part in range(parts)])
    for count in counts:
        if isinstance(count, Exception):
            raise count
    return sum(map(int, counts))
