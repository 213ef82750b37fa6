"""What holds for a cache unless its layout says otherwise: no index, no vectors, one key an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.layouts.base import Family, KeyShape, SharedPiece, Surroundings, Threshold
from costconsole.cache.textquery import glob_escaped, text_query
from costconsole.domain.entry import CacheEntry, CacheInfo, CacheKind

_IN_PROCESS = "its writer keeps the threshold in its own process: change it where the cache is made"


class PlainLayout:
    """Defaults for every part of `Layout`; subclasses say how entries are found and read."""

    library = ""
    name = ""
    shapes: tuple[KeyShape, ...] = ()
    part_word = ""
    scope_field = ""

    def known_by_keys(
        self, family: Family, *, name: str, kind: CacheKind = "exact", **more: Any
    ) -> CacheInfo:
        """A cache as its keys tell of it; how many there are is known if all of them were seen."""
        entries = family.count if family.complete else None
        return CacheInfo(name, self.library, kind, family.prefix, entries, layout=self.name, **more)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return ()

    def key_pattern(self, cache: CacheInfo) -> str:
        return glob_escaped(cache.prefix) + "*"

    def created_field(self, cache: CacheInfo) -> str | None:
        return None

    def created_unit_ms(self, cache: CacheInfo) -> float:
        return 1000.0

    def tags(self, cache: CacheInfo) -> Mapping[str, str]:
        return {"scope": self.scope_field} if cache.index and self.scope_field else {}

    def text_fields(self, cache: CacheInfo) -> tuple[str, ...]:
        return ()

    def text_query(self, cache: CacheInfo, words: str) -> str | None:
        fields = self.text_fields(cache)
        return text_query(words, fields) if fields else None

    def text_is_exact(self, cache: CacheInfo) -> bool:
        return True

    def parts(self, cache: CacheInfo) -> Sequence[CacheInfo]:
        return (cache,)

    def knn(self, cache: CacheInfo, vector: bytes, k: int, scope: str = "") -> Command | None:
        return None

    def parse_knn(self, cache: CacheInfo, reply: Any) -> list[tuple[bytes, float]]:
        return []

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        return ("GET", key)

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        return None

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        raise NotImplementedError

    def read_whole(self, cache: CacheInfo, key: bytes) -> Command:
        return self.read(cache, key)

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        return self.parse(cache, key, reply)

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        return None

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        return None

    def wrap(self, cache: CacheInfo, prompt: str) -> str:
        return prompt

    def usage_keys(self, cache: CacheInfo) -> tuple[str, str] | None:
        return None

    def used(self, cache: CacheInfo, entry: CacheEntry, now_ms: int) -> CacheEntry:
        return entry

    def siblings(self, cache: CacheInfo, key: bytes) -> Sequence[bytes]:
        return (key,)

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return ()

    def shared_reads(self, cache: CacheInfo, entry: CacheEntry) -> Sequence[Command]:
        return ()

    def shared_pieces(
        self, cache: CacheInfo, entry: CacheEntry, replies: Sequence[Any]
    ) -> Sequence[SharedPiece]:
        return ()

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        if cache.kind != "semantic":
            return ()
        return (Threshold("", cache.threshold, changes="no", sentence=_IN_PROCESS),)

    def change_threshold(self, cache: CacheInfo, part: str, similarity: float) -> Command | None:
        return None

    def stored_threshold(self, cache: CacheInfo, part: str) -> Command | None:
        return None

    def restore_threshold(self, cache: CacheInfo, part: str, stored: bytes | None) -> Command | None:
        return None

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return f"a similarity of {similarity:g}"


def plain_number(value: float) -> str:
    """A threshold as a person writes it, without the dust of binary fractions; NaN is left open."""
    if value != value:
        return "…"
    return f"{round(value, 9):.9g}"
