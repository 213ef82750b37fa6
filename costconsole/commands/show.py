"""`costconsole show KEY`: one cached entry, whole."""

from __future__ import annotations

import argparse
import time

from costconsole.commands.entries import as_document
from costconsole.commands.output import print_json
from costconsole.commands.session import DONE, Session, run_session
from costconsole.domain.entry import CacheEntry
from costconsole.domain.errors import Problem
from costconsole.domain.format import age, count, size
from costconsole.domain.text import visible


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        from costconsole.cache.catalog import find_caches
        from costconsole.cache.search import EntrySearch

        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        search = EntrySearch(session.client, caches, session.keys, hits_client=session.ledger_client)
        entry = await search.entry(args.key)
        if entry is None:
            raise Problem(
                f"no cached entry has the key {visible(args.key)!r}: "
                "it has expired, or find it with `costconsole search`"
            )
        if args.json:
            print_json(as_document(entry, whole=True))
        else:
            _print(entry)
        return DONE

    return run_session(args, work)


def _print(entry: CacheEntry) -> None:
    now = time.time() * 1000
    facts = (
        ("key", entry.key),
        ("cache", f"{entry.cache} ({entry.library})"),
        ("model", entry.model or "–"),
        ("age", "–" if entry.created_ms is None else age(now - entry.created_ms)),
        ("expires in", "never" if entry.ttl_ms is None else age(entry.ttl_ms)),
        ("hits", count(entry.hits)),
        ("size", size(entry.size_bytes)),
    )
    for name, value in facts:
        print(f"{name:<11} {visible(value)}")
    for name, text in (("prompt", entry.prompt), ("answer", entry.response)):
        print(f"\n{name}")
        print("  (not stored)" if text is None else _indented(text))
    shown = {"prompt", "response"}
    rest = [(name, value) for name, value in entry.fields if name not in shown]
    if rest:
        print("\nfields")
        for name, value in rest:
            print(f"  {visible(name)} = {visible(value)}")


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in visible(text, multiline=True).split("\n"))
