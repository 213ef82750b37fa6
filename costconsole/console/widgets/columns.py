"""Columns and rows of a table: values, and how columns share a width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from textual.content import Content


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `width` is in cells, the gap after it not included.

    A `flex` column takes the width that is left, `width` at least. Where there is too little room, columns
    with the highest `drop` go first; 0 never goes. `sort` says that the table may be sorted by it.
    """

    key: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    sort: bool = False
    flex: bool = False
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row: cells in the order of the columns, and the raw values that it is sorted by (or none).

    Plain strings are made harmless by the table. A `divider` is a labelled line between rows: its first
    cell is the label, and the cursor skips it.
    """

    key: str
    cells: tuple[str | Content, ...]
    sort: tuple[object, ...] = ()
    divider: bool = False


@runtime_checkable
class LazyRows(Protocol):
    """Rows that are made when they are shown, so that a million of them cost nothing.

    A table never sorts them; it asks with `LiveTable.Sorted`, and the page answers with other rows.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Row: ...

    def index_of(self, key: str) -> int | None:
        """Where the row of that key is now, or None when it is gone."""
        ...


Rows = Sequence[Row] | LazyRows


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column is drawn: `index` into the cells of a row, first cell `x`, and `width`."""

    index: int
    column: Column
    x: int
    width: int


def arrange(columns: Sequence[Column], width: int, gap: int = 1) -> tuple[Place, ...]:
    """Share `width` cells among the columns; some may be dropped. Fixed widths never change."""
    kept = list(enumerate(columns))

    def needed() -> int:
        return sum(column.width for _, column in kept) + gap * max(0, len(kept) - 1)

    while len(kept) > 1 and needed() > width:
        worst = max(kept, key=lambda pair: pair[1].drop)
        if not worst[1].drop:
            break
        kept.remove(worst)
    spare = max(0, width - needed())
    flexible = sum(1 for _, column in kept if column.flex)
    places: list[Place] = []
    x = 0
    for index, column in kept:
        extra = 0
        if column.flex:
            extra = spare // flexible
            spare -= extra
            flexible -= 1
        places.append(Place(index, column, x, column.width + extra))
        x += column.width + extra + gap
    return tuple(places)


def sort_rows(rows: Sequence[Row], index: int, reverse: bool) -> list[Row]:
    """Rows by their raw value of one column; unknown values (None) always come last, ties by key."""
    known = [row for row in rows if len(row.sort) > index and row.sort[index] is not None]
    unknown = [row for row in rows if not (len(row.sort) > index and row.sort[index] is not None)]
    known.sort(key=lambda row: row.key)
    known.sort(key=lambda row: row.sort[index], reverse=reverse)  # type: ignore[arg-type, return-value]
    return known + unknown
