"""Sums over buckets that are read again and again, kept up by what changed.

A screen of twenty models over an hour is some 40,000 integers of which a refresh changes a few hundred. So
a bucket is kept as two flat arrays, field names as numbers, and a sum takes a bucket's old version out and
its new one in. Integers make that exact.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

from costconsole.domain.figures import Figures, Slice
from costconsole.ledger.rollup import DIMENSIONS, FOLDED, OTHER, figures_of

Slot = tuple[str, str]
"""(dimension, value)"""


class Fields:
    """Field names as numbers. Names that are no fields of a rollup have none."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.metrics: list[str] = []
        self.slots: list[int] = []
        """By field: the number of its slot."""
        self.slot_names: list[Slot] = []
        self.slot_fields: list[list[int]] = []
        """By slot: its fields."""
        self._slot_numbers: dict[Slot, int] = {}
        self.totals: dict[int, str] = {}
        """Metric by field, of those of the slot ("total", "")."""

    def numbers(self, names: Iterable[bytes]) -> list[int]:
        """The number of each name."""
        known = self._numbers
        try:
            return [known[name] for name in names]
        except KeyError:
            return [self.number(name) for name in names]

    def number(self, name: bytes) -> int:
        """The field's number, or -1."""
        found = self._numbers.get(name)
        return self._learn(name) if found is None else found

    def _learn(self, name: bytes) -> int:
        parts = name.decode(errors="replace").split("|", 2)
        if len(parts) != 3 or parts[1] not in DIMENSIONS:
            self._numbers[name] = -1
            return -1
        metric, dimension, value = parts
        slot = self._slot_numbers.get((dimension, value))
        if slot is None:
            slot = self._slot_numbers[dimension, value] = len(self.slot_names)
            self.slot_names.append((dimension, value))
            self.slot_fields.append([])
        number = self._numbers[name] = len(self.metrics)
        self.metrics.append(metric)
        self.slots.append(slot)
        self.slot_fields[slot].append(number)
        if dimension == "total" and not value:
            self.totals[number] = metric
        return number


class Stored:
    """One bucket as it was read. `total` holds its metrics of the dimension `total`."""

    __slots__ = ("_figures", "numbers", "total", "values")

    def __init__(self, reply: Mapping[bytes, bytes], fields: Fields) -> None:
        self._figures: Figures | None = None
        numbers = fields.numbers(reply)
        try:
            values = array("q", map(int, reply.values()))
            if -1 in numbers:
                raise ValueError
        except (ValueError, OverflowError):
            numbers, values = _sound(numbers, reply.values())
        self.numbers = array("I", numbers)
        self.values = values
        totals = fields.totals
        self.total = {totals[n]: v for n, v in zip(numbers, values, strict=True) if n in totals}

    def same_as(self, other: Stored) -> bool:
        return self.values == other.values and self.numbers == other.numbers

    @property
    def figures(self) -> Figures:
        """Figures of all calls in the bucket."""
        if self._figures is None:
            self._figures = figures_of(self.total)
        return self._figures


def _sound(numbers: Iterable[int], texts: Iterable[bytes]) -> tuple[list[int], array[int]]:
    """What is a field of a rollup with an integer in it; the rest is skipped."""
    good: list[int] = []
    values = array("q")
    for number, text in zip(numbers, texts, strict=True):
        if number >= 0:
            try:
                values.append(int(text))
            except (ValueError, OverflowError):
                continue
            good.append(number)
    return good, values


