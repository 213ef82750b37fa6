"""What a routing config says, as values: models, routes, rules, and what was found wrong with the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

Tier = Literal["cheap", "strong"]
Wire = Literal["openai", "anthropic"]
Format = Literal["native", "litellm", "redisvl", "default"]
Level = Literal["error", "warning"]
Aggregation = Literal["avg", "min", "sum"]

TIERS: Final[tuple[Tier, ...]] = ("cheap", "strong")
TASKS: Final[Mapping[str, Tier]] = MappingProxyType(
    {
        "summarization": "cheap",
        "extraction": "cheap",
        "classification": "cheap",
        "qa": "cheap",
        "reasoning": "strong",
        "coding": "strong",
        "creative": "strong",
        "brainstorming": "strong",
    }
)
"""The task types, and the tier that does them."""

UNSURE_BELOW: Final = 0.3
STICKY_S: Final = 1_800
COOLDOWN_S: Final = 60
RANK_STEP: Final = 1_000
"""Every strong model ranks this much above the cheap one of the same place in its tier."""


@dataclass(frozen=True, slots=True)
class ConfigFinding:
    """Something to say about a config: where it is (`line` counts from 1, None where there is no text),
    which `key` (`models.large.tier`), and in `message` what was found and what was expected.
    """

    level: Level
    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that can be asked. `name` is what callers ask for, `model` its id at the provider.

    `base_url` is a URL, `os.environ/NAME` for one that the environment holds, or None for the wire's own.
    `key_env` names the variable that holds the key ("" is the provider's usual one); no key is ever here.
    `rank` orders capability: tier first, then the config's own `rank` within it; models of one tier that
    say nothing are equals. A fallback never goes to a lower rank. `prices` has the form of the `prices`
    setting: dollars per million tokens.
    """

    name: str
    provider: str
    model: str
    wire: Wire
    base_url: str | None = None
    key_env: str = ""
    tier: Tier
    context_tokens: int | None = None
    rank: int
    prices: Mapping[str, Any] | None = None
    tools: bool = True
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a route is taken without looking at meaning: every condition that is set must hold.

    Of `tags`, `keywords` (whole words, case folded) and `patterns` one match each is enough.
    """

    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    code: bool | None = None
    tools: bool | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A kind of prompt and what answers it: `use` is a model's name or a tier.

    Without `references`, those that are shipped for `task` count. `threshold` is the similarity from
    which the route may be taken; where it is `strict`, only above it.
    """

    name: str
    task: str = ""
    references: tuple[str, ...] = ()
    threshold: float | None = None
    strict: bool = False
    use: str
    fallbacks: tuple[str, ...] = ()
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticRule:
    """How a RedisVL router decides: of the reference distances within the widest threshold, `aggregation`
    by route, the `max_k` nearest routes, and of these the first whose distance is below its own threshold.

    `distances` keeps each route's threshold as it is in the file: a cosine distance.
    """

    router: str
    aggregation: Aggregation
    max_k: int
    distances: Mapping[str, float]
    vectorizer: str
    vectorizer_model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingConfig:
    """A whole routing config, checked: every name in it leads to a model.

    `aliases` maps what callers may ask for to a model's name, or to "" where the router decides.
    `default` (a model's name or a tier) is used when nothing else decides; savings count against the
    model `baseline`. `sticky_s`: how long a conversation keeps its model; `cooldown_s`: how long a model
    that failed is left alone. `includes`: further files that were read. `version`: of the text, short.
    """

    models: tuple[Model, ...]
    routes: tuple[Route, ...]
    tiers: Mapping[Tier, str]
    default: str
    baseline: str
    aliases: Mapping[str, str]
    unsure_below: float = UNSURE_BELOW
    sticky_s: int = STICKY_S
    cooldown_s: int = COOLDOWN_S
    semantic: SemanticRule | None = None
    source: str
    format: Format
    findings: tuple[ConfigFinding, ...] = ()
    version: str
    includes: tuple[str, ...] = ()
    _by_name: Mapping[str, Model] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {model.name: model for model in self.models})

    def model(self, name: str) -> Model | None:
        """The model of this name, if there is one."""
        return self._by_name.get(name)

    def chosen(self, use: str) -> Model:
        """The model that a route's `use` means: of this name, else the tier's. Raises KeyError."""
        found = self._by_name.get(use)
        if found is None and use in TIERS:
            found = self._by_name.get(self.tiers[use])
        if found is None:
            raise KeyError(use)
        return found
