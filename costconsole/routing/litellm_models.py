"""LiteLLM's `model_list`: its groups and deployments as models, with prices and key variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final

from costconsole.domain.text import first_words
from costconsole.routing.document import Value
from costconsole.routing.known import FOREIGN_WIRE, PREFIXES, PROVIDERS, provider_of, tier_of
from costconsole.routing.litellm_routers import AUTO_ROUTER, RouterEntry
from costconsole.routing.model import TIERS, Model, Tier
from costconsole.routing.reading import ENV_PREFIX, Reader, is_secret_key, quoted, variable_of

_MTOK: Final = Decimal(1_000_000)
_PRICES: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write_5m",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_token_batches": "batch_input",
    "output_cost_per_token_batches": "batch_output",
    "cache_read_input_token_cost_batches": "batch_cached_input",
}
_USED_PARAMS: Final = (
    *("model", "custom_llm_provider", "api_key", "api_base", "base_url", "weight", "order"),
    *_PRICES,
)
_USED_INFO: Final = (
    *("id", "base_model", "mode", "tier", "max_input_tokens", "supports_function_calling"),
    *_PRICES,
)
_ENTRY: Final = ("model_name", "litellm_params", "model_info")
_CHAT_MODES: Final = ("chat", "completion", "responses")


@dataclass(slots=True)
class Groups:
    """What is gathered from `model_list`: models in order, and the names that were left out."""

    models: list[Model] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)
    """By group: the deployments after the first."""
    left_out: set[str] = field(default_factory=set)
    routers: list[RouterEntry] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    told: dict[str, Tier] = field(default_factory=dict)


def deployments_of(groups: Groups) -> set[str]:
    return {name for others in groups.others.values() for name in others}


def table_of(reader: Reader, value: Value | None, key: str) -> dict[str, Value]:
    """The keys of a table that have a value; LiteLLM takes an empty one as not given."""
    if value is None or value.kind == "nothing":
        return {}
    return dict(reader.table(value, key))


def read_models(reader: Reader, value: Value | None, root: Value) -> Groups:
    groups = Groups()
    if value is None:
        reader.error(root.line, "model_list", "model_list is missing; expected a list of models")
        return groups
    unused: dict[str, int | None] = {}
    found: dict[str, list[tuple[tuple[float, float], Model]]] = {}
    for i, item in enumerate(reader.items(value, "model_list", "- model_name: small")):
        place = f"model_list[{i}]"
        entry = reader.table(item, place, None, example="model_name: small")
        name = reader.text(entry.get("model_name"), f"{place}.model_name", "a name", loose=True)
        params = table_of(reader, entry.get("litellm_params"), f"{place}.litellm_params")
        if item.kind == "table":
            for needed in ("model_name", "litellm_params"):
                if needed not in item.table:
                    near = get_close_matches(needed, item.table, 1, 0.8)
                    hint = f"; found {near[0]!r}: did you mean that?" if near else ""
                    reader.error(item.line, f"{place}.{needed}", f"{needed} is missing{hint}")
        model_key = f"{place}.litellm_params.model"
        target = reader.text(params.get("model"), model_key, "provider/model", loose=True)
        if name is None or target is None:
            if name is not None and "litellm_params" in entry and "model" not in params:
                line = entry["litellm_params"].line
                reader.error(
                    line, model_key, "model is missing; expected provider/model, such as openai/gpt-4o"
                )
            continue
        info = table_of(reader, entry.get("model_info"), f"{place}.model_info")
        say_literal_keys(reader, params, f"{place}.litellm_params")
        custom = params["custom_llm_provider"].raw if "custom_llm_provider" in params else ""
        if custom and not target.startswith(f"{custom}/"):
            target = f"{custom}/{target}"
        if target.startswith(AUTO_ROUTER):
            groups.routers.append(RouterEntry(name, target, item.line, f"{place}.litellm_params", params))
            continue
        why = _why_left_out(name, target, info)
        if why:
            reader.warning(item.line, place, f"{quoted(name)} is left out: {why}")
            groups.left_out.add(name)
            continue
        model = _model(reader, name, target, params, info, place, item.line, groups)
        if model is None:
            groups.left_out.add(name)
            continue
        unused |= {k: v.line for k, v in entry.items() if k not in _ENTRY}
        unused |= {f"litellm_params.{k}": v.line for k, v in params.items() if k not in _USED_PARAMS}
        unused |= {f"model_info.{k}": v.line for k, v in info.items() if k not in _USED_INFO}
        found.setdefault(name, []).append((_preference(params), model))
    for name, deployments in found.items():
        _add_group(reader, groups, name, deployments, info_line=value.line)
    if unused:
        line = min((line for line in unused.values() if line is not None), default=None)
        reader.warning(line, "model_list", f"not used here: {', '.join(sorted(unused))}")
    groups.left_out -= found.keys()
    return groups


def _preference(params: Mapping[str, Value]) -> tuple[float, float]:
    """Lower goes first: by `order`, then by the greatest weight."""

    def number(key: str, otherwise: float) -> float:
        value = params[key].scalar if key in params else None
        return float(value) if isinstance(value, int | float) else otherwise

    return number("order", 1e9), -number("weight", 1.0)


def _add_group(
    reader: Reader,
    groups: Groups,
    name: str,
    deployments: list[tuple[tuple[float, float], Model]],
    info_line: int | None,
) -> None:
    deployments.sort(key=lambda pair: pair[0])
    taken = {model.name for model in groups.models}
    for i, (_, model) in enumerate(deployments):
        if i:
            label = f"{name} #{i + 1}"
            while label in taken:
                label += "'"
            groups.others.setdefault(name, []).append(label)
            groups.models.append(replace(model, name=label))
            if name in groups.told:
                groups.told[label] = groups.told[name]
        else:
            groups.models.append(model)
    if len(deployments) > 1:
        first = deployments[0][1]
        reader.warning(
            info_line,
            "model_list",
            f"the group {quoted(name)} has {len(deployments)} deployments: calls go to "
            f"{first.provider}/{first_words(first.model, 60)}, the others are its fallbacks, in turn",
        )


def _why_left_out(name: str, target: str, info: Mapping[str, Value]) -> str:
    if "*" in name or "*" in target:
        return "a wildcard names no model; list the models one by one"
    mode = info["mode"].raw if "mode" in info else ""
    if mode and mode not in _CHAT_MODES:
        return f"mode {mode[:40]} is not a chat"
    if "embed" in target.lower():
        return "an embedding model doesn't answer prompts"
    prefix = target.partition("/")[0]
    if prefix in FOREIGN_WIRE and "/" in target:
        return f"{prefix} speaks neither OpenAI's nor Anthropic's wire format"
    return "its model id comes from the environment" if variable_of(target) else ""


def _model(
    reader: Reader,
    name: str,
    target: str,
    params: Mapping[str, Value],
    info: Mapping[str, Value],
    place: str,
    line: int | None,
    groups: Groups,
) -> Model | None:
    prefix, slash, model = target.partition("/")
    base_value = params.get("api_base", params.get("base_url"))
    provider = PREFIXES.get(prefix, "") if slash else provider_of(target)
    if not provider and slash and base_value is None:
        reader.warning(
            line,
            f"{place}.litellm_params.model",
            f"{quoted(name)} is left out: the provider {quoted(prefix)} isn't known; "
            "give api_base if it speaks OpenAI's wire format",
        )
        return None
    if not provider or not slash:
        model = target if not slash or not provider else model
    known = PROVIDERS[provider or ("openai-compatible" if base_value is not None else "openai")]
    base_url = reader.base_url(base_value, f"{place}.litellm_params.api_base")
    if known.base_url == "" and base_value is None:
        reader.warning(
            line,
            f"{place}.litellm_params.api_base",
            f"{quoted(name)} is left out: {known.name} needs api_base; expected the URL of its "
            "OpenAI-compatible endpoint",
        )
        return None
    if known.name == "azure":
        reader.warning(
            line,
            f"{place}.litellm_params.model",
            "Azure is asked in OpenAI's own wire format: api_base must end in /openai/v1, and api_version "
            "isn't used",
        )
    told = reader.choice(info.get("tier"), f"{place}.model_info.tier", TIERS) if "tier" in info else None
    if told is not None:
        groups.told[name] = told
    elif name not in groups.guessed:
        groups.guessed.append(name)
    key_env = _key_env(params.get("api_key"))
    return Model(
        name=name,
        provider=known.name,
        model=model,
        wire=known.wire,
        base_url=base_url or known.base_url or None,
        key_env=key_env or known.key_env,
        tier=told or tier_of(model, name),
        rank=0,
        context_tokens=reader.whole(
            info.get("max_input_tokens"),
            f"{place}.model_info.max_input_tokens",
            1,
            100_000_000,
            "a number of tokens",
        ),
        prices=_prices(reader, {**info, **params}, f"{place}.litellm_params", line),
        tools=not ("supports_function_calling" in info and info["supports_function_calling"].scalar is False),
    )


def _key_env(value: Value | None) -> str:
    return (variable_of(value.raw) or "") if value is not None else ""


def say_literal_keys(reader: Reader, params: Mapping[str, Value], place: str) -> None:
    for name, value in params.items():
        if is_secret_key(name) and value.kind != "nothing" and not value.raw.startswith(ENV_PREFIX):
            at = "" if value.line is None else f" at line {value.line}"
            reader.warning(
                value.line,
                f"{place}.{name}",
                f"a literal key{at}: move it to an environment variable, and write {ENV_PREFIX}NAME here; "
                "it isn't kept",
            )


def _prices(
    reader: Reader, params: Mapping[str, Value], place: str, line: int | None
) -> dict[str, Any] | None:
    """Dollars a token, as LiteLLM has them, to dollars per million tokens, exactly."""
    prices: dict[str, Any] = {}
    for key, unit in _PRICES.items():
        if key not in params:
            continue
        value = params[key]
        try:
            usd = Decimal(value.raw.replace("_", ""))
        except InvalidOperation:
            usd = Decimal(-1)
        if value.kind not in ("number", "text") or not usd.is_finite() or not 0 <= usd < 10:
            reader.wrong(value, f"{place}.{key}", "dollars for one token, such as 0.0000025")
            continue
        prices[unit] = format((usd * _MTOK).normalize(), "f")
    if prices and not {"input", "output"} <= prices.keys():
        reader.warning(
            line,
            place,
            "its own prices aren't used: input_cost_per_token and output_cost_per_token are both needed",
        )
        return None
    return prices or None
