"""RedisVL's EmbeddingsCache: texts and their vectors, found again by an exact key. It has no index.

A vector is kept as a JSON list, about five times the size of its float32 form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.layouts.base import KeyShape, Surroundings
from costconsole.cache.layouts.hashes import HashLayout, epoch_ms
from costconsole.cache.layouts.values import from_json, packed
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import text

_SHAPE = KeyShape("hash", "*:" + "?" * 64, re.compile(rb"(.+:)[0-9a-f]{64}\Z", re.DOTALL))
_ENTRY = re.compile(rb"[0-9a-f]{64}\Z")


class EmbeddingsLayout(HashLayout):
    """Fields: content (text or bytes), model_name, embedding (JSON), inserted_at (seconds), metadata."""

    library = "redisvl"
    name = "redisvl embeddings"
    shapes: tuple[KeyShape, ...] = (_SHAPE,)
    vector_field = "embedding"
    listed = ("content", "model_name", "inserted_at")

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [_probe(family.sample) for family in seen.families]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        caches = []
        for family in seen.families:
            content, model, embedding = seen.replies.get(_probe(family.sample)) or (None, None, None)
            if content is None or model is None or packed(from_json(embedding)) is None:
                continue
            # No dims: one cache may hold the vectors of several models.
            caches.append(self.known_by_keys(family, name=family.prefix.removesuffix(":"), kind="embeddings"))
        return tuple(sorted(caches, key=lambda cache: cache.name))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _ENTRY.match(key, len(prefix)) is not None

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        return None

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["content"]) if "content" in fields else None,
            model=text(fields.get("model_name")),
            created_ms=epoch_ms(fields.get("inserted_at")),
        )

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        return packed(from_json(reply))


def _probe(key: str) -> Command:
    return ("HMGET", key, "content", "model_name", "embedding")
