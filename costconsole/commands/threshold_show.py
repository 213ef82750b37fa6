"""`costconsole threshold show`: from which similarity each cache serves an answer, and what sets that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.figures import GUARDS, Policy
from costconsole.domain.format import percent
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold
    from costconsole.calibration.after import After, Period

_WHEN = {"now": "now", "next start": "at next start", "code": "in the code"}


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches
        from costconsole.cache.policy import aread_policy
        from costconsole.cache.thresholds import read_thresholds

        policy = await aread_policy(session.client, session.keys)
        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        thresholds = await read_thresholds(session.client, caches)
        if args.json:
            document = as_document(session.keys.namespace, policy)
            document |= {"guards": {name: name in policy.guards for name in GUARDS}}
            document |= {"after_change": after_document(await read_after(session))}
            print_json(document | {"caches": [threshold_document(one) for one in thresholds]})
            return DONE
        print(
            f"threshold  {policy.threshold:g}  (namespace {session.keys.namespace}, version {policy.version})"
        )
        for kind, pairs in (("route", policy.thresholds_by_route), ("model", policy.thresholds_by_model)):
            for name, value in pairs:
                print(f"  {kind} {visible(name)}  {value:g}")
        if not policy.version:
            say("Nobody has set it: applications use their own default, 0.95 unless told otherwise.")
        guards = ", ".join(f"{name} {'on' if name in policy.guards else 'off'}" for name in GUARDS)
        print(f"guards     {guards}")
        _print_after(await read_after(session))
        _print_caches([one for one in thresholds if one.cache != f"{session.keys.namespace}:semantic"])
        return DONE

    return run_session(args, work)


async def read_after(session: Session) -> After:
    """What hit rate and wrong hits were under each policy, and whether labels refute the one in force."""
    from costconsole.calibration.after import after_change
    from costconsole.calibration.evidence import gather_log

    log = await gather_log(session.client, session.ledger_client, session.keys)
    return after_change(log.events, log.label_events, current=log.of().current)


def _print_after(after: After) -> None:
    now, before = after.now, after.before
    if now is None:
        return
    for name, period in (("now", now), ("before", before)):
        if period is not None:
            wrong = "no labels" if period.fhr is None else f"{period.wrong} of {period.labels} labelled wrong"
            rate = f"{percent(period.hit_rate)} % of {period.lookups:,} look-ups hit"
            print(f"{name:<10} at {period.threshold:g} (version {period.version}): {rate}, {wrong}")
    if after.alarm:
        say(f"ALARM: {after.sentence}. See costconsole threshold suggest.")


def _print_caches(thresholds: Sequence[CacheThreshold]) -> None:
    """Those of other caches, and why what isn't known isn't."""
    if not thresholds:
        return
    print()
    rows = []
    for one in thresholds:
        known = "–" if one.similarity is None else f"{one.similarity:g}"
        if one.similarity is None and one.default is not None:
            known = f"({one.default:g})"
        of = f"{one.part_word} {one.part}".strip() or "all"
        rows.append((one.cache, one.library, of, known, _WHEN[one.takes_effect], one.line))
    print_table(("cache", "library", "for", "similarity", "changed", "set by"), rows, right=(3,))
    if any(one.similarity is None and one.default is not None for one in thresholds):
        say("( ) is the library's default: what the application's code says can't be seen from here.")
    for sentence in dict.fromkeys(f"{one.library}: {one.sentence}" for one in thresholds):
        say(sentence)


def after_document(after: After) -> dict[str, Any]:
    """`after_change` in `threshold show --json`; null is what isn't logged or labelled."""

    def of(period: Period | None) -> dict[str, Any] | None:
        if period is None:
            return None
        return {
            "version": period.version,
            "threshold": period.threshold,
            "from_ms": period.from_ms,
            "to_ms": period.to_ms,
            "lookups": period.lookups,
            "hits": period.hits,
            "hit_rate": period.hit_rate,
            "labels": period.labels,
            "wrong": period.wrong,
            "false_hit_rate": period.fhr,
            "false_hit_lower": period.fhr_lower if period.labels else None,
            "false_hit_upper": period.fhr_upper if period.labels else None,
        }

    return {
        "now": of(after.now),
        "before": of(after.before),
        "alarm": after.alarm,
        "max_error": after.max_error,
        "reason": after.sentence or None,
    }


def as_document(namespace: str, policy: Policy) -> dict[str, Any]:
    """What `threshold show --json` and `threshold set --json` say of our own policy."""
    return {
        "namespace": namespace,
        "threshold": policy.threshold,
        "by_route": dict(policy.thresholds_by_route),
        "by_model": dict(policy.thresholds_by_model),
        "version": policy.version,
        "changed_by": policy.changed_by or None,
        "changed_ms": policy.changed_ms,
    }


def threshold_document(one: CacheThreshold) -> dict[str, Any]:
    """One element of `caches` in `threshold show --json`; null is what Redis doesn't tell."""
    return {
        "cache": one.cache,
        "library": one.library,
        "part": one.part or None,
        "part_kind": one.part_word or None,
        "similarity": one.similarity,
        "default": one.default,
        "takes_effect": one.takes_effect,
        "set_by": one.line,
        "note": one.sentence,
    }
