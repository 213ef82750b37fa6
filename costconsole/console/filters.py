"""What is done to every line just before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_MARKS = {
    **dict(zip("●○◌✗✓‖▲▼▸▾◂↑↓", "*o~xv|^v>v<^v", strict=True)),
    **dict(zip("…–—−·→←≈≤≥×›‹’⏎•", ".---.><~<>x><'$*", strict=True)),
}


def _table() -> dict[int, str]:
    table = {ord(mark): plain for mark, plain in _MARKS.items()}
    for code in range(0x2500, 0x2580):  # Box drawing.
        table[code] = "+"
    for mark in "─━┄┅┈┉╌╍═╴╶╸╺╼╾":
        table[ord(mark)] = "-"
    for mark in "│┃┆┇┊┋╎╏║╵╷╹╻╽╿":
        table[ord(mark)] = "|"
    for code in range(0x2580, 0x25A0):  # Blocks.
        table[code] = "#"
    table[ord("░")] = table[ord("▒")] = "."
    for code in range(0x2800, 0x2900):  # Braille.
        table[code] = "*"
    table[0x2800] = " "
    for code in range(0x2400, 0x2427):
        table[code] = "?"
    return table


_TO_ASCII = _table()


def to_ascii(text: str) -> str:
    """Every character that we draw with, as one of ASCII; letters of people's texts stay."""
    return text if text.isascii() else text.translate(_TO_ASCII)


class AsciiFilter(LineFilter):
    """Draws with ASCII alone, whatever a widget drew with; a stand-in is as wide as its original."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return list(_plain(segments))


def _plain(segments: Iterable[Segment]) -> Iterable[Segment]:
    for segment in segments:
        text = to_ascii(segment.text)
        yield segment if text is segment.text else Segment(text, segment.style, segment.control)


class NoColors(LineFilter):
    """Keeps weight and inversion and takes every colour away, for NO_COLOR."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, style and _colourless(style), control) for text, style, control in segments]


@lru_cache(1024)
def _colourless(style: Style) -> Style:
    return Style(
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
        strike=style.strike,
        meta=style.meta,
    )
