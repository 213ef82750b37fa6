"""White space in prose: CRLF, blanks at the ends of lines, runs of spaces between words.

Lines that look like columns, logs, code or formulas are left, and so is what stands in quotation marks or
backticks. Two blanks at the end of a line are Markdown's line break; `strong` gives them up.
"""

from __future__ import annotations

import re

from costconsole.prompt.document import Context, Document, Rule, Segment, each
from costconsole.prompt.rules.spans import outside, protected

_ENDS = re.compile(r"[ \t]*\r?\n|[ \t\r]+\Z")
_TRAILING = re.compile(r"(?<![ \t\r])[ \t\r]+(?=\n|\Z)")
_RUNS = re.compile(r"(?<=[^ \t\n]) {2,}(?=[^ \t\n\r])")
_NOT_PROSE = re.compile(
    r"[|\\{}=<>^$\t]|\[?\d{4}-\d\d-\d\d|\[?\d\d:\d\d|[A-Z]{4,5}\b(?=[: ])|\b(?:INFO|WARN|ERROR|DEBUG|TRACE)\b"
)
_SENTENCE_ENDS = ".!?:;,)”’»"


def _apply(document: Document, context: Context) -> Document | None:
    return each(document, "prose", lambda segment: _clean(segment, context))


def _clean(segment: Segment, context: Context) -> str:
    text = segment.text
    if "  " in text:
        text = _without_runs(text)
    if " \n" in text or "\r" in text or "\t\n" in text or text[-1:] in (" ", "\t"):
        text = _without_trailing(text, context)
    return text


def _without_trailing(text: str, context: Context) -> str:
    spans = protected(text)
    hint = 0
    last = len(text.rstrip(" \t\r\n"))

    def ending(found: re.Match[str]) -> str:
        nonlocal hint
        free, hint = outside(found.start(), spans, hint)
        if not free:
            return found.group()
        breaks = context.level == "safe" and found.start() < last and found.group().startswith("  ")
        return "  " if breaks else ""

    return _TRAILING.sub(ending, text)


def _without_runs(text: str) -> str:
    lines = text.split("\n")
    runs = [[match.end() for match in _RUNS.finditer(line)] for line in lines]
    if _aligned(lines, runs):
        return text
    spans = protected(text)
    hint = at = 0
    found: list[str] = []
    for line, ends in zip(lines, runs, strict=True):
        if ends and _is_prose(line, ends):
            pieces, done = [], 0
            for match in _RUNS.finditer(line):
                free, hint = outside(at + match.start(), spans, hint)
                if free:
                    pieces.append(line[done : match.start()])
                    done = match.end()
            line_now = " ".join((*pieces, line[done:]))
        else:
            line_now = line
        found.append(line_now)
        at += len(line) + 1
    return "\n".join(found)


def _aligned(lines: list[str], runs: list[list[int]]) -> bool:
    """Whether words after runs of spaces stand below each other, as in a table made of spaces."""
    seen: dict[int, int] = {}
    with_runs = 0
    for line, ends in zip(lines, runs, strict=True):
        columns = {end for end in ends if not _after_sentence(line, end)}
        with_runs += bool(columns)
        for column in columns:
            seen[column] = seen.get(column, 0) + 1
    return any(times >= 2 for times in seen.values()) or (with_runs >= 3 and with_runs * 2 >= len(lines))


def _after_sentence(line: str, end: int) -> bool:
    return (
        line[:end].rstrip(" ")[-1:] in _SENTENCE_ENDS
        if end <= 400
        else line[end - 400 : end].rstrip(" ")[-1:] in _SENTENCE_ENDS
    )


def _is_prose(line: str, ends: list[int]) -> bool:
    if _NOT_PROSE.search(line):
        return False
    shown = len(line) - line.count(" ")
    letters = sum(map(str.isalpha, line)) if len(line) <= 2_000 else sum(map(str.isalpha, line[:2_000]))
    return letters >= 0.6 * min(shown, 2_000)


RULE = Rule("white space", _apply, unless=frozenset({"layout"}))
