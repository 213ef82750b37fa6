"""costconsole's own caches: the semantic index, and the exact entries, of every namespace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from costconsole.cache.answer import decode_answer
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import Family, KeyShape, Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout, epoch_ms
from costconsole.cache.layouts.plain import plain_number
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import UsageProblem
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text

_INDEX = re.compile(r"costconsole:\{([^{}]+)\}:semantic")
_FAMILY = re.compile(r"costconsole:\{([^{}]+)\}:(semantic|exact):")
_ENTRY = re.compile(rb"[0-9a-f]{64}\Z")
_IN_POLICY = (
    "kept in the policy of its namespace, which every gateway follows within a second: change it with "
    "costconsole threshold"
)
_WITHOUT = "without"
_TAGS = ("model", "scope", "route", "tag")
_SUBSET = {"prompt": "TEXT", "response": "TEXT", "inserted_at": "NUMERIC", "scope": "TAG"}


class OwnLayout(HashLayout):
    """Semantic entries are in RedisVL's layout plus tags; exact ones have `created_ms` and no vector."""

    library = "costconsole"
    name = "costconsole"
    shapes: tuple[KeyShape, ...] = (
        KeyShape(
            "hash", "costconsole:{*}:[es]*:*", re.compile(rb"(costconsole:\{[^{}]+\}:(?:exact|semantic):)")
        ),
    )
    vector_field = "prompt_vector"
    created = "inserted_at"
    listed = ("prompt", "response", "model", "metadata", "scope", "route", "tag", "inserted_at", "created_ms")
    texts = ("prompt", "response")
    part_word = "route"
    scope_field = "scope"

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        found = [info for index in seen.indexes if (info := self._semantic(index, seen)) is not None]
        indexed = {info.prefix for info in found}
        found += [
            info
            for family in seen.families
            if family.prefix not in indexed and (info := self._from_keys(family, seen)) is not None
        ]
        return tuple(sorted(found, key=lambda info: (info.name.rpartition(":")[0], info.kind != "exact")))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _ENTRY.match(key, len(prefix)) is not None

    def created_field(self, cache: CacheInfo) -> str | None:
        return self.created if cache.index else None

    def tags(self, cache: CacheInfo) -> Mapping[str, str]:
        missing = cache.detail(_WITHOUT).split()
        return {name: name for name in _TAGS if name not in missing} if cache.index else {}

    def usage_keys(self, cache: CacheInfo) -> tuple[str, str] | None:
        match = _FAMILY.match(cache.prefix)
        keys = Keys(match.group(1)) if match else None
        return (keys.hits, keys.last_hit) if keys else None

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        answer = decode_answer(fields.get("response", b""), fields.get("metadata"), None)
        created = epoch_ms(fields.get("inserted_at"))
        if created is None and fields.get("created_ms", b"").isdigit():
            created = int(fields["created_ms"])
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["prompt"]) if "prompt" in fields else None,
            response=answer.text if "response" in fields else None,
            model=answer.model or text(fields.get("model")),
            created_ms=created,
            scope=text(fields.get("scope")),
            route=text(fields.get("route")),
            tag=text(fields.get("tag")),
            usage=answer.usage if "metadata" in fields else None,
        )

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        if cache.kind != "semantic":
            return ()
        return (Threshold("", cache.threshold, changes="now", sentence=_IN_POLICY),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        of = f" --route {part}" if part else ""
        return f"costconsole threshold set {plain_number(similarity)} --cache {cache.name}{of}"

    def namespace_of(self, cache: CacheInfo) -> str:
        """The namespace whose policy it follows; "": not one of ours."""
        match = _FAMILY.match(cache.prefix)
        return match.group(1) if match else ""

    def _semantic(self, index: IndexInfo, seen: Surroundings) -> CacheInfo | None:
        match = _INDEX.fullmatch(index.name)
        vector = index.fields.get(self.vector_field)
        if not match or vector is None or vector.type != "VECTOR" or index.storage != "HASH":
            return None
        if not all(index.has(name, kind) for name, kind in _SUBSET.items()):
            return None
        return self.known_by(
            index,
            name=f"{match.group(1)}:semantic",
            prefix=index.name + ":",
            threshold=(seen.thresholds or {}).get(match.group(1)),
        )

    def _from_keys(self, family: Family, seen: Surroundings) -> CacheInfo | None:
        """A cache known by its keys alone: exact entries, or semantic ones where there is no search."""
        match = _FAMILY.fullmatch(family.prefix)
        if not match:
            return None
        namespace, kind = match.groups()
        try:
            Keys(namespace)
        except UsageProblem:
            return None
        problem = ""
        if kind == "semantic":
            problem = seen.why_no_search or "its index is gone: a search by meaning has to read every vector"
        return self.known_by_keys(
            family,
            name=f"{namespace}:{kind}",
            kind="exact" if kind == "exact" else "semantic",
            threshold=(seen.thresholds or {}).get(namespace) if kind == "semantic" else None,
            problem=problem,
        )
