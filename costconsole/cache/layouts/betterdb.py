"""BetterDB's semantic-cache and agent-cache. A registry in Redis tells of both, config and counters too.

Times are in milliseconds, thresholds are distances, costs are in millionths of a dollar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import Family, KeyShape, Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout
from costconsole.cache.layouts.plain import PlainLayout, plain_number
from costconsole.cache.layouts.values import from_json, mapping, number, shown, whole
from costconsole.domain.call import Usage
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.money import usd_to_nano
from costconsole.redis_store.replies import pairs, text

_REGISTRY: Command = ("HGETALL", "__betterdb:caches")
_SUBSET = {
    "prompt": "TEXT", "response": "TEXT", "model": "TAG", "category": "TAG", "inserted_at": "NUMERIC",
    "embedding": "VECTOR",
}  # fmt: skip
_ENTRIES = ":entry:"
_UUID = re.compile(rb"[0-9a-fA-F-]{36}\Z")
_LLM = KeyShape("string", "*:llm:*", re.compile(rb"(.+:llm:)[0-9a-f]{64}\Z", re.DOTALL))
_TOOL = KeyShape("string", "*:tool:*", re.compile(rb"(.+?:tool:).+:[0-9a-f]{64}\Z", re.DOTALL))
_HASH = re.compile(rb"[0-9a-f]{64}\Z")
_CALL = re.compile(rb".+:[0-9a-f]{64}\Z", re.DOTALL)


class BetterDBSemanticLayout(HashLayout):
    """Fields: prompt, response, model, category, inserted_at (ms), metadata, embedding, cost_micros."""

    library = "betterdb"
    name = "betterdb"
    vector_field = "embedding"
    created = "inserted_at"
    listed = ("prompt", "response", "model", "category", "inserted_at", "cost_micros")
    texts = ("prompt", "response")
    part_word = "category"

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        names = self._names(seen)
        return [_REGISTRY, *(("HGETALL", f"{name}:__config") for name in names)]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return tuple(self._cache(name, index, seen) for name, index in sorted(self._names(seen).items()))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _UUID.match(key, len(prefix)) is not None

    def created_unit_ms(self, cache: CacheInfo) -> float:
        return 1.0

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        cost = whole(fields.get("cost_micros"))
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["prompt"]) if "prompt" in fields else None,
            response=text(fields["response"]) if "response" in fields else None,
            model=text(fields.get("model")),
            created_ms=whole(fields.get("inserted_at")),
            route=text(fields.get("category")),
            cost_nano=None if cost is None else cost * 1_000,
        )

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return (_REGISTRY[1], _config(cache).removesuffix("config"))

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        known = mapping(from_json(cache.detail("thresholds")))
        sentence = (
            f"kept in {_config(cache)}, which its writers read every 30 seconds; removing it there "
            f"brings back the one of their code"
        )
        return [
            Threshold(part, None if distance is None else 1.0 - distance, changes="now", sentence=sentence)
            for part, distance in known.items()
        ]

    def change_threshold(self, cache: CacheInfo, part: str, similarity: float) -> Command | None:
        distance = round(1.0 - similarity, 9)
        return ("HSET", _config(cache), _field(part), repr(distance)) if 0 <= distance <= 2 else None

    def stored_threshold(self, cache: CacheInfo, part: str) -> Command | None:
        return ("HGET", _config(cache), _field(part))

    def restore_threshold(self, cache: CacheInfo, part: str, stored: bytes | None) -> Command | None:
        if stored is None:
            return ("HDEL", _config(cache), _field(part))
        return ("HSET", _config(cache), _field(part), stored)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return f"HSET {_config(cache)} {_field(part)} {plain_number(1.0 - similarity)}"

    def _names(self, seen: Surroundings) -> dict[str, IndexInfo | None]:
        """Caches by name with their index; None where the registry knows one whose index is gone."""
        found: dict[str, IndexInfo | None] = {
            name: None for name, marker in _registered(seen).items() if marker.get("type") == "semantic_cache"
        }
        for index in seen.indexes:
            prefix = index.prefixes[0] if index.prefixes else ""
            if index.storage != "HASH" or not prefix.endswith(_ENTRIES):
                continue
            if all(index.has(name, kind) for name, kind in _SUBSET.items()):
                found[prefix.removesuffix(_ENTRIES)] = index
        return found

    def _cache(self, name: str, index: IndexInfo | None, seen: Surroundings) -> CacheInfo:
        thresholds = _thresholds(name, seen)
        general = thresholds.get("")
        cache = self.known_by(
            index,
            name=name,
            prefix=name + _ENTRIES,
            threshold=None if general is None else 1.0 - general,
            details=(
                ("thresholds", json.dumps(thresholds)),
                ("stats_key", _stats_key(name, seen)),
                ("window_key", f"{name}:__similarity_window"),
            ),
        )
        if index is not None:
            return cache
        gone = seen.why_no_search or "its index is gone: a search by meaning reads every vector"
        return replace(cache, problem=gone)


class BetterDBAgentLayout(PlainLayout):
    """Answers of models, and of tools, found again by an exact key. A session's state is no answer."""

    library = "betterdb"
    name = "betterdb agent"
    shapes: tuple[KeyShape, ...] = (_LLM, _TOOL)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [_REGISTRY, *(_probe(family) for family in seen.families)]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        names = [name for name, m in _registered(seen).items() if m.get("type") == "agent_cache"]
        found = {f"{name}:llm:": self._cache(f"{name}:llm:", None, None, seen) for name in names}
        for family in seen.families:
            stored = mapping(from_json(seen.replies.get(_probe(family))))
            registered = family.prefix.rsplit(":", 2)[0] in names
            if registered or ("response" in stored and number(stored.get("storedAt")) is not None):
                found[family.prefix] = self._cache(family.prefix, family.count, family.complete, seen)
        return tuple(found[prefix] for prefix in sorted(found))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        shape = _HASH if cache.prefix.endswith(":llm:") else _CALL
        return key.startswith(prefix) and shape.match(key, len(prefix)) is not None

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return (_REGISTRY[1], cache.detail("stats_key"))

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        if reply is None:
            return None
        stored = mapping(from_json(reply))
        tokens, cost = mapping(stored.get("tokens")), number(stored.get("cost"))
        tool = shown(stored.get("toolName"))
        return CacheEntry(
            key=text(key),
            cache=cache.name,
            library=self.library,
            prompt=f"{tool} {shown(stored.get('args'))}".strip() if tool else None,
            # What isn't in the known form is shown as it is stored.
            response=shown(stored.get("response")) if stored else text(reply),
            model=shown(stored.get("model")),
            created_ms=whole(stored.get("storedAt")),
            route=tool,
            usage=_usage(tokens) if tokens else None,
            cost_nano=None if cost is None or cost < 0 else usd_to_nano(Decimal(str(cost))),
        )

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        entry = self.parse(cache, key, reply)
        if entry is None:
            return None
        return _with_fields(entry, mapping(from_json(reply)), text(reply))

    def _cache(self, prefix: str, count: int | None, complete: bool | None, seen: Surroundings) -> CacheInfo:
        return CacheInfo(
            name=prefix.removesuffix(":"),
            library=self.library,
            layout=self.name,
            kind="exact",
            prefix=prefix,
            entries=count if complete else None,
            details=(("stats_key", _stats_key(prefix.rsplit(":", 2)[0], seen)),),
        )


