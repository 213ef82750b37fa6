"""`costconsole threshold import`: labels from a file, kept beside those given here."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.commands.threshold_suggest import file_events
from costconsole.domain.errors import Refused


def run(args: argparse.Namespace) -> int:
    path = Path(args.file)
    events = file_events(args, path)

    async def work(session: Session) -> int:
        from costconsole.cache.author import this_author
        from costconsole.cache.policy import aread_policy
        from costconsole.calibration.store import import_labels

        if session.settings.read_only:
            raise Refused("This is read-only: leave --read-only out to keep labels.")
        policy = await aread_policy(session.client, session.keys)
        drawn = [replace(event, certified=args.drawn, threshold=policy.threshold) for event in events]
        new = await import_labels(session.client, session.keys, drawn, this_author(), path.name)
        if args.json:
            print_json({"imported": len(events), "new": new, "certified": args.drawn})
        else:
            print(f"{len(events):,} labels imported, {new:,} of them new.")
        if not args.drawn:
            say("They show in the curve of no bound: say --drawn if they were drawn uniformly from look-ups.")
        return DONE

    return run_session(args, work)
