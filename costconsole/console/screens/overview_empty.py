"""What the Overview says when this Redis holds no ledger: what is known, and how figures get there."""

from __future__ import annotations

from collections.abc import Sequence

from costconsole.console.source import Link, Looked
from costconsole.console.widgets.painted import Line, fit, fold
from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import count, percent
from costconsole.domain.known import ASSUMPTION, Known, KnownFigures, near_misses, spend_line
from costconsole.domain.text import visible

SNIPPET = (
    "from costconsole import Gateway",
    'gateway = Gateway("{url}"{namespace})',
    'answer = gateway.complete(user_query, model="gpt-4o-mini")',
    "print(answer.text)",
)
NOT_LOOKING = Looked()
_MOST = 4
_DEMO: tuple[Line, ...] = (
    (),
    (("Or look around first, with sample traffic on a Redis of its own:", "text"),),
    (("    costconsole demo", "accent"),),
)


def empty_lines(
    label: str,
    namespace: str,
    caches: Sequence[CacheInfo] | None,
    width: int,
    *,
    known: Known | None = None,
    looked: Looked = NOT_LOOKING,
    height: int = 0,
) -> list[Line]:
    """Lines for `width` cells; `caches` is None until they were looked for, `known` until that was.

    While `looked` is still running there may be more of them.

    With a `height`, what is known of other libraries' caches is followed by as much as there is room for.
    """
    name = visible(namespace)
    lines: list[Line] = [
        (("No figures yet", "strong"),),
        *_text(
            f"{visible(label)} is connected, but namespace {name!r} holds no ledger: no application has "
            "reported a call to it. Another namespace is chosen with --namespace.",
            width,
        ),
        (),
    ]
    lines += _caches(caches, width, known, looked)
    where = f"redis://{label}" if "://" not in label and not label.startswith("unix:") else label
    given = "" if namespace == "default" else f', namespace="{name}"'
    way: list[Line] = [
        (),
        *_text("Send calls through the gateway, and they appear here within a second:", width),
        *(((f"    {row.format(url=visible(where), namespace=given)}", "accent"),) for row in SNIPPET),
    ]

    def room(for_lines: Sequence[Line]) -> bool:
        return not height or len(lines) + len(for_lines) <= height

    for more in _more(known, width):
        if room([*more, *way]):
            lines += more
    lines += way
    for other in (*_code(known, width), _DEMO):
        if room(other):
            lines += other
    return lines


def unconnected_lines(link: Link, width: int) -> list[Line]:
    """Lines while no figures were read yet: what is waited for, or why they don't come, in full."""
    if link.state in ("connecting", "live"):
        return [((f"Reading from {visible(link.label)} …", "muted"),)]
    return [
        (("No figures: not connected", "strong"),),
        *_text(visible(link.reason), width),
        (),
        *_text("It is tried again by itself, and at once with ctrl+r.", width),
    ]


def _text(sentence: str, width: int) -> list[Line]:
    return [((row, "text"),) for row in fold(sentence, width)]


def _code(known: Known | None, width: int) -> list[list[Line]]:
    """The line for an application that keeps its own cache."""
    code = next((one.code for one in known.figures if one.code), "") if known else ""
    if not code:
        return []
    head: Line = (("Or keep the cache that you have, and report its calls:", "text"),)
    return [[(), head, *(((f"    {row}", "accent"),) for row in fold(code, width - 4))]]


def _more(known: Known | None, width: int) -> list[list[Line]]:
    """What else is known, the most important first."""
    if known is None:
        return []
    told = [f"{one.cache}: {words}" for one in known.figures if (words := near_misses(one))]
    told += [spend_line(gauge) for gauge in known.gauges[:_MOST]]
    return [_text(visible(sentence), width) for sentence in told]


def _hits(known: KnownFigures | None) -> str:
    if known is None or (known.rate is None and known.hits is None):
        return ""
    if known.rate is None:
        return f"{count(known.hits)} hits"
    return f"{'' if known.counted else '≈'}{percent(known.rate)} % hits"


def _assumed(known: Known, shown: Sequence[CacheInfo], width: int, *, left_out: bool) -> list[Line]:
    """What the figures beside the caches stand on; or why there are none."""
    figures = [one for cache in shown if (one := known.by_name.get(cache.name)) is not None]
    lines: list[Line] = []
    if any(one.rate is not None and not one.counted for one in figures):
        lines += _text(f"≈ is an estimate from what an index counts, {ASSUMPTION}.", width)
    elif figures and not any(one.rate is not None for one in figures):
        lines += _text(f"Hits aren't known: {visible(figures[0].sentence)}.", width)
    return lines + (_text(known.left_out, width) if known.left_out and left_out else [])


def _caches(
    caches: Sequence[CacheInfo] | None, width: int, known: Known | None, looked: Looked
) -> list[Line]:
    more: list[Line] = []
    if looked.running:
        more += [((row, "muted"),) for row in fold(_sentence(looked.words), width)]
    if caches is None:
        return more or [(("Looking for caches in it …", "muted"),)]
    if not caches:
        unsure = looked.left_out or (known.left_out if known else "")
        none = "No cache was found in it so far." if unsure else "No cache was found in it either."
        return more or _text(" ".join(part for part in (none, unsure) if part), width)
    one = len(caches) == 1
    lines = _text(
        f"It holds {count(len(caches))} {'cache' if one else 'caches'} (2 Entries searches them):", width
    )
    for cache in caches[:_MOST]:
        word = "entry" if cache.entries == 1 else "entries"
        entries = f"{count(cache.entries)} {word}" if cache.entries is not None else "not counted"
        lines.append(
            (
                (f"    {fit(visible(cache.name), 20)} ", "text"),
                (f"{cache.kind:<10} {fit(visible(cache.library), 11)} {entries:>14}", "muted"),
                (f"  {_hits(known.by_name.get(cache.name) if known else None)}".rstrip(), "text"),
            )
        )
    if len(caches) > _MOST:
        lines.append(((f"    and {len(caches) - _MOST} more", "muted"),))
    return lines + more + (_assumed(known, caches[:_MOST], width, left_out=not more) if known else [])


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
