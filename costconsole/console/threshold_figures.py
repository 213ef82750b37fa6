"""From look-ups, labels and a policy to what the page of thresholds shows. Takes some tens of milliseconds
for 100,000 look-ups and imports numpy: for a thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.cache.guards import guard_effects
from costconsole.calibration.bound import fewest
from costconsole.calibration.curve import GRID
from costconsole.calibration.events import FLOOR, Event, evidence
from costconsole.calibration.evidence import in_force
from costconsole.calibration.propose import Proposal, propose
from costconsole.calibration.store import Label, label_events, pair_of
from costconsole.console.threshold_log import UNPRICED, LookupLog
from costconsole.console.threshold_view import (
    ALL,
    BOUNDS,
    Example,
    GuardLine,
    Missing,
    Period,
    Scope,
    ScopeLine,
    Step,
    Texts,
    ThresholdView,
)
from costconsole.domain.figures import GUARDS, Policy
from costconsole.ledger.preview import FULL_LENGTH, PREVIEW_LENGTH

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold

CONFIDENCE = 0.95
_SCOPES = 24
_EACH = 3
_LABELLED = 1_000
_NEWEST = 200
_FEW = 20
"""Labels from which a scope is looked at by itself: fewer certify nothing."""
_DAY_MS = 86_400_000

TextsOf = Callable[[Sequence[str]], Mapping[str, tuple[str, str]]]
"""Prompt and answer of entries by key; those that are gone are missing."""


def look(
    log: LookupLog,
    labels: Mapping[str, Label],
    policy: Policy,
    texts_of: TextsOf,
    *,
    scope: Scope = ALL,
    max_error: float = 0.02,
    caches: tuple[CacheThreshold, ...] = (),
    read_ms: int = 0,
) -> ThresholdView:
    """The view of one scope. `texts_of` is asked once for examples, and once for labelled pairs."""
    import numpy as np

    said = label_events(labels.values())
    rows = np.flatnonzero(mask_of(log, scope))
    current = current_of(log, policy, scope, rows)
    thresholds = np.array(log.thresholds)
    rows = rows[np.abs(thresholds[rows] - current) < 1e-6]
    scores = np.array(log.scores)[rows]
    mine = [event for event in said if is_of(event, scope)]
    used = [event for event in mine if not event.certified or near(event.threshold, current)]
    parts = _parts(log, policy)
    families = _families(parts, scope)
    proposals = {each: _propose(used, scores, current, each, families) for each in {max_error, *BOUNDS}}
    proposal = proposals[max_error]
    from_ms, to_ms = (log.events[rows[0]].ts_ms, log.events[rows[-1]].ts_ms) if len(rows) else (0, 0)
    chosen = [log.events[i] for i in rows.tolist()]
    return ThresholdView(
        policy=policy,
        scope=scope,
        current=current,
        inherits=inherited(policy, scope),
        max_error=max_error,
        proposal=proposal,
        steps=_steps(proposal, scores, np.array(log.worth)[rows], from_ms, to_ms),
        lookups=len(rows),
        from_ms=from_ms,
        to_ms=to_ms,
        missing=tuple(_missing(each, proposals[each], families) for each in BOUNDS),
        examples=_examples(chosen, scores, labels, texts_of),
        guards=_guards(log, chosen, labels, policy, texts_of),
        scopes=tuple(_scope_line(log, said, policy, max_error, one, _families(parts, one)) for one in parts),
        caches=caches,
        periods=_periods(log, mine, scope, current),
        elsewhere=len(mine) - len(used),
        marked=sum(not event.certified for event in used),
        texts=_texts(chosen),
        truncated=log.truncated,
        read_ms=read_ms,
        families=families,
        clipped=any(len(event.query) in (PREVIEW_LENGTH, FULL_LENGTH) for event in chosen),
    )


def near(one: float | None, other: float) -> bool:
    """Whether two thresholds are the same."""
    return one is not None and abs(one - other) < 1e-6


def mask_of(log: LookupLog, scope: Scope) -> Any:
    """Which look-ups belong to a scope."""
    import numpy as np

    if scope.kind == "all":
        return np.ones(len(log.events), dtype=bool)
    column = np.array(log.routes if scope.kind == "route" else log.models)
    return column == log.names.get(scope.name, -1)


def current_of(log: LookupLog, policy: Policy, scope: Scope, rows: Any) -> float:
    """The threshold in force in a scope, whose look-ups are `rows`."""
    newest = [log.events[int(i)] for i in rows[-_NEWEST:]][::-1]
    return in_force(policy, newest, **_named(scope))


def inherited(policy: Policy, scope: Scope) -> str:
    """Whose threshold a scope has; "" for its own."""
    own = policy.thresholds_by_route if scope.kind == "route" else policy.thresholds_by_model
    return "" if scope.kind == "all" or any(name == scope.name for name, _ in own) else "all look-ups"


def alarm_of(labels: Mapping[str, Label], policy: Policy, max_error: float = 0.02) -> str:
    """A sentence when the labels refute a threshold that is in force, or ""; the general one first."""
    if not policy.version:
        return ""
    said = evidence(label_events(labels.values()))
    scopes = [
        ALL,
        *(Scope("route", name) for name, _ in policy.thresholds_by_route),
        *(Scope("model", name) for name, _ in policy.thresholds_by_model),
    ]
    for scope in scopes:
        current = policy.threshold_for(**_named(scope))
        mine = [
            event
            for event in said
            if is_of(event, scope)
            and near(event.threshold, current)
            and event.drawn_from <= current + 1e-9
            and event.similarity >= current - 1e-9
        ]
        wrong = sum(event.wrong for event in mine)
        if wrong > max_error * len(mine):
            from costconsole.calibration.bound import lower

            if lower(wrong, len(mine), CONFIDENCE) > max_error:
                return (
                    f"threshold {current:g} of {scope.words} is refuted: {wrong} of {len(mine)} labelled "
                    f"hits are wrong, which is more than {100 * max_error:g} %"
                )
    return ""


def _named(scope: Scope) -> dict[str, str]:
    return {} if scope.kind == "all" else {scope.kind: scope.name}


def is_of(event: Event, scope: Scope) -> bool:
    """Whether a look-up or a label belongs to a scope."""
    if scope.kind == "all":
        return True
    return (event.route if scope.kind == "route" else event.model) == scope.name


def _propose(
    labels: Sequence[Event], scores: Any, current: float, max_error: float, families: int = 1
) -> Proposal:
    return propose(
        labels, scores, current=current, max_error=max_error, confidence=CONFIDENCE, families=families
    )


def _steps(proposal: Proposal, scores: Any, worth: Any, from_ms: int, to_ms: int) -> tuple[Step, ...]:
    import numpy as np

    days = max(60_000, to_ms - from_ms) / _DAY_MS
    order = np.argsort(scores)
    priced = worth[order]
    known = priced != UNPRICED
    sums = np.concatenate([[0], np.cumsum(np.where(known, priced, 0)[::-1])])[::-1]
    at = np.searchsorted(scores[order], np.array([p.threshold for p in proposal.curve]) - 1e-9)
    any_priced = bool(known.any())
    return tuple(
        Step(point, point.hits / days, round(int(sums[i]) / days) if any_priced else None)
        for point, i in zip(proposal.curve, at.tolist(), strict=True)
    )


def _missing(max_error: float, proposal: Proposal, families: int) -> Missing:
    least = proposal.least_labels
    if proposal.threshold is None and not proposal.labels:
        least = fewest(0, max_error, (1.0 - CONFIDENCE) / families)
    return Missing(max_error, proposal.threshold, proposal.missing_labels, least)


def _examples(
    events: Sequence[Event], scores: Any, labels: Mapping[str, Label], texts_of: TextsOf
) -> tuple[Example, ...]:
    """Up to three pairs of texts for each step of the grid, the newest ones, by similarity."""
    import numpy as np

    kept: dict[int, list[Event]] = {}
    seen: set[tuple[str, str]] = set()
    for i in np.flatnonzero(scores >= FLOOR)[::-1].tolist():
        event = events[i]
        slot = bisect_left(GRID, event.similarity)
        some = kept.setdefault(slot, [])
        pair = (event.query, event.neighbor)
        if len(some) < _EACH and event.query and pair not in seen:
            seen.add(pair)
            some.append(event)
    chosen = sorted((event for some in kept.values() for event in some), key=lambda e: e.similarity)
    texts = texts_of(list(dict.fromkeys(event.neighbor for event in chosen if event.neighbor)))
    found = []
    for event in chosen:
        cached = texts.get(event.neighbor, ("", ""))[0]
        if cached:
            label = labels.get(pair_of(event.query, cached))
            found.append(
                Example(event.similarity, event.query, cached, label.verdict if label is not None else None)
            )
    return tuple(found)


def _guards(
    log: LookupLog, window: Sequence[Event], labels: Mapping[str, Label], policy: Policy, texts_of: TextsOf
) -> tuple[GuardLine, ...]:
    refused = dict.fromkeys(GUARDS, 0)
    for event in window:
        for name in event.guards:
            if name in refused:
                refused[name] += 1
    newest = sorted(labels.values(), key=lambda label: -label.ts_ms)[:_LABELLED]
    newest = [label for label in newest if label.source != "judge"]
    wanted = {draw.event: label for label in newest for draw in label.draws}
    known: dict[str, Event] = {}
    if wanted:
        for event in log.events:
            if event.id in wanted:
                known[wanted[event.id].pair] = event
    texts = texts_of(list(dict.fromkeys(event.neighbor for event in known.values())))
    made = []
    for label in newest:
        met = known.get(label.pair)
        query, cached = (met.query, texts.get(met.neighbor, ("", ""))[0]) if met else ("", "")
        made.append(
            Event(
                id=label.field,
                similarity=label.similarity,
                query=query,
                cached=cached,
                guards=label.guards,
                verdict=label.verdict,
            )
        )
    effects = guard_effects(made)
    return tuple(GuardLine(name, name in policy.guards, effects[name], refused[name]) for name in GUARDS)


def _parts(log: LookupLog, policy: Policy) -> tuple[Scope, ...]:
    """The scopes: all, then routes and models, those with most look-ups first."""
    import numpy as np

    names = {number: name for name, number in log.names.items()}
    found = [ALL]
    for kind, column, own in (
        ("route", log.routes, policy.thresholds_by_route),
        ("model", log.models, policy.thresholds_by_model),
    ):
        numbers, counts = np.unique(np.array(column), return_counts=True)
        seen = {names[n]: c for n, c in zip(numbers.tolist(), counts.tolist(), strict=True)}
        for name, _threshold in own:
            seen.setdefault(name, 0)
        most = sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:_SCOPES]
        found += [Scope("route" if kind == "route" else "model", name) for name, _many in most if name]
    return tuple(found)


def _families(parts: Sequence[Scope], scope: Scope) -> int:
    return 1 if scope.kind == "all" else max(1, sum(part.kind == scope.kind for part in parts))


def _scope_line(
    log: LookupLog, said: Sequence[Event], policy: Policy, max_error: float, scope: Scope, families: int
) -> ScopeLine:
    import numpy as np

    rows = np.flatnonzero(mask_of(log, scope))
    current = current_of(log, policy, scope, rows)
    scores = np.array(log.scores)[rows[np.abs(np.array(log.thresholds)[rows] - current) < 1e-6]]
    used = [event for event in said if is_of(event, scope) and near(event.threshold, current)]
    labels = len(evidence(used))
    proposal = _propose(used, scores, current, max_error, families) if labels >= _FEW else None
    point = proposal.current_point if proposal is not None else None
    least = fewest(0, max_error, (1.0 - CONFIDENCE) / families)
    return ScopeLine(
        scope=scope,
        threshold=current,
        inherits=inherited(policy, scope),
        lookups=len(scores),
        hit_rate=float((scores >= current - 1e-9).mean()) if len(scores) else None,
        labels=labels,
        state=point.state if point is not None else "unknown",
        proposed=proposal.threshold if proposal is not None else None,
        missing=proposal.missing_labels if proposal is not None else max(1, least - labels),
    )


def _periods(log: LookupLog, labels: Sequence[Event], scope: Scope, current: float) -> tuple[Period, ...]:
    """What happened under the threshold in force, and under the one before it."""
    import numpy as np

    thresholds = np.array(log.thresholds)
    rows = np.flatnonzero(mask_of(log, scope))
    others = rows[np.abs(thresholds[rows] - current) >= 1e-6]
    wanted = [current]
    if len(others):
        wanted.append(float(thresholds[others[-1]]))
    found = []
    for threshold in wanted:
        mine = [log.events[i] for i in rows[np.abs(thresholds[rows] - threshold) < 1e-6].tolist()]
        if not mine:
            continue
        first, last = mine[0].ts_ms, mine[-1].ts_ms
        drawn = [
            event
            for event in evidence(labels)
            if near(event.threshold, threshold)
            and event.drawn_from <= threshold + 1e-9
            and event.similarity >= threshold - 1e-9
        ]
        found.append(
            Period(
                threshold=threshold,
                version=mine[-1].policy_version,
                from_ms=first,
                to_ms=last,
                lookups=len(mine),
                hits=sum(event.hit for event in mine),
                labels=len(drawn),
                wrong=sum(event.wrong for event in drawn),
                marked=sum(not e.certified and e.wrong and first <= e.ts_ms <= last for e in labels),
            )
        )
    return tuple(found)


def _texts(events: Sequence[Event]) -> Texts:
    longest = max(map(len, [event.query for event in events]), default=PREVIEW_LENGTH + 1)
    if not longest:
        return "off"
    return "full" if longest > PREVIEW_LENGTH else "preview"
