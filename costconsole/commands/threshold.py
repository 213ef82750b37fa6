"""`costconsole threshold show|set`: the similarity from which a cached answer is served."""

from __future__ import annotations

import argparse
from typing import Any

from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.errors import Refused
from costconsole.domain.figures import Policy
from costconsole.domain.text import visible


def run(args: argparse.Namespace) -> int:
    return run_session(args, _set(args) if args.step == "set" else _show(args))


def _show(args: argparse.Namespace) -> Any:
    async def work(session: Session) -> int:
        from costconsole.cache.policy import aread_policy

        policy = await aread_policy(session.client, session.keys)
        if args.json:
            print_json(as_document(session.keys.namespace, policy))
            return DONE
        print(
            f"threshold  {policy.threshold:g}  (namespace {session.keys.namespace}, version {policy.version})"
        )
        for kind, pairs in (("route", policy.thresholds_by_route), ("model", policy.thresholds_by_model)):
            for name, value in pairs:
                print(f"  {kind} {visible(name)}  {value:g}")
        if not policy.version:
            say("Nobody has set it: applications use their own default, 0.95 unless told otherwise.")
        return DONE

    return work


def _set(args: argparse.Namespace) -> Any:
    async def work(session: Session) -> int:
        from costconsole.cache.author import this_author
        from costconsole.cache.policy import aread_policy, awrite_policy, check_threshold

        value = check_threshold(args.value)
        if not session.server.can_write:
            raise Refused(f"the threshold can't be changed: {session.server.why_read_only}")
        before = await aread_policy(session.client, session.keys)
        field = f"threshold:route:{args.route}" if args.route else "threshold"
        after = await awrite_policy(session.client, session.keys, {field: value}, this_author())
        was = before.threshold_for(route=args.route or "")
        if args.json:
            print_json(as_document(session.keys.namespace, after) | {"before": was})
        else:
            what = f"route {visible(args.route)}" if args.route else f"namespace {session.keys.namespace}"
            print(f"threshold of {what}: {was:g} -> {value:g}; running applications follow within a second")
        return DONE

    return work


def as_document(namespace: str, policy: Policy) -> dict[str, Any]:
    """The `threshold ... --json` document."""
    return {
        "namespace": namespace,
        "threshold": policy.threshold,
        "by_route": dict(policy.thresholds_by_route),
        "by_model": dict(policy.thresholds_by_model),
        "version": policy.version,
        "changed_by": policy.changed_by or None,
        "changed_ms": policy.changed_ms,
    }
