"""What the Overview says when this Redis holds no ledger: what is known, and how figures get there."""

from __future__ import annotations

from collections.abc import Sequence

from costconsole.console.source import Link
from costconsole.console.widgets.painted import Line, fold
from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import count
from costconsole.domain.text import visible

SNIPPET = (
    "from costconsole import Gateway",
    'gateway = Gateway("{url}"{namespace})',
    'answer = gateway.complete(user_query, model="gpt-4o-mini")',
    "print(answer.text)",
)
_MOST = 4


def empty_lines(
    label: str, namespace: str, caches: Sequence[CacheInfo] | None, width: int, *, writable: bool = True
) -> list[Line]:
    """Lines for `width` cells; `caches` is None until they were looked for."""
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
    if caches is not None:
        lines += [*_caches(caches, width), ()]
    where = f"redis://{label}" if "://" not in label and not label.startswith("unix:") else label
    given = "" if namespace == "default" else f', namespace="{name}"'
    lines += _text("Send calls through the gateway, and they appear here within a second:", width)
    for row in SNIPPET:
        lines.append(((f"    {row.format(url=visible(where), namespace=given)}", "accent"),))
    lines += [
        (),
        (("Or look around first, with sample traffic on a Redis of its own:", "text"),),
        (("    costconsole demo", "accent"),),
    ]
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


def _caches(caches: Sequence[CacheInfo], width: int) -> list[Line]:
    if not caches:
        return _text("No cache was found in it either.", width)
    one = len(caches) == 1
    lines = _text(
        f"It holds {count(len(caches))} {'cache' if one else 'caches'} (2 Entries searches them):", width
    )
    for cache in caches[:_MOST]:
        entries = f"{count(cache.entries)} entries" if cache.entries is not None else "entries not counted"
        lines.append(
            (
                (f"    {visible(cache.name)[:24]:<24} ", "text"),
                (f"{cache.kind:<10} {visible(cache.library):<12} {entries:>16}", "muted"),
            )
        )
    if len(caches) > _MOST:
        lines.append(((f"    and {len(caches) - _MOST} more", "muted"),))
    return lines
