"""Reads a RedisVL SemanticRouter: its YAML, or the `route_config` that it keeps in Redis.

It knows routes and distances but no models: a route's `metadata` may name one (`model`, or `provider/model`)
or a `tier`; where it doesn't, the strong tier answers. Distances become similarities (1 - distance), and
stay strict: a route is taken *below* its distance. What decides exactly is kept in `semantic`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from costconsole.domain.text import first_words
from costconsole.routing.document import Unreadable, Value, from_plain
from costconsole.routing.known import PREFIXES, PROVIDERS, provider_of, tier_of
from costconsole.routing.model import (
    RANK_STEP,
    TIERS,
    Aggregation,
    Model,
    Route,
    RoutingConfig,
    SemanticRule,
    Tier,
)
from costconsole.routing.reading import Reader, quoted

_KEYS: Final = ("name", "routes", "vectorizer", "routing_config")
_ROUTE_KEYS: Final = ("name", "references", "metadata", "distance_threshold")
_ROUTING_KEYS: Final = ("max_k", "aggregation_method", "distance_threshold")
_AGGREGATIONS: Final[tuple[Aggregation, ...]] = ("avg", "min", "sum")
_MODEL_KEYS: Final = ("model", "model_name", "llm")
_DISTANCE: Final = 0.5
_SMALLEST: Final = 1e-9


def parse_route_config(mapping: Mapping[str, object], source: str) -> RoutingConfig:
    """The config in a RedisVL router's `route_config`, as Redis keeps it. Raises ConfigProblem."""
    from costconsole.routing.config import ConfigProblem, in_order, problem, version_of

    try:
        root = from_plain(mapping)
    except Unreadable as error:
        raise problem(source, str(error)) from None
    reader = Reader(source)
    found = read_redisvl(root, reader, version_of(json.dumps(mapping, sort_keys=True, default=str)))
    if found is None:
        raise ConfigProblem(in_order(reader.findings, source))
    return replace(found, findings=in_order(reader.findings, source))


def read_redisvl(root: Value, reader: Reader, version: str) -> RoutingConfig | None:
    """The config in `root`, or None where `reader` found errors."""
    top = reader.table(root, "", _KEYS)
    for key in _KEYS:
        if key not in root.table:
            reader.error(root.line, key, f"{key} is missing; a RedisVL router needs {', '.join(_KEYS)}")
    name = reader.text(top.get("name"), "name", "the router's name", loose=True) or ""
    vectorizer = reader.table(top.get("vectorizer"), "vectorizer", None, example="{type: hf, model: NAME}")
    kind = reader.text(vectorizer.get("type"), "vectorizer.type", "a type, such as hf") or ""
    embedder = reader.text(vectorizer.get("model"), "vectorizer.model", "a model's name", loose=True) or ""
    rules = reader.table(top.get("routing_config"), "routing_config", _ROUTING_KEYS, example="{max_k: 1}")
    max_k = reader.whole(rules.get("max_k"), "routing_config.max_k", 1, 10_000, "a whole number from 1")
    method = reader.choice(
        rules.get("aggregation_method"), "routing_config.aggregation_method", _AGGREGATIONS
    )
    if "distance_threshold" in rules:
        reader.warning(
            rules["distance_threshold"].line,
            "routing_config.distance_threshold",
            "RedisVL ignores it: each route's own distance_threshold counts",
        )
    models: dict[str, Model] = {}
    routes: list[Route] = []
    distances: dict[str, float] = {}
    for i, item in enumerate(reader.items(top.get("routes"), "routes")):
        _read_route(reader, item, f"routes[{i}]", models, routes, distances)
    if top.get("routes") is not None and top["routes"].kind == "list" and not top["routes"].items:
        reader.error(top["routes"].line, "routes", "there is no route; expected at least one")
    if reader.failed:
        return None
    return _assembled(
        reader,
        models,
        routes,
        SemanticRule(
            router=name,
            aggregation=method or "avg",
            max_k=max_k or 1,
            distances=distances,
            vectorizer=kind,
            vectorizer_model=embedder,
        ),
        version,
    )


