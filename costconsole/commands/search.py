"""`costconsole search`: cached entries by meaning, by words, or by a filter alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from costconsole.commands.entries import as_document, filter_of
from costconsole.commands.output import print_json, print_table, say
from costconsole.commands.session import DONE, Session, open_embedder, run_session
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.domain.format import age, count, similarity
from costconsole.domain.text import first_words
from costconsole.settings import nearest

if TYPE_CHECKING:
    from costconsole.cache.entryfilter import EntryFilter
    from costconsole.cache.page import EntryPage
    from costconsole.cache.search import EntrySearch

_ENVELOPES = (
    "Some of these caches compare prompts in an envelope of messages: the first similarity is what their "
    "writer sees, the one in brackets that of the texts alone."
)


def run(args: argparse.Namespace) -> int:
    async def work(session: Session) -> int:
        import time

        from costconsole.cache.catalog import find_caches
        from costconsole.cache.meaning import by_meaning, with_text_similarity
        from costconsole.cache.search import EntrySearch

        where = filter_of(args)
        if args.query is None and (args.text or not (where or args.cache)):
            raise UsageProblem("there is nothing to search for: write a query, or a filter such as --model")
        if args.query is not None and not args.query.strip():
            raise UsageProblem("the query is empty: write what to search for")
        caches = await find_caches(
            session.client, session.server, session.keys, mappings=session.settings.caches
        )
        chosen = where.among(_chosen(caches, args.cache))
        if not chosen and caches:
            raise UsageProblem(
                f"no cache here is of the library {args.library!r}: `costconsole caches` lists them"
            )
        search = EntrySearch(session.client, caches, session.keys, hits_client=session.ledger_client)
        if args.query is None or args.text:
            page = await _pages(search, args.query, chosen, args.k, where)
        else:
            if not any(cache.has_vectors for cache in chosen):
                raise Problem(
                    "no cache here can be searched by meaning (no search module, or no index): add --text"
                )
            async with open_embedder(session.settings) as embedder:

                async def embed(texts: Sequence[str]) -> list[bytes]:
                    return [one.vector for one in await embedder.aembed(texts)]

                page = await by_meaning(search, args.query, chosen, args.k, embed, where=where)
                page = await with_text_similarity(page, args.query, chosen, embed)
            if any(entry.text_similarity is not None for entry in page):
                say(_ENVELOPES)
        if page.note:
            say(page.note)
        if args.json:
            print_json([as_document(entry) for entry in page])
            return DONE
        if not page.entries:
            say("Nothing was found.")
            return DONE
        now = time.time() * 1000
        print_table(
            ("sim", "prompt", "model", "age", "ttl", "hits", "key"),
            [
                (
                    _similarities(entry),
                    first_words(entry.prompt or entry.response or "", 60),
                    first_words(entry.model, 24),
                    "–" if entry.created_ms is None else age(now - entry.created_ms),
                    "never" if entry.ttl_ms is None else age(entry.ttl_ms),
                    count(entry.hits),
                    entry.key,
                )
                for entry in page
            ],
            right=(0, 3, 4, 5),
        )
        return DONE

    return run_session(args, work)


async def _pages(
    search: EntrySearch, query: str | None, caches: Sequence[CacheInfo], k: int, where: EntryFilter
) -> EntryPage:
    """The newest `k` that pass, however long it takes to find them; Ctrl-C ends it."""
    from costconsole.cache.page import EntryPage

    entries: list[CacheEntry] = []
    before, note = None, ""
    while True:
        limit = k - len(entries)
        if query is None:
            page = await search.newest(caches, limit, before, where=where)
        else:
            page = await search.by_text(query, caches, limit, before, where=where)
        entries += page.entries
        before, note = page.next, page.note
        if before is None or len(entries) >= k:
            return EntryPage(tuple(entries), note=note)


def _similarities(entry: CacheEntry) -> str:
    shown = similarity(entry.similarity)
    return shown if entry.text_similarity is None else f"{shown} ({similarity(entry.text_similarity)})"


def _chosen(caches: Sequence[CacheInfo], name: str | None) -> Sequence[CacheInfo]:
    if name is None:
        return caches
    found = [cache for cache in caches if cache.name == name]
    if not found:
        hint = nearest(name, [cache.name for cache in caches]) if caches else "there is none here"
        raise UsageProblem(f"no cache is named {name!r}: {hint}")
    return found
