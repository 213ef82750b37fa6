"""`costconsole threshold show`: from which similarity each cache serves an answer, and what sets that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.figures import Policy
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold

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
        _print_caches([one for one in thresholds if one.cache != f"{session.keys.namespace}:semantic"])
        return DONE

    return run_session(args, work)


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
