"""`costconsole threshold suggest`: the threshold that the evidence allows, or how many labels are missing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session, settings_of
from costconsole.domain.errors import UsageProblem
from costconsole.domain.format import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costconsole.calibration.curve import Point
    from costconsole.calibration.events import Event
    from costconsole.calibration.propose import Choice, Proposal
    from costconsole.calibration.scopes import ScopeDecision

_OF_ITS_OWN = (
    "false_hit_rate",
    "false_hit_expected",
    "false_hit_upper",
    "hit_rate",
    "current_state",
    "missing_labels",
    "least_labels",
    "missing_at",
    "naive",
    "f1",
)


def run(args: argparse.Namespace) -> int:
    if not 0 < args.max_error < 1 or not 0.5 <= args.confidence < 1:
        raise UsageProblem("--max-error is a share above 0 and below 1, --confidence one from 0.5 to below 1")
    if args.by and (args.labels or args.scores or args.route or args.model or args.cache):
        raise UsageProblem("--by decides all routes or models of the ledger: leave the other scopes out")
    if args.cache:
        return run_session(args, lambda session: _of_window(args, session))
    if args.labels or args.scores:
        return _offline(args)
    return run_session(args, lambda session: _online(args, session))


def _offline(args: argparse.Namespace) -> int:
    from costconsole.calibration.importing import read_scores

    if not args.labels:
        raise UsageProblem(
            "--scores needs --labels FILE beside it: similarities alone tell nothing of errors"
        )
    events = file_events(args, Path(args.labels))
    scores = read_scores(Path(args.scores)) if args.scores else tuple(event.similarity for event in events)
    say("The labels of a file count as drawn uniformly from the look-ups: only then the bound holds.")
    if not args.scores:
        say("Without --scores the labels stand for the log: the hit rate is that among them.")
    _print(args, events, scores, args.current)
    return DONE


def file_events(args: argparse.Namespace, path: Path) -> tuple[Event, ...]:
    """The labels of a file, its pairs of texts embedded by the model of the settings."""
    from costconsole.calibration.importing import read_labels, to_events
    from costconsole.embedding.factory import make_embedder

    lines = read_labels(path)
    if all(line.similarity is not None for line in lines):
        return to_events(lines, None)
    settings = settings_of(args)
    embedder = make_embedder(
        settings.embedding_model, base_url=settings.embedding_url, api_key_env=settings.embedding_key_env
    )
    try:
        return to_events(lines, embedder)
    finally:
        embedder.close()


async def _of_window(args: argparse.Namespace, session: Session) -> int:
    """From what BetterDB's library remembers of its look-ups; it keeps no texts, so labels come by file."""
    from costconsole.cache.catalog import find_caches
    from costconsole.calibration.evidence import betterdb_scores

    caches = await find_caches(session.client, session.server, session.keys, mappings=session.settings.caches)
    cache = next((one for one in caches if one.name == args.cache), None)
    if cache is None or not cache.detail("window_key"):
        known = ", ".join(one.name for one in caches if one.detail("window_key")) or "none here"
        raise UsageProblem(f"{args.cache!r} keeps no window of similarities: BetterDB's caches do, {known}")
    window = await betterdb_scores(session.client, cache.detail("window_key"))
    window = tuple(one for one in window if not args.route or one[2] == args.route)
    scores = tuple(similarity for similarity, _hit, _category in window)
    hits = sum(hit for _similarity, hit, _category in window)
    say(
        f"{len(scores):,} look-ups are in BetterDB's window of {cache.name}, {hits:,} of them hits. It keeps "
        "no texts: label your own pairs and name them by --labels FILE."
    )
    events = file_events(args, Path(args.labels)) if args.labels else ()
    current = args.current if args.current is not None else cache.threshold
    _print(args, events, scores, current)
    return DONE


async def _by_scope(args: argparse.Namespace, session: Session) -> int:
    """All routes or models that have look-ups, each by its own labels where these are enough."""
    from costconsole.calibration.evidence import gather_log
    from costconsole.calibration.scopes import ScopeLog, decide

    log = await gather_log(session.client, session.ledger_client, session.keys)
    names = sorted({name for event in log.events if (name := getattr(event, args.by))})
    whole = log.of()
    scopes = [
        ScopeLog(kind=args.by, name=name, current=found.current, scores=found.scores, labels=found.labels)
        for name in names
        for found in (log.of(**{args.by: name}),)
    ]
    decisions = decide(
        ScopeLog(kind="all", current=whole.current, scores=whole.scores, labels=whole.labels),
        scopes,
        max_error=args.max_error,
        confidence=args.confidence,
        strict=args.strict,
        judge=args.judge,
    )
    if args.json:
        print_json([_scope_document(one, args.confidence) for one in decisions])
        return DONE
    print_table(
        (args.by, "look-ups", "labels", "of", "in force", "proposed", "goes by"),
        [
            (
                one.name or "(all)",
                f"{one.lookups:,}",
                f"{one.labels:,}",
                f"{one.needed:,}",
                "–" if one.current is None else f"{one.current:g}",
                "keep" if one.threshold is None else f"{one.threshold:g}",
                "its own labels" if one.own else "all look-ups",
            )
            for one in decisions
        ],
        right=range(1, 6),
    )
    each = decisions[0].proposal.confidence
    say(
        f"All promises together hold with {100 * args.confidence:g} % confidence, each with {100 * each:.4g} "
        "%; what goes by all look-ups is bounded together with them, not alone."
    )
    return DONE


