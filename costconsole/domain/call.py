"""One LLM call as the ledger sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter


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

    `per_request` is a fee for the call itself, in nano-dollars. `version` names the price list. `status`
    is never UNPRICED: an unknown price is None, not a UnitPrices.
    """

    input: int
    output: int
    cached_input: int
    cache_write_5m: int
    cache_write_1h: int
    version: str
    status: CostStatus = CostStatus.CATALOG
    per_request: int = 0


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

RATCHET = "ratchet"
"""What refuses an entry below its own threshold, which a wrong hit has raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `input`, `output` ... are what the provider was paid for: all zero on a hit.

    Money: `spend_nano + savings.total == baseline_nano` whenever the price is known; both are None when
    `cost_status` is UNPRICED. `input_saved` and `output_saved` are tokens that were not sent or generated.
    `similarity` and `neighbor` describe the nearest cached prompt, on a miss too, or are None and ""; on a
    hit, the one that was served. `guard` names what refused `neighbor` although its similarity reached
    `threshold`, separated by commas: guards, or RATCHET. It is "" on a hit. `policy_version` is that of the
    policy in force, 0 where nobody has set one.
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
    guard: str = ""
    policy_version: int = 0
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
        found = {
            name: value if value.__class__ is str else stored(value)
            for (name, default), value in zip(_PLAIN, _VALUES(self), strict=True)
            if value != default and value is not None
        }
        if self.savings is not _NOTHING_SAVED:
            for name, saved in zip(_SAVED, _SAVINGS(self.savings), strict=True):
                if saved:
                    found[name] = str(saved)
        return found

    @classmethod
    def from_fields(cls, stored: Mapping[str, str]) -> Call:
        """Read a stream entry. Unknown fields are ignored; raises ValueError for a malformed one."""
        values: dict[str, object] = {}
        saved = dict.fromkeys(STRATEGIES, 0)
        for name, text in stored.items():
            if name in _NAMES:
                read = _READ.get(name)
                values[name] = text if read is None else read(text)
            elif name in _SAVED_NAMES:
                saved[_SAVED_NAMES[name]] = int(text)
        for name in _REQUIRED:
            if name not in values:
                raise ValueError(f"not a call: field {name!r} is missing")
        values["savings"] = Savings(**saved)
        return cls(**values)  # type: ignore[arg-type]


def stored(value: object) -> str:
    """A value of a Call as it is stored. Floats keep six decimals."""
    if value is True:
        return "1"
    if isinstance(value, float):
        return repr(round(value, 6))
    return str(value)


# Every call passes `to_fields`, up to tens of thousands a second: attributes are fetched in one go.
_REQUIRED = ("id", "ts_ms", "outcome", "model")
_SAVED = tuple(f"saved_{strategy}_nano" for strategy in STRATEGIES)
_SAVED_NAMES = dict(zip(_SAVED, STRATEGIES, strict=True))
_SAVINGS = attrgetter(*STRATEGIES)
_PLAIN: tuple[tuple[str, object], ...] = tuple(
    (f.name, object() if f.name in _REQUIRED else f.default) for f in fields(Call) if f.name != "savings"
)
_NAMES = frozenset(name for name, _default in _PLAIN)
_VALUES = attrgetter(*(name for name, _default in _PLAIN))
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
            "policy_version",
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
