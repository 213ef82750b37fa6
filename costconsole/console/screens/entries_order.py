"""In which order entries are listed: what can be chosen, sorting what is loaded, and saying what that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from costconsole.console.safe import join, safe
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.table import Column, LiveTable, Row
from costconsole.domain.entry import CacheEntry

if TYPE_CHECKING:
    from costconsole.cache.reading import Weight

Order = tuple[str, bool]
"""A column, and whether its largest value comes first."""

SAMPLE = 2_000
"""Of so many entries at most those are put in an order that no index knows; the screen says of which."""
MOST_HIT = 500
"""So many entries are listed by their hits, of all there are."""
OLDEST: Order = ("age", True)
HITS: Order = ("hits", True)

NATURAL: dict[str, tuple[str | None, bool]] = {
    "meaning": ("similarity", True),
    "newest": ("age", False),
    "text": ("age", False),
    "key": (None, False),
}
"""Column and direction in which the entries of a search come; `key`: in none."""
WEIGHED = frozenset({"size", "idle"})
"""Columns whose values are read for the rows that need them."""


@dataclass(frozen=True, slots=True)
class Held:
    """An entry and when it was read: its time to live counts from then."""

    entry: CacheEntry
    read_ms: int

    def ttl_ms(self, now_ms: int) -> int | None:
        ttl = self.entry.ttl_ms
        return None if ttl is None else max(0, ttl - (now_ms - self.read_ms))


@dataclass(frozen=True, slots=True)
class Weighed:
    """What was read of an entry's key besides it, and when."""

    weight: Weight
    read_ms: int

    def idle_ms(self, entry: CacheEntry, now_ms: int) -> int | None:
        """Since it was last hit, where hits are known, else since anybody used its key."""
        if entry.last_hit_ms is not None:
            return max(0, now_ms - entry.last_hit_ms)
        idle = self.weight.idle_ms
        return None if idle is None else idle + now_ms - self.read_ms


Weights = Mapping[str, Weighed]


def in_order(
    held: Sequence[Held], column: str, reverse: bool, weights: Weights | None = None, now_ms: int = 0
) -> list[Held]:
    """By a column, unknown values last; entries that are equal in it keep their order."""
    values = _VALUES.get(column)
    weighed = weights or {}

    def value(one: Held) -> float | str | None:
        if values is not None:
            return values(one.entry)
        known = weighed.get(one.entry.key)
        if column == "size":
            return None if known is None else known.weight.size_bytes
        if known is None:
            return None
        return known.idle_ms(one.entry, now_ms)

    pairs = [(value(h), h) for h in held]
    known = [pair for pair in pairs if pair[0] is not None]
    unknown = [h for v, h in pairs if v is None]
    known.sort(key=lambda pair: pair[0], reverse=reverse)  # type: ignore[arg-type, return-value]
    return [h for _, h in known] + unknown


_VALUES: dict[str, Callable[[CacheEntry], float | str | None]] = {
    "similarity": lambda e: e.similarity,
    "model": lambda e: e.model.lower() or None,
    "age": lambda e: None if e.created_ms is None else -e.created_ms,
    "ttl": lambda e: math.inf if e.ttl_ms is None else e.ttl_ms,
    "hits": lambda e: e.hits,
}

_WORDS: dict[Order, str] = {
    ("similarity", True): "most similar first",
    ("age", False): "newest first",
    OLDEST: "oldest first",
    ("ttl", False): "first to expire first",
    ("ttl", True): "never and last to expire first",
    ("idle", True): "longest unused first",
    ("idle", False): "last used first",
    ("size", True): "largest first",
    ("size", False): "smallest first",
    HITS: "most hits first",
    ("hits", False): "fewest hits first",
    ("model", False): "by model, a to z",
    ("model", True): "by model, z to a",
    ("similarity", False): "least similar first",
}


def order_words(order: Order) -> str:
    """`largest first`."""
    return _WORDS.get(order, f"by {order[0]}")


class OrderSheet(Sheet):
    """Asks for an order; `chosen` gets it."""

    BINDING_GROUP_TITLE = "Order"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        orders: Sequence[tuple[Order, str]],
        now: tuple[str | None, bool],
        chosen: Callable[[Order], None],
    ) -> None:
        super().__init__()
        self._orders = orders
        self._now = now
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        yield Static(
            join(safe("Order of the entries", "accent"), safe("   enter chooses one   esc back", "muted")),
            classes="sheet-title",
        )
        yield LiveTable([Column("order", "order", 34), Column("of", "of which", 30, flex=True)], id="orders")

    def on_mount(self) -> None:
        table = self.query_one(LiveTable)
        table.update_rows(
            [
                Row(str(n), (order_words(order), safe(of, "muted")))
                for n, (order, of) in enumerate(self._orders)
            ]
        )
        at = next((n for n, (order, _) in enumerate(self._orders) if order == self._now), 0)
        table.move_to(str(at))
        self.set_focus(table)

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        self.dismiss()
        self._chosen(self._orders[int(event.key)][0])


def orders_for(by: str, *, complete: bool, counted: bool) -> list[tuple[Order, str]]:
    """The orders that entries found in the way `by` can be put in, and which of them each is about.

    `complete`: all that match are loaded; `counted`: hits are kept where the most hit can be asked for.
    """
    sample = "all that are listed" if complete else f"the newest {SAMPLE:,} that match"
    found: list[tuple[Order, str]] = []
    if by == "meaning":
        found.append((("similarity", True), "the nearest"))
    everything = "all that match"
    orders = [order for order in _WORDS if order[0] != "similarity"]
    for order in orders:
        of = sample
        if (by in ("newest", "text") and order == ("age", False)) or (by == "newest" and order == OLDEST):
            of = everything
        elif by == "newest" and order == HITS and counted and not complete:
            of = f"the {MOST_HIT} with the most hits of all"
        found.append((order, of))
    return found
