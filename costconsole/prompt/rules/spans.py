"""Places within prose that no rule may change: quoted strings, inline code, tags and their attributes."""

from __future__ import annotations

import re

_SPANS = re.compile(
    r'"[^"]*(?:"|\Z)|“[^”]*(?:”|\Z)|„[^“”]*(?:[“”]|\Z)|«[^»]*(?:»|\Z)|「[^」]*(?:」|\Z)'
    r"|(?<!\w)'[^'\n]*'(?!\w)|(?<!\w)‘[^’\n]*’(?!\w)|`+|<[^<>]*>"
)


def protected(text: str) -> list[tuple[int, int]]:
    """Start and end of each such place, in order. A quotation that never ends lasts to the end of the text;
    everything between the first and the last backtick counts as code."""
    if not any(mark in text for mark in "\"'`<“„«「‘"):
        return []
    found: list[tuple[int, int]] = []
    first, last = text.find("`"), text.rfind("`") + 1
    at = 0
    while match := _SPANS.search(text, at):
        start, end = match.span()
        if first >= 0 and end > first:
            # From here on there is code: nothing between its first and last mark is looked at.
            start, end = min(start, first), max(last, end if start < first else last)
            first = -1
        found.append((start, end))
        at = max(end, start + 1)
    return found


def outside(at: int, spans: list[tuple[int, int]], hint: int = 0) -> tuple[bool, int]:
    """Whether a place is in no span, and the span to go on from for a later place."""
    while hint < len(spans) and spans[hint][1] <= at:
        hint += 1
    return hint >= len(spans) or at < spans[hint][0], hint
