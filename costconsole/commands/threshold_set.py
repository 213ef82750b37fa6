"""`costconsole threshold set`: change the similarity from which a cached answer is served."""

from __future__ import annotations

import argparse

from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, run_session
from costconsole.commands.threshold_show import as_document
from costconsole.domain.errors import Refused
from costconsole.domain.text import visible


def run(args: argparse.Namespace) -> int:
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

    return run_session(args, work)
