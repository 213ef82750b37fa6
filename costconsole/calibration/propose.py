"""The threshold that the evidence allows, or how much evidence is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from costconsole.calibration.bound import fewest, labels_needed
from costconsole.calibration.curve import GRID, Point, Posterior, State, curve, expected, fit
from costconsole.calibration.events import FLOOR, Event, evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costconsole.calibration.curve import Floats

_FEW = 60
STEP = 0.05
"""Lowering changes what is cached, so what a log tells about thresholds further below isn't what they do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a method without a bound would choose, and the upper limit of its share of wrong hits."""

    method: str
    threshold: float | None
    upper: float
    labels: int
    wrong: int
    hit_rate: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """`threshold` is None when nothing may be promised: keep the current one, `reason` says why.

    `state` is that of the proposed threshold, else of the current one ("unknown" without one).
    `missing_labels` more ones at or above `target` would do if as many of them are right as expected; None
    when a threshold was found, or when no number would do; `least_labels` if all of them were right.
    `confidence` is that of each scope when several are decided at once.
    """

    threshold: float | None
    current: float | None
    state: State
    point: Point | None
    current_point: Point | None
    missing_labels: int | None
    target: float | None
    reason: str
    naive: Choice
    f1: Choice
    curve: tuple[Point, ...]
    guaranteed: bool
    max_error: float
    confidence: float
    labels: int
    alarm: bool = False
    least_labels: int | None = None


def propose(
    events: Sequence[Event],
    scores: Sequence[float] | Floats,
    *,
    current: float | None,
    max_error: float = 0.02,
    confidence: float = 0.95,
    step: float = STEP,
    strict: bool = False,
    families: int = 1,
    judge: bool = False,
    grid: Sequence[float] = GRID,
) -> Proposal:
    """The smallest threshold of `grid` whose share of wrong hits is certified to be `max_error` at most.

    It isn't more than `step` below `current` (None: no limit). `scores`: the similarity of every look-up.
    `families`: how many scopes are decided at once, so that all promises together hold with `confidence`.
    `strict`: fixed-sequence testing, strict to loose, valid for any world. `judge`: let judge's labels count.
    """
    each = 1.0 - (1.0 - confidence) / max(1, families)
    used = evidence(events, judge=judge)
    posterior = fit(used)
    steps = grid if current is None or current in grid else tuple(sorted({*grid, round(current, 6)}))
    points = curve(posterior, scores, used, steps, max_error=max_error, confidence=each)
    if strict:
        points = _fixed_sequence(points, max_error, each)
    lowest = 0.0 if current is None else current - step - 1e-9
    found = next((p for p in points if p.state == "certified" and p.threshold >= lowest), None)
    now = next((p for p in points if current is not None and abs(p.threshold - current) < 1e-6), None)
    missing, target = (None, None) if found else _missing(points, max_error, each, lowest)
    least = None if found else _least(points, max_error, each, lowest)
    alarm = now is not None and now.state == "refuted"
    return Proposal(
        threshold=found.threshold if found else None,
        current=current,
        state=found.state if found else now.state if now else "unknown",
        point=found,
        current_point=now,
        missing_labels=missing,
        target=target,
        reason=_reason(found, now, missing, least, target, max_error, confidence),
        naive=_choice("naive", points, _naive(points, max_error)),
        f1=_choice("f1", points, _best_f1(points, used)),
        curve=points,
        guaranteed=found is not None,
        max_error=max_error,
        confidence=each,
        labels=len(used),
        alarm=alarm,
        least_labels=least,
    )


def low_end(posterior: Posterior, scores: Sequence[float] | Floats, max_error: float) -> float:
    """From where labels are worth drawing: the smallest threshold that the curve expects to keep the bound,
    the strictest one that had hits where it expects none."""
    shares = expected(posterior, scores)
    highest = max(scores, default=1.0)
    hit = [(t, share) for t, share in zip(GRID, shares.tolist(), strict=True) if t <= highest]
    if not hit:
        return FLOOR
    return next((t for t, share in hit if share <= max_error), hit[-1][0])


