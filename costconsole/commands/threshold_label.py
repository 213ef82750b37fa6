"""`costconsole threshold label`: one pair after the other, answered by a line each; works over a pipe."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from typing import TYPE_CHECKING

from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.errors import Refused, UsageProblem
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costconsole.calibration.events import Event, Verdict
    from costconsole.gateway.wire import Wire

_VERDICTS: dict[str, Verdict] = {
    "s": "same",
    "same": "same",
    "d": "different",
    "different": "different",
    "?": "unsure",
    "unsure": "unsure",
}
_ASK = "Would the cached answer be right?  s same  d different  ? unsure  u undo  q quit"
_SHOWN = 600


def run(args: argparse.Namespace) -> int:
    return run_session(args, lambda session: _work(args, session))


async def _work(args: argparse.Namespace, session: Session) -> int:
    from costconsole.cache.author import this_author
    from costconsole.cache.catalog import find_caches
    from costconsole.calibration.evidence import gather
    from costconsole.calibration.propose import propose
    from costconsole.calibration.queueing import next_pairs
    from costconsole.calibration.store import label_of, undo_label, write_label

    if session.settings.read_only:
        raise Refused("This is read-only: leave --read-only out to keep labels.")
    found = await gather(session.client, session.ledger_client, session.keys, route=args.route or "")
    caches = await find_caches(session.client, session.server, session.keys, mappings=session.settings.caches)
    queue, gone = await next_pairs(
        session.client,
        found,
        args.count,
        secrets.randbits(32),
        args.max_error,
        plan=args.plan or 0,
        caches=caches,
    )
    if gone:
        say(f"{gone:,} of those drawn can't be shown: their cached prompt is gone, or none is logged.")
    if not queue:
        say("Nothing to label: no logged look-up has a neighbour that is still cached.")
    author = this_author()
    if args.judge:
        return await _judge(args, session, queue)
    done: list[tuple[str, str | None]] = []
    at = 0
    while at < len(queue):
        _show(queue[at], at + 1, len(queue))
        word = sys.stdin.readline()
        choice = word.strip().lower()
        if not word or choice in ("q", "quit"):
            break
        if choice in ("u", "undo"):
            if done:
                await undo_label(session.client, session.keys, *done.pop(), author)
                at -= 1
            else:
                say("There is nothing to undo.")
        elif verdict := _VERDICTS.get(choice):
            label = label_of(queue[at], verdict, "operator", author)
            done.append((label.field, await write_label(session.client, session.keys, label, author)))
            at += 1
        else:
            say(f"{visible(choice)!r} is none of s, d, ?, u, q.")
    after = await gather(session.client, session.ledger_client, session.keys, route=args.route or "")
    proposal = propose(after.labels, after.scores, current=after.current, max_error=args.max_error)
    if args.json:
        document = {"labelled": len(done), "labels": proposal.labels, "threshold": proposal.threshold}
        print_json(document | {"missing_labels": proposal.missing_labels, "guaranteed": proposal.guaranteed})
    else:
        print(f"{len(done)} labelled. {proposal.reason}")
    return DONE


async def _judge(args: argparse.Namespace, session: Session, queue: Sequence[Event]) -> int:
    """Let a model label; people's labels stay as they are, and bounds rest on these only if asked for."""
    from costconsole.cache.author import this_author
    from costconsole.calibration.judge import Judge
    from costconsole.calibration.store import agreement, label_of, read_labels, write_label
    from costconsole.gateway.provider import Provider
    from costconsole.ledger.ledger import Ledger
    from costconsole.ledger.prices import PriceBook

    name, _, model = args.judge.partition("/")
    if not model:
        raise UsageProblem(f"--judge {args.judge!r} is not possible: name provider and model, openai/gpt-4o")
    wire: Wire = "anthropic" if name == "anthropic" else "openai"
    provider = Provider(name, wire, base_url=args.judge_url)
    ledger = Ledger(session.ledger_target, session.keys.namespace, prompts="off")
    author = this_author()
    counts = {"same": 0, "different": 0, "unsure": 0}
    try:
        judge = Judge(provider, model, record=ledger.record, prices=PriceBook(session.settings.prices))
        for event in queue:
            verdict = await judge.ask(event)
            counts[verdict] += 1
            await write_label(session.client, session.keys, label_of(event, verdict, "judge", author), author)
    finally:
        await provider.aclose()
        await asyncio.to_thread(ledger.close)
    agreed, both = agreement(await read_labels(session.client, session.keys))
    if args.json:
        print_json({"labelled": sum(counts.values()), **counts, "agreed": agreed, "compared": both})
    else:
        said = ", ".join(f"{number} {word}" for word, number in counts.items())
        print(f"{sum(counts.values())} labelled by {visible(args.judge)}: {said}.")
        print(f"It agrees with people on {agreed} of {both} pairs that both labelled.")
        say("Bounds leave a judge's labels out: threshold suggest --judge counts them.")
    return DONE


def _show(event: Event, number: int, total: int) -> None:
    from costconsole.cache.guards import differences

    spans = differences(event.query, event.cached)
    say(f"\n[{number} of {total}]  similarity {event.similarity:.3f}")
    say(f"  asked   {event.query[:_SHOWN]}")
    say(f"  cached  {event.cached[:_SHOWN]}")
    say(f"  answer  {event.answer[:_SHOWN]}")
    for side in ("query", "cached"):
        words = [
            span.text if span.kind == "word" else f"{span.text} ({span.kind})"
            for span in spans
            if span.side == side
        ]
        if words:
            say(f"  only {'asked' if side == 'query' else 'cached'}: {', '.join(words)}")
    say(_ASK)
