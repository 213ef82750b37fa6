"""`costconsole undo`: bring back what an eviction removed."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from costconsole.cache.author import this_author
from costconsole.commands.evict import progress_line, say_skipped, skipped_document, stopping
from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.errors import ExitCode, UsageProblem
from costconsole.domain.format import age, count, stamp

if TYPE_CHECKING:
    from costconsole.cache.eviction import Restored, Undoable


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.eviction import Eviction
        from costconsole.cache.search import EntrySearch

        if args.list and args.undo_id:
            raise UsageProblem("--list shows all evictions: leave the id out")
        search = EntrySearch(session.client, (), session.keys)
        eviction = Eviction(session.client, search, session.keys, session.server, this_author())
        if args.list:
            _print_list(await eviction.history(100), args, session)
            return DONE
        with stopping() as stop:
            back = await eviction.undo(
                args.undo_id, stop=stop, on_progress=None if args.json else progress_line()
            )
            _print(back, args)
            if stop.is_set():
                return int(ExitCode.INTERRUPTED)
        return int(ExitCode.FAILED) if back.stopped or back.failed else DONE

    return run_session(args, work)


def _print(back: Restored, args: argparse.Namespace) -> None:
    if args.json:
        print_json(
            {
                "undo_id": back.undo_id,
                "restored": back.restored,
                "remaining": back.remaining,
                "skipped": skipped_document(back.skipped),
                "skipped_count": back.skipped_count,
                "stopped": back.stopped,
                "note": back.note or None,
            }
        )
    else:
        print(f"Brought back {count(back.restored)} {'entry' if back.restored == 1 else 'entries'}.")
    say_skipped(back.skipped, back.skipped_count)
    if back.note:
        say(f"Note that {back.note}.")
    if back.stopped:
        say(f"It stopped early: {back.reason or 'you stopped it'}.")
    if back.remaining:
        say(f"{count(back.remaining)} are not back: `costconsole undo {back.undo_id}` tries them again.")


def _print_list(found: tuple[Undoable, ...], args: argparse.Namespace, session: Session) -> None:
    now = time.time() * 1000
    if args.json:
        print_json(
            [
                {
                    "undo_id": one.undo_id,
                    "at": one.ts_ms / 1000,
                    "who": one.who,
                    "host": one.host,
                    "what": one.what,
                    "evicted": one.evicted,
                    "remaining": one.remaining,
                    "expires_at": one.expires_ms / 1000,
                    "undone_at": None if one.undone_ms is None else one.undone_ms / 1000,
                }
                for one in found
            ]
        )
        return
    if not found:
        say("Nothing was evicted in the last 24 hours.")
        return
    print_table(
        ("undo id", "when", "who", "evicted", "not back", "kept for", "what"),
        [
            (
                one.undo_id,
                stamp(one.ts_ms, session.settings.tz),
                f"{one.who}@{one.host}",
                count(one.evicted),
                count(one.remaining),
                age(one.expires_ms - now),
                one.what,
            )
            for one in found
        ],
        right=(3, 4, 5),
    )
