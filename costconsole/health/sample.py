"""What the checks judge: keys that were counted, entries that were sampled, and their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costconsole.domain.entry import CacheEntry, CacheInfo


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one run may read. `walk_s` limits the walk over keys, `knn_s` the look-ups of one cache.

    `entries` and `probes` are numbers a cache; 0 leaves out the checks that need them.
    """

    walk_s: float
    entries: int = 0
    probes: int = 0
    knn_s: float = 0.0


QUICK = Budget(walk_s=0.3)
DEEP = Budget(walk_s=3.0, entries=400, probes=60, knn_s=1.0)


@dataclass(frozen=True, slots=True)
class Group:
    """Keys of one kind: how many, and the first few of them."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Census:
    """Keys, by name alone. `complete`: every key was seen; otherwise all counts are lower bounds.

    `owned` counts the entries of a cache, `sampled` is an even sample of their keys. `covered` counts keys
    under the prefixes of an index, `strangers[index, cache]` those among them that are another cache's
    entries. `loose` are keys that end like a cache's entries but that no cache owns and no index covers,
    by prefix.
    """

    looked_at: int = 0
    complete: bool = False
    owned: Mapping[str, int] = field(default_factory=dict)
    sampled: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    covered: Mapping[str, int] = field(default_factory=dict)
    strangers: Mapping[tuple[str, str], Group] = field(default_factory=dict)
    loose: Mapping[str, Group] = field(default_factory=dict)

    def entries(self, cache: CacheInfo) -> tuple[int | None, bool]:
        """How many entries a cache has, and whether that is only about right."""
        if self.complete:
            return self.owned.get(cache.name, 0), False
        return cache.entries, True


@dataclass(frozen=True, slots=True)
class Sampled:
    """An entry that was read. None and 0 bytes: not known, or not asked.

    `vector` is None when what is stored (`vector_bytes` long) isn't a vector of the cache's length.
    `missing` names keys that belong to the entry but are gone.
    """

    key: str
    entry: CacheEntry
    vector: bytes | None = None
    vector_bytes: int | None = None
    size_bytes: int | None = None
    idle_ms: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A sampled entry and one that is near it, with the cosine between them."""

    a: CacheEntry
    b: CacheEntry
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearness:
    """What look-ups with sampled vectors found.

    `asked` look-ups, of which each took `took_ms` milliseconds of the server (a round trip taken off).
    `foreign` are keys of other caches that came back, `gone` keys that no longer exist.
    """

    asked: int = 0
    took_ms: tuple[float, ...] = ()
    pairs: tuple[Pair, ...] = ()
    foreign: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def median_ms(self) -> float | None:
        times = sorted(self.took_ms)
        return times[len(times) // 2] if times else None


@dataclass(frozen=True, slots=True)
class CacheSample:
    """One cache as far as it was read. `entries` of `of` were sampled; `note` says what could not be."""

    cache: CacheInfo
    of: int | None = None
    about: bool = False
    entries: tuple[Sampled, ...] = ()
    near: Nearness = field(default_factory=Nearness)
    note: str = ""

    def scaled(self, found: int, among: int | None = None) -> tuple[int, bool]:
        """A number found in the sample, extrapolated to the cache, and whether it was."""
        seen = len(self.entries) if among is None else among
        if not seen or self.of is None or seen >= self.of:
            return found, False
        return round(found / seen * self.of), found > 0

    @property
    def basis(self) -> str:
        """Of how many entries the sample tells, in words."""
        seen = len(self.entries)
        if self.of is None:
            return f"{seen:,} sampled entries"
        if seen >= self.of:
            return f"all {seen:,} entries" if seen != 1 else "its only entry"
        return f"{seen:,} sampled of {'≈' if self.about else ''}{self.of:,} entries"
