"""What it takes to read the caches of one library: build commands, parse replies, nothing else.

A layout is stateless and does no I/O. To add a library, write a file with a class that fits `Layout` and
name it in `LAYOUTS`; no other file changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheEntry, CacheInfo


@dataclass(frozen=True, slots=True)
class Family:
    """Keys seen by SCAN that look alike: a prefix, the Redis type, and how many there are.

    `complete` is False when the scan stopped at its budget: then there may be more.
    """

    prefix: str
    type: str
    count: int
    sample: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What discovery found in a Redis: its indexes, families of keys, and the live thresholds.

    `thresholds` maps a namespace of our own to its similarity threshold.
    """

    indexes: tuple[IndexInfo, ...] = ()
    families: tuple[Family, ...] = ()
    thresholds: Mapping[str, float] | None = None
    search: bool = True
    why_no_search: str = ""


class Layout(Protocol):
    """One library's way of keeping cached answers in Redis."""

    library: str

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        """The caches of this library. Schemas match by subset: fields that aren't known are no obstacle."""

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        """Whether this key is an entry of this cache, and not of one whose name begins the same."""

    def key_pattern(self, cache: CacheInfo) -> str:
        """The pattern for SCAN that covers all its entries."""

    def created_field(self, cache: CacheInfo) -> str | None:
        """The NUMERIC field by which the index can sort entries by age, or None."""

    def text_fields(self, cache: CacheInfo) -> tuple[str, ...]:
        """The TEXT fields that a search by text looks in; none: prompts and answers aren't indexed."""

    def knn(self, cache: CacheInfo, vector: bytes, k: int, scope: str = "") -> Command | None:
        """The search for the `k` nearest entries of a float32 vector, in one scope if it is given.

        None: this cache has no vectors, or no scopes.
        """

    def parse_knn(self, cache: CacheInfo, reply: Any) -> list[tuple[bytes, float]]:
        """Keys and similarities of what `knn` found, best first, keys of other caches among them."""

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        """The command that reads what a list shows of an entry."""

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        """The exact text of `created_field` in a reply to `read`: what FT.SEARCH returns is rounded."""

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        """An entry from the reply to `read`; None: it is gone."""

    def read_whole(self, cache: CacheInfo, key: bytes) -> Command:
        """The command that reads everything about an entry."""

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        """An entry with all its fields from the reply to `read_whole`; None: it is gone."""

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        """The command that reads an entry's vector; None: this cache has no vectors."""

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        """The vector as float32 from the reply to `read_vector`; None: there is none of the right length."""

    def wrap(self, cache: CacheInfo, prompt: str) -> str:
        """The text that the writer would embed for this prompt."""

    def usage_keys(self, cache: CacheInfo) -> tuple[str, str] | None:
        """Zsets of hits and of last hits by entry key, or None where nobody counts."""

    def siblings(self, cache: CacheInfo, key: bytes) -> Sequence[bytes]:
        """Every key that belongs to the entry and goes when it is evicted, itself among them."""