def _fixed_sequence(points: tuple[Point, ...], max_error: float, confidence: float) -> tuple[Point, ...]:
    """Learn then test (Angelopoulos and others, 2021): from the strictest threshold with enough labels down
    to the first that fails. What would have been certified otherwise becomes unknown."""
    least = math.log(1.0 - confidence) / math.log(1.0 - max_error)
    passing = False
    found: list[int] = []
    for i, point in reversed(list(enumerate(points))):
        if not passing and not found and point.labels >= least:
            passing = True
        # An upper limit within the bound is the same as P(Binomial(m, bound) <= k) <= 1 - confidence.
        passing = passing and point.labels > 0 and point.upper <= max_error
        if passing:
            found.append(i)
        elif point.labels >= least:
            break
    states: dict[int, State] = dict.fromkeys(found, "certified")
    return tuple(
        replace(point, state=states.get(i, "unknown" if point.state == "certified" else point.state))
        for i, point in enumerate(points)
    )


def _missing(
    points: Iterable[Point], max_error: float, confidence: float, lowest: float
) -> tuple[int | None, float | None]:
    """The fewest labels that would do, and the threshold at or above which they have to be."""
    best: tuple[int | None, float | None] = (None, None)
    for point in points:
        if point.threshold < lowest or point.fhr is None:
            continue
        needed = labels_needed(max_error, confidence, point.fhr)
        if needed is not None and point.labels >= needed:
            # As many as expected to do, but more of them wrong than expected: what would make up for these.
            needed = labels_needed(max_error, confidence, max(point.wrong / point.labels, point.fhr))
        if needed is None:
            continue
        missing = max(1, needed - point.labels)
        if best[0] is None or missing < best[0]:
            best = missing, point.threshold
    if best[0] is None:
        # The curve expects too many wrong ones everywhere, but few labels refute nothing yet: what would
        # do at the strictest threshold if all further ones were right.
        open_ends = [p for p in points if p.threshold >= lowest and p.state != "refuted"]
        if open_ends and open_ends[-1].labels < _FEW:
            last = open_ends[-1]
            missing = fewest(last.wrong, max_error, 1.0 - confidence) - last.labels
            best = max(1, missing), last.threshold
    return best


def _least(points: Iterable[Point], max_error: float, confidence: float, lowest: float) -> int | None:
    """The fewest labels that could do at all: if every further one were right."""
    able = [
        fewest(point.wrong, max_error, 1.0 - confidence) - point.labels
        for point in points
        if point.threshold >= lowest and point.state != "refuted"
    ]
    return max(1, min(able)) if able else None


def _reason(
    found: Point | None,
    now: Point | None,
    missing: int | None,
    least: int | None,
    target: float | None,
    max_error: float,
    confidence: float,
) -> str:
    bound, sure = f"{100 * max_error:g} %", f"{100 * confidence:g} %"
    alarm = ""
    if now is not None and now.state == "refuted":
        alarm = f"The threshold in force, {now.threshold:g}, breaks the bound: {now.wrong} of {now.labels} "
        alarm += "labelled hits are wrong. "
    if found is not None:
        move = "" if now is None else _move(found, now)
        return (
            f"{alarm}At {found.threshold:g} at most {bound} of the hits are wrong, with {sure} confidence: "
            f"{found.wrong} of {found.labels} labels are wrong there{move}."
        )
    if missing is not None and target is not None:
        fewer = "" if least is None or least >= missing else f" ({least:,} if all are right)"
        return (
            f"{alarm}Not enough labels: {missing:,} more at {target:g} or above, drawn by the queue, would "
            f"do for {bound} at {sure} if as many are right as expected{fewer}."
        )
    return f"{alarm}No threshold is likely to keep {bound}: at every one more wrong hits are to be expected."


def _move(found: Point, now: Point) -> str:
    gained = found.hits - now.hits
    if found.threshold == now.threshold:
        return ", and it is in force"
    return f"; {abs(gained):,} logged look-ups {'more' if gained >= 0 else 'fewer'} than now would have hit"


def _naive(points: Sequence[Point], max_error: float) -> Point | None:
    return next((p for p in points if p.labels and p.wrong <= max_error * p.labels), None)


def _best_f1(points: Sequence[Point], events: Sequence[Event]) -> Point | None:
    right = sum(not event.wrong for event in events)
    able = [p for p in points if p.labels]
    if not able or not right:
        return None
    return max(able, key=lambda p: 2 * (p.labels - p.wrong) / (p.labels + right))


def _choice(method: str, points: Sequence[Point], point: Point | None) -> Choice:
    if point is None:
        return Choice(method, None, 1.0, 0, 0, 0.0)
    return Choice(method, point.threshold, point.upper, point.labels, point.wrong, point.hit_rate)
