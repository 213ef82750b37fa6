"""Evicted entries are kept for a day, so that they can be brought back as they were.

A copy is a string, not a key of the original's type: an index that covers it by its name, or covers
everything, must not serve what was evicted. It lies in the slot of its original on a cluster. Copying and
removing are one script, so that whoever is killed between them has done both or neither.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.fingerprint import digest
from costconsole.cache.layouts.base import SharedPiece

KEPT_MS = 24 * 3_600_000
_SLOTS = 16384


def new_undo_id() -> str:
    return secrets.token_hex(5)


def slot(key: bytes) -> int:
    """The slot of a key on a cluster: CRC16 (XMODEM) of its hash tag, or of all of it, modulo 16384."""
    return binascii.crc_hqx(hash_tag(key) or key, 0) % _SLOTS


def hash_tag(key: bytes) -> bytes:
    """What stands between the first `{` and the next `}`, if anything does."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1) if start >= 0 else -1
    return key[start + 1 : end] if end > start + 1 else b""


def copy_key(key: bytes, undo_id: str, piece: str = "") -> bytes:
    """Where the copy of a key lies, or of a piece of it: a name in the same slot, and no other's.

    `costconsole:trash:{KEY}:ID`. A key with a hash tag of its own, or with braces that would end the tag
    early, stands behind the tag instead.
    """
    end = f":{piece}:{undo_id}" if piece else f":{undo_id}"
    if key and b"}" not in key:
        return b"costconsole:trash:{" + key + b"}" + end.encode()
    tag = hash_tag(key) or _tag_of_slot(slot(key))
    return b"costconsole:trash:{" + tag + b"}:" + key + end.encode()


@lru_cache(maxsize=1024)
def _tag_of_slot(wanted: int) -> bytes:
    """A short text whose slot is the wanted one."""
    return next(
        tag for number in range(10**7) if binascii.crc_hqx(tag := b"%d" % number, 0) % _SLOTS == wanted
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """A key that goes as a whole, or a piece of a shared one; `copy` is where its copy lies."""

    key: bytes
    copy: bytes
    piece: SharedPiece | None = None


@dataclass(frozen=True, slots=True)
class Doomed:
    """An entry to remove. `read` and `fingerprint` say what it was when it was listed ("": not compared)."""

    key: bytes
    units: tuple[Unit, ...]
    read: Command
    fingerprint: str = ""
    order: int = 0
    """Above 0, in the order of removal, where pieces must come back in the opposite one."""

    def member(self) -> bytes:
        """The entry in the list of what can be undone: `K` and its key, or its order and all its units."""
        if not self.order and len(self.units) == 1:
            return b"K" + self.key
        names = [[unit.key.decode("latin-1"), unit.copy.decode("latin-1")] for unit in self.units]
        return json.dumps([self.order, *names]).encode()


def read_member(member: bytes, undo_id: str) -> tuple[int, tuple[Unit, ...]]:
    """The order and the units that `Doomed.member` named."""
    if member.startswith(b"K"):
        return 0, whole_units((member[1:],), undo_id)
    order, *names = json.loads(member)
    return order, tuple(Unit(key.encode("latin-1"), copy.encode("latin-1")) for key, copy in names)


def whole_units(keys: Sequence[bytes], undo_id: str) -> tuple[Unit, ...]:
    if len(keys) == 1:
        return (Unit(keys[0], copy_key(keys[0], undo_id)),)
    return tuple(Unit(key, copy_key(key, undo_id)) for key in dict.fromkeys(keys))


def piece_unit(entry: bytes, piece: SharedPiece, undo_id: str) -> Unit:
    """A piece of the entry with this key; two entries may remove the same place of a list in turn."""
    name = hashlib.sha1(repr((entry, piece.remove)).encode(), usedforsecurity=False).hexdigest()[:16]
    return Unit(piece.key, copy_key(piece.key, undo_id, name), piece)


def removal_call(doomed: Sequence[Doomed], *, copies: bool) -> tuple[list[bytes], list[Any]]:
    """Keys and arguments of `REMOVE` for these entries; all their units lie in one slot."""
    keys: list[bytes] = []
    words: list[Any] = []
    templates: dict[tuple[int, Command, Command], int] = {}
    for one in doomed:
        template = 0
        if one.fingerprint:
            # What is read is the same for most entries but for the key, and is sent once.
            at = one.read.index(one.key) if one.key in one.read else -1
            rest = (at, one.read[:at], one.read[at + 1 :]) if at >= 0 else (at, one.read, ())
            template = templates.setdefault(rest, len(templates) + 1)
        pieces = 0
        for unit in one.units:
            keys += (unit.key, unit.copy)
            pieces += unit.piece is not None
        words.append(f"{template} {one.fingerprint or '-'} {len(one.units) - pieces} {pieces}")
        for unit in one.units[len(one.units) - pieces :]:
            assert unit.piece is not None, "pieces stand behind whole keys"
            words += [digest(unit.piece.reply), *_counted(unit.piece.check)]
            words += [*_counted(unit.piece.remove), _record(unit.piece)]
    head: list[Any] = [KEPT_MS if copies else 0, len(templates)]
    for at, before, behind in templates:
        hole = (b"",) if at >= 0 else ()
        head += [*_counted([*before, *hole, *behind]), at + 1]
    return keys, [*head, len(doomed), *words]


def _counted(words: Sequence[Any]) -> list[Any]:
    return [len(words), *words]


def _record(piece: SharedPiece) -> bytes:
    """The copy of a piece: its check and its restoring command, each word with its length."""
    packed = b"P"
    for command in (piece.check, piece.restore):
        packed += b"%d\n" % len(command)
        for word in command:
            raw = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")
            packed += b"%d\n" % len(raw) + raw
    return packed
