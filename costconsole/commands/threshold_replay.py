"""`costconsole threshold replay`: the logged prompts asked again of a cache that grows as it would have."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.errors import ExitCode, Problem
from costconsole.domain.format import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from costconsole.calibration.events import Event
    from costconsole.calibration.replay import Replayed
    from costconsole.calibration.store import Label
    from costconsole.embedding.embedder import Embedder

MOST = 20_000


def run(args: argparse.Namespace) -> int:
    return run_session(args, lambda session: _work(args, session))


async def _work(args: argparse.Namespace, session: Session) -> int:
    from costconsole.calibration.evidence import gather_log

    log = await gather_log(session.client, session.ledger_client, session.keys)
    scope = log.of(route=args.route or "")
    asked = [event for event in log.events if event.query and (not args.route or event.route == args.route)]
    events = asked[: args.count][::-1]
    if not events:
        raise Problem("The ledger keeps no prompts of look-ups: there is nothing to replay.")
    thresholds = sorted({scope.current, *(args.to or ())})
    stop = threading.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    tell = _teller(sys.stderr.isatty() and not args.json)
    try:
        async with open_embedder(session.settings) as embedder:
            found = await asyncio.to_thread(
                _replay, events, thresholds, log.every_label, embedder, tell, stop.is_set
            )
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        tell("", 0, 0)
    if found is None:
        say("Stopped: nothing was changed.")
        return int(ExitCode.INTERRUPTED)
    if args.json:
        print_json([_document(one, scope.current) for one in found])
        return DONE
    print_table(
        ("threshold", "replayed hit rate %", "read off the log %", "right", "wrong", "not labelled"),
        [
            (
                f"{one.threshold:g}" + (" (in force)" if one.threshold == scope.current else ""),
                percent(one.hit_rate),
                percent(one.read_off),
                f"{one.right:,}",
                f"{one.wrong:,}",
                f"{one.unknown:,}",
            )
            for one in found
        ],
        right=range(1, 6),
    )
    say(
        "Read off the log: the same entries as were cached. Replayed: a hit is not stored, so others are. "
        "They differ, the further from the threshold in force the more; only a new evidence window proves it."
    )
    clipped = found[0].clipped
    if clipped:
        say(f"{clipped:,} prompts may be cut in the ledger: they meet others that begin the same.")
    return DONE


def _replay(
    events: Sequence[Event],
    thresholds: Sequence[float],
    labels: Mapping[str, Label],
    embedder: Embedder,
    tell: Callable[[str, int, int], None],
    stop: Callable[[], bool],
) -> list[Replayed] | None:
    from costconsole.calibration.replay import Stopped, embed_prompts
    from costconsole.calibration.replay_log import replay_log

    try:
        vectors = embed_prompts(
            events, embedder, progress=lambda done, every: tell("embedding", done, every), stop=stop
        )
        return [
            replay_log(
                events,
                vectors,
                threshold,
                labels,
                progress=lambda done, every, t=threshold: tell(f"replaying {t:g}", done, every),  # type: ignore[misc]
                stop=stop,
            )
            for threshold in thresholds
        ]
    except Stopped:
        return None


def _teller(shown: bool) -> Callable[[str, int, int], None]:
    def tell(what: str, done: int, every: int) -> None:
        if shown:
            line = f"{what}: {done:,} of {every:,} (ctrl+c stops)" if what else ""
            sys.stderr.write(f"\r{line:<60}" + ("" if what else "\r"))
            sys.stderr.flush()

    return tell


def _document(one: Replayed, current: float) -> dict[str, Any]:
    known = one.right + one.wrong
    return {
        "threshold": one.threshold,
        "in_force": one.threshold == current,
        "prompts": one.prompts,
        "hit_rate_replayed": one.hit_rate,
        "hit_rate_read_off": one.read_off,
        "right": one.right,
        "wrong": one.wrong,
        "not_labelled": one.unknown,
        "false_hit_rate_of_labelled": one.wrong / known if known else None,
        "maybe_cut": one.clipped,
    }
