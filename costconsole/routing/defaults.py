"""Routing without any config: eight task types, and the models whose provider's key is set.

The cheap tier is for summaries, extraction, classification and simple questions, the strong one for
reasoning, code and creative work. Each model's id is one that the price list knows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from costconsole.routing.known import PROVIDERS
from costconsole.routing.model import RANK_STEP, Model, RoutingConfig, Tier
from costconsole.routing.native import task_routes

SOURCE: Final = "the defaults"


@dataclass(frozen=True, slots=True)
class _Usual:
    model: str
    tier: Tier
    rank: int
    context: int


# Of each provider and tier the first answers. Predecessors stay callable by name, and fall back upwards.
_MODELS: Final[Mapping[str, tuple[_Usual, ...]]] = {
    "openai": (
        _Usual("gpt-4o-mini", "cheap", 1, 128_000),
        _Usual("gpt-6-luna", "cheap", 2, 1_050_000),
        _Usual("gpt-4o", "strong", 1, 128_000),
        _Usual("gpt-6.1-sol", "strong", 2, 1_050_000),
    ),
    "anthropic": (
        _Usual("claude-haiku-5-5", "cheap", 2, 1_000_000),
        _Usual("claude-haiku-4-5", "cheap", 1, 200_000),
        _Usual("claude-3-haiku-20240307", "cheap", 0, 200_000),
        _Usual("claude-sonnet-5-5", "strong", 2, 1_000_000),
        _Usual("claude-sonnet-4-5", "strong", 1, 200_000),
        _Usual("claude-3-5-sonnet-20241022", "strong", 0, 200_000),
    ),
    "groq": (
        _Usual("llama-3.1-8b-instant", "cheap", 0, 131_072),
        _Usual("llama3-8b-8192", "cheap", 0, 8_192),
        _Usual("llama-3.3-70b-versatile", "strong", 0, 131_072),
    ),
}
_PREFERENCE: Final = ("openai", "anthropic", "groq")


def default_config(environ: Mapping[str, str] | None = None) -> RoutingConfig:
    """The routing without a file. Of the providers whose key is set, the first of OpenAI, Anthropic and Groq
    answers, and the others are what it falls back to; without any key it is OpenAI.
    """
    environ = os.environ if environ is None else environ
    ready = [name for name in _PREFERENCE if environ.get(PROVIDERS[name].key_env, "").strip()]
    first = ready[0] if ready else _PREFERENCE[0]
    models: list[Model] = []
    for provider in sorted(_PREFERENCE, key=lambda name: name != first):
        models += [_model(provider, usual, ready or [first]) for usual in _MODELS[provider]]
    tiers: dict[Tier, str] = {tier: _head(first, tier) for tier in ("cheap", "strong")}
    return RoutingConfig(
        models=tuple(models),
        routes=task_routes(),
        tiers=tiers,
        default="strong",
        baseline=tiers["strong"],
        aliases={"auto": ""},
        source=SOURCE,
        format="default",
        version=f"default-{'+'.join(ready) or first}",
    )


def _head(provider: str, tier: Tier) -> str:
    return next(usual.model for usual in _MODELS[provider] if usual.tier == tier)


def _rank(usual: _Usual) -> int:
    return usual.rank + (RANK_STEP if usual.tier == "strong" else 0)


def _model(provider: str, usual: _Usual, ready: list[str]) -> Model:
    known = PROVIDERS[provider]
    return Model(
        name=usual.model,
        provider=provider,
        model=usual.model,
        wire=known.wire,
        base_url=known.base_url,
        key_env=known.key_env,
        tier=usual.tier,
        rank=_rank(usual),
        context_tokens=usual.context,
        fallbacks=_fallbacks(provider, usual, ready),
    )


def _fallbacks(provider: str, usual: _Usual, ready: list[str]) -> tuple[str, ...]:
    """At the same provider the next better one; then the other providers' first of the tier; then its strong
    one. Only where a key is set, as a fallback that can't be called is none."""
    found: list[str] = []
    own = [other for other in _MODELS[provider] if other.tier == usual.tier and other.rank > usual.rank]
    if own:
        found.append(min(own, key=lambda other: other.rank).model)
    for name in ready:
        if name != provider:
            head = next(other for other in _MODELS[name] if other.tier == usual.tier)
            found += [head.model] if _rank(head) >= _rank(usual) else []
    if usual.tier == "cheap":
        found += [_head(name, "strong") for name in (provider, *ready) if name in ready or name == provider][
            :1
        ]
    return tuple(dict.fromkeys(found))
