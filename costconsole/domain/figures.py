"""Sums over calls, and the one value object that the console's screens draw."""

from __future__ import annotations

from dataclasses import dataclass, field

from costconsole.domain.call import Call, Savings
from costconsole.domain.histogram import Histogram
from costconsole.domain.window import Window

GUARDS = ("numbers", "entities", "negation", "antonyms")
"""What can refuse a near prompt that says something else, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The exact sum of a set of calls. `exact + semantic + miss + bypass == calls`; errors are among them."""

    calls: int = 0
    errors: int = 0
    exact: int = 0
    semantic: int = 0
    miss: int = 0
    bypass: int = 0
    unpriced: int = 0
    input: int = 0
    output: int = 0
    cached_input: int = 0
    input_saved: int = 0
    output_saved: int = 0
    spend_nano: int = 0
    baseline_nano: int = 0
    saved: Savings = field(default_factory=Savings)
    hit_latency: Histogram = field(default_factory=Histogram)
    miss_latency: Histogram = field(default_factory=Histogram)
    """Latency of every call that was no hit."""
    hit_input: int = 0
    """Input tokens that hits kept from being sent; a part of `input_saved`."""
    guarded: int = 0
    """Calls whose nearest prompt reached the threshold, but was refused; none of them is a hit."""

    @property
    def hits(self) -> int:
        return self.exact + self.semantic

    @property
    def hit_rate(self) -> float | None:
        """Hits / calls, 0..1; None when there was no call."""
        return self.hits / self.calls if self.calls else None

    @property
    def hit_rate_by_tokens(self) -> float | None:
        """Share of the input tokens that a hit answered, 0..1; None when there were none."""
        wanted = self.input + self.hit_input
        return self.hit_input / wanted if wanted else None

    @property
    def hit_rate_by_cost(self) -> float | None:
        """Share of the baseline that hits saved; None when nothing was priced."""
        return (self.saved.exact + self.saved.semantic) / self.baseline_nano if self.baseline_nano else None

    @property
    def tokens_saved(self) -> int:
        return self.input_saved + self.output_saved

    @property
    def saved_share(self) -> float | None:
        """Saved / baseline; None when nothing was priced."""
        return self.saved.total / self.baseline_nano if self.baseline_nano else None

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Point:
    """Figures of one bucket of a series."""

    start_ms: int
    seconds: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Slice:
    """Figures of one value of a dimension, such as one model."""

    value: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class LedgerView:
    """Everything that a screen shows of one window, read in one round trip.

    `previous` is the window of the same length before this one; `today` counts from the operator's
    midnight. `by` maps `model`, `route`, `tag`, `outcome` to their slices, largest spend first.
    `recent` holds the newest calls, newest first. `present` is False where this Redis has no ledger.
    """

    namespace: str
    window: Window
    from_ms: int
    to_ms: int
    read_ms: int
    present: bool = False
    total: Figures = field(default_factory=Figures)
    previous: Figures = field(default_factory=Figures)
    today: Figures = field(default_factory=Figures)
    series: tuple[Point, ...] = ()
    by: dict[str, tuple[Slice, ...]] = field(default_factory=dict)
    recent: tuple[Call, ...] = ()
    calls_per_s: float | None = None
    """Calls per second over the last 60 seconds, or over what there is of them; None without a call."""
    policy: Policy | None = None
    capped: tuple[str, ...] = ()
    """Dimensions that had more values in a day than are kept apart: the rest is their value `other`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The live policy that running applications follow (`costconsole:{NS}:policy`)."""

    version: int = 0
    threshold: float = 0.95
    thresholds_by_route: tuple[tuple[str, float], ...] = ()
    thresholds_by_model: tuple[tuple[str, float], ...] = ()
    ttl_s: int | None = None
    exact: bool = True
    semantic: bool = True
    routing: bool = True
    minimization: bool = True
    guards: tuple[str, ...] = GUARDS
    """Those that are switched on, in the order of GUARDS."""
    changed_by: str = ""
    changed_ms: int | None = None

    def threshold_for(self, *, route: str = "", model: str = "") -> float:
        """The threshold in force: the route's, else the model's, else the general one."""
        for pairs, wanted in ((self.thresholds_by_route, route), (self.thresholds_by_model, model)):
            for name, value in pairs:
                if name == wanted:
                    return value
        return self.threshold
