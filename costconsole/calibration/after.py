"""After a change: what hit rate and wrong hits were under each policy, and an alarm when labels refute the
one in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from costconsole.calibration.bound import lower, upper
from costconsole.calibration.events import Event, evidence
from costconsole.domain.format import percent


@dataclass(frozen=True, slots=True)
class Period:
    """The look-ups of one policy version at one threshold. `labels` are drawn ones of its hits by people,
    `wrong` of them are; `fhr_lower` and `fhr_upper` are one-sided Clopper-Pearson limits.
    """

    version: int
    threshold: float
    from_ms: int
    to_ms: int
    lookups: int
    hits: int
    labels: int
    wrong: int
    fhr_lower: float
    fhr_upper: float

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.lookups if self.lookups else None

    @property
    def fhr(self) -> float | None:
        return self.wrong / self.labels if self.labels else None


@dataclass(frozen=True, slots=True)
class After:
    """`now` is the period in force and `before` the one that it followed, None where none is logged.

    `alarm`: labels refute the threshold in force, so with `confidence` more than `max_error` of its hits are
    wrong. `periods` are all that are logged, oldest first.
    """

    periods: tuple[Period, ...]
    now: Period | None
    before: Period | None
    alarm: bool
    max_error: float
    confidence: float

    @property
    def sentence(self) -> str:
        """What changed, for people; "" without a period in force."""
        if self.now is None:
            return ""
        said = f"at {self.now.threshold:g} {_words(self.now)}"
        if self.before is not None:
            said += f"; before, at {self.before.threshold:g}, {_words(self.before)}"
        if self.alarm:
            said = (
                f"more than {100 * self.max_error:g} % of the hits at {self.now.threshold:g} are wrong, "
                f"labels say with {100 * self.confidence:g} % confidence: {said}"
            )
        return said


def after_change(
    lookups: Iterable[Event],
    labels: Sequence[Event],
    *,
    current: float,
    max_error: float = 0.02,
    confidence: float = 0.95,
) -> After:
    """Periods by policy version from logged look-ups (any order) and the labels of all thresholds.

    A label belongs to the period of its look-up; when that has left the log, to the newest period of its
    threshold. A label drawn from above the threshold says nothing about all of its hits, and is left out.
    """
    groups: dict[tuple[int, float], list[Event]] = {}
    period_of: dict[str, tuple[int, float]] = {}
    for event in lookups:
        if event.threshold is not None:
            key = (event.policy_version, round(event.threshold, 6))
            groups.setdefault(key, []).append(event)
            period_of[event.id] = key
    newest: dict[float, tuple[int, float]] = {}
    for key in sorted(groups):
        newest[key[1]] = key
    counts: dict[tuple[int, float], list[int]] = {}
    said = [
        event
        for event in evidence(labels)
        if event.threshold is not None
        and event.drawn_from <= event.threshold + 1e-9
        and event.similarity >= event.threshold - 1e-9
    ]
    for event in said:
        at = round(event.threshold or 0.0, 6)
        found = period_of.get(event.id, newest.get(at))
        if found is not None and found[1] == at:
            count = counts.setdefault(found, [0, 0])
            count[0] += 1
            count[1] += event.wrong
    periods = tuple(
        sorted(
            (_period(key, events, counts.get(key, [0, 0]), confidence) for key, events in groups.items()),
            key=lambda period: (period.to_ms, period.version),
        )
    )
    here = [i for i, period in enumerate(periods) if abs(period.threshold - current) < 1e-6]
    now = periods[here[-1]] if here else None
    # Routes may have thresholds of their own under the same version: these were not followed by `now`.
    earlier = [p for p in periods[: here[-1]] if p.version != periods[here[-1]].version] if here else []
    before = earlier[-1] if earlier else None
    # What is in force is judged by every label of its threshold, whichever switch was turned meanwhile.
    mine = [event.wrong for event in said if abs((event.threshold or 0.0) - current) < 1e-6]
    alarm = lower(sum(mine), len(mine), confidence) > max_error if mine else False
    return After(periods, now, before, alarm, max_error, confidence)


def _period(
    key: tuple[int, float], events: Sequence[Event], count: Sequence[int], confidence: float
) -> Period:
    labels, wrong = count
    return Period(
        version=key[0],
        threshold=key[1],
        from_ms=min(event.ts_ms for event in events),
        to_ms=max(event.ts_ms for event in events),
        lookups=len(events),
        hits=sum(event.hit for event in events),
        labels=labels,
        wrong=wrong,
        fhr_lower=lower(wrong, labels, confidence) if labels else 0.0,
        fhr_upper=upper(wrong, labels, confidence) if labels else 1.0,
    )


def _words(period: Period) -> str:
    said = f"{percent(period.hit_rate)} % of {period.lookups:,} look-ups were hits"
    if period.labels:
        said += f" ({period.wrong} of {period.labels} labelled ones wrong)"
    return said
