"""`costconsole caches`: every cache found in this Redis."""

from __future__ import annotations

import argparse
from typing import Any

from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import size


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches

        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        if args.json:
            print_json([as_document(cache) for cache in caches])
            return DONE
        if not caches:
            say("No cache was found here: send calls through costconsole.Gateway, or try `costconsole demo`.")
            return DONE
        print_table(
            ("name", "library", "kind", "entries", "dims", "index", "metric", "memory", "threshold"),
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
                )
                for cache in caches
            ],
            right=(3, 4, 7, 8),
        )
        for cache in caches:
            if cache.problem:
                say(f"{cache.name}: {cache.problem}")
        return DONE

    return run_session(args, work)


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
