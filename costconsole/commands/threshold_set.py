"""`costconsole threshold set`: change the similarity from which a cached answer is served."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, run_session
from costconsole.commands.threshold_show import as_document
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.cache.thresholds import ThresholdChange

_EFFECT = {
    "now": "running applications follow {within}",
    "next start": "running ones keep theirs: it is read at their next start",
    "code": "",
}


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.author import this_author
        from costconsole.cache.catalog import find_caches
        from costconsole.cache.policy import aread_policy, check_threshold
        from costconsole.cache.thresholds import change_threshold, own_cache

        value = check_threshold(args.value)
        caches = [own_cache(session.keys)]
        if args.cache:
            caches = [
                *await find_caches(
                    session.client, session.server, session.keys, mappings=session.settings.caches
                )
            ]
        changed = await change_threshold(
            session.client,
            session.server,
            session.keys,
            this_author(),
            caches,
            args.cache or caches[0].name,
            value,
            part=args.route or "",
        )
        document = change_document(changed)
        if not args.cache:
            policy = await aread_policy(session.client, session.keys)
            document = as_document(session.keys.namespace, policy) | document
        if args.json:
            print_json(document)
        else:
            print_change(changed)
        return DONE

    return run_session(args, work)


def print_change(changed: ThresholdChange) -> None:
    """What was changed, when it acts, and how it is taken back."""
    own = changed.cache == f"{changed.namespace}:semantic"
    what = f"namespace {changed.namespace}" if own else visible(changed.cache)
    of = f", {visible(changed.part)}" if changed.part else ""
    before, after = (
        "that of its code" if value is None else f"{value:g}" for value in (changed.before, changed.after)
    )
    effect = _EFFECT[changed.takes_effect].format(within="within a second" if own else "within 30 seconds")
    print(f"threshold of {what}{of}: {before} -> {after}; {effect}")
    namespace = "" if changed.namespace == "default" else f" --namespace {changed.namespace}"
    print(f"taken back by: costconsole threshold undo {changed.undo_id}{namespace}")


def change_document(changed: ThresholdChange) -> dict[str, Any]:
    """What `threshold set --json` and `threshold undo --json` say of the change."""
    return {
        "cache": changed.cache,
        "part": changed.part or None,
        "before": changed.before,
        "after": changed.after,
        "takes_effect": changed.takes_effect,
        "note": changed.sentence,
        "undo_id": changed.undo_id,
    }
