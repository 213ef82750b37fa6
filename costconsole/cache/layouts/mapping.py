"""Caches made by hand, as the config maps them: `[caches.NAME]` says what their fields are called.

An entry is a hash or a JSON key under a prefix. Without an index its vectors are compared one by one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout
from costconsole.cache.layouts.plain import plain_number
from costconsole.cache.layouts.values import from_json, iso_ms, number, packed, shown, whole
from costconsole.cache.layouts.values import mapping as as_mapping
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import pairs, text

_OWN = b"costconsole:"
_METRICS = {"cosine": "COSINE", "l2": "L2", "ip": "IP"}
_UNITS_MS = {"s": 1000.0, "ms": 1.0}
_STORED_MS = 2_000
"""A time to live that began so soon after the entry was made is that of its storing, not of a hit."""
_NAMES = ("prompt", "response", "model", "created", "hits", "scope")


class MappingLayout(HashLayout):
    """What the mapping says is carried in the details of the cache, as JSON."""

    library = "mapping"
    name = "mapping"

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        indexes = {index.name: index for index in seen.indexes}
        return tuple(
            self._cache(name, mapped, indexes.get(mapped.get("index", "")), seen)
            for name, mapped in seen.mappings.items()
        )

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        # However short the prefix is, the ledger and what was evicted are nobody's entries.
        return key.startswith(prefix) and len(key) > len(prefix) and not key.startswith(_OWN)

    def created_field(self, cache: CacheInfo) -> str | None:
        return _of(cache).get("sorted_by") if cache.index else None

    def created_unit_ms(self, cache: CacheInfo) -> float:
        return _UNITS_MS[_of(cache).get("created_unit", "s")]

    def text_fields(self, cache: CacheInfo) -> tuple[str, ...]:
        return tuple(_of(cache).get("texts", ())) if cache.index else ()

    def knn(self, cache: CacheInfo, vector: bytes, k: int, scope: str = "") -> Command | None:
        mapped = _of(cache)
        return _named(mapped.get("vector", ""), mapped.get("filter", "")).knn(cache, vector, k, scope)

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        if cache.detail("type") == "json":
            # The whole of it: several paths come in another order each time, as if the entry had changed.
            return ("JSON.GET", key)
        return ("HMGET", key, *_listed(_of(cache)))

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        mapped = _of(cache)
        created = mapped.get("created")
        value = self._fields(cache, reply).get(created) if created else None
        return None if value is None else text(value)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        fields = self._fields(cache, reply)
        return self.entry(cache, text(key), fields) if fields else None

    def read_whole(self, cache: CacheInfo, key: bytes) -> Command:
        return ("JSON.GET", key) if cache.detail("type") == "json" else ("HGETALL", key)

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        if cache.detail("type") == "json":
            fields = {name: _bytes(value) for name, value in as_mapping(from_json(reply)).items()}
        else:
            fields = {name: value for name, value in pairs(reply).items() if value is not None}
        if not fields:
            return None
        vector = _of(cache).get("vector")
        kept = tuple((name, text(value)) for name, value in fields.items() if name != vector)
        return replace(self.entry(cache, text(key), fields), fields=kept)

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        mapped = _of(cache)
        found = {name: fields.get(mapped.get(name, "")) for name in _NAMES}
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=None if found["prompt"] is None else text(found["prompt"]),
            response=None if found["response"] is None else text(found["response"]),
            model=text(found["model"]),
            created_ms=_created_ms(found["created"], _UNITS_MS[mapped.get("created_unit", "s")]),
            hits=whole(found["hits"]),
            scope=text(found["scope"]),
        )

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        field = _of(cache).get("vector")
        if not field:
            return None
        return ("JSON.GET", key, _path(field)) if cache.detail("type") == "json" else ("HGET", key, field)

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        if cache.detail("type") == "json":
            found = from_json(reply)
            return packed(found[0]) if isinstance(found, list) and found else None
        if _of(cache).get("dtype") == "json":
            return packed(from_json(reply))
        return super().parse_vector(cache, reply)

    def wrap(self, cache: CacheInfo, prompt: str) -> str:
        return str(_of(cache).get("template", "{prompt}")).replace("{prompt}", prompt)

    def used(self, cache: CacheInfo, entry: CacheEntry, now_ms: int) -> CacheEntry:
        """Where every hit renews the time to live, what is left of it tells the last one."""
        mapped = _of(cache)
        ttl = number(mapped.get("ttl"))
        if not mapped.get("ttl_renewed") or ttl is None or entry.ttl_ms is None or entry.last_hit_ms:
            return entry
        renewed = now_ms - max(0, round(ttl * 1000) - entry.ttl_ms)
        stored = entry.created_ms
        if stored is None or renewed - stored < _STORED_MS:
            return entry
        return replace(entry, last_hit_ms=renewed)

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        sentence = f"as [caches.{cache.name}] in the config says; change it where the cache is made as well"
        if cache.threshold is None:
            sentence = f"not known: write threshold under [caches.{cache.name}] in the config"
        return (Threshold("", cache.threshold, sentence=sentence),) if cache.kind == "semantic" else ()

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        stored = 1.0 - similarity if _of(cache).get("threshold_unit") == "distance" else similarity
        return f"[caches.{cache.name}] threshold = {plain_number(stored)}"

    def _fields(self, cache: CacheInfo, reply: Any) -> dict[str, bytes]:
        """The listed fields by name, as bytes, from a reply to `read`."""
        names = _listed(_of(cache))
        if cache.detail("type") == "json":
            stored = as_mapping(from_json(reply))
            return {name: _bytes(stored[name]) for name in names if name in stored}
        values = reply if isinstance(reply, Sequence) and not isinstance(reply, str | bytes) else ()
        return {name: value for name, value in zip(names, values, strict=False) if value is not None}

    def _cache(
        self, name: str, mapped: Mapping[str, Any], index: IndexInfo | None, seen: Surroundings
    ) -> CacheInfo:
        details = dict(mapped)
        vector = index.fields.get(mapped.get("vector", "")) if index else None
        problem = ""
        if mapped.get("index") and index is None:
            problem = seen.why_no_search or f"there is no index {mapped['index']}: see [caches.{name}]"
        elif index is not None and mapped.get("vector") and vector is None:
            problem = f"the index {index.name} has no vector field {mapped['vector']}: see [caches.{name}]"
        elif index is not None and index.failures:
            problem = f"{index.failures} entries could not be indexed: {index.failure}"
        if index is not None:
            # What the index can't sort or search is walked over.
            if index.has(mapped.get("created", ""), "NUMERIC"):
                details["sorted_by"] = mapped["created"]
            wanted = (mapped.get("prompt", ""), mapped.get("response", ""))
            details["texts"] = [field for field in wanted if index.has(field, "TEXT")]
            details["filter"] = mapped["scope"] if index.has(mapped.get("scope", ""), "TAG") else ""
        kind = mapped.get("type") or ("json" if index is not None and index.storage == "JSON" else "hash")
        threshold = number(mapped.get("threshold"))
        if threshold is not None and mapped.get("threshold_unit") == "distance":
            threshold = 1.0 - threshold
        return CacheInfo(
            name=name,
            library=self.library,
            layout=self.name,
            kind="semantic" if mapped.get("vector") else "exact",
            prefix=mapped["prefix"],
            entries=index.docs if index else None,
            index=index.name if index else None,
            dims=vector.dims if vector else None,
            metric=vector.metric if vector else _METRICS[mapped.get("metric", "cosine")],
            datatype=vector.datatype if vector else str(mapped.get("dtype", "float32")).upper(),
            algorithm=vector.algorithm if vector else None,
            memory_bytes=index.memory_bytes if index else None,
            threshold=threshold,
            problem=problem,
            details=(("mapping", json.dumps(details)), ("type", kind)),
        )


@lru_cache(maxsize=256)
def _parsed(details: str) -> Mapping[str, Any]:
    return as_mapping(from_json(details))


def _of(cache: CacheInfo) -> Mapping[str, Any]:
    return _parsed(cache.detail("mapping"))


def _listed(mapped: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that a list needs."""
    return tuple(dict.fromkeys(mapped[name] for name in _NAMES if mapped.get(name)))


@lru_cache(maxsize=64)
def _named(vector: str, scope: str) -> HashLayout:
    """The search that layouts with fixed names send, with the names of a mapping."""
    layout = HashLayout()
    layout.vector_field, layout.scope_field = vector, scope
    return layout


def _path(name: str) -> str:
    return f"$[{json.dumps(name)}]"


def _bytes(value: Any) -> bytes:
    return shown(value).encode("utf-8", "surrogatepass")


def _created_ms(stored: bytes | None, unit_ms: float) -> int | None:
    """From a number in the mapping's unit, or an ISO 8601 time."""
    at = number(stored)
    return iso_ms(text(stored)) if at is None else round(at * unit_ms)
