"""Pages of entries, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from costconsole.cache.scan import Position
from costconsole.domain.entry import CacheEntry


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """In an index, newest or oldest first: the age value reached, and the keys of just this value seen.

    A page begins at the value, not behind so many entries, so that stores and evictions meanwhile neither
    hide an entry nor show one twice, however many share the value.
    """

    value: str = "+inf"
    seen: frozenset[bytes] = frozenset()
    span: float = 0.0
    """How far the values of the last page reached: the next one is looked for in as much. 0: unknown."""
    oldest: bool = False
    looked_at: int = 0
    """Entries that were read so far to find those that match."""

    @property
    def first(self) -> str:
        """The value at which such a listing begins."""
        return "-inf" if self.oldest else "+inf"

    @property
    def opposite(self) -> str:
        """The value at which it ends."""
        return "+inf" if self.oldest else "-inf"

    @classmethod
    def start(cls, *, oldest: bool = False) -> IndexPlace:
        """Where a listing begins."""
        return cls("-inf" if oldest else "+inf", oldest=oldest)


@dataclass(frozen=True, slots=True)
class ScanPlace:
    """In a walk over keys: where it stands (None: done), and what it found but didn't show yet.

    `waiting` holds (created_ms or -1, key), in the order in which they are shown: newest or `oldest` first.
    """

    position: Position | None
    waiting: tuple[tuple[int, bytes], ...] = ()
    looked_at: int = 0
    oldest: bool = False


Place = IndexPlace | ScanPlace


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins in each cache, by name; a cache that isn't named is at its end."""

    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries in order, and what is to be known of them. Iterates over its entries.

    `total` is the count at discovery, or None. `next` goes on after them; None: there are no more.
    `partial` says that not everything was looked at, and `note` says in words why or what is left out.
    """

    entries: tuple[CacheEntry, ...] = ()
    total: int | None = None
    next: Cursor | None = None
    partial: bool = False
    note: str = ""

    def __iter__(self) -> Iterator[CacheEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, at: int) -> CacheEntry:
        return self.entries[at]
