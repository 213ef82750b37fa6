"""A slice of calls, as it is sent to the script and as it lies in the spool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from costconsole.domain.call import STRATEGIES, Call, Savings, stored
from costconsole.domain.window import Grain
from costconsole.ledger.rollup import buckets_of_minute, by_minute
from costconsole.redis_store.keys import Keys

SLICE = 2_000
"""Calls in one run of the script, which then keeps the server for some 10 ms."""
LIFE_MS: dict[Grain, int] = {
    "minute": 48 * 3_600_000,
    "hour": 90 * 86_400_000,
    "day": 3 * 366 * 86_400_000,
}
"""How long a bucket is kept after its end."""

# What many calls of a slice have in common, and what each has of its own.
_SHARED = (
    (
        "outcome",
        "model",
        "provider",
        "requested_model",
        "threshold",
        "usage_estimated",
        "cost_status",
        "price_version",
        "price_input",
        "price_output",
        "processing",
    ),
    ("route", "tag"),
)
_DEFAULTS = {f.name: f.default for f in fields(Call)}
_OWN = tuple(name for name in _DEFAULTS if not any(name in names for names in (*_SHARED, ("savings",))))
_SHARED_DEFAULTS = tuple(tuple(_DEFAULTS[name] for name in names) for names in _SHARED)
_SHARED_VALUES = tuple(attrgetter(*names) for names in _SHARED)
_OWN_DEFAULTS = tuple(_DEFAULTS[name] for name in _OWN)
_OWN_VALUES = attrgetter(*_OWN)
_NOTHING_SAVED = Savings()

Recorded = tuple[Call, str]
"""A call and the key of the entry that answered it, or ""."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`number` counts the batches of `writer`, from 1; together they are the batch's id."""

    writer: str
    number: int
    calls: int
    created_ms: int
    keys: tuple[str, ...]
    """KEYS from the second on; the writer's marker goes before them."""
    content: bytes

    def arguments(self, keys: Keys) -> tuple[list[str], list[str | bytes]]:
        """KEYS and ARGV of the script."""
        return [keys.applied(self.writer), *self.keys], [str(self.number), self.content]

    def to_line(self) -> bytes:
        """One line of JSON, without the newline."""
        head = [self.writer, self.number, self.calls, self.created_ms, self.keys]
        return json.dumps(head).encode() + b"\t" + self.content

    @classmethod
    def from_line(cls, line: bytes) -> Batch:
        """The inverse of `to_line`. Raises ValueError for anything else."""
        head, tab, content = line.partition(b"\t")
        found = json.loads(head)
        if not tab or not isinstance(found, list) or len(found) != 5:
            raise ValueError("not a batch of calls")
        writer, number, calls, created_ms, keys = found
        return cls(str(writer), int(number), int(calls), int(created_ms), tuple(keys), content)


def encode(recorded: Sequence[Recorded], keys: Keys, writer: str, number: int, now_ms: int) -> list[Batch]:
    """The batches that bring `recorded` to the server, numbered from `number`.

    The first adds all of them to the rollups, whose cost hardly depends on the number of calls; each
    carries up to SLICE entries of the stream. Raises whatever a malformed call raises (see `sound`).
    """
    names = [keys.calls, keys.late, keys.hits, keys.last_hit]
    members: list[str] = []
    places: dict[str, int] = {}
    minutes: list[list[object]] = []
    for minute, groups in by_minute(call for call, _key in recorded).items():
        entry: list[object] = []
        for bucket in buckets_of_minute(minute):
            name = keys.bucket(bucket)
            place = places.get(name)
            if place is None:
                names.append(name)
                members.append(f"{bucket.grain}:{bucket.number}")
                place = places[name] = len(names) + 1
            entry += (place, bucket.end_ms + LIFE_MS[bucket.grain])
        flat: list[list[str]] = []
        for (dimension, value), sums in groups.items():
            row = [dimension, value]
            for metric, n in sums.items():
                row += (metric, str(n))
            flat.append(row)
        entry.append(flat)
        minutes.append(entry)
    rollup: dict[str, object] = {"m": minutes, "b": members, "h": _hits(recorded)}
    batches: list[Batch] = []
    for start in range(0, len(recorded), SLICE):
        part = recorded[start : start + SLICE]
        content = _json({**_entries(part), **(_EMPTY if start else rollup)})
        used = tuple(names[:4] if start else names)
        batches.append(Batch(writer, number + len(batches), len(part), now_ms, used, content))
    return batches


