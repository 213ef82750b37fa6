"""Reads LiteLLM's config.yaml: model groups, aliases, fallbacks, prices, and its automatic routers.

A group of several deployments becomes one model and, as its fallbacks, the others. What LiteLLM does and
this gateway doesn't is a warning that names it. Literal keys are never kept and never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from costconsole.domain.text import first_words
from costconsole.routing.document import Value
from costconsole.routing.links import Named, link_fallbacks, link_tiers, model_named
from costconsole.routing.litellm_models import Groups, deployments_of, read_models, say_literal_keys, table_of
from costconsole.routing.litellm_routers import AutoRouter, read_auto_router
from costconsole.routing.model import (
    COOLDOWN_S,
    RANK_STEP,
    STICKY_S,
    Model,
    RoutingConfig,
    Tier,
)
from costconsole.routing.native import task_routes
from costconsole.routing.reading import Reader, quoted

_USED_ROUTER: Final = (
    *("model_group_alias", "fallbacks", "context_window_fallbacks", "default_fallbacks", "cooldown_time"),
)
_FALLBACKS: Final = ("fallbacks", "context_window_fallbacks")
_TOP: Final = ("model_list", "router_settings", "litellm_settings", "general_settings")
_NEAR: Final = ("modellist", "model_lists", "models_list", "router_setting", "litellm_setting")


def read_litellm(
    root: Value, reader: Reader, version: str, read: Callable[[str], str] | None
) -> RoutingConfig | None:
    """The config in `root`, or None where `reader` found errors."""
    top = table_of(reader, root, "")
    for key in top:
        if key in _NEAR:
            reader.error(root.keys.get(key), key, f"this key is unknown; {reader.did_you_mean(key, _TOP)}")
    _not_used(reader, root, "", _TOP)
    settings = {name: table_of(reader, top.get(name), name) for name in _TOP[1:]}
    groups = read_models(reader, top.get("model_list"), root)
    if not groups.models:
        if not reader.failed:
            reader.error(
                top["model_list"].line if "model_list" in top else root.line,
                "model_list",
                "no model of it can be called from here; expected at least one chat model",
            )
        return None
    further = deployments_of(groups)
    names = [model.name for model in groups.models if model.name not in further]
    auto = AutoRouter()
    for entry in groups.routers:
        read_auto_router(reader, entry, names, auto, read)
    models = _with_tiers(reader, groups, auto)
    router_settings = settings["router_settings"]
    alias_table = router_settings.get("model_group_alias")
    named = _Names(
        reader,
        {model.name: model for model in models},
        groups,
        {} if alias_table is None else alias_table.table,
    )
    wanted = _wanted_fallbacks(named, settings)
    linked = link_fallbacks(reader, models, wanted, "router_settings.fallbacks ({})")
    by_name = {model.name: model for model in linked}
    tiers = link_tiers(reader, linked, auto.tiers, "complexity_router_config.tiers")
    aliases = _aliases(reader, alias_table, by_name, groups)
    for entry in groups.routers:
        aliases.setdefault(entry.name, "")
    if "auto" not in by_name:
        aliases.setdefault("auto", "")
    default = auto.default if auto.default in by_name else "strong"
    cooldown = reader.seconds(router_settings.get("cooldown_time"), "router_settings.cooldown_time")
    _say_settings(reader, root)
    if reader.failed:
        return None
    return RoutingConfig(
        models=linked,
        routes=(*auto.routes, *(() if auto.semantic else task_routes())),
        tiers=tiers,
        default=default or "strong",
        baseline=tiers["strong"],
        aliases=aliases,
        sticky_s=STICKY_S,
        cooldown_s=COOLDOWN_S if cooldown is None else cooldown,
        source=reader.file,
        format="litellm",
        version=version,
        includes=tuple(auto.includes),
    )


def _with_tiers(reader: Reader, groups: Groups, auto: AutoRouter) -> list[Model]:
    """Every model with its tier: told in model_info, else by an automatic router, else by its name."""
    by_router: dict[str, Tier] = {name: tier for tier, (name, _) in auto.tiers.items()}
    of_group = {other: name for name, others in groups.others.items() for other in others}
    models = []
    for model in groups.models:
        group = of_group.get(model.name, model.name)
        tier = groups.told.get(group) or by_router.get(group) or model.tier
        models.append(replace(model, tier=tier, rank=RANK_STEP if tier == "strong" else 0))
    # A deployment beside others of its group does the same work, whatever its name tells.
    tier_of_name = {model.name: model for model in models}
    models = [
        replace(model, tier=first.tier, rank=first.rank)
        if (first := tier_of_name[of_group.get(model.name, model.name)]) is not model
        else model
        for model in models
    ]
    guessed = [name for name in groups.guessed if name not in groups.told and name not in by_router]
    if guessed:
        said = ", ".join(f"{first_words(name, 40)} {tier_of_name[name].tier}" for name in guessed)
        reader.warning(
            None,
            "model_list",
            f"LiteLLM has no tiers, so they are taken from names: {said}; model_info.tier says otherwise",
        )
    return models


@dataclass(frozen=True, slots=True)
class _Names:
    """What a fallback may name: groups, and what stands for one."""

    reader: Reader
    models: Mapping[str, Model]
    groups: Groups
    aliases: Mapping[str, Value]

    def known(self, named: Named, place: str) -> Named | None:
        """The group that `named` means, or None and a finding."""
        name, line = named
        alias = self.aliases.get(name)
        if alias is not None and name not in self.models:
            name = alias.table["model"].raw if "model" in alias.table else alias.raw
        if name in self.models:
            return name, line
        shown = first_words(name, 40)
        if name in self.groups.left_out:
            self.reader.warning(line, place, f"{shown!r} is left out of the models, and so here")
        elif name in {entry.name for entry in self.groups.routers}:
            self.reader.warning(line, place, f"{shown!r} is an automatic router; it is no fallback here")
        else:
            model_named(self.reader, name, line, place, self.models)
        return None

    def all_known(self, named: Iterable[Named], place: str) -> list[Named]:
        return [found for one in named if (found := self.known(one, place)) is not None]


def _wanted_fallbacks(
    names: _Names, settings: Mapping[str, Mapping[str, Value]]
) -> dict[str, tuple[Named, ...]]:
    """The fallbacks of each group: its further deployments, its own, and where it has none those of all."""
    reader, groups = names.reader, names.groups
    wanted: dict[str, list[Named]] = {
        group: [(other, None) for other in others] for group, others in groups.others.items()
    }
    own: set[str] = set()
    default: list[Named] = []
    for section in ("router_settings", "litellm_settings"):
        for kind in _FALLBACKS:
            place = f"{section}.{kind}"
            for name, listed, line in _pairs(reader, settings[section].get(kind), place):
                others = names.all_known(listed, place)
                if name == "*":
                    default += others
                    continue
                group = names.known((name, line), place)
                if group is None:
                    continue
                if _add(wanted, group[0], others) and kind == "context_window_fallbacks":
                    reader.warning(
                        line,
                        place,
                        f"those of {quoted(name)} are used after every kind of failure",
                    )
                elif kind == "fallbacks":
                    own.add(group[0])
        place = f"{section}.default_fallbacks"
        default += names.all_known(reader.texts(settings[section].get(place.partition(".")[2]), place), place)
    for name in names.models.keys() - own - deployments_of(groups):
        # Meant for all, so that what would go downwards or to itself is no mistake of anybody.
        rank = names.models[name].rank
        _add(wanted, name, [o for o in default if o[0] != name and names.models[o[0]].rank >= rank])
    return {name: tuple(others) for name, others in wanted.items()}


def _add(wanted: dict[str, list[Named]], name: str, others: Iterable[Named]) -> bool:
    """Whether any of them is new."""
    listed = wanted.setdefault(name, [])
    known = {other for other, _ in listed}
    new = [other for other in others if other[0] not in known]
    listed += new
    return bool(new)


def _pairs(
    reader: Reader, value: Value | None, place: str
) -> Iterable[tuple[str, tuple[Named, ...], int | None]]:
    """`[{group: [other, ...]}, ...]`."""
    if value is None:
        return
    items = [value] if value.kind == "table" else reader.items(value, place, "[{small: [large]}]")
    for i, item in enumerate(items):
        for name, others in reader.table(item, f"{place}[{i}]", None, example="{small: [large]}").items():
            if others.kind == "list" and any(o.kind == "table" for o in others.items):
                reader.warning(
                    others.line, place, f"fallbacks of {quoted(name)} with own parameters aren't used"
                )
                continue
            yield name, reader.texts(others, f"{place}[{i}].{name}", "a model group"), item.keys.get(name)


def _aliases(
    reader: Reader, value: Value | None, models: Mapping[str, Model], groups: Groups
) -> dict[str, str]:
    aliases: dict[str, str] = {}
    place = "router_settings.model_group_alias"
    routers = {entry.name for entry in groups.routers}
    for alias, inner in (reader.table(value, place, None, example="{gpt-4: large}") if value else {}).items():
        key = f"{place}.{first_words(alias, 40)}"
        target = inner.table.get("model") if inner.kind == "table" else inner
        name = reader.text(target, key, "a model group", loose=True)
        if name is None:
            if target is None:
                reader.wrong(inner, key, "a model group, or {model: group}")
        elif name in routers:
            aliases[alias] = ""
        elif alias in models:
            reader.error(inner.line, key, "a model group has this name already; expected another alias")
        elif name in groups.left_out:
            reader.warning(inner.line, key, f"the alias is left out, as {quoted(name)} is")
        elif model_named(reader, name, inner.line, key, models) is not None:
            aliases[alias] = name
    return aliases


def _not_used(reader: Reader, value: Value, place: str, used: Iterable[str]) -> None:
    names = [name for name in value.table if name not in used and name not in _NEAR]
    if names:
        line = min((at for name in names if (at := value.keys.get(name)) is not None), default=value.line)
        reader.warning(line, place, f"not used here: {', '.join(first_words(name, 60) for name in names)}")


def _say_settings(reader: Reader, root: Value) -> None:
    """What the settings' sections say that isn't used, their cache's threshold, and keys that lie open."""
    for section, used in (
        ("router_settings", _USED_ROUTER),
        ("litellm_settings", ("cache", "cache_params", *_USED_ROUTER[1:4])),
        ("general_settings", ()),
    ):
        value = root.table.get(section)
        if value is None or value.kind != "table":
            continue
        say_literal_keys(reader, value.table, section)
        _not_used(reader, value, section, used)
    variables = root.table.get("environment_variables")
    if variables is not None and variables.kind == "table":
        say_literal_keys(reader, variables.table, "environment_variables")
    params = (
        root.table["litellm_settings"].table.get("cache_params") if "litellm_settings" in root.table else None
    )
    if params is None or params.kind != "table":
        return
    say_literal_keys(reader, params.table, "litellm_settings.cache_params")
    threshold = params.table.get("similarity_threshold")
    kind = params.table.get("type")
    place = "litellm_settings.cache_params"
    if threshold is not None and threshold.kind == "number":
        reader.warning(
            threshold.line,
            f"{place}.similarity_threshold",
            f"LiteLLM's semantic cache answers from a similarity of {threshold.raw} on; it is its own, "
            "changed here and by a restart of LiteLLM",
        )
    elif kind is not None:
        reader.warning(
            kind.line,
            place,
            f"LiteLLM's {first_words(kind.raw, 30)} cache is found in Redis by itself; this isn't used",
        )
