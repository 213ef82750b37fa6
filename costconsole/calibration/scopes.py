"""Thresholds of several scopes at once: which of them have enough labels of their own, and who inherits.

Every scope that is decided by its own labels is one more promise that can break, so each holds with
1 - (1 - confidence) / K. Who is decided goes by how many labels there are, never by what they say: otherwise
the choice itself would break the promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costconsole.calibration.bound import fewest
from costconsole.calibration.events import FLOOR, Event, evidence
from costconsole.calibration.propose import STEP, Proposal, propose

if TYPE_CHECKING:
    from costconsole.calibration.curve import Floats

Kind = Literal["all", "route", "model", "category"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeLog:
    """What is known of one scope: its threshold in force, its look-ups' similarities and its labels."""

    kind: Kind
    name: str = ""
    current: float | None
    scores: Sequence[float] | Floats
    labels: Sequence[Event]


@dataclass(frozen=True, slots=True)
class ScopeDecision:
    """`own`: decided by its own labels; otherwise it inherits its parent's threshold.

    `threshold` is the one to use (None: keep what is in force), `needed` how many labels it takes to be
    decided by itself at all, `labels` how many there are. `proposal` is that of whom it goes by.
    """

    kind: Kind
    name: str
    own: bool
    current: float | None
    threshold: float | None
    labels: int
    needed: int
    lookups: int
    proposal: Proposal
    reason: str


def decide(
    parent: ScopeLog,
    scopes: Sequence[ScopeLog],
    *,
    max_error: float = 0.02,
    confidence: float = 0.95,
    step: float = STEP,
    strict: bool = False,
    judge: bool = False,
) -> tuple[ScopeDecision, ...]:
    """The parent's decision, then one for each of `scopes`, in their order."""
    counts = [_count(scope, judge) for scope in scopes]
    families, needed = families_of(counts, max_error, confidence)

    def proposed(scope: ScopeLog) -> Proposal:
        return propose(
            scope.labels,
            scope.scores,
            current=scope.current,
            max_error=max_error,
            confidence=confidence,
            step=step,
            strict=strict,
            families=families,
            judge=judge,
        )

    whole = proposed(parent)
    decided = [_own(parent, whole, needed)]
    for scope, labels in zip(scopes, counts, strict=True):
        if labels >= needed:
            decided.append(_own(scope, proposed(scope), needed))
        else:
            decided.append(_inherited(scope, whole, labels, needed, step))
    return tuple(decided)


def families_of(counts: Sequence[int], max_error: float, confidence: float) -> tuple[int, int]:
    """How many promises are made at once, the parent's among them, and the labels that each of them takes.

    As many scopes as possible, the best labelled first, such that all have what their number asks for.
    """
    able = sorted(counts, reverse=True)
    families = 1
    for k, count in enumerate(able, 1):
        if count >= fewest(0, max_error, (1.0 - confidence) / (k + 1)):
            families = k + 1
    needed = fewest(0, max_error, (1.0 - confidence) / max(2, families))
    return families, needed


def _count(scope: ScopeLog, judge: bool) -> int:
    return sum(event.similarity >= FLOOR for event in evidence(scope.labels, judge=judge))


def _own(scope: ScopeLog, proposal: Proposal, needed: int) -> ScopeDecision:
    return ScopeDecision(
        kind=scope.kind,
        name=scope.name,
        own=True,
        current=scope.current,
        threshold=proposal.threshold,
        labels=proposal.labels,
        needed=needed,
        lookups=len(scope.scores),
        proposal=proposal,
        reason=proposal.reason,
    )


def _inherited(scope: ScopeLog, whole: Proposal, labels: int, needed: int, step: float) -> ScopeDecision:
    threshold = whole.threshold
    reason = (
        f"{labels:,} labels of its own, {needed:,} would be the fewest to decide by: it goes by all "
        "look-ups, and the bound is that of all together."
    )
    if threshold is not None and scope.current is not None and threshold < scope.current - step - 1e-9:
        threshold = round(scope.current - step, 6)
        reason += f" One step leads no further than {threshold:g}."
    return ScopeDecision(
        kind=scope.kind,
        name=scope.name,
        own=False,
        current=scope.current,
        threshold=threshold,
        labels=labels,
        needed=needed,
        lookups=len(scope.scores),
        proposal=whole,
        reason=reason,
    )
