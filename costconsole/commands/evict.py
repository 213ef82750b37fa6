"""`costconsole evict`: remove cached entries, one, several, or all that a search or a filter matches."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from costconsole.cache.author import this_author
from costconsole.commands.entries import as_document, filter_of
from costconsole.commands.output import print_json, say
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.errors import ExitCode, Refused, UsageProblem
from costconsole.domain.format import count, size
from costconsole.domain.text import first_words, visible

if TYPE_CHECKING:
    from costconsole.cache.eviction import Evicted, Preview, Progress
    from costconsole.cache.selection import Selection
    from costconsole.domain.entry import CacheInfo

_TYPED_ABOVE = 20
_SHOWN = 10
_WEIGH_S = 10.0


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches
        from costconsole.cache.eviction import Eviction
        from costconsole.cache.search import EntrySearch

        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        search = EntrySearch(session.client, caches, session.keys)
        eviction = Eviction(session.client, search, session.keys, session.server, this_author())
        selection = await _selection(args, session, caches)
        preview = await eviction.preview(selection, budget_s=_WEIGH_S)
        if args.dry_run:
            _print_preview(preview, args)
            return DONE
        if not session.server.can_write:
            raise Refused(f"nothing can be evicted: {session.server.why_read_only}")
        if preview.impossible and not args.no_undo:
            raise Refused(
                f"nothing was evicted: {preview.impossible}; "
                "get that right, or add --no-undo to evict without a way back"
            )
        if preview.count and not args.yes:
            _confirm(preview, args.no_undo)
        with stopping() as stop:
            done = await eviction.evict(
                preview.selection if preview.count else selection,
                on_progress=progress_line() if not args.json else None,
                stop=stop,
                undoable=not args.no_undo,
                total=preview.about,
            )
            _print_done(done, args)
            if stop.is_set():
                return int(ExitCode.INTERRUPTED)
        failed = done.stopped or done.failed or (args.keys and not done.evicted)
        return int(ExitCode.FAILED) if failed else DONE

    return run_session(args, work)


async def _selection(args: argparse.Namespace, session: Session, caches: Sequence[CacheInfo]) -> Selection:
    from costconsole.cache.meaning import vectors_for
    from costconsole.cache.policy import aread_policy
    from costconsole.cache.selection import Listed, Selection

    if args.min_similarity is not None and args.query is None:
        raise UsageProblem("--min-similarity needs a --query that entries are similar to")
    vector, least = b"", None
    vectors: dict[str, bytes] = {}
    if args.query is not None:
        if not args.query.strip():
            raise UsageProblem("the query is empty: write what to search for")
        least = args.min_similarity
        if least is None:
            least = (await aread_policy(session.client, session.keys)).threshold
        async with open_embedder(session.settings) as embedder:
            vector, vectors = await vectors_for(args.query, caches, embedder)
    return Selection(
        keys=tuple(Listed(key) for key in args.keys),
        caches=(args.cache,) if args.cache is not None else (),
        vector=vector,
        vectors=tuple(vectors.items()),
        min_similarity=least,
        where=filter_of(args),
    )


def _print_preview(preview: Preview, args: argparse.Namespace) -> None:
    if not args.json:
        print(_sentence(preview, args.no_undo))
        for line in _sample(preview):
            print(line)
        return
    print_json(
        {
            "undo_id": None,
            "evicted": 0,
            "keys": [listed.key for listed in preview.selection.keys[:1_000]],
            "dry_run": True,
            "count": preview.count,
            "complete": preview.complete,
            "about": preview.about,
            "bytes": preview.bytes,
            "caches": list(preview.caches),
            "sample": [as_document(entry) for entry in preview.sample],
            "undo_hours": None if preview.impossible or args.no_undo else preview.undo_hours,
            "impossible": preview.impossible or None,
            "warning": preview.warning or None,
        }
    )


def _sentence(preview: Preview, no_undo: bool) -> str:
    if not preview.count:
        return "Nothing matches."
    many = count(preview.count)
    if not preview.complete:
        many = f"at least {many}" if preview.about is None else f"about {count(preview.about)}"
    what = (
        f"{many} {'entry' if preview.count == 1 else 'entries'} of {', '.join(map(visible, preview.caches))}"
    )
    weight = "" if preview.bytes is None else f", about {size(preview.bytes)}"
    if preview.impossible:
        undo = f"This cannot be undone: {preview.impossible}."
    elif no_undo:
        undo = "This cannot be undone: --no-undo was given."
    else:
        undo = f"They can be brought back for {preview.undo_hours} hours with `costconsole undo`."
    return f"To evict: {what}{weight}. {undo}" + (f" Mind that {preview.warning}." if preview.warning else "")


def _sample(preview: Preview) -> Iterator[str]:
    for entry in preview.sample:
        yield f"  {first_words(entry.prompt or entry.response or entry.key, 100)}"
    if preview.count > len(preview.sample):
        yield f"  … and {count(preview.count - len(preview.sample))} more"


def _confirm(preview: Preview, no_undo: bool) -> None:
    """Ask the person at the terminal. Raises Refused when there is none, or for any other answer."""
    say("\n".join([_sentence(preview, no_undo), *_sample(preview)]))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("nothing was evicted: it was not confirmed; add --yes to confirm it")
    if preview.count > _TYPED_ABOVE:
        expected = preview.caches[0] if len(preview.caches) == 1 else str(preview.count)
        question = f"Type {visible(expected)} to evict them: "
    else:
        expected, question = "y", "Evict? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answer = sys.stdin.readline().strip()
    finally:
        signal.signal(signal.SIGINT, before)
    if answer != expected and not (expected == "y" and answer.lower() in ("y", "yes")):
        raise Refused("nothing was evicted: it was not confirmed")


def _print_done(done: Evicted, args: argparse.Namespace) -> None:
    if args.json:
        print_json(
            {
                "undo_id": done.undo_id or None,
                "evicted": done.evicted,
                "keys": list(done.keys),
                "skipped": skipped_document(done.skipped),
                "skipped_count": done.skipped_count,
                "stopped": done.stopped,
                "reason": done.reason or None,
            }
        )
    else:
        way_back = f"; undo with `costconsole undo {done.undo_id}`" if done.undo_id else ""
        print(f"Evicted {count(done.evicted)} {'entry' if done.evicted == 1 else 'entries'}{way_back}.")
    say_skipped(done.skipped, done.skipped_count)
    if done.stopped:
        say(f"It stopped early: {done.reason or 'you stopped it'}.")


def skipped_document(skipped: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    return [{"key": key, "why": why} for key, why in skipped]


def say_skipped(skipped: tuple[tuple[str, str], ...], total: int) -> None:
    """The first few that stay as they are, and why."""
    for key, why in skipped[:_SHOWN]:
        say(f"Left as it is: {first_words(key, 90)}: {why}.")
    if total > _SHOWN:
        say(f"… and {count(total - _SHOWN)} more.")


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C sets, instead of breaking off in the middle."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    except (NotImplementedError, RuntimeError, ValueError):  # not in the main thread, or not on this system
        yield stop
        return
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def progress_line() -> Callable[[Progress], None] | None:
    """Shows the progress in one line of a terminal; None where there is none."""
    if not sys.stderr.isatty():
        return None

    def show(progress: Progress) -> None:
        total = "" if progress.total is None else f" of {count(progress.total)}"
        end = "\n" if progress.done + progress.skipped + progress.failed == progress.total else ""
        print(f"\r{progress.phase} {count(progress.done)}{total}", end=end, file=sys.stderr, flush=True)

    return show
