"""RedisVL's SemanticCache, and the caches that LangChain and LiteLLM build on it.

The index's prefix is the cache's name without a separator, so that index `a` also covers the entries of
`a_v2`: a key belongs to a cache only if it is `{name}:` and 64 hex digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout, epoch_ms
from costconsole.cache.layouts.plain import plain_number
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import text

_SUBSET = {"prompt": "TEXT", "response": "TEXT", "inserted_at": "NUMERIC", "updated_at": "NUMERIC"}
_IN_CODE = (
    "the application keeps it in its own process, as SemanticCache(distance_threshold=...), 0.1 unless it "
    "says otherwise: change it there and start the application anew, or call set_threshold() in it"
)
_ENTRY = re.compile(rb"[0-9a-f]{64}\Z")


class RedisVLLayout(HashLayout):
    """Fields: prompt, response, inserted_at (epoch seconds), prompt_vector, metadata (JSON), filters."""

    library = "redisvl"
    name = "redisvl"
    vector_field = "prompt_vector"
    created = "inserted_at"
    listed: tuple[str, ...] = ("prompt", "response", "inserted_at", "metadata", "model", "scope")
    texts = ("prompt", "response")

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        caches = [info for index in seen.indexes if (info := self._cache(index)) is not None]
        return tuple(sorted(caches, key=lambda info: info.name))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _ENTRY.match(key, len(prefix)) is not None

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["prompt"]) if "prompt" in fields else None,
            response=text(fields["response"]) if "response" in fields else None,
            model=text(fields.get("model")) or _model_in(fields.get("metadata")),
            created_ms=epoch_ms(fields.get("inserted_at")),
            scope=text(fields.get("scope")),
        )

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return (Threshold(default=0.9, sentence=_IN_CODE),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        distance = plain_number(1.0 - similarity)
        return f"SemanticCache(name={json.dumps(cache.index)}, distance_threshold={distance})"

    def _cache(self, index: IndexInfo) -> CacheInfo | None:
        vector = index.fields.get(self.vector_field)
        if vector is None or vector.type != "VECTOR" or index.storage != "HASH" or not index.prefixes:
            return None
        if not all(index.has(name, kind) for name, kind in _SUBSET.items()):
            return None
        return self.known_by(index, name=index.name, prefix=index.prefixes[0].removesuffix(":") + ":")


def _model_in(metadata: bytes | None) -> str:
    """The application's own `model` in the metadata, where it put one."""
    try:
        known = json.loads(metadata or b"{}")
    except ValueError:
        return ""
    model = known.get("model") if isinstance(known, dict) else None
    return model if isinstance(model, str) else ""