class Sum:
    """The sum of a set of buckets, by slot."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._members: dict[object, Stored] = {}
        self._sums: list[int] = []
        self._stale: set[int] = set()
        """Slots whose figures are to be made anew."""
        self._figures: dict[int, Figures] = {}
        self._slices: dict[str, tuple[Slice, ...]] | None = None

    def sync(self, wanted: Mapping[object, Stored], step: int = 32) -> Iterator[None]:
        """Make this the sum of `wanted`; pauses after every `step` buckets that were added or taken out."""
        done = 0
        for bucket in [
            bucket for bucket, stored in self._members.items() if wanted.get(bucket) is not stored
        ]:
            self._add(self._members.pop(bucket), -1)
            done += 1
            if done % step == 0:
                yield
        for bucket, stored in wanted.items():
            if bucket not in self._members:
                self._add(stored, 1)
                self._members[bucket] = stored
                done += 1
                if done % step == 0:
                    yield

    def _add(self, stored: Stored, sign: int) -> None:
        sums = self._sums
        missing = len(self._fields.metrics) - len(sums)
        if missing > 0:
            sums.extend([0] * missing)
        if sign > 0:
            for number, value in zip(stored.numbers, stored.values, strict=True):
                sums[number] += value
        else:
            for number, value in zip(stored.numbers, stored.values, strict=True):
                sums[number] -= value
        slots = self._fields.slots
        self._stale.update([slots[number] for number in stored.numbers])
        self._slices = None

    def _refresh(self) -> None:
        sums, metrics = self._sums, self._fields.metrics
        for slot in self._stale:
            found = {metrics[n]: sums[n] for n in self._fields.slot_fields[slot] if n < len(sums) and sums[n]}
            if found:
                self._figures[slot] = figures_of(found)
            else:
                self._figures.pop(slot, None)
        self._stale.clear()

    @property
    def total(self) -> Figures:
        self._refresh()
        for slot, figures in self._figures.items():
            if self._fields.slot_names[slot] == ("total", ""):
                return figures
        return Figures()

    @property
    def slices(self) -> dict[str, tuple[Slice, ...]]:
        """By dimension, largest spend first, then most calls."""
        self._refresh()
        if self._slices is None:
            found: dict[str, list[Slice]] = {
                dimension: [] for dimension in DIMENSIONS if dimension != "total"
            }
            for slot, figures in self._figures.items():
                dimension, value = self._fields.slot_names[slot]
                if dimension != "total" and figures.calls:
                    found[dimension].append(Slice(value, figures))
            self._slices = {
                dimension: tuple(sorted(slices, key=_rank)) for dimension, slices in found.items()
            }
        return self._slices

    @property
    def capped(self) -> tuple[str, ...]:
        """Dimensions of which some values went to `other` for lack of room."""
        self._refresh()
        found = []
        for slot in self._figures:
            dimension, value = self._fields.slot_names[slot]
            if value == OTHER and any(
                self._fields.metrics[n] == FOLDED and self._sums[n]
                for n in self._fields.slot_fields[slot]
                if n < len(self._sums)
            ):
                found.append(dimension)
        return tuple(dimension for dimension in DIMENSIONS if dimension in found)


def _rank(piece: Slice) -> tuple[int, int, str]:
    return -piece.figures.spend_nano, -piece.figures.calls, piece.value


class TotalSum:
    """The sum of the totals of a set of buckets."""

    def __init__(self) -> None:
        self._members: dict[object, Stored] = {}
        self._sums: dict[str, int] = {}
        self._figures: Figures | None = Figures()

    def sync(self, wanted: Mapping[object, Stored]) -> Figures:
        """Make this the sum of `wanted`, and its figures."""
        for bucket in [
            bucket for bucket, stored in self._members.items() if wanted.get(bucket) is not stored
        ]:
            self._add(self._members.pop(bucket).total.items(), -1)
        for bucket, stored in wanted.items():
            if bucket not in self._members:
                self._members[bucket] = stored
                self._add(stored.total.items(), 1)
        if self._figures is None:
            self._figures = figures_of(self._sums)
        return self._figures

    def _add(self, items: Iterable[tuple[str, int]], sign: int) -> None:
        for metric, n in items:
            self._sums[metric] = self._sums.get(metric, 0) + sign * n
            self._figures = None