def _scope_document(one: ScopeDecision, confidence: float) -> dict[str, Any]:
    """One element of `threshold suggest --by ... --json`; the first is that of all look-ups."""
    whole = as_document(one.proposal, confidence, one.lookups)
    if not one.own:
        # What is known of all look-ups isn't known of this scope.
        whole |= dict.fromkeys(_OF_ITS_OWN) | {"guaranteed": False}
    del whole["curve"]
    return whole | {
        "scope": one.kind,
        "name": one.name or None,
        "inherits": not one.own,
        "threshold": one.threshold,
        "current": one.current,
        "labels": one.labels,
        "labels_to_decide": one.needed,
        "confidence_each": one.proposal.confidence,
        "reason": one.reason,
    }


async def _online(args: argparse.Namespace, session: Session) -> int:
    from costconsole.calibration.evidence import gather

    if args.by:
        return await _by_scope(args, session)
    found = await gather(
        session.client, session.ledger_client, session.keys, route=args.route or "", model=args.model or ""
    )
    current = args.current if args.current is not None else found.current
    if found.elsewhere:
        say(f"{found.elsewhere:,} labels are of other thresholds than {current:g}, so they don't count.")
    _print(args, found.labels, found.scores, current)
    return DONE


def _print(
    args: argparse.Namespace, events: Sequence[Event], scores: Sequence[float], current: float | None
) -> None:
    from costconsole.calibration.propose import propose

    proposal = propose(
        events,
        scores,
        current=current,
        max_error=args.max_error,
        confidence=args.confidence,
        strict=args.strict,
        families=args.families,
        judge=args.judge,
    )
    if args.json:
        print_json(as_document(proposal, args.confidence, len(scores)))
        return
    print(proposal.reason)
    rows = [_row("proposed", proposal.point), _row("in force", proposal.current_point)]
    rows = [row for row in rows if row]
    rows += [_choice_row("naive", proposal.naive), _choice_row("best F1", proposal.f1)]
    print_table(
        ("", "threshold", "hit rate %", "wrong of labels", "wrong hits at most %", "state"),
        rows,
        right=(1, 2, 3, 4),
    )


def _row(name: str, point: Point | None) -> tuple[str, ...]:
    if point is None:
        return ()
    return (
        name,
        f"{point.threshold:g}",
        percent(point.hit_rate),
        f"{point.wrong} of {point.labels}",
        percent(point.upper),
        point.state,
    )


def _choice_row(name: str, choice: Choice) -> tuple[str, ...]:
    if choice.threshold is None:
        return (name, "–", "–", "–", "–", "no bound")
    return (
        name,
        f"{choice.threshold:g}",
        percent(choice.hit_rate),
        f"{choice.wrong} of {choice.labels}",
        percent(choice.upper),
        "no bound",
    )


def as_document(proposal: Proposal, confidence: float, lookups: int) -> dict[str, Any]:
    """What `threshold suggest --json` prints."""
    point = proposal.point
    return {
        "threshold": proposal.threshold,
        "max_error": proposal.max_error,
        "confidence": confidence,
        "labels": proposal.labels,
        "lookups": lookups,
        "false_hit_rate": point.wrong / point.labels if point else None,
        "false_hit_expected": point.fhr if point else None,
        "false_hit_upper": point.upper if point else None,
        "hit_rate": point.hit_rate if point else None,
        "guaranteed": proposal.guaranteed,
        "current": proposal.current,
        "current_state": proposal.current_point.state if proposal.current_point else None,
        "alarm": proposal.alarm,
        "missing_labels": proposal.missing_labels,
        "least_labels": proposal.least_labels,
        "missing_at": proposal.target,
        "reason": proposal.reason,
        "naive": _choice_document(proposal.naive),
        "f1": _choice_document(proposal.f1),
        "curve": [_point_document(each) for each in proposal.curve],
    }


def _choice_document(choice: Choice) -> dict[str, Any]:
    return {
        "threshold": choice.threshold,
        "hit_rate": choice.hit_rate,
        "labels": choice.labels,
        "wrong": choice.wrong,
        "false_hit_upper": choice.upper,
    }


def _point_document(point: Point) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "hit_rate": point.hit_rate,
        "hits": point.hits,
        "false_hit_rate": point.fhr,
        "false_hit_low": point.fhr_low,
        "false_hit_high": point.fhr_high,
        "false_hit_upper": point.upper,
        "false_hit_lower": point.lower,
        "false_hit_bound": point.bound,
        "labels": point.labels,
        "wrong": point.wrong,
        "state": point.state,
    }
