"""What names lead to: fallbacks upwards only, tiers, default, baseline and aliases, each to a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from costconsole.domain.text import first_words
from costconsole.routing.document import Value
from costconsole.routing.model import TIERS, Model, Tier
from costconsole.routing.reading import Reader, quoted

Named = tuple[str, int | None]
"""A name out of the file, and its line."""

ROUTER_ALIAS = "auto"


def model_named(
    reader: Reader,
    name: str,
    line: int | None,
    key: str,
    models: Mapping[str, Model],
    *,
    or_tier: bool = False,
) -> str | None:
    """`name`, if it is a model's (or a tier's), else None and a finding."""
    if name in models or (or_tier and name in TIERS):
        return name
    known = chain(TIERS if or_tier else (), models)
    wanted = "a model or a tier" if or_tier else "a model"
    reader.error(
        line, key, f"found {quoted(name)}, which is not {wanted} here; {reader.did_you_mean(name, known)}"
    )
    return None


def upwards(
    reader: Reader, name: str, rank: int, wanted: Iterable[Named], key: str, models: Mapping[str, Model]
) -> tuple[str, ...]:
    """The fallbacks of `name` that are models of at least its rank; what isn't is said."""
    found: list[str] = []
    for other, line in wanted:
        if model_named(reader, other, line, key, models) is None:
            continue
        if other == name:
            reader.error(line, key, f"{quoted(other)} falls back to itself; expected other models")
        elif models[other].rank < rank:
            reader.warning(
                line,
                key,
                f"{quoted(other)} is less capable than {quoted(name)}: fallbacks only go upwards; not used",
            )
        elif other in found:
            reader.warning(line, key, f"{quoted(other)} is listed twice")
        else:
            found.append(other)
    return tuple(found)


def link_fallbacks(
    reader: Reader, models: Sequence[Model], wanted: Mapping[str, tuple[Named, ...]], key: str
) -> tuple[Model, ...]:
    """The models with their fallbacks. `key` has {} for the model's name."""
    by_name = {model.name: model for model in models}
    linked = tuple(
        replace(
            model,
            fallbacks=upwards(
                reader, model.name, model.rank, wanted.get(model.name, ()), key.format(model.name), by_name
            ),
        )
        for model in models
    )
    _say_circles(reader, linked, wanted, key)
    return linked


def _say_circles(
    reader: Reader, models: Sequence[Model], wanted: Mapping[str, tuple[Named, ...]], key: str
) -> None:
    after = {model.name: model.fallbacks for model in models}
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        stack = [(start, iter(after[start]))] if start not in done else []
        if stack:
            path.append(start)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif following in path:
                circle = [*path[path.index(following) :], following]
                lines = dict(wanted.get(name, ()))
                reader.warning(
                    lines.get(following),
                    key.format(name),
                    f"fallbacks go round in a circle ({' → '.join(circle)}): each is tried once at most",
                )
            elif following not in done:
                path.append(following)
                stack.append((following, iter(after[following])))


def link_tiers(
    reader: Reader, models: Sequence[Model], named: Mapping[Tier, Named], key: str = "tiers"
) -> dict[Tier, str]:
    """The model of each tier: the one that was named, else the first listed. `models` isn't empty."""
    by_name = {model.name: model for model in models}
    tiers: dict[Tier, str] = {}
    for tier in TIERS:
        if tier in named:
            name, line = named[tier]
            if model_named(reader, name, line, f"{key}.{tier}", by_name) is not None:
                tiers[tier] = name
                if by_name[name].tier != tier:
                    found = by_name[name].tier
                    reader.error(
                        line, f"{key}.{tier}", f"{quoted(name)} has the tier {found}; expected a {tier} model"
                    )
                continue
        first = next((model.name for model in models if model.tier == tier), None)
        if first is not None:
            tiers[tier] = first
    for tier in TIERS:
        if tier not in tiers:
            tiers[tier] = next(iter(tiers.values()), models[0].name)
            if tier not in named:
                reader.warning(
                    None,
                    key,
                    f"no model has the tier {tier}: {tiers[tier]!r} does its work, and nothing is saved",
                )
    return tiers


def read_aliases(
    reader: Reader, value: Value | None, key: str, models: Mapping[str, Model], tiers: Mapping[Tier, str]
) -> dict[str, str]:
    """What callers may ask for besides models: `auto` lets the router decide."""
    aliases: dict[str, str] = {}
    table = {} if value is None else value.table
    reader.table(value, key, None, example="auto: auto")
    for alias, inner in table.items():
        place = f"{key}.{first_words(alias, 40)}"
        line = value.keys.get(alias) if value is not None else None
        name = "" if inner.kind == "nothing" else reader.text(inner, place, "a model, or auto", loose=True)
        if alias in models:
            reader.error(line, place, "a model has this name already; expected another one for the alias")
        elif name in ("", ROUTER_ALIAS):
            aliases[alias] = ""
        elif name is not None:
            found = model_named(reader, name, inner.line, place, models, or_tier=True)
            if found is not None:
                aliases[alias] = tiers[found] if found in TIERS and found not in models else found
    if ROUTER_ALIAS not in aliases and ROUTER_ALIAS not in models:
        aliases[ROUTER_ALIAS] = ""
    return aliases
