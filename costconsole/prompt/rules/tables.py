"""Pipe tables: cells without padding, `-` for `---`; columns and their alignment stay."""

from __future__ import annotations

import re

from costconsole.prompt.document import Context, Document, Rule, Segment, each
from costconsole.prompt.segments import cells

_DASHES = re.compile(r"(:?)-+(:?)")


def _apply(document: Document, context: Context) -> Document | None:
    return each(document, "table", _narrow)


def _narrow(segment: Segment) -> str:
    lines = segment.text.split("\n")
    end = lines.pop() if lines[-1] == "" else None
    found: list[str] = []
    for at, line in enumerate(lines):
        row = cells(line)
        narrow = [_DASHES.sub(r"\1-\2", cell) for cell in row] if at == 1 else row
        text = f"|{'|'.join(narrow)}|"
        found.append(line if line == text else text)
        if line != text and cells(text) != narrow:
            return segment.text
    return "\n".join(found) + ("" if end is None else "\n")


RULE = Rule("tables", _apply, unless=frozenset({"layout", "tables"}))
