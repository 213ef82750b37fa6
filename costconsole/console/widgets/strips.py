"""Strips (Textual's rendered lines): made from contents, and compared cell by cell."""

from __future__ import annotations

import re
from itertools import repeat

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.content import Content
from textual.strip import Strip
from textual.style import Style

from costconsole.console.inks import Inks

_GAP = 8  # Unchanged cells between two changes that are cheaper to send again than to jump over.

Cell = tuple[str, RichStyle | None]

# Signs that take one cell each: figures, frames, bars, blocks and dots, which are most of what is drawn.
_NARROW = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u22ff\u2500-\u25fc\u2800-\u28ff]*"
).fullmatch


def cells(strip: Strip) -> list[Cell]:
    """One pair of text and style per cell; the second cell of a wide character has the text ""."""
    found: list[Cell] = []
    for text, style, _control in strip:
        if text.isascii() or _NARROW(text):
            found.extend(zip(text, repeat(style)))
            continue
        for character in text:
            width = cell_len(character)
            if width == 0 and found:
                found[-1] = (found[-1][0] + character, style)
            elif width:
                found.append((character, style))
                found.extend([("", style)] * (width - 1))
    return found


def changed_spans(old: Strip, new: Strip) -> list[tuple[int, int]]:
    """Cell ranges [from, to) in which two lines differ, near ones merged, wide characters whole."""
    if old is new or list(old) == list(new):
        return []
    before, after = cells(old), cells(new)
    width = max(len(before), len(after))
    before += [(" ", None)] * (width - len(before))
    after += [(" ", None)] * (width - len(after))
    spans: list[tuple[int, int]] = []
    for x in range(width):
        if before[x] == after[x]:
            continue
        start, end = x, x + 1
        while start and not (before[start][0] and after[start][0]):
            start -= 1
        while end < width and not (before[end][0] and after[end][0]):
            end += 1
        if spans and start - spans[-1][1] <= _GAP:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def segments_of(inks: Inks, base: Style, content: Content) -> list[Segment]:
    """Segments of a content over `base`; its styles are inks (`.ink--muted`) or Textual's own."""

    def parse(style: str | Style) -> Style:
        if isinstance(style, Style):
            return style
        return inks[style.removeprefix(".ink--")] if style.startswith(".ink--") else Style.parse(style)

    return [
        Segment(text, style.rich_style)
        for text, style in content.render(base, end="", parse_style=parse)
        if text
    ]
