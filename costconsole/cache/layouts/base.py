"""What it takes to read the caches of one library: build commands, parse replies, nothing else.

A layout is stateless and does no I/O. To add a library, write a file with a class that fits `Layout` and
name it in `LAYOUTS`; no other file changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheEntry, CacheInfo


@dataclass(frozen=True, slots=True)
class KeyShape:
    """Keys that a layout wants to be told of: their Redis type, a pattern for SCAN, and an exact one.

    The first group of `key` is the prefix by which such keys are put into families.
    """

    type: str
    """As SCAN's TYPE names it: `hash`, `string`, `ReJSON-RL`, `vectorset`."""
    pattern: str
    key: re.Pattern[bytes]


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
    shape: KeyShape | None = None
    """The shape by which they were found; `sample` is one of them."""
    examples: tuple[str, ...] = ()
    """A few of them, as the walk met them."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What discovery found in a Redis: its indexes, families of keys, and the live thresholds.

    `thresholds` maps a namespace of our own to its similarity threshold. A layout sees only the families of
    its own shapes, and the indexes that no layout before it has claimed. `replies` has what the server said
    to `probes` (a command that failed is not in it), `mappings` what the config says of hand-made caches.
    """

    indexes: tuple[IndexInfo, ...] = ()
    families: tuple[Family, ...] = ()
    thresholds: Mapping[str, float] | None = None
    search: bool = True
    why_no_search: str = ""
    replies: Mapping[Command, Any] = field(default_factory=dict)
    mappings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which similarity (cosine) a writer serves an entry, and whether that can be changed from here.

    `part` names the route or category that it is for ("": all). `changes` says when a change made from
    outside acts: at once (or within seconds), when the writer starts next, or that none can be made.
    `similarity` None: Redis doesn't tell. `default` is the library's, unless its user has said otherwise.
    """

    part: str = ""
    similarity: float | None = None
    default: float | None = None
    changes: Literal["now", "next start", "no"] = "no"
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class SharedPiece:
    """What of an entry lies in a key that others share: an element of a vector set, of a JSON list.

    `check` is a read, and `reply` what it said (raw, as RESP2 has it). `remove` runs only while `check` still
    says the same. `restore` undoes it, and runs only while `check` finds nothing: a null, an error, an empty
    list, or one of nulls and -1 alone. Each of the three has `key` as its second word, and no other key.
    """

    key: bytes
    check: Command
    reply: Any
    remove: Command
    restore: Command


class Layout(Protocol):
    """One way of keeping cached answers in Redis. A library with several has a layout for each."""

    library: str
    name: str
    """Unique among the layouts; the library's own where it has one. `CacheInfo.layout` names it."""
    shapes: tuple[KeyShape, ...]
    """Keys that discovery looks for on its behalf, for caches that no index tells of."""
    part_word: str
    """What the parts are called that have thresholds of their own: `route`, `category`; "": it has none."""
    scope_field: str
    """The TAG field whose value a look-up never leaves; "": its look-ups are not limited."""

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        """Reads that `detect` needs the replies to. Asked again with them, so that one may follow another."""

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        """The caches of this library. Schemas match by subset: fields that aren't known are no obstacle."""

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        """Whether this key is an entry of this cache, and not of one whose name begins the same."""

    def key_pattern(self, cache: CacheInfo) -> str:
        """The pattern for SCAN that covers all its entries."""

    def created_field(self, cache: CacheInfo) -> str | None:
        """The NUMERIC field by which the index can sort entries by age, or None."""

    def created_unit_ms(self, cache: CacheInfo) -> float:
        """Milliseconds in a unit of `created_field`: 1000 where it is in seconds."""

    def tags(self, cache: CacheInfo) -> Mapping[str, str]:
        """TAG fields of the index by what of an entry they hold whole: `model`, `scope`, `route`, `tag`."""

    def text_fields(self, cache: CacheInfo) -> tuple[str, ...]:
        """The TEXT fields that a search by text looks in; none: prompts and answers aren't indexed."""

    def parts(self, cache: CacheInfo) -> Sequence[CacheInfo]:
        """What a search by vector asks one by one: the cache itself, or each of its vector sets."""

    def text_query(self, cache: CacheInfo, words: str) -> str | None:
        """What a person typed, as a query to the index; None: the index can't tell, entries must be read."""

    def text_is_exact(self, cache: CacheInfo) -> bool:
        """Whether what `text_query` finds needs no second look at the entries themselves."""

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

    def used(self, cache: CacheInfo, entry: CacheEntry, now_ms: int) -> CacheEntry:
        """The entry with what its remaining time to live tells of its last hit."""

    def siblings(self, cache: CacheInfo, key: bytes) -> Sequence[bytes]:
        """Every key that belongs to the entry alone and goes when it is evicted, itself first.

        They may lie in other slots of a cluster, and one that doesn't exist is no obstacle.
        """

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        """Prefixes of the keys that it reads or changes besides its entries: a config, vector sets."""

    def shared_reads(self, cache: CacheInfo, entry: CacheEntry) -> Sequence[Command]:
        """What to read of keys that this entry shares with others (second word), for `shared_pieces`."""

    def shared_pieces(
        self, cache: CacheInfo, entry: CacheEntry, replies: Sequence[Any]
    ) -> Sequence[SharedPiece]:
        """What leaves those keys with the entry, from the raw replies to `shared_reads` (None: it failed)."""

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        """The threshold of all its entries, then those of its parts, as the writer has them."""

    def change_threshold(self, cache: CacheInfo, part: str, similarity: float) -> Command | None:
        """The command that changes one of them from outside; None where that can't be done."""

    def stored_threshold(self, cache: CacheInfo, part: str) -> Command | None:
        """The read of what `change_threshold` changes; its second word is the key of both."""

    def restore_threshold(self, cache: CacheInfo, part: str, stored: bytes | None) -> Command | None:
        """The command that puts back what `stored_threshold` had said; None: it said nothing of the kind."""

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        """The code, config or command that sets this similarity, in the library's own terms."""
