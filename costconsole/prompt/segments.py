"""A prompt's text in segments, so that each rule touches only what it understands.

The reading is CommonMark's where that matters (fences, tables, HTML comments) and otherwise the more careful
one: indented lines, code outside fences, YAML, diffs and quoted passages are `layout` or `quote`, which the
safe rules leave as they are. `joined(segments(text)) == text`, and the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from costconsole.prompt.document import PIECES, Segment, TooFine
from costconsole.prompt.regions import regions

_BREAK = re.compile(r"\n(?:[ \t\r]*\n)+")
_LEADING = re.compile(r"(?:[ \t\r]*\n)+")
_INDENTED = re.compile(r"^[ \t]", re.MULTILINE)
_QUOTED = re.compile(r"^>", re.MULTILINE)
_HTML = re.compile(
    r"^</?(?:a|abbr|address|article|aside|audio|b|blockquote|body|br|button|canvas|caption|center|col"
    r"|colgroup|dd|details|dialog|dir|div|dl|dt|em|fieldset|figcaption|figure|footer|form|frame|h[1-6]|head"
    r"|header|hr|html|i|iframe|img|input|label|legend|li|link|main|menu|meta|nav|noscript|object|ol|optgroup"
    r"|option|p|param|section|select|small|span|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|title|tr"
    r"|track|u|ul|video)\b|^<[!?]",
    re.MULTILINE | re.IGNORECASE,
)
_MARKER = re.compile(
    r"^(?:</?[A-Za-z][\w.-]*(?:[ \t][^<>\n]*)?>|#{1,6}[ \t][^\n]*)[ \t\r]*(?:\n|\Z)", re.MULTILINE
)
_DELIMITERS = re.compile(
    r"^(?=[^\n]*\|)\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t\r]*(?:\n|\Z)", re.MULTILINE
)
_KEYED = re.compile(r"(?:[\w.\"'-]+:(?:\s|$)|- |#|---)")
_MAIL = re.compile(r"(?:From|To|Cc|Date|Sent|Subject):[^\n]*\n(?:From|To|Cc|Date|Sent|Subject):")
_KEY = re.compile(r"^[\w.\"'-]+:(?:\s|$)", re.MULTILINE)
_CODED = re.compile(
    r"(?:def |class |import |from [\w.]+ import |return\b|@\w|#include|#!|func |fn |let |const |var |public "
    r"|if \(|\}|\w[\w.]*\(.*\)\s*$|\w+ [:+-]?= |\w+:?=|\$ |>>> )|.*(?:[{};]|\)\s*[:{])\s*$"
)


def segments(text: str) -> list[Segment]:
    """The segments of a text. Raises TooFine when there are too many."""
    found: list[Segment] = []
    at = 0
    for start, end, kind, language in regions(text):
        if at < start:
            found += _blocks(text[at:start])
            if len(found) > PIECES:
                raise TooFine
        found.append(Segment(kind, text[start:end], language))
        at = end
    if at < len(text):
        found += _blocks(text[at:])
    return found


def _blocks(text: str) -> Iterator[Segment]:
    """Blocks and the blank lines between them, of text without regions."""
    at = 0
    if leading := _LEADING.match(text):
        yield Segment("blank", leading.group())
        at = leading.end()
    for pieces, found in enumerate(_BREAK.finditer(text, at)):
        if pieces > PIECES:
            raise TooFine
        yield from _block(text[at : found.start() + 1])
        yield Segment("blank", text[found.start() + 1 : found.end()])
        at = found.end()
    if at < len(text):
        rest = text[at:]
        if rest.strip(" \t\r"):
            yield from _block(rest)
        else:
            yield Segment("blank", rest)


def _block(text: str) -> Iterator[Segment]:
    if "|" in text and (cut := _table(text)):
        start, end = cut
        if start:
            yield from _block(text[:start])
        yield Segment("table", text[start:end])
        if end < len(text):
            yield Segment("layout", text[end:])
        return
    first = text[0]
    if first in " \t" or _INDENTED.search(text):
        yield Segment("layout", text)
    elif first == ">" or _QUOTED.search(text):
        yield Segment("quote", text)
    elif "<" in text and _HTML.search(text):
        yield Segment("html", text)
    elif "#" in text or "<" in text:
        at = 0
        for marker in _MARKER.finditer(text):
            if at < marker.start():
                yield _plain(text[at : marker.start()])
            yield Segment("marker", marker.group())
            at = marker.end()
        if at < len(text):
            yield _plain(text[at:])
    else:
        yield _plain(text)


def _plain(text: str) -> Segment:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > 1:
        if all(map(_KEYED.match, lines)) and _KEY.search(text) and not _MAIL.match(text):
            return Segment("layout", text)
        coded = sum(1 for line in lines if len(line) < 2_000 and _CODED.match(line))
        if coded * 4 >= len(lines):
            return Segment("layout", text)
    return Segment("prose", text)


def _table(text: str) -> tuple[int, int] | None:
    """Where a pipe table starts and ends in a block; None where there is none, or not for sure."""
    found = _DELIMITERS.search(text)
    if found is None or not found.start():
        return None
    start = text.rfind("\n", 0, found.start() - 1) + 1
    header = text[start : found.start()]
    if "|" not in header or len(cells(header)) != len(cells(found.group())):
        return None
    end = found.end()
    while end < len(text):
        stop = text.find("\n", end)
        stop = len(text) if stop < 0 else stop + 1
        line = text[end:stop]
        if "|" not in line or line[0] in " \t>":
            break
        end = stop
    return None if header[0] in " \t>" else (start, end)


_CELL = re.compile(r"[^\\|]*(?:\\.[^\\|]*)*", re.DOTALL)


def cells(row: str) -> list[str]:
    """The cells of a table's row, as Markdown cuts it: at every pipe that no backslash escapes."""
    row = row.strip()
    if "\\" not in row:
        found = row.split("|")
        if len(found) > 1:
            found = found[row[:1] == "|" : len(found) - row.endswith("|")]
        return [cell.strip() for cell in found]
    found = []
    at = 0
    while True:
        match = _CELL.match(row, at)
        assert match is not None
        end = match.end()
        if end < len(row) and row[end] == "\\":
            end += 1  # A backslash at the very end escapes nothing.
        found.append(row[at:end])
        if end >= len(row):
            break
        at = end + 1
    if len(found) > 1 and row.startswith("|"):
        found = found[1:]
    if len(found) > 1 and not found[-1] and row.endswith("|"):
        found = found[:-1]
    return [cell.strip() for cell in found]
