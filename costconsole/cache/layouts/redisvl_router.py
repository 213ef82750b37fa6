"""RedisVL's SemanticRouter: a hash for each reference of a route, and one JSON key with its config.

Thresholds are distances, one a route. A router compares strictly (`distance < threshold`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import SharedPiece, Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout
from costconsole.cache.layouts.plain import plain_number
from costconsole.cache.layouts.values import from_json, mapping, number, whole
from costconsole.cache.vectors import to_stored
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import UsageProblem
from costconsole.redis_store.replies import pairs, text

_SUBSET = {"reference_id": "TAG", "route_name": "TAG", "reference": "TEXT"}
_ENTRY = re.compile(rb"(.+):[0-9a-f]{64}\Z", re.DOTALL)
_DEFAULT_DISTANCE = 0.5
_REDUCERS = {"avg": "AVG", "min": "MIN", "sum": "SUM"}
_ALL_ROUTES = 10_000
_NEXT_START = (
    "its config key is read when a router is next made with SemanticRouter.from_existing(): one that runs "
    "keeps its own, and one made with routes= writes those of its code over it"
)


class RouterLayout(HashLayout):
    """Fields: reference_id, route_name, reference, vector. There is no time, and no answer."""

    library = "redisvl"
    name = "redisvl router"
    vector_field = "vector"
    listed = ("reference", "route_name")
    texts = ("reference",)
    part_word = "route"

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [_probe(index.name) for index in seen.indexes if self._is_router(index)]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return tuple(
            self._cache(index, from_json(seen.replies.get(_probe(index.name))))
            for index in seen.indexes
            if self._is_router(index)
        )

    def created_field(self, cache: CacheInfo) -> str | None:
        return None

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        return None

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        match = _ENTRY.match(key, len(prefix)) if key.startswith(prefix) else None
        if match is None:
            return False
        routes = _routes(cache.detail("routes"))
        # Without the config, a route's name can't be told from the end of another router's.
        return match.group(1) in routes if routes else b":" not in match.group(1)

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        return CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["reference"]) if "reference" in fields else None,
            route=text(fields.get("route_name")),
        )

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return (_config(cache),)

    def shared_reads(self, cache: CacheInfo, entry: CacheEntry) -> Sequence[Command]:
        path = _path(cache, entry.route, "references")
        if path is None or entry.prompt is None:
            return ()
        return (("JSON.ARRINDEX", _config(cache).encode(), path, json.dumps(entry.prompt)),)

    def shared_pieces(
        self, cache: CacheInfo, entry: CacheEntry, replies: Sequence[Any]
    ) -> Sequence[SharedPiece]:
        """The reference in the config's list: the library keeps the two in step."""
        path, reads = _path(cache, entry.route, "references"), self.shared_reads(cache, entry)
        reply = replies[0] if replies else None
        at = reply[0] if isinstance(reply, list) and len(reply) == 1 else None
        if path is None or not reads or not isinstance(at, int) or at < 0:
            return ()
        key, reference = _config(cache).encode(), json.dumps(entry.prompt)
        return (
            SharedPiece(
                key=key,
                check=reads[0],
                reply=reply,
                remove=("JSON.ARRPOP", key, path, at),
                restore=("JSON.ARRINSERT", key, path, at, reference),
            ),
        )

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return [
            Threshold(route.decode(), 1.0 - distance, changes="next start", sentence=_NEXT_START)
            for route, distance in _routes(cache.detail("routes")).items()
        ]

    def change_threshold(self, cache: CacheInfo, part: str, similarity: float) -> Command | None:
        path = _path(cache, part, "distance_threshold")
        distance = round(1.0 - similarity, 9)
        # The library takes 0 < distance <= 2 and nothing else.
        return ("JSON.SET", _config(cache), path, repr(distance)) if path and 0 < distance <= 2 else None

    def stored_threshold(self, cache: CacheInfo, part: str) -> Command | None:
        path = _path(cache, part, "distance_threshold")
        return ("JSON.GET", _config(cache), path) if path else None

    def restore_threshold(self, cache: CacheInfo, part: str, stored: bytes | None) -> Command | None:
        path, found = _path(cache, part, "distance_threshold"), from_json(stored)
        if path is None or not isinstance(found, list) or len(found) != 1 or number(found[0]) is None:
            return None
        return ("JSON.SET", _config(cache), path, json.dumps(found[0]))

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return f"Route(name={json.dumps(part)}, distance_threshold={plain_number(1.0 - similarity)})"

    def _is_router(self, index: IndexInfo) -> bool:
        return (
            index.storage == "HASH"
            and bool(index.prefixes)
            and index.has(self.vector_field, "VECTOR")
            and all(index.has(name, kind) for name, kind in _SUBSET.items())
        )

    def _cache(self, index: IndexInfo, config: Any) -> CacheInfo:
        known = mapping(config)
        routes = _distances(known)
        model = mapping(known.get("vectorizer")).get("model")
        cache = self.known_by(
            index,
            name=index.name,
            prefix=index.prefixes[0].removesuffix(":") + ":",
            kind="router",
            details=(("embedding_model", text(model)), ("routes", json.dumps(routes))),
        )
        if known or cache.problem:
            return cache
        return replace(
            cache, problem=f"its config key {index.name}:route_config is missing: thresholds can't be known"
        )


