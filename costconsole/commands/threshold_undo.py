"""`costconsole threshold undo`: take a change of a threshold back."""

from __future__ import annotations

import argparse

from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, run_session
from costconsole.commands.threshold_set import change_document, print_change


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.author import this_author
        from costconsole.cache.catalog import find_caches
        from costconsole.cache.thresholds import undo_threshold

        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        changed = await undo_threshold(
            session.client, session.server, session.keys, this_author(), caches, args.undo_id or ""
        )
        if args.json:
            print_json(change_document(changed))
        else:
            print_change(changed)
        return DONE

    return run_session(args, work)
