"""A slice of calls, on its way to Redis or in the spool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from costconsole.domain.call import STRATEGIES, Call, Savings, stored
from costconsole.ledger.rollup import by_minute

SLICE = 500
"""Calls in one transaction: it keeps the server for a few milliseconds, and fits a processor's cache."""

# What many calls of a slice have in common, and what each has of its own.
_SHARED = (
    (
        "outcome",
        "model",
        "provider",
        "requested_model",
        "threshold",
        "policy_version",
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
    """`number` counts the batches of `writer`, from 1; together they are the batch's id.

    `content`, all of it JSON: "m" [[epoch minute, [[dimension, value, metric, n, metric, n, ...], ...]],
    ...] is what to add to the rollups, "h" [[entry key, hits, last hit], ...], and "k", "g", "c" are the
    stream's entries (see `_entries`).
    """

    writer: str
    number: int
    calls: int
    created_ms: int
    content: Mapping[str, list[Any]]

    def to_line(self) -> bytes:
        """One line of JSON, without the newline."""
        found = [self.writer, self.number, self.calls, self.created_ms, self.content]
        text = json.dumps(found, ensure_ascii=False, check_circular=False, separators=(",", ":"))
        return text.encode(errors="replace")

    @classmethod
    def from_line(cls, line: bytes) -> Batch:
        """The inverse of `to_line`. Raises ValueError for anything else."""
        found = json.loads(line)
        if not isinstance(found, list) or len(found) != 5 or not isinstance(found[4], dict):
            raise ValueError("not a batch of calls")
        writer, number, calls, created_ms, content = found
        return cls(str(writer), int(number), int(calls), int(created_ms), content)


def encode(recorded: Sequence[Recorded], writer: str, number: int, now_ms: int) -> list[Batch]:
    """The batches that bring `recorded` to the server, numbered from `number`.

    The first adds all of them to the rollups, whose cost hardly depends on the number of calls; each
    carries up to SLICE entries of the stream. Raises whatever a malformed call raises (see `sound`).
    """
    minutes: list[Any] = []
    for minute, groups in by_minute(call for call, _key in recorded).items():
        flat: list[list[str | int]] = []
        for (dimension, value), sums in groups.items():
            row: list[str | int] = [dimension, value]
            for pair in sums.items():
                row += pair
            flat.append(row)
        minutes.append([minute, flat])
    rollup: dict[str, list[Any]] = {"m": minutes, "h": _hits(recorded)}
    batches: list[Batch] = []
    for start in range(0, len(recorded), SLICE):
        part = recorded[start : start + SLICE]
        content = {**_entries(part), **({} if start else rollup)}
        batches.append(Batch(writer, number + len(batches), len(part), now_ms, content))
    return batches


def sound(recorded: Iterable[Recorded]) -> tuple[list[Recorded], int]:
    """The calls that can be sent, and how many can't: one bad call must not cost the others."""
    good: list[Recorded] = []
    bad = 0
    for item in recorded:
        try:
            encode([item], "", 1, 0)[0].to_line()
        except Exception:
            bad += 1
        else:
            good.append(item)
    return good, bad


def _entries(recorded: Iterable[Recorded]) -> dict[str, list[Any]]:
    """The stream's entries, in which what many calls have in common is kept and packed once:

    "k": shapes, [fields of each group..., the calls' own fields], each a list of names;
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
                number = groups.setdefault(texts, len(groups))
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
        row[0] = shapes.setdefault(tuple(shape), len(shapes))
        rows.append(row)
    return {"k": [list(map(list, shape)) for shape in shapes], "g": list(map(list, groups)), "c": rows}


def _hits(recorded: Iterable[Recorded]) -> list[Any]:
    count: dict[str, int] = {}
    last: dict[str, int] = {}
    for call, key in recorded:
        if key:
            count[key] = count.get(key, 0) + 1
            last[key] = max(last.get(key, 0), call.ts_ms)
    return [[key, n, last[key]] for key, n in count.items()]
