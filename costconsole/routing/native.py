"""The native routing config, in YAML.

models:
  small:                          # what callers ask for
    provider: openai              # or anthropic, groq, mistral, ...; or any name, with base_url
    model: gpt-4o-mini            # its id at the provider (the name above, if left out)
    tier: cheap                   # cheap | strong
  large:
    provider: anthropic
    model: claude-sonnet-5-5
    tier: strong
    key_env: ANTHROPIC_API_KEY    # the variable of its key; never the key
    context: 1000000              # tokens
    fallbacks: [largest]          # only models of at least its capability
  largest:
    provider: openai-compatible
    wire: openai                  # openai | anthropic
    base_url: https://llm.example/v1
    model: our-70b
    tier: strong
    rank: 1                       # within its tier; equals, if left out
    tools: false                  # can't call tools
    prices: {input: 2.5, output: 10, cached_input: 1.25}   # $ per million tokens
tiers: {cheap: small, strong: large}      # the first of each, if left out
routes:
  - name: summaries
    task: summarization           # its shipped example phrases count
    use: cheap                    # a tier or a model (the task's tier, if left out)
  - name: contracts
    references: [Review this contract, "Which clauses are unusual?"]
    threshold: 0.45               # similarity
    use: large
    fallbacks: [largest]
    when:                         # taken without looking at meaning, when all of it holds
      tags: [legal]
      keywords: [clause, liability]
      patterns: ['§ ?\\d+']
      code: false
      tools: false
      min_tokens: 20
      max_tokens: 90000
default: strong                   # when nothing decides
baseline: large                   # savings count against it (the strong tier's, if left out)
aliases: {auto: auto, gpt-4: large}       # auto: the router decides
unsure_below: 0.3                 # similarity under which the strong tier answers
sticky: 30m                       # how long a conversation keeps its model; off
cooldown: 60s                     # how long a model that failed is left alone
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from costconsole.domain.text import first_words
from costconsole.routing.document import Value
from costconsole.routing.known import PREFIXES, PROVIDERS, provider_of
from costconsole.routing.links import (
    Named,
    link_fallbacks,
    link_tiers,
    model_named,
    read_aliases,
    upwards,
)
from costconsole.routing.model import (
    COOLDOWN_S,
    RANK_STEP,
    STICKY_S,
    TASKS,
    TIERS,
    UNSURE_BELOW,
    Model,
    Route,
    RoutingConfig,
    Rule,
    Tier,
    Wire,
)
from costconsole.routing.patterns import BadPattern, compile_pattern
from costconsole.routing.reading import Reader, quoted, shown

KEYS: Final = (
    *("models", "tiers", "routes", "default", "baseline", "aliases", "unsure_below", "sticky", "cooldown"),
)
_MODEL_KEYS: Final = (
    *("provider", "model", "wire", "base_url", "key_env", "tier", "rank", "context", "prices", "tools"),
    "fallbacks",
)
_ROUTE_KEYS: Final = ("name", "task", "references", "threshold", "use", "fallbacks", "when")
_WHEN_KEYS: Final = ("tags", "keywords", "patterns", "code", "tools", "min_tokens", "max_tokens")
_UNITS: Final = ("input", "output", "cached_input", "cache_write_5m", "cache_write_1h")
_PRICE_KEYS: Final = (*_UNITS, *(f"batch_{unit}" for unit in _UNITS))
_WIRES: Final[tuple[Wire, ...]] = ("openai", "anthropic")
_MAX_TOKENS: Final = 100_000_000


def read_native(root: Value, reader: Reader, version: str) -> RoutingConfig | None:
    """The config in `root`, or None where `reader` found errors."""
    top = reader.table(root, "", KEYS, example="models")
    named: dict[Tier, Named] = {}
    for tier, value in reader.table(top.get("tiers"), "tiers", TIERS, example="cheap: small").items():
        name = reader.text(value, f"tiers.{tier}", "a model's name", loose=True)
        if name is not None and tier in TIERS:
            named["cheap" if tier == "cheap" else "strong"] = (name, value.line)
    models = _models(reader, top.get("models"), root, named)
    by_name = {model.name: model for model in models}
    tiers = link_tiers(reader, models, named) if models else {}
    numbers = {
        "unsure_below": reader.number(
            top.get("unsure_below"), "unsure_below", 0, 1, "a similarity from 0 to 1, such as 0.3"
        ),
        "sticky_s": reader.seconds(top.get("sticky"), "sticky"),
        "cooldown_s": reader.seconds(top.get("cooldown"), "cooldown"),
    }
    listed = top.get("routes")
    if not models:
        # Nothing that routes say could be judged without any model; their own shape still is.
        _routes(reader, listed, {}, {})
        return None
    default = _name(reader, top.get("default"), "default", by_name) or "strong"
    baseline = _name(reader, top.get("baseline"), "baseline", by_name) or "strong"
    aliases = read_aliases(reader, top.get("aliases"), "aliases", by_name, tiers)
    routes = task_routes() if listed is None else _routes(reader, listed, by_name, tiers)
    if reader.failed:
        return None
    return RoutingConfig(
        models=models,
        routes=routes,
        tiers=tiers,
        default=default,
        baseline=baseline if baseline in by_name else tiers["cheap" if baseline == "cheap" else "strong"],
        aliases=aliases,
        unsure_below=UNSURE_BELOW if numbers["unsure_below"] is None else numbers["unsure_below"],
        sticky_s=STICKY_S if numbers["sticky_s"] is None else int(numbers["sticky_s"]),
        cooldown_s=COOLDOWN_S if numbers["cooldown_s"] is None else int(numbers["cooldown_s"]),
        source=reader.file,
        format="native",
        version=version,
    )


def task_routes() -> tuple[Route, ...]:
    """A route for each task type, by the phrases that are shipped for it."""
    return tuple(Route(name=task, task=task, use=tier) for task, tier in TASKS.items())


def _name(reader: Reader, value: Value | None, key: str, models: Mapping[str, Model]) -> str | None:
    name = reader.text(value, key, "a model or a tier", loose=True)
    if value is None or name is None:
        return None
    return model_named(reader, name, value.line, key, models, or_tier=True)


def _models(
    reader: Reader, value: Value | None, root: Value, named: Mapping[Tier, Named]
) -> tuple[Model, ...]:
    if value is None:
        if root.kind == "table" and "models" not in root.table:
            reader.error(
                root.line, "models", "no model is given; expected models: with at least one below it"
            )
        return ()
    tables = reader.table(value, "models", None, example="small: {model: gpt-4o-mini, tier: cheap}")
    if value.kind == "table" and not value.table:
        reader.error(value.line, "models", "no model is given; expected at least one")
    of_name = {name: tier for tier, (name, _) in named.items()}
    wanted: dict[str, tuple[Named, ...]] = {}
    models = []
    for name, inner in value.table.items():
        key = f"models.{first_words(name, 60)}"
        if name not in tables:
            reader.error(inner.line, key, "has no value; expected provider, model and tier below it")
            continue
        model = _model(reader, name, inner, key, value.keys.get(name), of_name.get(name))
        wanted[name] = reader.texts(inner.table.get("fallbacks"), f"{key}.fallbacks", "a model's name")
        models.append(model)
    return link_fallbacks(reader, models, wanted, "models.{}.fallbacks")


def _model(
    reader: Reader, name: str, value: Value, key: str, line: int | None, named_tier: Tier | None
) -> Model:
    """The model, whole as far as it can be read, so that what refers to it isn't reported too."""
    _refuse_literal_keys(reader, value, key)
    table = reader.table(value, key, _MODEL_KEYS, example="{model: gpt-4o-mini, tier: cheap}")
    if not name.strip():
        reader.error(line, key, "a model needs a name")
    model = reader.text(table.get("model"), f"{key}.model", "the model's id", loose=True) or name
    provider = _provider(reader, table, key, model, line)
    known = PROVIDERS.get(PREFIXES.get(provider, provider))
    base_url = reader.base_url(table.get("base_url"), f"{key}.base_url")
    wire = reader.choice(table.get("wire"), f"{key}.wire", _WIRES)
    if provider and base_url is None and "base_url" not in table and (known is None or known.base_url == ""):
        what = "isn't known" if known is None else "has no URL of its own"
        hint = "" if known is not None else f" ({reader.did_you_mean(provider, PROVIDERS)})"
        reader.error(
            table["provider"].line if "provider" in table else line,
            f"{key}.provider",
            f"the provider {quoted(provider)} {what}{hint}; expected base_url beside it",
        )
    tier = reader.choice(table.get("tier"), f"{key}.tier", TIERS) or named_tier
    if tier is None and "tier" not in value.table and value.kind == "table":
        reader.error(line, f"{key}.tier", "tier is missing; expected cheap or strong")
    rank = (
        reader.whole(table.get("rank"), f"{key}.rank", 0, RANK_STEP - 1, "a whole number from 0 to 999") or 0
    )
    tools = reader.yes_no(table.get("tools"), f"{key}.tools")
    return Model(
        name=name,
        provider=known.name if known else provider,
        model=model,
        wire=wire or (known.wire if known else "openai"),
        base_url=base_url or (known.base_url or None if known else None),
        key_env=reader.variable(table.get("key_env"), f"{key}.key_env") or (known.key_env if known else ""),
        tier=tier or "strong",
        rank=rank + (RANK_STEP if tier == "strong" else 0),
        context_tokens=reader.whole(
            table.get("context"), f"{key}.context", 1, _MAX_TOKENS, "a number of tokens, such as 128000"
        ),
        prices=_prices(reader, table.get("prices"), f"{key}.prices"),
        tools=True if tools is None else tools,
    )


