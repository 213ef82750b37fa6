"""`costconsole caches`: every cache found in this Redis, and what can be known of it without a ledger."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import percent, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costconsole.domain.known import Known, KnownFigures

_WHOLE_WALK_S = 3_600.0


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import BUDGET_S, survey
        from costconsole.cache.earlier import EarlierLookups
        from costconsole.cache.known import read_known
        from costconsole.domain.known import known_document
        from costconsole.settings import lookups_file

        earlier = EarlierLookups(lookups_file(), session.server.run_id)
        try:
            seen = await survey(
                session.client,
                session.server,
                session.keys,
                mappings=session.settings.caches,
                budget_s=_WHOLE_WALK_S if args.deep else BUDGET_S,
            )
            known = await read_known(
                session.client, seen, earlier=earlier, uptime_ms=session.server.uptime_ms
            )
        finally:
            earlier.keep()
        if args.json:
            documents = []
            for cache in seen.caches:
                figures = known.by_name.get(cache.name)
                gauges = known.gauges if cache.library == "litellm" else ()
                documents.append(as_document(cache) | {"known": figures and known_document(figures, gauges)})
            print_json(documents)
        elif seen.caches:
            _print(seen.caches, known)
        else:
            say("No cache was found here: send calls through costconsole.Gateway, or try `costconsole demo`.")
        if seen.left_out:
            say(seen.left_out)
        return DONE

    return run_session(args, work)


def _print(caches: Sequence[CacheInfo], known: Known) -> None:
    print_table(
        ("name", "library", "kind", "entries", "dims", "index", "metric", "memory", "threshold", "hits %"),
        [
            (
                cache.name,
                cache.library,
                cache.kind,
                "–" if cache.entries is None else f"{cache.entries:,}",
                str(cache.dims or "–"),
                cache.algorithm or "–",
                cache.metric or "–",
                size(cache.memory_bytes),
                "–" if cache.threshold is None else f"{cache.threshold:g}",
                hits_cell(known.by_name.get(cache.name)),
            )
            for cache in caches
        ],
        right=(3, 4, 7, 8, 9),
    )
    for cache in caches:
        if cache.problem:
            say(f"{cache.name}: {cache.problem}")
    if known.figures:
        _print_known(known)


def _print_known(known: Known) -> None:
    from costconsole.domain.known import near_misses, spend_line, used_last

    print("\nwithout a ledger")
    for one in known.figures:
        _line(one.sentence)
        for more in (used_last(one), near_misses(one)):
            if more:
                _line(f"  {more}")
    for gauge in known.gauges:
        _line(spend_line(gauge))
    codes = dict.fromkeys(one.code for one in known.figures if one.code)
    for code in codes:
        _line(f"exact figures: {code}")


def _line(words: str) -> None:
    from costconsole.domain.text import visible

    print(visible(f"  {words}"))


def hits_cell(known: KnownFigures | None) -> str:
    """The hit rate for a column: `≈` before an estimate."""
    if known is None or known.rate is None:
        return "–"
    return f"{'' if known.counted else '≈'}{percent(known.rate)}"


def as_document(cache: CacheInfo) -> dict[str, Any]:
    """One element of the `caches --json` list; null is what can't be known from outside."""
    return {
        "name": cache.name,
        "library": cache.library,
        "kind": cache.kind,
        "entries": cache.entries,
        "index": cache.index,
        "dims": cache.dims,
        "metric": cache.metric,
        "algorithm": cache.algorithm,
        "memory_bytes": cache.memory_bytes,
        "writable": cache.writable,
        "threshold": cache.threshold,
        "prefix": cache.prefix,
        "problem": cache.problem or None,
    }
