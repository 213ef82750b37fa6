"""One entry in full, as lines: what was asked, what is answered, and everything stored with it."""

from __future__ import annotations

from datetime import tzinfo

from costconsole.console.screens.entries_markdown import markdown_lines
from costconsole.console.screens.entries_wrap import prefixed, wrap_text
from costconsole.console.widgets.columns import Column, Row
from costconsole.console.widgets.painted import Line
from costconsole.domain.entry import CacheEntry, Neighbor
from costconsole.domain.format import UNKNOWN, age, count, similarity, size, stamp
from costconsole.domain.text import first_words, visible

_LABEL = 10
_FIELD = 600
"""Characters of a stored field that are shown; `Y` copies all of them."""
_SHOWN = frozenset({"prompt", "response", "model", "scope", "route", "tag", "inserted_at", "created_ms"})

NEIGHBORS = 5
NEAR_COLUMNS = (
    Column("similarity", "sim", 4, "right"),
    Column("prompt", "prompt", 16, flex=True),
    Column("model", "model", 14, drop=1),
)


def entry_lines(
    entry: CacheEntry, width: int, tz: tzinfo | None, now_ms: int, raised: float | None = None
) -> list[Line]:
    """The detail of an entry in lines of at most `width` cells. `raised` is the threshold of its own that it
    has after a wrong hit. Takes up to half a second for hostile ones:
    not for the event loop."""
    blank: Line = ()
    lines = _prompt(entry, width)
    lines += [blank, (("answer", "muted"),)]
    if entry.response is None:
        lines.append((("not stored", "muted"),))
    elif not entry.response.strip():
        lines.append((("(empty)", "muted"),))
    else:
        lines += markdown_lines(entry.response, width)
    lines.append(blank)
    if raised is not None:
        served = f"! from {similarity(raised)} on only: it was a wrong hit"
        lines += prefixed(
            wrap_text(served, max(8, width - _LABEL), "warn"),
            ((f"{'served':<{_LABEL}}", "muted"),),
            ((" " * _LABEL, "muted"),),
        )
    for label, value in _facts(entry, tz, now_ms):
        lines += _field(label, value, width, _LABEL)
    rest = [(name, value) for name, value in entry.fields if name not in _SHOWN]
    if rest:
        lines += [blank, (("stored fields", "muted"),)]
        wide = min(18, max(len(visible(name)) for name, _ in rest) + 2)
        for name, value in rest:
            lines += _field(visible(name), value, width, wide)
    return lines


def _prompt(entry: CacheEntry, width: int) -> list[Line]:
    if entry.prompt is None:
        return [(("prompt not stored", "muted"),)]
    text = visible(entry.prompt, multiline=True).strip("\n")
    return wrap_text(text, width, "strong") if text.strip() else [(("(empty prompt)", "muted"),)]


def _facts(entry: CacheEntry, tz: tzinfo | None, now_ms: int) -> list[tuple[str, str]]:
    usage = entry.usage
    tokens = UNKNOWN if usage is None else f"{count(usage.input)} in, {count(usage.output)} out"
    created = UNKNOWN
    if entry.created_ms is not None:
        created = f"{stamp(entry.created_ms, tz)} · {age(now_ms - entry.created_ms)} ago"
    expires = "never"
    if entry.ttl_ms is not None:
        expires = f"{stamp(now_ms + entry.ttl_ms, tz)} · in {age(entry.ttl_ms)}"
    hits = UNKNOWN if entry.hits is None else count(entry.hits)
    if entry.last_hit_ms is not None:
        hits += f", last {stamp(entry.last_hit_ms, tz)}"
    pairs = [
        ("model", entry.model or UNKNOWN),
        ("tokens", tokens),
        ("created", created),
        ("expires", expires),
        ("hits", hits),
        ("idle", "" if entry.idle_ms is None else f"{age(entry.idle_ms)} since any client used it"),
        ("size", size(entry.size_bytes)),
        ("cache", f"{entry.cache} ({entry.library})"),
        ("scope", entry.scope or UNKNOWN),
        ("route", entry.route),
        ("tag", entry.tag),
        ("key", entry.key),
    ]
    return [(label, value) for label, value in pairs if value]


def _field(label: str, value: str, width: int, wide: int) -> list[Line]:
    cut = value if len(value) <= _FIELD else value[:_FIELD]
    text = visible(cut, multiline=True)
    if cut is not value:
        text += f" … {len(value) - _FIELD:,} characters more"
    name = f"{first_words(label, wide - 1):<{wide}}"
    body = wrap_text(text, max(8, width - wide))
    return prefixed(body, ((name, "muted"),), ((" " * wide, "muted"),))


def gone_lines(key: str, width: int) -> list[Line]:
    """For an entry that was listed and is no longer there."""
    return [
        *wrap_text("This entry is gone: it expired or was evicted since it was listed.", width),
        (),
        *wrap_text(visible(key), width, "muted"),
    ]


def near_row(neighbor: Neighbor) -> Row:
    """A neighbour as a row."""
    prompt = first_words(neighbor.prompt, 200) if neighbor.prompt else "(not stored)"
    return Row(neighbor.key, (similarity(neighbor.similarity), prompt, first_words(neighbor.model, 40)))
