"""What the page of thresholds shows, as frozen values: a key is answered without working anything out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costconsole.domain.figures import Policy

if TYPE_CHECKING:
    from costconsole.cache.guards import GuardEffect
    from costconsole.cache.thresholds import CacheThreshold
    from costconsole.calibration.curve import Point, State
    from costconsole.calibration.events import Event, Verdict
    from costconsole.calibration.propose import Proposal

BOUNDS = (0.01, 0.02, 0.05, 0.10)
"""Shares of wrong hits that one may promise."""
LOWEST, HIGHEST = 0.70, 1.0
Texts = Literal["full", "preview", "off"]


@dataclass(frozen=True, slots=True)
class Scope:
    """For which look-ups a threshold is: all of them, or those of a route or of a model."""

    kind: Literal["all", "route", "model"] = "all"
    name: str = ""

    @property
    def field(self) -> str:
        """Its name in the policy."""
        return "threshold" if self.kind == "all" else f"threshold:{self.kind}:{self.name}"

    @property
    def words(self) -> str:
        return "all look-ups" if self.kind == "all" else f"{self.kind} {self.name}"


ALL = Scope()


@dataclass(frozen=True, slots=True)
class Step:
    """What one threshold of the grid would do. Per day, as read off the log; money in nano-dollars, None
    where nothing was priced."""

    point: Point
    hits_a_day: float
    saved_nano_a_day: int | None


@dataclass(frozen=True, slots=True)
class Missing:
    """How far a bound is: the threshold that keeps it, or how many labels it takes (None: no number would
    do), and how many if all of them were right."""

    max_error: float
    threshold: float | None
    labels: int | None
    least: int | None


@dataclass(frozen=True, slots=True)
class Example:
    """A logged look-up and the prompt of its nearest entry."""

    similarity: float
    query: str
    cached: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class GuardLine:
    """A guard: whether it is on, what it does on labelled pairs, and what it refused in the log."""

    name: str
    on: bool
    effect: GuardEffect
    refused: int


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """A scope: the threshold in force, whose that is when it is not its own, and what is known of it.

    `proposed` is what its own labels allow with the confidence of all scopes together; `missing` how many
    labels it takes, None when no number would do.
    """

    scope: Scope
    threshold: float
    inherits: str
    lookups: int
    hit_rate: float | None
    labels: int
    state: State
    proposed: float | None
    missing: int | None


@dataclass(frozen=True, slots=True)
class Period:
    """What happened under one threshold; `wrong` of the `labels` of drawn hits, `marked` by hand besides."""

    threshold: float
    version: int
    from_ms: int
    to_ms: int
    lookups: int
    hits: int
    labels: int
    wrong: int
    marked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdView:
    """Everything about the threshold of one scope, as it was at `read_ms`.

    `lookups` are those under the threshold in force, from `from_ms` to `to_ms`; `elsewhere` counts labels of
    other thresholds, which say nothing about this one, `marked` hits marked as wrong by hand. `periods`: the
    one in force, then the one before. `texts` is what the ledger keeps of prompts.
    """

    policy: Policy
    scope: Scope
    current: float
    inherits: str
    max_error: float
    proposal: Proposal
    steps: tuple[Step, ...]
    lookups: int
    from_ms: int
    to_ms: int
    missing: tuple[Missing, ...]
    examples: tuple[Example, ...]
    guards: tuple[GuardLine, ...]
    scopes: tuple[ScopeLine, ...]
    caches: tuple[CacheThreshold, ...]
    periods: tuple[Period, ...]
    elsewhere: int
    marked: int
    texts: Texts
    truncated: bool
    read_ms: int
    families: int = 1
    """How many scopes are decided together: each then needs more confidence."""
    clipped: bool = False
    """Whether some of the log's prompts are only beginnings."""

    @property
    def days(self) -> float:
        """How long the log is, in days; at least a minute."""
        return max(60_000, self.to_ms - self.from_ms) / 86_400_000

    def index_of(self, threshold: float) -> int:
        """The step that is nearest to a threshold."""
        return min(range(len(self.steps)), key=lambda i: abs(self.steps[i].point.threshold - threshold))

    @property
    def now(self) -> Step | None:
        """The threshold in force, if it is one that can be looked at."""
        at = self.steps[self.index_of(self.current)] if self.steps else None
        return at if at is not None and abs(at.point.threshold - self.current) < 1e-6 else None

    def around(self, threshold: float, count: int) -> tuple[Sequence[Example], Sequence[Example]]:
        """The examples just above (ascending) and just below (descending) a threshold."""
        above = [each for each in self.examples if each.similarity >= threshold]
        below = [each for each in self.examples if each.similarity < threshold]
        return above[:count], below[::-1][:count]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What to label next: `events` in their order, how many of `drawn` were drawn from all look-ups with a
    neighbour, how many had lost a text, and from which similarity the others were drawn."""

    events: tuple[Event, ...]
    wide: int
    gone: int
    drawn_from: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A label that was kept, for taking it back."""

    field: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a threshold that was made, or that could be taken back."""

    sentence: str
    what: str
    before: float | None
    after: float | None
    undo_id: str = ""
