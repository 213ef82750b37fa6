"""Caches that keep an entry in one hash, with or without a search index: most of the known layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.plain import PlainLayout
from costconsole.cache.textquery import tag_escaped
from costconsole.cache.vectors import from_stored, to_stored
from costconsole.domain.entry import CacheEntry, CacheInfo, CacheKind
from costconsole.redis_store.replies import pairs, text

EF_RUNTIME = 64
_SAME = 1e-6
_SIZES = {"FLOAT64": 8, "FLOAT32": 4, "FLOAT16": 2, "BFLOAT16": 2}


class HashLayout(PlainLayout):
    """The parts that such layouts share. Subclasses say what the fields are called and mean."""

    vector_field = ""
    created = ""
    listed: tuple[str, ...] = ()
    """Fields that a list needs; the vector is never among them."""
    texts: tuple[str, ...] = ()

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        """What the fields mean. `fields` lacks those that aren't stored."""
        raise NotImplementedError

    def known_by(
        self, index: IndexInfo | None, *, name: str, prefix: str, kind: CacheKind = "semantic", **more: Any
    ) -> CacheInfo:
        """A cache as its index tells of it, and as `more` says instead; None: it has no index."""
        vector = index.fields.get(self.vector_field) if index else None
        facts: dict[str, Any] = {
            "entries": index.docs if index else None,
            "index": index.name if index else None,
            "dims": vector.dims if vector else None,
            "metric": vector.metric if vector else None,
            "datatype": vector.datatype if vector else None,
            "algorithm": vector.algorithm if vector else None,
            "memory_bytes": index.memory_bytes if index else None,
            "problem": _failures(index) if index else "",
        }
        facts |= more
        return CacheInfo(name, self.library, kind, prefix, layout=self.name, **facts)

    def created_field(self, cache: CacheInfo) -> str | None:
        return self.created if cache.index else None

    def text_fields(self, cache: CacheInfo) -> tuple[str, ...]:
        return self.texts if cache.index else ()

    def knn(self, cache: CacheInfo, vector: bytes, k: int, scope: str = "") -> Command | None:
        if scope and not self.scope_field:
            return None
        if not cache.index or not cache.dims or cache.metric != "COSINE" or cache.datatype not in _SIZES:
            return None
        effort = f" EF_RUNTIME {max(EF_RUNTIME, k)}" if cache.algorithm == "HNSW" else ""
        within = f"(@{self.scope_field}:{{{tag_escaped(scope)}}})" if scope else "*"
        return (
            "FT.SEARCH", cache.index, f"{within}=>[KNN {k} @{self.vector_field} $v{effort} AS __distance]",
            "PARAMS", 2, "v", to_stored(vector, cache.datatype), "RETURN", 1, "__distance",
            "SORTBY", "__distance", "ASC", "LIMIT", 0, k, "DIALECT", 2,
        )  # fmt: skip

    def parse_knn(self, cache: CacheInfo, reply: Any) -> list[tuple[bytes, float]]:
        found = []
        for at in range(1, len(reply) - 1, 2):
            distance = pairs(reply[at + 1]).get("__distance")
            if distance is not None:
                away = float(distance)
                found.append((reply[at], 1.0 if away < _SAME else max(-1.0, 1.0 - away)))
        return found

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        return ("HMGET", key, *self.listed)

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        value = reply[self.listed.index(self.created)] if isinstance(reply, Sequence) else None
        return None if value is None else text(value)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        values = reply if isinstance(reply, Sequence) else ()
        fields = {name: value for name, value in zip(self.listed, values, strict=False) if value is not None}
        return self.entry(cache, text(key), fields) if fields else None

    def read_whole(self, cache: CacheInfo, key: bytes) -> Command:
        return ("HGETALL", key)

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        fields = {name: value for name, value in pairs(reply).items() if value is not None}
        if not fields:
            return None
        shown = tuple((name, text(value)) for name, value in fields.items() if name != self.vector_field)
        return replace(self.entry(cache, text(key), fields), fields=shown)

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        return ("HGET", key, self.vector_field) if self.vector_field else None

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        datatype = cache.datatype or "FLOAT32"
        size = _SIZES.get(datatype)
        if not isinstance(reply, bytes) or size is None or not reply or len(reply) % size:
            return None
        if cache.dims and len(reply) != cache.dims * size:
            return None
        return from_stored(reply, datatype)


def _failures(index: IndexInfo) -> str:
    if not index.failures:
        return ""
    return f"{index.failures} hashes could not be indexed, so they are not found by meaning: {index.failure}"


def epoch_ms(seconds: bytes | None) -> int | None:
    """Unix milliseconds from decimal seconds; None when it isn't a number."""
    try:
        return None if seconds is None else round(float(seconds) * 1000)
    except (ValueError, OverflowError):
        return None
