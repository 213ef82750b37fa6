"""`costconsole routing what-if FILE`: the last calls under another routing config, or at other prices."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.route import routing_of
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.errors import UsageProblem
from costconsole.domain.format import count, decimals_for, dollars, stamp
from costconsole.domain.text import visible
from costconsole.routing.whatif import ASSUMPTIONS, UNKNOWN

if TYPE_CHECKING:
    from costconsole.routing.replay import Progress
    from costconsole.routing.whatif import Change, WhatIf


def run(args: argparse.Namespace) -> int:
    """Read, add up, print; nothing is written anywhere."""
    from costconsole.routing.config import load_config
    from costconsole.routing.replay import Question, read_prices, replay

    if not args.file and not args.price_list:
        raise UsageProblem("there is nothing to compare: give an edited routing config, or --prices FILE")

    async def work(session: Session) -> int:
        settings = session.settings
        old = routing_of(settings)
        question = Question(
            old=old,
            new=load_config(args.file) if args.file else old,
            last=args.last,
            prices=settings.prices,
            other_prices={**settings.prices, **read_prices(args.price_list)} if args.price_list else None,
        )
        async with open_embedder(settings) as embedder:
            found = await replay(
                session.ledger_client,
                session.keys,
                question,
                embedder,
                on_progress=_progress(args.json),
            )
        if args.json:
            print_json(as_document(found))
        else:
            _print(found, session)
        return DONE

    return run_session(args, work)


def as_document(found: WhatIf) -> dict[str, Any]:
    """The `routing what-if --json` document; money in dollars."""
    return {
        "calls": found.calls,
        "from_ms": found.from_ms,
        "to_ms": found.to_ms,
        "known": found.known,
        "hits": found.hits,
        "failed": found.failed,
        "kept": found.kept,
        "moved": found.moved,
        "unknown": {
            why: {"calls": found.unknown.get(why, 0), "because": words} for why, words in UNKNOWN.items()
        },
        "unknown_spend_usd": found.unknown_nano / 1e9,
        "spend_usd": {"before": found.before_nano / 1e9, "after": found.after_nano / 1e9},
        "saved_by_routing_usd": {
            "before": found.routing_before_nano / 1e9,
            "after": found.routing_after_nano / 1e9,
        },
        "models": _changes(found.models),
        "routes": _changes(found.routes),
        "moves": [
            {"from": was, "to": will, **_changes([change])[0], "name": None}
            for was, will, change in found.moves
        ],
        "assumptions": list(ASSUMPTIONS),
    }


def _changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {
            "name": change.name,
            "calls": {"before": change.calls_before, "after": change.calls_after},
            "spend_usd": {"before": change.before_nano / 1e9, "after": change.after_nano / 1e9},
        }
        for change in changes
    ]


def _print(found: WhatIf, session: Session) -> None:
    tz = session.settings.tz
    if found.from_ms is None or found.to_ms is None:
        say(f"namespace {session.keys.namespace} has no calls in its ledger: nothing to compare")
        return
    print(f"{count(found.calls)} calls from {stamp(found.from_ms, tz)} to {stamp(found.to_ms, tz)}")
    print(
        f"{count(found.moved)} would move, {count(found.kept)} stay, {count(found.hits)} hits, "
        f"{count(found.failed)} failed, {count(found.calls - found.known)} unknown"
    )
    digits = max(2, decimals_for(found.before_nano, found.after_nano))
    print()
    print_table(
        ("of known calls", "before $", "after $", "change $"),
        [
            _row("spend", found.before_nano, found.after_nano, digits),
            _row("saved by routing", found.routing_before_nano, found.routing_after_nano, digits),
        ],
        right=(1, 2, 3),
    )
    for title, changes in (("model", found.models), ("route", found.routes)):
        print()
        print_table(
            (title, "calls", "after", "before $", "after $", "change $"),
            [
                (
                    visible(change.name) or "(none)",
                    count(change.calls_before),
                    count(change.calls_after),
                    *_row("", change.before_nano, change.after_nano, digits)[1:],
                )
                for change in changes
            ],
            right=(1, 2, 3, 4, 5),
        )
    for why, number in found.unknown.items():
        say(f"unknown: {count(number)} calls: {UNKNOWN[why]}")
    if found.unknown:
        say(f"unknown calls cost $ {dollars(found.unknown_nano, digits)}, in neither sum")
    for words in ASSUMPTIONS:
        say(f"assumed: {words}")


def _row(name: str, before: int, after: int, digits: int) -> tuple[str, ...]:
    change = after - before
    sign = "+" if change > 0 else ""
    return name, dollars(before, digits), dollars(after, digits), f"{sign}{dollars(change, digits)}"


def _progress(quiet: bool) -> Callable[[Progress], None] | None:
    if quiet or not sys.stderr.isatty():
        return None

    def tell(progress: Progress) -> None:
        routed = f", {progress.routed:,} prompts routed anew" if progress.routed else ""
        end = "\n" if progress.done == progress.total else ""
        print(
            f"\r{progress.done:,} of {progress.total:,} calls{routed}", end=end, file=sys.stderr, flush=True
        )

    return tell
