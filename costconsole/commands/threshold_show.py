"""`costconsole threshold show`: the similarity from which a cached answer is served."""

from __future__ import annotations

import argparse
from typing import Any

from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.figures import Policy
from costconsole.domain.text import visible


def run(args: argparse.Namespace) -> int:
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

    return run_session(args, work)


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