def _refuse_literal_keys(reader: Reader, value: Value, key: str) -> None:
    for name in ("api_key", "key", "token", "apikey"):
        if name in value.table:
            reader.error(
                value.keys.get(name),
                f"{key}.{name}",
                "a key doesn't belong in this file (not shown): put it into an environment variable and name "
                "that with key_env",
            )
            value.table.pop(name)


def _provider(reader: Reader, table: Mapping[str, Value], key: str, model: str, line: int | None) -> str:
    if "provider" in table:
        provider = (
            reader.text(table["provider"], f"{key}.provider", "a provider's name, such as openai") or ""
        )
        if "/" in provider:
            reader.wrong(table["provider"], f"{key}.provider", "a provider's name without a slash")
            return ""
        return provider
    guess = provider_of(model)
    if not guess and table:
        reader.error(
            line, f"{key}.provider", f"provider is missing; expected one of {', '.join(sorted(PROVIDERS))}"
        )
    return guess


def _prices(reader: Reader, value: Value | None, key: str) -> dict[str, Any] | None:
    prices: dict[str, Any] = {}
    for unit, price in reader.table(value, key, _PRICE_KEYS, example="{input: 0.15, output: 0.6}").items():
        if unit not in _PRICE_KEYS:
            continue
        found = reader.number(price, f"{key}.{unit}", 0, 1e6, "dollars per million tokens, such as 0.15")
        if found is not None:
            prices[unit] = found if isinstance(found, int) else price.raw.replace("_", "")
    if value is not None and value.kind == "table":
        for unit in ("input", "output"):
            if unit not in value.table:
                reader.error(
                    value.line, f"{key}.{unit}", f"{unit} is missing; expected dollars per million tokens"
                )
    return prices or None


