"""LiteLLM's automatic routers (`auto_router/...`): as far as our router can do what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from costconsole.domain.text import first_words
from costconsole.routing.document import Unreadable, Value, read_document
from costconsole.routing.links import Named
from costconsole.routing.model import Route, Rule, Tier
from costconsole.routing.reading import Reader, quoted

AUTO_ROUTER: Final = "auto_router/"
_COMPLEXITY: Final = "complexity_router"
_TIERS: Final[Mapping[str, Tier]] = {
    "SIMPLE": "cheap",
    "MEDIUM": "cheap",
    "COMPLEX": "strong",
    "REASONING": "strong",
}
_NOT_MAPPED: Final = ("adaptive_router", "quality_router")
_SEMANTIC_PARAMS: Final = (
    "model",
    "auto_router_config",
    "auto_router_config_path",
    "auto_router_default_model",
)
_COMPLEXITY_PARAMS: Final = (
    *("model", "complexity_router_config", "complexity_router_default_model", "auto_router_default_model"),
)
_ROUTE_KEYS: Final = ("name", "utterances", "score_threshold")


@dataclass(frozen=True, slots=True)
class RouterEntry:
    """A model entry that is a router: what callers ask for, and its parameters."""

    name: str
    target: str
    line: int | None
    key: str
    params: Mapping[str, Value]


@dataclass(slots=True)
class AutoRouter:
    """What the automatic routers of a file come to."""

    routes: list[Route] = field(default_factory=list)
    tiers: dict[Tier, Named] = field(default_factory=dict)
    default: str = ""
    semantic: bool = False
    """Whether its own example phrases decide."""
    read: str = ""
    """The router that was taken; there is one."""
    includes: list[str] = field(default_factory=list)


def read_auto_router(
    reader: Reader,
    entry: RouterEntry,
    names: Sequence[str],
    auto: AutoRouter,
    read: Callable[[str], str] | None,
) -> None:
    """Add what `entry` says to `auto`. What can't be done here is a warning."""
    kind = entry.target.removeprefix(AUTO_ROUTER)
    label = first_words(entry.name, 40)
    if auto.read:
        reader.warning(
            entry.line,
            entry.key,
            f"a second automatic router: {label!r} decides as {auto.read!r} does, there is one router here",
        )
        return
    auto.read = label
    if kind in _NOT_MAPPED:
        reader.warning(
            entry.line,
            f"{entry.key}.model",
            f"{first_words(kind, 40)} isn't done here: {label!r} is routed by task type between the tiers",
        )
        return
    if kind == _COMPLEXITY:
        _read_complexity(reader, entry, names, auto)
    else:
        _read_semantic(reader, entry, names, auto, read)


def _group(reader: Reader, value: Value | None, key: str, names: Sequence[str]) -> Named | None:
    """A model group that a router names."""
    name = reader.text(value, key, "a model group", loose=True)
    if value is None or name is None:
        return None
    if name not in names:
        reader.error(
            value.line,
            key,
            f"found {quoted(name)}, which is no model group that can be called from here; "
            f"{reader.did_you_mean(name, names)}",
        )
        return None
    return name, value.line


def _say_unused(
    reader: Reader, table: Mapping[str, Value], key: str, used: Sequence[str], line: int | None
) -> None:
    names = [name for name in table if name not in used]
    if names:
        at = table[names[0]].line
        reader.warning(
            line if at is None else at, key, f"not used here: {', '.join(first_words(n, 60) for n in names)}"
        )


def _read_complexity(reader: Reader, entry: RouterEntry, names: Sequence[str], auto: AutoRouter) -> None:
    key = f"{entry.key}.complexity_router_config"
    config = entry.params.get("complexity_router_config")
    table = reader.table(config, key, None, example="tiers:") if config is not None else {}
    groups: dict[str, Named] = {}
    for name, value in reader.table(table.get("tiers"), f"{key}.tiers", tuple(_TIERS)).items():
        first = value.items[0] if value.kind == "list" and value.items else value
        if first is not value:
            reader.warning(value.line, f"{key}.tiers.{name}", "of several groups the first one is used")
        found = _group(reader, first, f"{key}.tiers.{name}", names)
        if found is not None:
            groups[name] = found
    # The outermost levels are the tiers: what lies between has no place of its own in two of them.
    for tier, levels in (("cheap", ("SIMPLE", "MEDIUM")), ("strong", ("COMPLEX", "REASONING"))):
        given = [level for level in levels if level in groups]
        if not given:
            continue
        chosen = given[0]
        auto.tiers["cheap" if tier == "cheap" else "strong"] = groups[chosen]
        for other in given[1:]:
            if groups[other][0] != groups[chosen][0]:
                reader.warning(
                    groups[other][1],
                    f"{key}.tiers.{other}",
                    f"there are two tiers here: {other} is answered by {groups[chosen][0]!r}, as {chosen} is",
                )
    if "cheap" in auto.tiers and "strong" in auto.tiers and auto.tiers["cheap"][0] == auto.tiers["strong"][0]:
        del auto.tiers["cheap"]
    _keyword_rules(reader, table.get("keyword_tier_rules"), f"{key}.keyword_tier_rules", groups, auto)
    for model, place in (
        (table.get("default_model"), f"{key}.default_model"),
        (entry.params.get("auto_router_default_model"), f"{entry.key}.auto_router_default_model"),
        (entry.params.get("complexity_router_default_model"), f"{entry.key}.complexity_router_default_model"),
    ):
        found = _group(reader, model, place, names)
        if found is not None:
            auto.default = found[0]
    if "SIMPLE" in groups or "COMPLEX" in groups:
        reader.warning(
            entry.line,
            entry.key,
            f"{quoted(entry.name)} is routed by task type here, not by LiteLLM's complexity score",
        )
    used = ("tiers", "keyword_tier_rules", "default_model")
    _say_unused(reader, table, key, used, entry.line)
    _say_unused(reader, entry.params, entry.key, _COMPLEXITY_PARAMS, entry.line)


