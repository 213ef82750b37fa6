"""A batch as one Redis transaction: stream entries, rollups, hits, and the mark that it was applied.

Packed here rather than by the client, for a flush is thousands of commands of which most bytes repeat. And
plain commands rather than a script: they cost the server half as much (a script's arguments are made into
Lua strings first), and what a server refuses (no rights, no memory, a replica) it refuses before any of
them runs, so that a batch is applied whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from costconsole.domain.window import GRAIN_MS, Bucket, Grain
from costconsole.ledger.batch import Batch
from costconsole.ledger.rollup import CAPPED, FOLDED, OTHER, buckets_of_minute, field_name
from costconsole.redis_store.keys import Keys

STREAM_LENGTH: Final = 100_000
"""About this many calls stay in the stream."""
LATE_LENGTH: Final = 5_000
"""About this many flushes are remembered by what they changed."""
MARKER_MS: Final = 90 * 86_400_000
"""How long the server remembers the last batch of a writer that is gone."""
LIFE_MS: Final[dict[Grain, int]] = {
    "minute": 48 * 3_600_000,
    "hour": 90 * 86_400_000,
    "day": 3 * 366 * 86_400_000,
}
"""How long a bucket is kept after its end."""

Refused = Callable[[Bucket, str, str], bool]
"""Whether a day has no room for a value of a dimension."""


def bulk(text: str) -> str:
    """A string of the protocol."""
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    return f"${size}\r\n{text}\r\n"


def command(*words: str | int) -> str:
    """A command of the protocol."""
    return f"*{len(words)}\r\n" + "".join([bulk(str(word)) for word in words])


def capped_values(batch: Batch, now_ms: int) -> dict[Bucket, set[tuple[str, str]]]:
    """By day, the values that need room in it."""
    found: dict[Bucket, set[tuple[str, str]]] = {}
    for minute, groups in batch.content.get("m", ()):
        day = buckets_of_minute(minute)[2]
        if end_of_life(day) > now_ms:
            values = {(row[0], row[1]) for row in groups if row[0] in CAPPED and row[1] != OTHER}
            found.setdefault(day, set()).update(values)
    return found


def end_of_life(bucket: Bucket) -> int:
    """Unix ms from which a bucket is no longer kept."""
    return bucket.end_ms + LIFE_MS[bucket.grain]


def transaction(batch: Batch, keys: Keys, refused: Refused, now_ms: int) -> tuple[bytes, int]:
    """What goes between MULTI and EXEC, packed, and how many commands it is."""
    parts = [command("SET", keys.applied(batch.writer), batch.number, "PX", MARKER_MS)]
    parts += _rollups(batch, keys, refused, now_ms)
    parts += _entries(batch, keys)
    parts.append(command("XTRIM", keys.calls, "MAXLEN", "~", STREAM_LENGTH))
    for key, n, last in batch.content.get("h", ()):
        parts.append(command("ZINCRBY", keys.hits, n, key))
        parts.append(command("ZADD", keys.last_hit, "GT", last, key))
    return "".join(parts).encode(errors="replace"), len(parts)


def _rollups(batch: Batch, keys: Keys, refused: Refused, now_ms: int) -> Iterator[str]:
    changed: dict[Bucket, str] = {}
    for minute, groups in batch.content.get("m", ()):
        buckets = buckets_of_minute(minute)
        day = buckets[2]
        heads = []
        for bucket in buckets:
            if end_of_life(bucket) > now_ms:
                key = changed[bucket] = keys.bucket(bucket)
                heads.append(f"*4\r\n$7\r\nHINCRBY\r\n{bulk(key)}")
        for dimension, value, *sums in groups if heads else ():
            if dimension in CAPPED and value != OTHER and refused(day, dimension, value):
                value = OTHER
                sums += (FOLDED, 1)
            for metric, n in zip(sums[::2], sums[1::2], strict=True):
                tail = bulk(field_name(metric, dimension, value)) + bulk(str(n))
                for head in heads:
                    yield head + tail
    for bucket, key in changed.items():
        yield command("PEXPIREAT", key, end_of_life(bucket))
    if changed:
        members = " ".join(
            f"{bucket.grain}:{bucket.start_ms // GRAIN_MS[bucket.grain]}" for bucket in changed
        )
        yield command("XADD", keys.late, "MAXLEN", "~", LATE_LENGTH, "*", "b", members)


def _entries(batch: Batch, keys: Keys) -> Iterator[str]:
    shapes, groups = batch.content["k"], batch.content["g"]
    names = [[bulk(name) for name in shape[-1]] for shape in shapes]
    begun: dict[tuple[int, ...], str] = {}
    for row in batch.content["c"]:
        number = row[0]
        shape = shapes[number]
        at = len(shape)
        kind = tuple(row[:at])
        start = begun.get(kind)
        if start is None:
            size = 3 + 2 * sum(map(len, shape))
            start = f"*{size}\r\n{bulk('XADD')}{bulk(keys.calls)}{bulk('*')}"
            for fields, group in zip(shape, row[1:at], strict=False):
                start += "".join(bulk(a) + bulk(b) for a, b in zip(fields, groups[group], strict=True))
            begun[kind] = start
        pieces = [start]
        for name, value in zip(names[number], row[at:], strict=True):
            size = len(value) if value.isascii() else len(value.encode(errors="replace"))
            pieces.append(f"{name}${size}\r\n{value}\r\n")
        yield "".join(pieces)
