"""Folding inked text into lines of a width in cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from costconsole.console.widgets.painted import Line, Span

_PARTS = re.compile(r"\n|[^\S\n]+|\S+")


def wrap(spans: Iterable[Span], width: int) -> list[Line]:
    """Spans folded at white space into lines of at most `width` cells, at least one line.

    Newlines end a line, and the space that indents one stays; a word that is longer than a line is cut.
    """
    folder = _Folder(max(2, width))
    for text, ink in spans:
        for part in _PARTS.findall(text):
            folder.add(part, ink)
    return folder.finish()


def wrap_text(text: str, width: int, ink: str = "text") -> list[Line]:
    """One text of one ink, folded."""
    return wrap(((text, ink),), width)


def cut(text: str, cells: int) -> tuple[str, str]:
    """The beginning of a text that fits into `cells` cells, and the rest."""
    used = 0
    for at, character in enumerate(text):
        used += cell_len(character)
        if used > cells:
            return text[:at], text[at:]
    return text, ""


class _Folder:
    """Words are gathered over the bounds of spans, so that `**bold**,` stays one."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[Line] = []
        self._line: list[Span] = []
        self._used = 0
        self._space: Span | None = None
        self._word: list[Span] = []

    def add(self, part: str, ink: str) -> None:
        if part == "\n":
            self._place()
            self._end()
        elif part.isspace():
            self._place()
            self._space = (part, ink)
        else:
            self._word.append((part, ink))

    def finish(self) -> list[Line]:
        self._place()
        self._end()
        return self._lines

    def _place(self) -> None:
        if not self._word:
            return
        word, self._word = self._word, []
        length = sum(cell_len(text) for text, _ in word)
        space, self._space = self._space, None
        gap = cell_len(space[0]) if space else 0
        if self._used + gap + length > self._width and self._used and length <= self._width:
            self._end()
            space = None
        if space and self._used + gap < self._width:
            self._put(*space)
        for text, ink in word:
            while self._used + cell_len(text) > self._width:
                head, rest = cut(text, self._width - self._used)
                if not head and not self._used:
                    head, rest = text[:1], text[1:]
                self._put(head, ink)
                self._end()
                text = rest
            self._put(text, ink)

    def _put(self, text: str, ink: str) -> None:
        if not text:
            return
        if self._line and self._line[-1][1] == ink:
            text = self._line.pop()[0] + text
        self._line.append((text, ink))
        self._used = sum(cell_len(part) for part, _ in self._line)

    def _end(self) -> None:
        self._lines.append(tuple(self._line))
        self._line, self._used, self._space = [], 0, None


def prefixed(lines: Sequence[Line], first: Line, rest: Line) -> list[Line]:
    """Lines behind a prefix: `first` before the first one, `rest` before the others."""
    return [(*(rest if n else first), *line) for n, line in enumerate(lines)]
