"""The last line: the keys that matter now, or for a few seconds something that the user must know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from costconsole.console.widgets.painted import Line, width_of


@dataclass(frozen=True, slots=True)
class Hint:
    """A key as it is shown, what it does, and whether it can now."""

    key: str
    what: str
    enabled: bool = True
    needed: bool = False
    """Whether room is kept for it, whatever stands before it."""


def footer_line(hints: Iterable[Hint], width: int) -> Line:
    """As many hints as fit whole, in their order, those that are needed in any case. A disabled one is
    dimmed and in brackets."""
    parts = [(hint, _part(hint)) for hint in hints]
    kept_free = sum(width_of(part) for hint, part in parts if hint.needed)
    line: Line = ((" ", "text"),)
    for hint, part in parts:
        if hint.needed:
            kept_free -= width_of(part)
        if width_of(line) + width_of(part) + kept_free - 2 > width:
            continue
        line = (*line, *part)
    return line


def _part(hint: Hint) -> Line:
    if hint.enabled:
        return ((hint.key, "accent"), (f" {hint.what}  ", "muted"))
    return ((f"({hint.key} {hint.what})  ", "faint"),)


def message_line(text: str, *, bad: bool) -> Line:
    """A message in the footer's place; `text` is harmless already."""
    return ((" ! " if bad else " ", "bad"), (text, "bad" if bad else "strong"))
