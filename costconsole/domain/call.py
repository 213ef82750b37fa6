"""One LLM call as the ledger sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum


class Outcome(StrEnum):
    """Where the answer came from. Every call has exactly one outcome."""

    EXACT = "exact"
    SEMANTIC = "semantic"
    MISS = "miss"
    BYPASS = "bypass"
    """The caches were not asked: switched off, not cacheable, or the caller said so."""

    @property
    def is_hit(self) -> bool:
        return self is Outcome.EXACT or self is Outcome.SEMANTIC


class CostStatus(StrEnum):
    """Where a call's unit prices come from."""

    PROVIDER = "provider"
    CATALOG = "catalog"
    OVERRIDE = "override"
    ESTIMATED = "estimated"
    UNPRICED = "unpriced"


class Processing(StrEnum):
    LIVE = "live"
    BATCH = "batch"


STRATEGIES = ("exact", "semantic", "routing", "minimization", "batch", "provider_cache")
"""The words for what saves, in the order in which screens and JSON list them."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, as the provider bills them.

    `input` is the total and includes `cached_input` and both kinds of cache writes (OpenAI's convention;
    Anthropic's figures are normalized to it). `estimated` says that we counted, not the provider.
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What a model costs at one moment, in nano-dollars per million tokens; frozen into a call.

    `version` names the price list. `status` is never UNPRICED: an unknown price is None, not a UnitPrices.
    """

    input: int
    output: int
    cached_input: int
    cache_write_5m: int
    cache_write_1h: int
    version: str
    status: CostStatus = CostStatus.CATALOG


@dataclass(frozen=True, slots=True)
class Savings:
    """Nano-dollars saved by each strategy. `provider_cache` (and `routing`) can be negative."""

    exact: int = 0
    semantic: int = 0
    routing: int = 0
    minimization: int = 0
    batch: int = 0
    provider_cache: int = 0

    @property
    def total(self) -> int:
        return (
            self.exact + self.semantic + self.routing + self.minimization + self.batch + self.provider_cache
        )

    def __add__(self, other: Savings) -> Savings:
        return Savings(
            self.exact + other.exact,
            self.semantic + other.semantic,
            self.routing + other.routing,
            self.minimization + other.minimization,
            self.batch + other.batch,
            self.provider_cache + other.provider_cache,
        )


_NOTHING_SAVED = Savings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `input`, `output` ... are what the provider was paid for: all zero on a hit.

    Money: `spend_nano + savings.total == baseline_nano` whenever the price is known; both are None when
    `cost_status` is UNPRICED. `input_saved` and `output_saved` are tokens that were not sent or generated.
    `similarity` and `neighbor` describe the nearest cached prompt, on a miss too, or are None and "".
    """

    id: str
    ts_ms: int
    outcome: Outcome
    model: str
    provider: str = ""
    requested_model: str = ""
    route: str = ""
    tag: str = ""
    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    usage_estimated: bool = False
    input_saved: int = 0
    output_saved: int = 0
    latency_ms: float = 0.0
    error: str = ""
    similarity: float | None = None
    threshold: float | None = None
    neighbor: str = ""
    cache_key: str = ""
    spend_nano: int | None = None
    baseline_nano: int | None = None
    savings: Savings = _NOTHING_SAVED
    cost_status: CostStatus = CostStatus.UNPRICED
    price_version: str = ""
    price_input: int = 0
    price_output: int = 0
    processing: Processing = Processing.LIVE
    scope: str = ""
    preview: str = ""

    @property
    def priced(self) -> bool:
        return self.cost_status is not CostStatus.UNPRICED

    def to_fields(self) -> dict[str, str]:
        """The call as stream fields, defaults left out; `from_fields` is the inverse."""
        found: dict[str, str] = {}
        for name, default in _PLAIN:
            value = getattr(self, name)
            if value != default and value is not None:
                found[name] = _text(value)
        for strategy in STRATEGIES:
            saved = getattr(self.savings, strategy)
            if saved:
                found[f"saved_{strategy}_nano"] = str(saved)
        return found

    @classmethod
    def from_fields(cls, stored: Mapping[str, str]) -> Call:
        """Read a stream entry. Unknown fields are ignored; raises ValueError for a malformed one."""
        values: dict[str, object] = {}
        for name, _default in _PLAIN:
            if name in stored:
                values[name] = _READ.get(name, str)(stored[name])
        missing = [name for name in _REQUIRED if name not in values]
        if missing:
            raise ValueError(f"not a call: field {missing[0]!r} is missing")
        values["savings"] = Savings(**{s: int(stored.get(f"saved_{s}_nano", 0)) for s in STRATEGIES})
        return cls(**values)  # type: ignore[arg-type]


def _text(value: object) -> str:
    if value is True:
        return "1"
    if isinstance(value, float):
        return f"{value:.6g}" if value < 100 else f"{value:.1f}"
    return str(value)


_REQUIRED = ("id", "ts_ms", "outcome", "model")
_PLAIN: tuple[tuple[str, object], ...] = tuple(
    (f.name, object() if f.name in _REQUIRED else f.default) for f in fields(Call) if f.name != "savings"
)
_READ: dict[str, Callable[[str], object]] = {
    "outcome": Outcome,
    "cost_status": CostStatus,
    "processing": Processing,
    "usage_estimated": lambda text: text == "1",
    **dict.fromkeys(
        (
            "ts_ms",
            "input",
            "output",
            "cached_input",
            "cache_write_5m",
            "cache_write_1h",
            "input_saved",
            "output_saved",
            "spend_nano",
            "baseline_nano",
            "price_input",
            "price_output",
        ),
        int,
    ),
    **dict.fromkeys(("latency_ms", "similarity", "threshold"), float),
}


def total_usage(usages: Iterable[Usage]) -> Usage:
    """The sum of several usages (one call may need several attempts)."""
    total = Usage()
    for u in usages:
        total = Usage(
            total.input + u.input,
            total.output + u.output,
            total.cached_input + u.cached_input,
            total.cache_write_5m + u.cache_write_5m,
            total.cache_write_1h + u.cache_write_1h,
            total.estimated or u.estimated,
        )
    return total