def _keyword_rules(
    reader: Reader, value: Value | None, key: str, groups: Mapping[str, Named], auto: AutoRouter
) -> None:
    for i, item in enumerate(reader.items(value, key, "[{keywords: [sum up], tier: SIMPLE}]")):
        place = f"{key}[{i}]"
        table = reader.table(item, place, ("keywords", "tier"))
        keywords = reader.texts(table.get("keywords"), f"{place}.keywords", "a word")
        tier = reader.choice(table.get("tier"), f"{place}.tier", tuple(_TIERS))
        if tier is None or not keywords:
            continue
        use = groups[tier][0] if tier in groups else _TIERS[tier]
        words = tuple(text for text, _ in keywords)
        auto.routes.append(Route(name=f"{tier.lower()} keywords {i + 1}", use=use, rule=Rule(keywords=words)))


def _read_semantic(
    reader: Reader,
    entry: RouterEntry,
    names: Sequence[str],
    auto: AutoRouter,
    read: Callable[[str], str] | None,
) -> None:
    found = _group(
        reader,
        entry.params.get("auto_router_default_model"),
        f"{entry.key}.auto_router_default_model",
        names,
    )
    auto.default = found[0] if found else ""
    _say_unused(
        reader, entry.params, entry.key, (*_SEMANTIC_PARAMS, "auto_router_embedding_model"), entry.line
    )
    document, file = _semantic_document(reader, entry, auto, read)
    if document is None:
        return
    inner = Reader(file)
    prefix = "" if file != reader.file else f"{entry.key}.auto_router_config."
    _semantic_routes(inner, document, prefix, names, auto)
    model = entry.params.get("auto_router_embedding_model", document.table.get("encoder_name"))
    if auto.routes:
        inner.warning(
            auto_line(document),
            f"{prefix}routes",
            "their thresholds were set for "
            + (first_words(model.raw, 60) if model is not None else "another embedding model")
            + " and the mean of several phrases; similarities of the model here differ: try them",
        )
    reader.findings += inner.findings


def auto_line(document: Value) -> int | None:
    """The line of a file's routes."""
    routes = document.table.get("routes")
    return document.line if routes is None else routes.line


def _semantic_document(
    reader: Reader, entry: RouterEntry, auto: AutoRouter, read: Callable[[str], str] | None
) -> tuple[Value | None, str]:
    from costconsole.routing.config import ConfigProblem

    inline = entry.params.get("auto_router_config")
    file = reader.file
    if inline is not None:
        if inline.kind == "table":
            return inline, file
        text = reader.text(inline, f"{entry.key}.auto_router_config", "JSON with routes")
    else:
        key = f"{entry.key}.auto_router_config_path"
        path = reader.text(entry.params.get("auto_router_config_path"), key, "a path")
        if path is None:
            if "auto_router_config_path" not in entry.params:
                reader.error(entry.line, key, "auto_router_config_path is missing; expected a JSON file")
            return None, file
        line = entry.params["auto_router_config_path"].line
        if read is None:
            reader.warning(line, key, "this file isn't looked at here, so its routes are missing")
            return None, file
        auto.includes.append(path)
        file = path
        try:
            text = read(path)
        except ConfigProblem as problem:
            said = problem.findings[0]
            reader.error(line, key, f"{quoted(path, 80)}: {said.message}")
            return None, file
    if text is None:
        return None, file
    try:
        return read_document(text), file
    except Unreadable as error:
        inner = Reader(file)
        inner.error(error.line if inline is None else inline.line, "", str(error))
        reader.findings += inner.findings
        return None, file


def _semantic_routes(
    reader: Reader, document: Value, prefix: str, names: Sequence[str], auto: AutoRouter
) -> None:
    table = reader.table(document, prefix.rstrip("."), None, example="routes:")
    _say_unused(reader, table, prefix.rstrip("."), ("routes", "encoder_type", "encoder_name"), document.line)
    if "routes" not in document.table:
        reader.error(document.line, f"{prefix}routes", "routes is missing; expected a list of routes")
    unused: set[str] = set()
    for i, item in enumerate(reader.items(table.get("routes"), f"{prefix}routes")):
        place = f"{prefix}routes[{i}]"
        route = reader.table(
            Value("table", item.line, table={k: v for k, v in item.table.items() if v.kind != "nothing"})
            if item.kind == "table"
            else item,
            place,
            None,
        )
        found = _group(reader, route.get("name"), f"{place}.name", names)
        if "name" not in route and item.kind == "table":
            reader.error(item.line, f"{place}.name", "name is missing; expected a model group")
        phrases = reader.texts(route.get("utterances"), f"{place}.utterances", "example phrases")
        if "utterances" not in route and item.kind == "table":
            reader.error(item.line, f"{place}.utterances", "utterances is missing; expected example phrases")
        threshold = reader.number(
            route.get("score_threshold"), f"{place}.score_threshold", 0, 1, "a similarity from 0 to 1"
        )
        unused |= {name for name in route if name not in _ROUTE_KEYS and name != "description"}
        if found is None or not phrases:
            continue
        auto.semantic = True
        auto.routes.append(
            Route(
                name=found[0],
                references=tuple(dict.fromkeys(text for text, _ in phrases)),
                threshold=threshold,
                use=found[0],
            )
        )
    if unused:
        reader.warning(auto_line(document), f"{prefix}routes", f"not used here: {', '.join(sorted(unused))}")
