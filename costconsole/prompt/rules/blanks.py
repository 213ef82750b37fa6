"""Blank lines: one says as much as several, and none is needed at the ends of a prompt."""

from __future__ import annotations

from costconsole.prompt.document import SOFT, Context, Document, Rule, Segment


def _apply(document: Document, context: Context) -> Document | None:
    found: list[Segment] = []
    quoted = False
    for at, segment in enumerate(document):
        if segment.kind == "prose":
            quoted ^= segment.text.count('"') % 2 == 1
        if segment.kind != "blank":
            found.append(segment)
            continue
        before = document[at - 1].kind if at else None
        after = document[at + 1].kind if at + 1 < len(document) else None
        soft = (before is None or before in SOFT) and (after is None or after in SOFT)
        if quoted or not soft:
            found.append(segment)
        elif before is not None and after is not None:
            found.append(Segment("blank", "\n"))
    code = any(segment.kind == "layout" for segment in document)
    if found and found[-1].kind in SOFT - {"fence"} and not quoted and not code:
        last = found[-1]
        found[-1] = Segment(last.kind, last.text.rstrip(" \t\r\n"), last.language)
    return None if found == list(document) else found


RULE = Rule("blank lines", _apply, unless=frozenset({"layout"}), tidies=True)
