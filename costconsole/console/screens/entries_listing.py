"""The rows of the list of entries: columns, cells, order, and the threshold drawn between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from textual.content import Content

from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_order import NATURAL, Held, Order, Weights, in_order
from costconsole.console.widgets.bars import Charset, bar
from costconsole.console.widgets.columns import Column, Row
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.figures import LedgerView
from costconsole.domain.format import age, compact, similarity, size
from costconsole.domain.text import first_words, visible

BAR = 5
_KEY_TAIL = 16
_PROMPT = 300
_MODEL = 18

Thresholds = Mapping[str, float]
"""The similarity from which a cache answers, by its name; a cache without one isn't named."""


def thresholds_now(caches: Sequence[CacheInfo], view: LedgerView | None) -> tuple[dict[str, float], bool]:
    """Thresholds by cache, that of our own from the live policy; and whether routes or models may have
    their own."""
    found = {cache.name: cache.threshold for cache in caches if cache.threshold is not None}
    policy = view.policy if view is not None else None
    own = f"{view.namespace}:semantic" if view is not None else ""
    if policy is None or own not in found:
        return found, False
    found[own] = policy.threshold
    return found, bool(policy.thresholds_by_route or policy.thresholds_by_model)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the list has columns for."""

    similar: bool = False
    keys: bool = False
    caches: bool = False
    sorted: str = ""
    """The column by which they were put in order; it is shown however little room there is."""


def _cache_name(entry: CacheEntry) -> str:
    """The cache in short: of our own, what it is (`semantic`), since all are of one namespace or another."""
    name = entry.cache.rpartition(":")[2] if entry.library == "costconsole" else entry.cache
    return first_words(name, 40)


def columns(shape: Shape) -> tuple[Column, ...]:
    """Columns of the list; where there is little room the model goes first: prompts that stand in
    two caches are told apart by the cache."""
    similar = (Column("similarity", "sim", 4, "right", sort=True), Column("bar", "", BAR, drop=2))
    found = (
        *(similar if shape.similar else ()),
        *((Column("key", "key", _KEY_TAIL + 1),) if shape.keys else ()),
        Column("prompt", "prompt", 34, flex=True),
        *((Column("cache", "cache", 9, drop=4),) if shape.caches else ()),
        Column("model", "model", _MODEL, sort=True, drop=5),
        Column("age", "age", 6, "right", sort=True),
        Column("ttl", "ttl", 6, "right", sort=True, drop=1),
        Column("hits", "hits", 6, "right", sort=True, drop=3),
        Column("idle", "idle", 6, "right", sort=True, drop=6),
        Column("size", "size", 7, "right", sort=True, drop=7),
    )
    return tuple(replace(c, drop=0) if c.key == shape.sorted else c for c in found)


def dividers(held: Sequence[Held], thresholds: Thresholds, *, may_differ: bool = False) -> dict[int, Row]:
    """Rows that draw thresholds, by the place (0 to the count) of the entry before which they stand.

    `held` is in the order of similarity. Entries above reach the threshold, those below don't; with all of
    them above, it stands at the end. Only caches that have an entry among them are asked.
    """
    names: dict[float, list[str]] = {}
    for name in dict.fromkeys(h.entry.cache for h in held):
        if (threshold := thresholds.get(name)) is not None:
            names.setdefault(threshold, []).append(name)
    asked = len({h.entry.cache for h in held})
    found: dict[int, Row] = {}
    for threshold, caches in sorted(names.items(), reverse=True):
        at = next((n for n, h in enumerate(held) if (h.entry.similarity or 0.0) < threshold), len(held))
        label = f"threshold {similarity(threshold)}"
        if len(names) > 1 or len(caches) < asked:
            label += f" of {', '.join(caches)}"
        elif may_differ:
            label += " · routes or models may have their own"
        if at in found:  # Two thresholds between the same rows.
            before = found[at].cells[0]
            label = f"{before} · {label}"
        found[at] = Row(f"\x00{at}", (visible(label),), divider=True)
    return found


@dataclass
class Listing:
    """Rows made when they are shown. Ages and times to live are those at `now_ms`.

    A listing never changes; `at` makes the same one at another time, and rows that look the same stay the
    same objects, so that nothing of them is drawn again.
    """

    shape: Shape
    held: Sequence[Held]
    now_ms: int
    charset: Charset = "braille"
    thresholds: Thresholds = field(default_factory=dict)
    lines: Mapping[int, Row] = field(default_factory=dict)
    """Dividers by the place of the entry before which they stand."""
    drawn: dict[str, tuple[object, Row]] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    """Keys of the selected entries."""
    weights: Weights = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places: list[Held | Row] = []
        for n, held in enumerate(self.held):
            if n in self.lines:
                self._places.append(self.lines[n])
            self._places.append(held)
        if self.held and len(self.held) in self.lines:
            self._places.append(self.lines[len(self.held)])
        self._index = {place.entry.key: n for n, place in enumerate(self._places) if isinstance(place, Held)}

    def at(self, now_ms: int) -> Listing:
        """The same rows at another time."""
        other = object.__new__(Listing)
        other.__dict__.update(self.__dict__, now_ms=now_ms)
        return other

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Row:
        place = self._places[index]
        return place if isinstance(place, Row) else self._row(place)

    def index_of(self, key: str) -> int | None:
        return self._index.get(key)

    def keys(self, start: int, end: int) -> list[str]:
        """Keys of the entries in these rows."""
        return [place.entry.key for place in self._places[start:end] if isinstance(place, Held)]

    def entry(self, key: str | None) -> Held | None:
        """The entry of that key, if it is listed."""
        index = self._index.get(key) if key is not None else None
        place = self._places[index] if index is not None else None
        return place if isinstance(place, Held) else None

    def _row(self, held: Held) -> Row:
        entry = held.entry
        created, ttl = entry.created_ms, held.ttl_ms(self.now_ms)
        weighed = self.weights.get(entry.key)
        moving = (
            age(None if created is None else self.now_ms - created),
            "never" if ttl is None else age(ttl),
            compact(entry.hits),
            age(None if weighed is None else weighed.idle_ms(entry, self.now_ms)),
            size(None if weighed is None else weighed.weight.size_bytes),
        )
        threshold = self.thresholds.get(entry.cache)
        marked = entry.key in self.marks
        looks = (moving, entry.similarity, entry.prompt, entry.model, self.shape, threshold, marked)
        known = self.drawn.get(entry.key)
        if known is not None and known[0] == looks:
            return known[1]
        row = Row(entry.key, (*self._cells(entry), *moving))
        self.drawn[entry.key] = (looks, row)
        return row

    def _cells(self, entry: CacheEntry) -> list[str | Content]:
        cells: list[str | Content] = []
        if self.shape.similar:
            near = entry.similarity
            threshold = self.thresholds.get(entry.cache)
            reached = near is not None and (threshold is None or near >= threshold)
            share = max(0.0, ((near or 0.0) - 0.5) * 2)
            cells += [
                safe(similarity(near), "strong" if reached else ""),
                safe(bar(share, BAR, self.charset), "second" if reached else "faint"),
            ]
        if self.shape.keys:
            tail = visible(entry.key)
            cells.append("…" + tail[-_KEY_TAIL:] if len(tail) > _KEY_TAIL else tail)
        prompt = prompt_cell(entry)
        cells.append(join(safe("✓ ", "accent"), prompt) if entry.key in self.marks else prompt)
        if self.shape.caches:
            cells.append(safe(_cache_name(entry), "muted"))
        cells.append(safe(first_words(entry.model, 40), "muted"))
        return cells


def listed(
    shape: Shape,
    by: str,
    held: Sequence[Held],
    sort: Order | None,
    thresholds: Thresholds,
    *,
    may_differ: bool,
    now_ms: int,
    charset: Charset,
    drawn: dict[str, tuple[object, Row]],
    marks: frozenset[str],
    weights: Weights,
) -> Listing:
    """Entries found in the way `by`, in the order of `sort` if there is one; `drawn`: rows to use again."""
    if sort is not None:
        held = in_order(held, *sort, weights, now_ms)
    by_similarity = by == "meaning" and sort in (None, NATURAL["meaning"])
    lines = dividers(held, thresholds, may_differ=may_differ) if by_similarity else {}
    if len(drawn) > 4 * max(200, len(held)):
        drawn = {}
    return Listing(shape, held, now_ms, charset, thresholds, lines, drawn, marks, weights)


def prompt_cell(entry: CacheEntry) -> Content:
    """The first words of a prompt; of one that is not stored or empty, that."""
    if entry.prompt is None:
        tail = visible(entry.key)[-_KEY_TAIL:]
        return join(safe("not stored ", "muted"), safe(f"…{tail}", "faint"))
    words = first_words(entry.prompt, _PROMPT)
    return safe(words) if words else safe("(empty)", "muted")