def _routes(
    reader: Reader, value: Value | None, models: Mapping[str, Model], tiers: Mapping[Tier, str]
) -> tuple[Route, ...]:
    routes: list[Route] = []
    lines: dict[str, int | None] = {}
    for i, inner in enumerate(reader.items(value, "routes", "- {name: summaries, use: cheap}")):
        route = _route(reader, inner, f"routes[{i}]", models, tiers)
        given = inner.table.get("name", inner.table.get("task"))
        name = None if given is None else given.raw.strip()
        if name and name in lines:
            before = "" if lines[name] is None else f" stands in line {lines[name]}"
            reader.error(
                inner.line,
                f"routes[{i}].name",
                f"a route {quoted(name)}{before} already; expected another name",
            )
        elif name:
            lines[name] = inner.line
        if route is not None:
            routes.append(route)
    return tuple(routes)


def _route(
    reader: Reader, value: Value, key: str, models: Mapping[str, Model], tiers: Mapping[Tier, str]
) -> Route | None:
    table = reader.table(value, key, _ROUTE_KEYS, example="{name: summaries, task: summarization}")
    if value.kind != "table":
        return None
    task = reader.choice(table.get("task"), f"{key}.task", tuple(TASKS))
    name = reader.text(table.get("name"), f"{key}.name", "a name", loose=True) or task
    if name is None and "name" not in value.table:
        reader.error(value.line, f"{key}.name", "name is missing")
    references = reader.texts(table.get("references"), f"{key}.references", "example phrases")
    rule = _rule(reader, table.get("when"), f"{key}.when")
    if not any(part in value.table for part in ("task", "references", "when")):
        reader.error(
            value.line, key, "nothing says when this route is taken; expected task, references or when"
        )
    use = reader.text(table.get("use"), f"{key}.use", "a model or a tier", loose=True)
    if use is not None and models:
        use = model_named(reader, use, table["use"].line, f"{key}.use", models, or_tier=True)
    elif use is None and task is not None and "use" not in value.table:
        use = TASKS[task]
    elif use is None and "use" not in value.table and "task" not in value.table:
        reader.error(value.line, f"{key}.use", "use is missing; expected a model or a tier")
    wanted = reader.texts(table.get("fallbacks"), f"{key}.fallbacks", "a model's name")
    fallbacks: tuple[str, ...] = ()
    if use is not None and models:
        first = models[use] if use in models else models[tiers["cheap" if use == "cheap" else "strong"]]
        fallbacks = upwards(reader, first.name, first.rank, wanted, f"{key}.fallbacks", models)
    threshold = reader.number(
        table.get("threshold"), f"{key}.threshold", 0, 1, "a similarity from 0 to 1, such as 0.45"
    )
    if name is None or use is None:
        return None
    return Route(
        name=name,
        task=task or "",
        references=tuple(dict.fromkeys(text for text, _ in references)),
        threshold=threshold,
        use=use,
        fallbacks=fallbacks,
        rule=rule,
    )


