"""What commands about cached entries share: an entry as a JSON document, and the filter of their flags."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from costconsole.domain.entry import CacheEntry
from costconsole.domain.window import parse_duration

if TYPE_CHECKING:
    from costconsole.cache.entryfilter import EntryFilter


def as_document(entry: CacheEntry, *, whole: bool = False) -> dict[str, Any]:
    """An element of `search --json`, or `whole`: all that is stored. Times in seconds, null unknown."""
    document: dict[str, Any] = {
        "key": entry.key,
        "cache": entry.cache,
        "library": entry.library,
        "similarity": entry.similarity,
        "text_similarity": entry.text_similarity,
        "prompt": entry.prompt,
        "response": entry.response,
        "model": entry.model or None,
        "created_at": None if entry.created_ms is None else entry.created_ms / 1000,
        "ttl_s": None if entry.ttl_ms is None else entry.ttl_ms / 1000,
        "hits": entry.hits,
    }
    if whole:
        document |= {
            "last_hit_at": None if entry.last_hit_ms is None else entry.last_hit_ms / 1000,
            "scope": entry.scope or None,
            "route": entry.route or None,
            "tag": entry.tag or None,
            "usage": asdict(entry.usage) if entry.usage else None,
            "size_bytes": entry.size_bytes,
            "fields": dict(entry.fields),
        }
    return document


def filter_of(args: argparse.Namespace) -> EntryFilter:
    """The filter of `--model`, `--scope`, `--library`, `--older-than`, `--never-expiring`."""
    from costconsole.cache.entryfilter import EntryFilter

    older = args.older_than
    return EntryFilter(
        model=args.model,
        scope=args.scope,
        library=args.library,
        older_than_ms=None if older is None else parse_duration(older) * 1000,
        never_expires=args.never_expiring,
    )
