"""What a dry run found: every step of a call's way, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from costconsole.domain.call import Usage
from costconsole.domain.entry import Neighbor

if TYPE_CHECKING:
    from costconsole.cache.cacheable import Cacheability
    from costconsole.cache.request import Request
    from costconsole.domain.figures import Policy
    from costconsole.prompt.minimize import Step
    from costconsole.routing.choice import Choice

Decision = Literal["exact", "semantic", "call"]
Verdict = Literal["served", "passes", "below", "scope", "expired", "filtered", "refused", "ratchet"]
"""`passes`: near enough, but a nearer one is served. `expired`: its vector is there, its answer is gone.
`filtered`: it holds no answer that could be served."""
Source = Literal["policy", "stored", "default", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """What minimization does: all that is sent, in tokens before and after, and what each rule saved.

    `why` says why nothing was done, or "". `text` is the prompt as it would be sent.
    """

    text: str
    before: int
    after: int
    estimated: bool
    steps: tuple[Step, ...] = ()
    level: str = "safe"
    why: str = ""

    @property
    def saved(self) -> int:
        return self.before - self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A cached prompt near the one that was asked, and what its cache would do with it.

    `why` says it in words, "" for one that is served. `guards` refused it; `ttl_ms` as in CacheEntry.
    """

    key: str
    similarity: float
    prompt: str | None = None
    model: str = ""
    scope: str = ""
    verdict: Verdict = "below"
    why: str = ""
    guards: tuple[str, ...] = ()
    ttl_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCheck:
    """One semantic cache, asked as its writer asks it.

    `own`: the cache of the gateway that is checked; others serve other applications. `threshold` None: Redis
    doesn't tell it and the library has no default; `source` says where it is from. `scope_field` names what
    the writer's look-ups are limited to where its value can't be known here: a hit is then one only within
    the same. `why` says why it is no hit, or "". `note` is what must be said of the search itself.
    """

    name: str
    library: str
    own: bool
    threshold: float | None
    source: Source = "stored"
    hit: bool = False
    why: str = ""
    near: tuple[Near, ...] = ()
    scope_field: str = ""
    wrapped: bool = False
    """Its writer embeds more than the prompt."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The model that would be asked. `name` and `task` are "" where no route decides.

    `model` is what callers call it, `provider_model` its id there. `scores` has every route that was weighed.
    `missing_key` is the environment variable that must be set before it can be asked, or "". `problem` says
    what is wrong with the newest content of the config's file.
    """

    name: str = ""
    task: str = ""
    model: str = ""
    provider: str = ""
    provider_model: str = ""
    tier: str = ""
    kind: str = "explicit"
    reason: str = "the requested model"
    scores: Mapping[str, float] = field(default_factory=dict)
    similarity: float | None = None
    fallbacks: tuple[str, ...] = ()
    without_embedding: bool = False
    config: str = ""
    version: str = ""
    missing_key: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """What one call of a model would cost, in nano-dollars; None when its price is unknown.

    `batch_nano` is the price of the same call as a batch. `name` is what callers call the model.
    """

    model: str
    nano: int | None
    provider: str = ""
    batch_nano: int | None = None
    batch_estimated: bool = False
    name: str = ""
    chosen: bool = False
    baseline: bool = False
    without_key: str = ""
    """The environment variable that must be set before it can be asked, or ""."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The call itself, ready to be made, and what it would be stored under."""

    request: Request
    whole: Request
    policy: Policy
    removed: int
    can: Cacheability
    words: str
    digest: str
    scope: str
    vector: bytes | None
    baseline: tuple[str, str] | None = None
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What would happen to a prompt.

    `prompt_tokens` counts the user's prompt, `input_tokens` all that would be sent; estimates are marked.
    `exact_why` and `semantic_why` say in words why it is not a hit, or "". `neighbors`, `refused`,
    `threshold` and `semantic_why` are of the gateway's own cache; `caches` has all. Costs assume
    `output_tokens` of answer. Nothing was sent or written to find this out.
    """

    model: str
    provider: str
    prompt_tokens: int
    input_tokens: int
    tokens_estimated: bool
    output_tokens: int
    minimized_text: str
    minimized_tokens: int
    exact_hit: bool
    exact_key: str
    exact_why: str
    semantic_hit: bool
    semantic_why: str
    threshold: float
    neighbors: tuple[Neighbor, ...]
    refused: Mapping[str, tuple[str, ...]]
    """By key, what would keep a neighbour from being served however near it is: guards, or RATCHET."""
    cost_nano: int | None
    costs: tuple[Priced, ...] = ()
    shortened: Shortened | None = None
    exact_parts: tuple[tuple[str, str], ...] = ()
    """What of the request is in the exact key, by name."""
    caches: tuple[CacheCheck, ...] = ()
    route: Routed = field(default_factory=Routed)
    problem: str = ""
    """Why there is no embedding, or ""."""
    took_ms: float = 0.0
    prepared: Prepared | None = field(default=None, repr=False, compare=False)

    @property
    def decision(self) -> Decision:
        if self.exact_hit:
            return "exact"
        return "semantic" if self.semantic_hit else "call"


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual in a ledger: models that were seen with their providers, and the tokens of an answer."""

    models: Mapping[str, str] = field(default_factory=dict)
    output: Mapping[str, int] = field(default_factory=dict)
    mean_output: int = 200
    model: str = ""
    """The one that most calls went to."""

    def output_of(self, model: str) -> int:
        return self.output.get(model, self.mean_output)

    def usage(self, input_tokens: int, model: str) -> Usage:
        return Usage(input=input_tokens, output=self.output_of(model), estimated=True)
