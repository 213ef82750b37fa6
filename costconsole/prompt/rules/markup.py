"""HTML in pieces, in one linear walk: tags, comments, raw elements, text. It never fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

RAW = frozenset({"script", "style", "pre", "textarea", "svg", "math", "xmp", "template", "noscript"})
BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
     "figcaption", "figure", "header", "html", "main", "p", "section", "summary", "center", "hgroup"}
)  # fmt: skip
"""Elements that begin and end a paragraph."""

SPACE = re.compile(r"[ \t\r\n\f]+")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_LONGEST_TAG = 20_000


class Piece(NamedTuple):
    """`name` is that of a tag, in lower case; a raw element is one piece, `inside` what it holds."""

    kind: Literal["open", "close", "comment", "raw", "text"]
    source: str
    name: str = ""
    attributes: str = ""
    inside: str = ""


def pieces(source: str) -> Iterator[Piece]:
    """The pieces of HTML; their sources together are the text."""
    missing: set[str] = set()
    lower = source.lower()
    if len(lower) != len(source):
        lower = source  # A letter whose lower case is longer: only lower-case tags are then found closed.
    at = done = 0

    def find(what: str, start: int) -> int:
        found = -1 if what in missing else lower.find(what, start)
        if found < 0:
            missing.add(what)
        return found

    while (start := source.find("<", at)) >= 0:
        at = start + 1
        piece: Piece | None = None
        if source.startswith("<!--", start):
            if (close := find("-->", start + 4)) >= 0:
                piece = Piece("comment", source[start : close + 3])
        elif source[start + 1 : start + 2] in "!?":
            if (close := find(">", start)) >= 0:
                piece = Piece("comment", source[start : close + 1])
        elif (tag := _TAG.match(source, start, min(len(source), start + _LONGEST_TAG))) is not None:
            name = tag[2].lower()
            if tag[1]:
                piece = Piece("close", tag.group(), name)
            elif name in RAW and not tag[3].endswith("/") and (close := find(f"</{name}", tag.end())) >= 0:
                end = find(">", close)
                end = len(source) if end < 0 else end + 1
                piece = Piece("raw", source[start:end], name, tag[3], source[tag.end() : close])
            else:
                piece = Piece("open", tag.group(), name, tag[3])
        if piece is None:
            continue
        if done < start:
            yield Piece("text", source[done:start])
        yield piece
        at = done = start + len(piece.source)
    if done < len(source):
        yield Piece("text", source[done:])
