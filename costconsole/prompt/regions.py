"""Where text begins that spans lines and blank lines alike: fences, JSON, comments, quoted text, diffs.

One walk from mark to mark. Fences follow CommonMark; where its reading and the plain one differ (a fence in
a list or a quote that ends early), the rest of the text counts as layout, so that nothing in it is touched.
Every search that found nothing is remembered: the walk is linear for any text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder

from costconsole.prompt.document import PIECES, Kind, TooFine

_MARK = re.compile(
    r"`{3}|^[^\S\n]*(?:[-*+>][^\S\n]*|\d{1,9}[.)][^\S\n]+)*~{3}|<!--|\"\"\"|'''"
    r"|^[\[{]|^(?:diff --git |@@ -|--- )"
    r"|<(?:pre|script|style|textarea|xmp|svg|math|code)\b",
    re.MULTILINE | re.IGNORECASE,
)
_OPENS = re.compile(
    r"(?P<before>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ \t]?)*)"
    r"(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>.*)$",
    re.MULTILINE,
)
_CLOSES = re.compile(r"^(?P<before>[ \t>]*)(?P<mark>`{3,}|~{3,})[ \t]*\r?$", re.MULTILINE)
_TICKS = re.compile(r"`+")
_IN_DIFF = re.compile(
    r"[ +\-@\\]|(?:diff|index|new|deleted|old|similarity|rename|copy|Binary|Index:)\b|=+\s*$|\s*$"
)
_LEADS_TO_JSON = re.compile(r"(?:^|[\n:>])[ \t\r]*\n\Z")
_TRIES = 16
"""Attempts at JSON that fail late, each of which may read to the end of the text."""
_LATE = 200

Region = tuple[int, int, Kind, str]
"""Start, end, kind, language. Regions hold whole lines."""


def regions(text: str) -> Iterator[Region]:
    """The regions of a text, in order. Raises TooFine when it has too many marks."""
    walk = _Walk(text)
    at = marks = 0
    while found := _MARK.search(text, at):
        marks += 1
        if marks > PIECES:
            raise TooFine
        start = text.rfind("\n", 0, found.start()) + 1
        region = walk.region(start, found.start(), found.group())
        if region is None:
            at = walk.line_end(found.end())
        else:
            yield region
            at = region[1]


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tries = _TRIES
        self._missing: set[str] = set()
        self._json_end = 0

    def line_end(self, at: int) -> int:
        """Where the line that holds `at` ends, with its newline."""
        found = self._text.find("\n", at)
        return len(self._text) if found < 0 else found + 1

    def region(self, start: int, at: int, mark: str) -> Region | None:
        """The region that the mark at `at` opens, in the line from `start`; None if it opens none."""
        text, end = self._text, self.line_end(at)
        if mark in "[{":
            if stop := self._json(start):
                return (start, stop, "json", "")
            if not any(other in text[start:end] for other in ("`", "~", "<", '"""', "'''")):
                return None
        elif mark.startswith(("diff", "@@", "---")) and (stop := self._diff(start, end, mark)):
            return (start, stop, "layout", "")
        if opened := _OPENS.match(text, start):
            return self._fence(start, opened)
        line = text[start:end]
        if line.startswith("<!--") and (region := self._comment(start)):
            return region
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                return (start, self._through(quotes, end), "layout", "")
        if line.rfind("<!--") > line.rfind("-->") and self._find("-->", end) >= 0:
            return (start, self._through("-->", end), "layout", "")
        if "<" in mark and mark != "<!--":
            name = mark[1:].lower()
            closing = f"</{name}"
            last = line.lower()
            if last.rfind(f"<{name}") > last.rfind(closing):
                return (start, self._through(closing, end), "layout", "")
        if "```" in line and (odd := _unpaired(line)):
            close = self._find(odd, end)
            first = text.rfind("\n", 0, close) + 1
            if close < 0 or _OPENS.match(text, first):
                # For Markdown a fence begins there; a person meant it to end.
                return (start, len(text), "layout", "")
            return (start, self.line_end(close), "layout", "")
        return None

    def _find(self, what: str, at: int) -> int:
        """Where `what` comes next, in any case of letters; what was not found once is not sought again."""
        if what in self._missing:
            return -1
        if what.startswith("</"):
            match = re.compile(re.escape(what), re.IGNORECASE).search(self._text, at)
            found = match.start() if match else -1
        else:
            found = self._text.find(what, at)
        if found < 0:
            self._missing.add(what)
        return found

    def _through(self, what: str, at: int) -> int:
        """The end of the line that holds `what` next, else of the text."""
        found = self._find(what, at)
        return len(self._text) if found < 0 else self.line_end(found)

    def _json(self, start: int) -> int:
        """The end of a JSON object or array that fills its lines; 0 if there is none."""
        text = self._text
        if self._tries <= 0:
            return 0
        if start and start != self._json_end and not _LEADS_TO_JSON.search(text, max(0, start - 200), start):
            return 0
        try:
            _, end = _DECODER.raw_decode(text, start)
        except JSONDecodeError as error:
            self._tries -= error.pos - start > _LATE
            return 0
        except (RecursionError, ValueError):
            self._tries -= 1
            return 0
        stop = self.line_end(end)
        if text[end:stop].strip():
            return 0
        self._json_end = stop
        return stop

    def _diff(self, start: int, end: int, mark: str) -> int:
        """The end of a diff; 0 when what looks like its first line is none."""
        text = self._text
        if mark.startswith("---") and not text.startswith("+++ ", end):
            return 0
        stop = end
        while stop < len(text) and _IN_DIFF.match(text, stop):
            stop = self.line_end(stop)
        return stop

    def _comment(self, start: int) -> Region | None:
        """A comment that fills its lines; None when text follows it in its last line."""
        text = self._text
        close = self._find("-->", start + 4)
        if close < 0:
            return (start, len(text), "layout", "")
        stop = self.line_end(close)
        inside = text[start:stop]
        if "\n" not in text[start:close] and text[close + 3 : stop].strip():
            return None
        if text[close + 3 : stop].strip() or "```" in inside or "~~~" in inside:
            return (start, stop, "layout", "")
        return (start, stop, "comment", "")

    def _fence(self, start: int, opened: re.Match[str]) -> Region:
        text, end = self._text, self.line_end(opened.start("mark"))
        before, mark = opened["before"], opened["mark"]
        words = opened["info"].split()
        language = words[0].strip("{}.").lower() if words else ""
        rest: Region = (start, len(text), "layout", "")
        for closed in _CLOSES.finditer(text, end):
            if closed["mark"][0] != mark[0] or len(closed["mark"]) < len(mark):
                continue
            stop = self.line_end(closed.start("mark"))
            if before and not _stays_inside(text[end:stop], before):
                return rest
            if not before and closed["before"].strip(" "):
                continue
            if not before and len(closed["before"]) > 3:
                # Markdown reads on; a person may have meant it to end here.
                return rest
            return (start, stop, "fence", language)
        return rest if before else (start, len(text), "fence", language)


def _stays_inside(lines: str, before: str) -> bool:
    """Whether the lines of a fence stay in the list or quote that it was opened in."""
    if ">" in before:
        return all(line.lstrip().startswith(">") for line in lines.split("\n")[:-1] or [lines])
    width = len(before.expandtabs(4))
    for line in lines.split("\n"):
        if line.strip():
            spread = line.expandtabs(4)
            if len(spread) - len(spread.lstrip()) < width:
                return False
    return True


def _unpaired(line: str) -> str:
    """The first run of three backticks and more that has no partner in its line."""
    runs = [match.group() for match in _TICKS.finditer(line)]
    places: dict[int, list[int]] = defaultdict(list)
    for at in range(len(runs) - 1, -1, -1):
        places[len(runs[at])].append(at)
    at = 0
    while at < len(runs):
        same = places[len(runs[at])]
        while same and same[-1] <= at:
            same.pop()
        if same:
            at = same[-1] + 1
        elif len(runs[at]) >= 3:
            return runs[at]
        else:
            at += 1
    return ""


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)