def _assembled(
    reader: Reader, models: dict[str, Model], routes: list[Route], rule: SemanticRule, version: str
) -> RoutingConfig:
    from costconsole.routing.defaults import default_config

    usual = default_config()
    tiers: dict[Tier, str] = {}
    for tier in TIERS:
        own = next((model for model in models.values() if model.tier == tier), None)
        if own is None:
            own = usual.chosen(tier)
            own = models.setdefault(own.name, replace(own, fallbacks=()))
        tiers[tier] = own.name
    reader.warning(
        None,
        "vectorizer",
        f"the distances are those of {first_words(rule.vectorizer_model or 'its own embedding model', 60)}; "
        "with another embedding model here they mean something else",
    )
    return RoutingConfig(
        models=tuple(models.values()),
        routes=tuple(routes),
        tiers=tiers,
        default="strong",
        baseline=tiers["strong"],
        aliases={} if "auto" in models else {"auto": ""},
        semantic=rule,
        source=reader.file,
        format="redisvl",
        version=version,
    )


def _read_route(
    reader: Reader,
    item: Value,
    key: str,
    models: dict[str, Model],
    routes: list[Route],
    distances: dict[str, float],
) -> None:
    table = reader.table(item, key, _ROUTE_KEYS, example="{name: simple, references: [...]}")
    if item.kind != "table":
        return
    name = reader.text(table.get("name"), f"{key}.name", "a name", loose=True)
    for needed in ("name", "references"):
        if needed not in item.table:
            reader.error(item.line, f"{key}.{needed}", f"{needed} is missing")
    references = reader.texts(table.get("references"), f"{key}.references", "example phrases")
    distance = reader.number(
        table.get("distance_threshold"),
        f"{key}.distance_threshold",
        _SMALLEST,
        2,
        "a cosine distance above 0, up to 2",
    )
    distance = _DISTANCE if distance is None else float(distance)
    if name is None:
        return
    if name in distances:
        reader.error(item.line, f"{key}.name", f"a second route {quoted(name)}; expected another name")
        return
    distances[name] = distance
    routes.append(
        Route(
            name=name,
            references=tuple(dict.fromkeys(text for text, _ in references)),
            # Ten places: what 1 - 0.8 lacks to 0.2 in binary is no part of anybody's threshold.
            threshold=round(1.0 - distance, 10),
            strict=True,
            use=_use(reader, item, table.get("metadata"), key, name, models),
        )
    )


def _use(
    reader: Reader, item: Value, metadata: Value | None, key: str, route: str, models: dict[str, Model]
) -> str:
    table = reader.table(metadata, f"{key}.metadata", None) if metadata is not None else {}
    asked = next((table[name] for name in _MODEL_KEYS if name in table), None)
    tier = table["tier"].raw if "tier" in table else ""
    if asked is not None and asked.kind == "text" and asked.raw.strip():
        found = _model(asked.raw.strip(), table, tier)
        if found is not None:
            return models.setdefault(found.name, found).name
        reader.warning(
            asked.line,
            f"{key}.metadata",
            f"nothing tells the provider of {quoted(asked.raw, 60)}; write provider/model. Until then "
            "the strong tier answers",
        )
        return "strong"
    if tier in TIERS:
        return tier
    reader.warning(
        item.line if metadata is None else metadata.line,
        f"{key}.metadata",
        f"it names no model for {quoted(route)}, so the strong tier answers; expected "
        "{model: gpt-4o-mini} or {tier: cheap}",
    )
    return "strong"


def _model(asked: str, table: Mapping[str, Value], told: str) -> Model | None:
    prefix, slash, rest = asked.partition("/")
    given = table["provider"].raw if "provider" in table else ""
    provider = PREFIXES.get(given, "") or (PREFIXES.get(prefix, "") if slash else "") or provider_of(asked)
    known = PROVIDERS.get(provider)
    if known is None or known.base_url == "":
        return None
    model = rest if slash and PREFIXES.get(prefix) == provider else asked
    tier: Tier = "cheap" if told == "cheap" else "strong" if told == "strong" else tier_of(model)
    return Model(
        name=model,
        provider=provider,
        model=model,
        wire=known.wire,
        base_url=known.base_url,
        key_env=known.key_env,
        tier=tier,
        rank=RANK_STEP if tier == "strong" else 0,
    )
