"""`costconsole threshold per-entry`: would a threshold for every entry serve more, with the same bound?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.errors import UsageProblem
from costconsole.domain.format import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costconsole.calibration.events import Event
    from costconsole.calibration.per_entry import Outcome

_ENOUGH = 0.9
"""Share of misses with a label from which it may pay: with a tenth of them it does not."""


def run(args: argparse.Namespace) -> int:
    if not 0 < args.max_error < 1 or not 0.5 <= args.confidence < 1:
        raise UsageProblem("--max-error is a share above 0 and below 1, --confidence one from 0.5 to below 1")
    return run_session(args, lambda session: _work(args, session))


async def _work(args: argparse.Namespace, session: Session) -> int:
    from costconsole.calibration.evidence import gather_log
    from costconsole.calibration.per_entry import choose

    log = await gather_log(session.client, session.ledger_client, session.keys)
    events = with_verdicts(log.of(route=args.route or "").events, log.label_events, judge=not args.people)
    labelled = [event for event in events if event.verdict is not None]
    misses = [event for event in events if not event.hit]
    covered = sum(event.verdict is not None for event in misses) / len(misses) if misses else 0.0
    shape, chosen, tried = choose(labelled, max_error=args.max_error, confidence=args.confidence)
    if args.json:
        print_json(
            {
                "lookups": len(events),
                "labelled": len(labelled),
                "misses_labelled": covered,
                "shape": {"steepness": shape.g, "mean": shape.mu, "deviation": shape.sd},
                "max_error": args.max_error,
                "chosen": None if chosen is None else _document(chosen),
                "tried": [_document(one) for one in tried],
            }
        )
        return DONE
    if covered < _ENOUGH:
        say(
            f"{percent(covered)} % of the misses with a neighbour have a label: by entry pays where nearly "
            "every miss gets one, from a judge (threshold label --judge PROVIDER/MODEL)."
        )
    if chosen is None:
        print(f"Nothing is certified for {100 * args.max_error:g} % on the later half of the labels.")
    else:
        print(
            f"By entry, kappa {chosen.kappa:g}: {percent(chosen.hit_rate)} % of labelled look-ups are hits, "
            f"at most {percent(chosen.upper)} % of them wrong ({chosen.wrong} of {chosen.hits})."
        )
    print_table(
        ("kappa", "hit rate %", "wrong of hits", "wrong hits at most %"),
        [
            (f"{one.kappa:g}", percent(one.hit_rate), f"{one.wrong} of {one.hits}", percent(one.upper))
            for one in tried
        ],
        right=range(4),
    )
    say(
        "These are wrong answers per hit. vCache promises wrong answers per request, which is another thing: "
        "at a hit rate of 10 %, 1 % of all requests is every tenth hit."
    )
    return DONE


def with_verdicts(events: Sequence[Event], labels: Sequence[Event], *, judge: bool) -> list[Event]:
    """Logged look-ups with what was said of them; people come before a judge."""
    from dataclasses import replace

    said: dict[str, Event] = {}
    for label in labels:
        person = label.source != "judge"
        if (person or judge) and (person or label.id not in said):
            said[label.id] = label
    return [
        replace(event, verdict=known.verdict, source=known.source)
        if (known := said.get(event.id)) is not None
        else event
        for event in events
    ]


def _document(one: Outcome) -> dict[str, Any]:
    return {
        "kappa": one.kappa,
        "lookups": one.lookups,
        "hits": one.hits,
        "hit_rate": one.hit_rate,
        "wrong": one.wrong,
        "false_hit_upper": one.upper,
        "errors_per_request": one.wrong / one.lookups if one.lookups else None,
    }
