"""Running the scripts of the trash over slices of entries, on one server or slot by slot on a cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from costconsole.cache.commands import Command, Script, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.plain import PlainLayout
from costconsole.cache.reading import Readers, read_entries
from costconsole.cache.selection import Match
from costconsole.cache.trash import Doomed, Unit, piece_unit, removal_call, slot, whole_units
from costconsole.cache.trash_scripts import REMOVE, RESTORE
from costconsole.domain.entry import CacheInfo
from costconsole.redis_store.connect import is_cluster

_AT_ONCE = 16
_READ = Script("return redis.call(unpack(ARGV))")
"""A read whose reply stays as the server has it: the client turns some into other shapes."""


_Part = Sequence[tuple[Any, tuple[Unit, ...]]]
_Call = Callable[[_Part, bool], Awaitable[tuple[list[str], float]]]


async def doomed_of(client: Any, matches: Sequence[Match], undo_id: str) -> list[Doomed]:
    """What is to be removed for these entries. All have a cache."""
    entries = {match.key: match.entry for match in matches}
    for cache, keys in sharing(matches):
        missing = [key for key in keys if entries[key] is None]
        for found in await read_entries(Readers(client, client), cache, missing):
            entries[found.key] = found.entry
    made = []
    for match in matches:
        assert match.cache is not None
        layout, entry = layout_of(match.cache), entries[match.key]
        units, order = whole_units(layout.siblings(match.cache, match.key), undo_id), 0
        reads = layout.shared_reads(match.cache, entry) if entry is not None else ()
        if entry is not None and reads:
            replies = [await _raw(client, read) for read in reads]
            pieces = layout.shared_pieces(match.cache, entry, replies)
            units += tuple(piece_unit(match.key, piece, undo_id) for piece in pieces)
            order = time.time_ns() if pieces else 0
        read = layout.read(match.cache, match.key)
        made.append(Doomed(match.key, units, read, match.fingerprint, order))
    return made


async def remove(client: Any, doomed: Sequence[Doomed], *, copies: bool) -> tuple[list[str], float]:
    """A word for each entry (see `REMOVE`; "" was not tried), and how long the server was busy in seconds."""

    async def call(part: _Part, follows: bool) -> tuple[list[str], float]:
        chosen = [Doomed(one.key, units, one.read, "" if follows else one.fingerprint) for one, units in part]
        try:
            return await _run(client, REMOVE, *removal_call(chosen, copies=copies), len(chosen))
        except NoPermissionError as error:
            return await _without_the_forbidden(part, follows, call, error)

    return await _by_slot(client, [(one, one.units) for one in doomed], call, ("done",))


async def restore(client: Any, entries: Sequence[tuple[Unit, ...]]) -> tuple[list[str], float]:
    """A word for each entry (see `RESTORE`), and how long the server was busy in seconds."""

    async def call(part: _Part, follows: bool) -> tuple[list[str], float]:
        keys = [name for _, units in part for unit in units for name in (unit.key, unit.copy)]
        try:
            return await _run(client, RESTORE, keys, [len(units) for _, units in part], len(part))
        except NoPermissionError as error:
            return await _without_the_forbidden(part, follows, call, error)

    return await _by_slot(client, [(None, units) for units in entries], call, ("restored", "there"))


async def _by_slot(
    client: Any,
    entries: _Part,
    call: _Call,
    goes_on: tuple[str, ...],
) -> tuple[list[str], float]:
    """One call for all; on a cluster one for each slot, and one for what an entry has in further slots."""
    if not is_cluster(client):
        return await call(entries, False)
    words = [""] * len(entries)
    slots: dict[int, list[int]] = {}
    for at, (_, units) in enumerate(entries):
        slots.setdefault(slot(units[0].key), []).append(at)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def in_slot(number: int, members: list[int]) -> float:
        async with gate:
            part = [(entries[at][0], _in(entries[at][1], number)) for at in members]
            said, busy = await call(part, False)
            for at, word in zip(members, said, strict=True):
                words[at] = word
                units = entries[at][1]
                others = {slot(unit.key) for unit in units} - {number} if word in goes_on else set()
                for other in sorted(others):
                    await call([(entries[at][0], _in(units, other))], True)
            return busy

    busy = await asyncio.gather(*(in_slot(number, members) for number, members in slots.items()))
    return words, max(busy, default=0.0)


async def _without_the_forbidden(
    part: _Part, follows: bool, call: _Call, error: Exception
) -> tuple[list[str], float]:
    """A script is refused as a whole for one key that the user may not touch: find it, do the others."""
    if len(part) == 1:
        return [f"NOPERM {error}"], 0.0
    half = len(part) // 2
    first, busy = await call(part[:half], follows)
    second, also = await call(part[half:], follows)
    return first + second, busy + also


def _in(units: Sequence[Unit], number: int) -> tuple[Unit, ...]:
    return tuple(unit for unit in units if slot(unit.key) == number)


async def _run(
    client: Any, script: Script, keys: Sequence[Any], words: Sequence[Any], count: int
) -> tuple[list[str], float]:
    started = time.monotonic()
    reply = await script.arun(client, keys, words)
    took = time.monotonic() - started
    *said, busy = reply
    found = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in said]
    # Without a clock on the server, the time of the round trip has to do.
    return found + [""] * (count - len(found)), busy / 1e6 if busy else took


async def _raw(client: Any, read: Command) -> Any:
    try:
        return await _READ.arun(client, [read[1]], read)
    except ResponseError:
        return None


def sharing(matches: Sequence[Match]) -> list[tuple[CacheInfo, list[bytes]]]:
    """The caches among these entries whose entries share keys with others, and the keys of these entries."""
    groups: dict[str, tuple[CacheInfo, list[bytes]]] = {}
    for match in matches:
        if match.cache is not None and match.cache.name not in groups:
            reads = getattr(type(layout_of(match.cache)), "shared_reads", None)
            if reads is PlainLayout.shared_reads:
                continue
            groups[match.cache.name] = (match.cache, [])
        if match.cache is not None and match.cache.name in groups:
            groups[match.cache.name][1].append(match.key)
    return list(groups.values())


async def rights_missing(client: Any, key: bytes, copy: bytes) -> tuple[str, ...]:
    """Which of the commands that an undo needs this user may not run on these keys; nothing is changed."""
    asked: list[Command] = [
        ("DUMP", key),
        # Refused for its checksum, or because the key exists, unless it is refused for want of the right.
        ("RESTORE", key, 0, b""),
        ("SET", copy, b"", "XX", "PX", 1),
        ("GET", copy),
        ("UNLINK", copy),
    ]
    replies = await arun_all(client, asked)
    return tuple(
        str(command[0])
        for command, reply in zip(asked, replies, strict=True)
        if isinstance(reply, Exception) and ("NOPERM" in str(reply) or "permissions" in str(reply))
    )
