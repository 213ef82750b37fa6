"""What changed between two texts: lines, and within lines words, for a view of differences.

Pure values; the texts in them are data as it came, so who prints them makes them visible first. The work is
bounded: what is too large to be compared word by word is shown as whole lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORDS = re.compile(r"\w+|[^\S\n]+|[^\w\s]|\n")
_MOST_LINES = 400
"""Lines of one changed stretch that are compared with all others; longer ones are walked with a window."""
_WINDOW = 200
_MOST_WORDS = 1_200
_MOST_PAIRS = 20_000
_CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a line; `changed` if it is not in the other text."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the view. `before` and `after` are its numbers in the two texts, from 1, None where it is
    in one only. A `gap` stands for `hidden` lines that are the same."""

    kind: Literal["same", "removed", "added", "gap"]
    spans: tuple[Span, ...] = ()
    before: int | None = None
    after: int | None = None
    hidden: int = 0

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


def diff(before: str, after: str, *, context: int | None = _CONTEXT) -> tuple[Line, ...]:
    """The view from `before` to `after`, with `context` equal lines around changes (None: all of them)."""
    old, new = before.split("\n"), after.split("\n")
    lines = list(_lines(old, new))
    return tuple(lines if context is None else _folded(lines, context))


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    i = j = 0
    for same, i2, j2 in _stretches(old, new):
        if same:
            for k in range(i2 - i):
                yield Line("same", (Span(old[i + k]),), i + k + 1, j + k + 1)
        else:
            yield from _changed(old, new, i, i2, j, j2)
        i, j = i2, j2


def _stretches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, int, int]]:
    """(equal, end in old, end in new) of stretches that follow each other."""
    start = 0
    shortest = min(len(old), len(new))
    while start < shortest and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shortest - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    i2, j2 = len(old) - tail, len(new) - tail
    if start:
        yield True, start, start
    middle, other = old[start:i2], new[start:j2]
    if len(middle) <= _MOST_LINES and len(other) <= _MOST_LINES and _pairs(middle, other) <= _MOST_PAIRS:
        matcher = SequenceMatcher(_blank, middle, other, autojunk=False)
        for tag, _, i, _, j in matcher.get_opcodes():
            yield tag == "equal", start + i, start + j
    else:
        yield from _walked(old, new, start, i2, j2)
    if tail:
        yield True, len(old), len(new)


def _blank(piece: str) -> bool:
    """Blanks are alike everywhere: they are matched only next to what is matched."""
    return not piece.strip()


def _pairs(old: Sequence[str], new: Sequence[str]) -> int:
    """Equal pairs of pieces, which a comparison may visit again and again."""
    times = Counter(new)
    return sum(times[piece] for piece in old if not _blank(piece))


def _walked(
    old: Sequence[str], new: Sequence[str], start: int, i_end: int, j_end: int
) -> Iterator[tuple[bool, int, int]]:
    """Stretches found with a window: each line looks for its like in the next lines of the other text."""
    i = j = start
    while i < i_end and j < j_end:
        if old[i] == new[j]:
            while i < i_end and j < j_end and old[i] == new[j]:
                i, j = i + 1, j + 1
            yield True, i, j
            continue
        i, j = _next_equal(old, new, i, j, i_end, j_end)
        yield False, i, j
    if i < i_end or j < j_end:
        yield False, i_end, j_end


def _next_equal(
    old: Sequence[str], new: Sequence[str], i: int, j: int, i_end: int, j_end: int
) -> tuple[int, int]:
    """The nearest places after (i, j) where both texts hold the same line that is not blank."""
    first: dict[str, int] = {}
    for at in range(i, min(i_end, i + _WINDOW)):
        first.setdefault(old[at], at)
    best: tuple[int, int] | None = None
    for at in range(j, min(j_end, j + _WINDOW)):
        if best is not None and at - j >= best[0] - i + best[1] - j:
            break
        found = first.get(new[at]) if new[at].strip() else None
        if found is not None and (best is None or found - i + at - j < best[0] - i + best[1] - j):
            best = (found, at)
    return best or (min(i_end, i + _WINDOW), min(j_end, j + _WINDOW))


def _changed(old: Sequence[str], new: Sequence[str], i: int, i2: int, j: int, j2: int) -> Iterator[Line]:
    removed: _Rows = [(Span(line, True),) if line else () for line in old[i:i2]]
    added: _Rows = [(Span(line, True),) if line else () for line in new[j:j2]]
    if i2 > i and j2 > j:
        words = _by_words("\n".join(old[i:i2]), "\n".join(new[j:j2]))
        if words is not None:
            removed, added = words
    for k, spans in enumerate(removed):
        yield Line("removed", tuple(spans), before=i + k + 1)
    for k, spans in enumerate(added):
        yield Line("added", tuple(spans), after=j + k + 1)


_Rows = list[tuple[Span, ...]]


def _by_words(old: str, new: str) -> tuple[_Rows, _Rows] | None:
    """The lines of both texts in spans, by the words that they share; None where there are too many."""
    if len(old) + len(new) > 40 * _MOST_WORDS:
        return None
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    if len(a) > _MOST_WORDS or len(b) > _MOST_WORDS or _pairs(a, b) > _MOST_PAIRS:
        return None
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, i, i2, j, j2 in SequenceMatcher(_blank, a, b, autojunk=False).get_opcodes():
        left += [(word, tag != "equal") for word in a[i:i2]]
        right += [(word, tag != "equal") for word in b[j:j2]]
    return _rows(left), _rows(right)


def _rows(words: list[tuple[str, bool]]) -> _Rows:
    rows: list[list[Span]] = [[]]
    for word, changed in words:
        if word == "\n":
            rows.append([])
        elif rows[-1] and rows[-1][-1].changed == changed:
            rows[-1][-1] = Span(rows[-1][-1].text + word, changed)
        else:
            rows[-1].append(Span(word, changed))
    return [tuple(row) for row in rows]


def _folded(lines: list[Line], context: int) -> Iterator[Line]:
    """The lines without those that are further than `context` from a change."""
    near = [False] * len(lines)
    last = -context - 1
    for at, line in enumerate(lines):
        if line.kind != "same":
            last = at
        near[at] = at - last <= context
    last = len(lines) + context
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].kind != "same":
            last = at
        near[at] = near[at] or last - at <= context
    hidden = 0
    for line, shown in zip(lines, near, strict=True):
        if not shown:
            hidden += 1
            continue
        if hidden:
            yield Line("gap", hidden=hidden)
            hidden = 0
        yield line
    if hidden:
        yield Line("gap", hidden=hidden)
