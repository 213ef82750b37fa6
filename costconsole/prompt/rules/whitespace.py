"""White space in prose: CRLF, blanks at the ends of lines, runs of spaces between words.

Lines that look like columns, logs, code or formulas are left, and so is what stands in quotation marks or
backticks. Two blanks at the end of a line are Markdown's line break; `strong` gives them up.
"""

from __future__ import annotations

import re

from costconsole.prompt.document import Context, Document, Rule, Segment
from costconsole.prompt.rules.spans import outside, protected

_ENDS = re.compile(r"[ \t]*\r?\n|[ \t\r]+\Z")
_TRAILING = re.compile(r"(?<![ \t\r])[ \t\r]+(?=\n|\Z)")
_RUNS = re.compile(r"(?<=[^ \t\n]) {2,}(?=[^ \t\n\r])")
_NOT_PROSE = re.compile(r"[|\\{}=<>^$\t]")
_LOGGED = re.compile(r"\[?\d{4}-\d\d-\d\d|\[?\d\d:\d\d|\[?[A-Z]{4,8}\b[\]: ]")
_LEVELS = (" INFO", " WARN", " ERROR", " DEBUG", " TRACE", " FATAL")
_SENTENCE_ENDS = ".!?:;,)”’»"


def _apply(document: Document, context: Context) -> Document | None:
    found = list(document)
    changed = quoted = False
    for at, segment in enumerate(document):
        if segment.kind != "prose":
            continue
        within = quoted
        quoted ^= segment.text.count('"') % 2 == 1
        if within:
            continue  # A quotation that goes on over several paragraphs.
        text = _clean(segment, context)
        if text != segment.text:
            changed = True
            found[at] = Segment("prose", text)
    return found if changed else None


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
    if _aligned(lines):
        return text
    spans = protected(text)
    hint = at = 0
    found: list[str] = []
    for line in lines:
        if "  " in line and _is_prose(line):
            pieces, done = [], 0
            for match in _RUNS.finditer(line):
                free, hint = outside(at + match.start(), spans, hint)
                if free:
                    pieces.append(line[done : match.start()])
                    done = match.end()
            found.append(" ".join((*pieces, line[done:])))
        else:
            found.append(line)
        at += len(line) + 1
    return "\n".join(found)


def _aligned(lines: list[str]) -> bool:
    """Whether words after runs of spaces stand below each other, as in a table made of spaces."""
    seen: set[int] = set()
    with_runs = 0
    if len(lines) == 1:
        return False
    for line in lines:
        if "  " not in line:
            continue
        columns = {
            match.end() for match in _RUNS.finditer(line) if line[match.start() - 1] not in _SENTENCE_ENDS
        }
        if not seen.isdisjoint(columns):
            return True
        with_runs += bool(columns)
        seen |= columns
    return with_runs >= 3 and with_runs * 2 >= len(lines)


def _is_prose(line: str) -> bool:
    if _NOT_PROSE.search(line) or _LOGGED.match(line) or any(level in line for level in _LEVELS):
        return False
    head = line[:2_000]
    return sum(map(str.isalpha, head)) >= 0.6 * (len(head) - head.count(" "))


RULE = Rule("white space", _apply, unless=frozenset({"layout"}), tidies=True)