@dataclass(frozen=True, slots=True)
class Routed:
    """What a router decides, and the similarity of every route of its config.

    `route` is what calling the router gives: the nearest route of all, if it passes its own threshold.
    `routes` is what its `route_many()` gives: those of the `max_k` nearest that pass. `hidden` pass as well,
    and are not looked at by either. A route's score is 1 - the distance that is compared: the least, the mean
    or the sum of those of its references within the widest of all thresholds; None: none is that near.
    """

    route: str | None
    routes: tuple[str, ...]
    hidden: tuple[str, ...]
    scores: Mapping[str, float | None]
    thresholds: Mapping[str, float]
    aggregation: str
    max_k: int


async def route_vector(client: Any, cache: CacheInfo, vector: bytes) -> Routed:
    """Route a float32 vector as a router would that is made from the config now in Redis.

    The rule of RedisVL 0.28: distances within the widest threshold, put together for each route, the nearest
    routes of all in the index (another router's too, where the index covers them), and of those the ones
    whose distance is strictly below their own threshold. Raises UsageProblem where there is no config, or
    the vector has other dimensions.
    """
    config = mapping(from_json(await client.execute_command(*_probe(cache.index or ""))))
    distances = _distances(config)
    if not distances:
        raise UsageProblem(f"{cache.name} has no route in {_config(cache)}: nothing can be routed by it")
    if len(vector) != 4 * (cache.dims or 0):
        raise UsageProblem(
            f"{cache.name} has vectors of {cache.dims} numbers, this one has {len(vector) // 4}"
        )
    rule = mapping(config.get("routing_config"))
    aggregation = str(rule.get("aggregation_method") or "avg")
    max_k = max(1, whole(rule.get("max_k")) or 1)
    reply = await client.execute_command(
        "FT.AGGREGATE", cache.index, f"@{RouterLayout.vector_field}:[VECTOR_RANGE $reach $v]"
        "=>{$YIELD_DISTANCE_AS: vector_distance}",
        "GROUPBY", 1, "@route_name",
        "REDUCE", _REDUCERS.get(aggregation, "AVG"), 1, "@vector_distance", "AS", "distance",
        "SORTBY", 2, "@distance", "ASC", "MAX", _ALL_ROUTES, "LIMIT", 0, _ALL_ROUTES,
        "PARAMS", 4, "v", to_stored(vector, cache.datatype or "FLOAT32"), "reach", max(distances.values()),
        "DIALECT", 2,
    )  # fmt: skip
    rows = [pairs(row) for row in reply[1:]]
    found = [(text(row.get("route_name")), float(row["distance"])) for row in rows]
    passes = {name for name, distance in found if name in distances and distance < distances[name]}
    nearest = [name for name, _ in found]
    near = {name: 1.0 - distance for name, distance in found}
    return Routed(
        route=next((name for name in nearest[:1] if name in passes), None),
        routes=tuple(name for name in nearest[:max_k] if name in passes),
        hidden=tuple(name for name in nearest[max_k:] if name in passes),
        scores={name: near.get(name) for name in distances},
        thresholds={name: round(1.0 - distance, 9) for name, distance in distances.items()},
        aggregation=aggregation,
        max_k=max_k,
    )


def _distances(config: Mapping[str, Any]) -> dict[str, float]:
    """The threshold of each route of a config, as a distance."""
    return {
        str(route["name"]): number(route.get("distance_threshold")) or _DEFAULT_DISTANCE
        for route in config.get("routes") or ()
        if isinstance(route, dict) and "name" in route
    }


def _probe(name: str) -> Command:
    return ("JSON.GET", f"{name}:route_config")


def _config(cache: CacheInfo) -> str:
    return f"{cache.index}:route_config"


def _path(cache: CacheInfo, route: str, member: str) -> str | None:
    """The JSON path of a member of a route; None for a route that the config doesn't have."""
    names = list(_routes(cache.detail("routes")))
    if route.encode() not in names:
        return None
    if re.fullmatch(r"[\w .\-]+", route):
        # By its name: positions change when another process adds a route.
        return f'$.routes[?(@.name=="{route}")].{member}'
    return f"$.routes[{names.index(route.encode())}].{member}"


@lru_cache(maxsize=64)
def _routes(stored: str) -> Mapping[bytes, float]:
    """Distances by route, in the order of the config."""
    return {name.encode(): float(distance) for name, distance in mapping(from_json(stored)).items()}
