"""What the page of entries says: titles, empty states, and rows to export."""

from __future__ import annotations

import json
from collections.abc import Sequence

from costconsole.console.screens.entries_finder import Found, Mode
from costconsole.console.screens.entries_order import HITS, NATURAL, Held, Weights, order_words
from costconsole.console.screens.entries_wrap import wrap_text
from costconsole.console.source import Looked
from costconsole.console.widgets.painted import Line
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.format import similarity
from costconsole.domain.text import visible

MODE_WORDS: dict[str, str] = {"meaning": "by meaning", "text": "by text", "key": "by key"}
_LIST_TITLES = {
    "newest": "Entries, newest first",
    "meaning": "Entries by similarity",
    "text": "Entries with these words, newest first",
    "key": "Entries with such keys",
}
_LISTED = {
    "newest": "Entries",
    "meaning": "The nearest entries",
    "text": "Entries with these words",
    "key": "Entries with such keys",
}


def title_words(mode: Mode, cache: CacheInfo | None, caches: Sequence[CacheInfo]) -> str:
    """`Search by meaning · all 3 caches`."""
    if cache is None and len(caches) == 1:
        cache = caches[0]
    where = f"all {len(caches)} caches" if cache is None else visible(cache.name)
    return f"Search {MODE_WORDS[mode]} · {where}" if caches else f"Search {MODE_WORDS[mode]}"


def cache_words(cache: CacheInfo | None, caches: Sequence[CacheInfo]) -> str:
    """What is to be known of the chosen cache, or how many entries all of them have."""
    if not caches:
        return ""
    if cache is None and len(caches) != 1:
        counts = [c.entries for c in caches if c.entries is not None]
        return f"≈{sum(counts):,} entries" if counts and len(counts) == len(caches) else ""
    cache = cache or caches[0]
    parts = [cache.library, cache.kind]
    parts.append("entries not counted" if cache.entries is None else f"≈{cache.entries:,} entries")
    if cache.dims:
        parts.append(f"{cache.dims} dims {cache.algorithm or ''}".strip())
    if cache.threshold is not None:
        parts.append(f"threshold {similarity(cache.threshold)}")
    if cache.problem:
        parts.append("! see below")
    return " · ".join(visible(part) for part in parts)


def list_title(found: Found) -> str:
    """How the rows were found and in which order they are, of which entries."""
    what = _LISTED[found.by]
    order = found.sort or found.order
    if order is None or order == NATURAL[found.by]:
        return _LIST_TITLES[found.by]
    title = f"{what}, {order_words(order)}"
    if found.order == HITS and found.sort is None:
        return f"{title}: the first {len(found.held):,} of all"
    if found.sort is None or found.next is None:
        return title
    which = "first" if found.by == "key" else "newest"
    looked = " so far" if found.partial else ""
    return f"{title}: of the {which} {len(found.held):,}{looked} only"


def empty_words(found: Found) -> str:
    """What an empty list says, and what to do."""
    where = found.question.where
    if found.next is not None:
        return "Nothing found so far."
    if not found.question.text.strip():
        if where:
            return "No entry passes the filter: F clears it, f changes it."
        cache = found.question.cache
        which = "The caches are" if cache is None else f"{cache.name} is"
        return f"{which} empty: entries appear here as they are stored."
    passing = " that passes the filter (F clears it)" if where else ""
    return f"Nothing found{passing}. Esc clears the search, ctrl+t searches another way."


def no_cache_lines(label: str, looked: Looked, width: int) -> list[Line]:
    """The page of a Redis without any cache, or of one of which not all keys were looked at."""
    blank: Line = ()
    if looked.running:
        return [
            (("No cache with an index here", "strong"),),
            blank,
            *wrap_text(f"{looked.words[:1].upper()}{looked.words[1:]}.", width),
        ]
    return [
        (("No cache here yet", "strong"),),
        blank,
        *wrap_text(
            f"{visible(label)} holds no cache that is understood: none of costconsole's own, and no search "
            "index in RedisVL's layout. It is looked for again by itself, and at once with F5.",
            width,
        ),
        *([blank, *wrap_text(looked.left_out, width)] if looked.left_out else []),
        blank,
        *wrap_text("Calls through the gateway fill one; RedisVL's SemanticCache does as well:", width),
        blank,
        (("    from redisvl.extensions.cache.llm import SemanticCache", "accent"),),
        (('    SemanticCache(name="llmcache", redis_url=…).store(prompt, answer)', "accent"),),
        blank,
        *wrap_text("Another server is chosen with --redis; sample traffic comes with", width),
        blank,
        (("    costconsole demo", "accent"),),
    ]


_EXPORT = (
    "similarity",
    "prompt",
    "response",
    "model",
    "cache",
    "library",
    "created_ms",
    "ttl_ms",
    "hits",
    "scope",
    "route",
    "tag",
    "key",
)


def export_rows(held: Sequence[Held], weights: Weights) -> tuple[tuple[str, ...], list[list[object]]]:
    """Names and raw values of the listed entries; sizes and idle times of those that were in sight."""
    rows: list[list[object]] = []
    for one in held:
        weighed = weights.get(one.entry.key)
        size = None if weighed is None else weighed.weight.size_bytes
        idle = None if weighed is None else weighed.idle_ms(one.entry, weighed.read_ms)
        rows.append([*(getattr(one.entry, name) for name in _EXPORT), size, idle])
    return (*_EXPORT, "size_bytes", "idle_ms"), rows


def copied(entry: CacheEntry, *, whole: bool) -> tuple[str, str]:
    """What `y` copies of an entry: its answer, else its key; `whole`: all that is known of it, as JSON."""
    from costconsole.commands.entries import as_document

    if whole:
        return "entry", json.dumps(as_document(entry, whole=bool(entry.fields)))
    return ("answer", entry.response) if entry.response else ("key", entry.key)
