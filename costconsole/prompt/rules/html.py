"""HTML documents as Markdown, or as shorter HTML where the prompt speaks of HTML.

Lossy, so `strong` only: Markdown keeps the words, headings, lists, links, tables and code of a page, and
loses scripts, styles, navigation, footers and attributes.
"""

from __future__ import annotations

import re
from itertools import islice

from costconsole.prompt.document import Context, Document, Rule
from costconsole.prompt.rules.html_markdown import markdown
from costconsole.prompt.rules.markup import BLOCKS, SPACE, Piece, pieces
from costconsole.prompt.rules.stretches import over_text

_STARTS = re.compile(
    r"^[ \t]*<(?:!doctype\s+html|html|head|body|main|article|section|div|table|header|nav|ul|ol|form"
    r"|h[1-6]|p)\b[^<>]*>",
    re.IGNORECASE | re.MULTILINE,
)
_TEMPLATE = re.compile(r"=\{|=>|\{\{|\{%|<%|<\?(?:php|=)|\bclassName=|\bv-(?:if|for)=|\*ngFor")
_FEWEST_TAGS = 8
_MOST_PIECES = 100_000
_LARGEST = 4_000_000
_VALUES = re.compile(r"((?<==)\"[^\"]*\"|(?<==)'[^']*')")
_BARE = re.compile(r"[\w.:/#%+,@-]+")
_AROUND = re.compile(r" ?([{};,>]) ?|(?<=:) ")
_LONGEST_TAG = 20_000


def _apply(document: Document, context: Context) -> Document | None:
    keeps_html = "html" in context.topics
    return over_text(document, lambda text: _shortened(text, keeps_html))


def _shortened(text: str, keeps_html: bool) -> str:
    if "<" not in text or len(text) > _LARGEST:
        return text
    first = _STARTS.search(text)
    last = text.rfind(">") + 1
    if first is None or last <= first.end():
        return text
    start = first.start() + len(first.group()) - len(first.group().lstrip())
    source = text[start:last]
    tags = list(islice(pieces(source), _MOST_PIECES + 1))
    if len(tags) > _MOST_PIECES:
        return text
    closes = sum(1 for piece in tags if piece.kind == "close")
    if any(_TEMPLATE.search(p.attributes or p.source) for p in tags if p.kind in ("open", "text", "comment")):
        return text  # Source of a page rather than a page.
    if sum(1 for piece in tags if piece.kind in ("open", "close", "raw")) < _FEWEST_TAGS or not closes:
        return text
    short = _minified(tags) if keeps_html else markdown(tags)
    return f"{text[:start]}{short}{text[last:]}" if short.strip() else text


def _minified(tags: list[Piece]) -> str:
    """HTML that renders as before: no comments, no white space beyond one blank, none between blocks."""
    found: list[str] = []
    after_block = True
    closed = ""
    for piece in tags:
        if piece.kind == "comment" and not piece.source.lower().startswith(_KEPT_COMMENTS):
            continue
        if piece.kind == "text":
            words = SPACE.sub(" ", piece.source)
            if words.startswith(" ") and (after_block or found[-1].endswith((" ", "\n"))):
                words = words[1:]
            if words:
                found.append(words)
                after_block, closed = False, ""
            continue
        block = piece.kind in ("open", "close") and (piece.name in BLOCKS or piece.name in _STRUCTURE)
        if block and found and found[-1].endswith(" ") and not found[-1].startswith("<"):
            found[-1] = found[-1][:-1]
        following = ("/" if piece.kind == "close" else "") + piece.name
        if following in _IMPLIED.get(closed, ()):
            found.pop()
        found.append(_raw(piece) if piece.kind == "raw" else _tag(piece.source))
        after_block = block or (piece.kind == "raw" and piece.name in ("script", "style"))
        closed = piece.name if piece.kind == "close" else ""
    if closed == "html":
        found.pop()
    return "".join(found)


_KEPT_COMMENTS = ("<!doctype", "<![", "<!--[if")
_IMPLIED = {
    "li": ("li", "/ul", "/ol"),
    "dt": ("dt", "dd"),
    "dd": ("dt", "dd", "/dl"),
    "td": ("td", "th", "/tr"),
    "th": ("td", "th", "/tr"),
    "tr": ("tr", "/tbody", "/thead", "/table"),
    "option": ("option", "/select"),
    "p": (
        "p",
        "div",
        "ul",
        "ol",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "/div",
        "/section",
        "/article",
        "/main",
        "/body",
    ),
    "head": ("body",),
    "body": ("/html",),
}
"""End tags that HTML lets one leave out, by what follows them at once."""


def _tag(source: str) -> str:
    """A tag with one blank between its attributes, and without quotation marks that aren't needed."""
    if len(source) > _LONGEST_TAG or source.startswith("</"):
        return source
    parts = _VALUES.split(source)
    for at, part in enumerate(parts):
        if at % 2 == 0:
            parts[at] = SPACE.sub(" ", part)
        elif _BARE.fullmatch(part[1:-1]) and part[-2] != "/":
            parts[at] = part[1:-1]
    return "".join(parts).replace(" >", ">")


def _raw(piece: Piece) -> str:
    """Style sheets and scripts without indentation; what may hold a text of several lines stays."""
    inside = piece.inside
    if piece.name == "style" and not any(mark in inside for mark in "\"'\\"):
        short = _AROUND.sub(r"\1", SPACE.sub(" ", inside)).strip()
    elif piece.name == "script" and "`" not in inside and "\\\n" not in inside:
        short = "\n".join(line.strip() for line in inside.split("\n") if line.strip())
    else:
        return piece.source
    start = piece.source.index(">") + 1 if ">" not in piece.attributes else 0
    return _tag(piece.source[:start]) + short + piece.source[start + len(inside) :] if start else piece.source


_STRUCTURE = frozenset(
    {"ul", "ol", "li", "table", "thead", "tbody", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "br",
     "hr", "head", "meta", "link", "title", "nav", "footer", "aside", "form", "script", "style"}
)  # fmt: skip


RULE = Rule("html", _apply, frozenset({"strong"}))