_EMPTY: dict[str, object] = {"m": [], "b": [], "h": []}


def _json(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, check_circular=False, separators=(",", ":"))
    return text.encode(errors="replace")


def sound(recorded: Iterable[Recorded]) -> tuple[list[Recorded], int]:
    """The calls that can be encoded, and how many can't: one bad call must not cost the others."""
    keys = Keys()
    good: list[Recorded] = []
    bad = 0
    for item in recorded:
        try:
            encode([item], keys, "", 1, 0)
        except Exception:
            bad += 1
        else:
            good.append(item)
    return good, bad


def _entries(recorded: Iterable[Recorded]) -> dict[str, list[list[object]]]:
    """The stream's entries. The server spends most of its time making strings of what it is sent, so that
    what many calls have in common is sent once:

    "k": shapes, [[field, "", field, "", ...], places of each group's values..., places of the call's own];
    "g": values of a group; "c": calls, [shape, one of "g" per group, the call's own values...].
    """
    shapes: dict[tuple[tuple[str, ...], ...], int] = {}
    groups: dict[tuple[str, ...], int] = {}
    seen: list[dict[tuple[object, ...], tuple[tuple[str, ...], int]]] = [{} for _ in _SHARED]
    rows: list[list[object]] = []
    for call, _key in recorded:
        names: list[str] = []
        row: list[object] = [0]
        shape: list[tuple[str, ...]] = []
        for known, shared, defaults, values_of in zip(
            seen, _SHARED, _SHARED_DEFAULTS, _SHARED_VALUES, strict=True
        ):
            values = values_of(call)
            found = known.get(values)
            if found is None:
                kept = [
                    (name, stored(value))
                    for name, default, value in zip(shared, defaults, values, strict=True)
                    if value != default
                ]
                texts = tuple(text for _name, text in kept)
                number = groups.setdefault(texts, len(groups) + 1)
                found = known[values] = (tuple(name for name, _text in kept), number)
            shape.append(found[0])
            row.append(found[1])
        for name, default, value in zip(_OWN, _OWN_DEFAULTS, _OWN_VALUES(call), strict=True):
            if value != default and value is not None:
                names.append(name)
                row.append(value if value.__class__ is str else stored(value))
        savings = call.savings
        if savings != _NOTHING_SAVED:
            for strategy in STRATEGIES:
                saved = getattr(savings, strategy)
                if saved:
                    names.append(f"saved_{strategy}_nano")
                    row.append(str(saved))
        shape.append(tuple(names))
        row[0] = shapes.setdefault(tuple(shape), len(shapes) + 1)
        rows.append(row)
    return {"k": [_shape(parts) for parts in shapes], "g": [list(texts) for texts in groups], "c": rows}


def _shape(parts: tuple[tuple[str, ...], ...]) -> list[object]:
    flat: list[str] = []
    places: list[list[int]] = []
    for names in parts:
        places.append([len(flat) + 2 * n + 2 for n in range(len(names))])
        for name in names:
            flat += (name, "")
    return [flat, *places]


def _hits(recorded: Iterable[Recorded]) -> list[list[str]]:
    count: dict[str, int] = {}
    last: dict[str, int] = {}
    for call, key in recorded:
        if key:
            count[key] = count.get(key, 0) + 1
            last[key] = max(last.get(key, 0), call.ts_ms)
    return [[key, str(n), str(last[key])] for key, n in count.items()]
