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


def footer_line(hints: Iterable[Hint], width: int) -> Line:
    """As many hints as fit whole, in their order. A disabled one is dimmed and in brackets."""
    line: Line = ((" ", "text"),)
    for hint in hints:
        if hint.enabled:
            part: Line = ((hint.key, "accent"), (f" {hint.what}  ", "muted"))
        else:
            part = ((f"({hint.key} {hint.what})  ", "faint"),)
        if width_of(line) + width_of(part) - 2 > width:
            continue
        line = (*line, *part)
    return line


def message_line(text: str, *, bad: bool) -> Line:
    """A message in the footer's place; `text` is harmless already."""
    return ((" ! " if bad else " ", "bad"), (text, "bad" if bad else "strong"))