def _registered(seen: Surroundings) -> dict[str, Mapping[str, Any]]:
    """The registry: what each cache says of itself, by its name."""
    return {name: mapping(from_json(marker)) for name, marker in pairs(seen.replies.get(_REGISTRY)).items()}


def _stats_key(name: str, seen: Surroundings) -> str:
    """Where it counts, as it announces."""
    return shown(_registered(seen).get(name, {}).get("stats_key")) or f"{name}:__stats"


def _thresholds(name: str, seen: Surroundings) -> dict[str, float | None]:
    """Distances by category ("": all), as the writers have them: the config's before those of their code."""
    marker = _registered(seen).get(name, {})
    found: dict[str, float | None] = {"": number(marker.get("default_threshold"))}
    for category, distance in mapping(marker.get("category_thresholds")).items():
        found[category] = number(distance)
    for field, value in pairs(seen.replies.get(("HGETALL", f"{name}:__config"))).items():
        distance = number(value)
        word, colon, category = field.partition(":")
        if word != "threshold" or bool(colon) != bool(category):
            continue
        if distance is not None and 0 <= distance <= 2:
            found[category] = distance
    return found


def _config(cache: CacheInfo) -> str:
    return cache.prefix.removesuffix(_ENTRIES) + ":__config"


def _field(category: str) -> str:
    return f"threshold:{category}" if category else "threshold"


def _probe(family: Family) -> Command:
    return ("GET", family.sample)


def _usage(tokens: Mapping[str, Any]) -> Usage:
    return Usage(
        input=max(0, whole(tokens.get("input")) or 0), output=max(0, whole(tokens.get("output")) or 0)
    )


def _with_fields(entry: CacheEntry, stored: Mapping[str, Any], raw: str) -> CacheEntry:
    fields = tuple((name, shown(value)) for name, value in stored.items()) or (("value", raw),)
    return replace(entry, fields=fields)