def _rule(reader: Reader, value: Value | None, key: str) -> Rule | None:
    if value is None:
        return None
    table = reader.table(value, key, _WHEN_KEYS, example="{keywords: [invoice]}")
    if value.kind == "table" and not value.table:
        reader.error(value.line, key, f"is empty; expected at least one of {', '.join(_WHEN_KEYS)}")
    rule = Rule(
        tags=tuple(text for text, _ in reader.texts(table.get("tags"), f"{key}.tags", "a tag")),
        keywords=tuple(text for text, _ in reader.texts(table.get("keywords"), f"{key}.keywords", "a word")),
        patterns=read_patterns(reader, table.get("patterns"), f"{key}.patterns"),
        code=reader.yes_no(table.get("code"), f"{key}.code"),
        tools=reader.yes_no(table.get("tools"), f"{key}.tools"),
        min_tokens=_tokens(reader, table.get("min_tokens"), f"{key}.min_tokens"),
        max_tokens=_tokens(reader, table.get("max_tokens"), f"{key}.max_tokens"),
    )
    low, high = rule.min_tokens, rule.max_tokens
    if low is not None and high is not None and low > high:
        reader.error(
            table["max_tokens"].line,
            f"{key}.max_tokens",
            f"found {high}, below min_tokens ({low}): nothing fits",
        )
        rule = replace(rule, max_tokens=None)
    return rule


def _tokens(reader: Reader, value: Value | None, key: str) -> int | None:
    return reader.whole(value, key, 0, _MAX_TOKENS, "a whole number of tokens")


def read_patterns(reader: Reader, value: Value | None, key: str) -> tuple[re.Pattern[str], ...]:
    """The patterns of a list, compiled; each that can't be used is an error at its line."""
    found = []
    for text, line in reader.texts(value, key, "a regular expression"):
        try:
            found.append(compile_pattern(text))
        except BadPattern as problem:
            pattern = shown(Value("text", line, text, text), key)
            reader.error(line, key, f"{pattern}: {problem}")
    return tuple(found)
