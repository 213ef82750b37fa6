"""HTML documents as Markdown, or as shorter HTML where the prompt speaks of HTML.

Lossy, so `strong` only: Markdown keeps the words, headings, lists, links, tables and code of a page, and
loses scripts, styles, navigation, footers and attributes.
"""

from __future__ import annotations

import html
import re
from itertools import islice

from costconsole.prompt.document import Context, Document, Rule
from costconsole.prompt.rules.markup import Piece, pieces
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
_DROPPED = frozenset(
    {"nav", "footer", "aside", "head", "form", "button", "select", "iframe", "object", "canvas"}
)
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset",
     "figcaption", "figure", "header", "html", "main", "p", "section", "summary", "center", "hgroup"}
)  # fmt: skip
_SPACE = re.compile(r"[ \t\r\n\f]+")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_VALUES = re.compile(r"((?<==)\"[^\"]*\"|(?<==)'[^']*')")
_BARE = re.compile(r"[\w.:/#%+,@-]+")
_AROUND = re.compile(r" ?([{};,>]) ?|(?<=:) ")
_LONGEST_TAG = 20_000
_INLINE = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`", "kbd": "`", "samp": "`", "del": "~~"}


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
    short = _minified(tags) if keeps_html else _markdown(tags)
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
            words = _SPACE.sub(" ", piece.source)
            if words.startswith(" ") and (after_block or found[-1].endswith((" ", "\n"))):
                words = words[1:]
            if words:
                found.append(words)
                after_block, closed = False, ""
            continue
        block = piece.kind in ("open", "close") and (piece.name in _BLOCKS or piece.name in _STRUCTURE)
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
            parts[at] = _SPACE.sub(" ", part)
        elif _BARE.fullmatch(part[1:-1]) and part[-2] != "/":
            parts[at] = part[1:-1]
    return "".join(parts).replace(" >", ">")


def _raw(piece: Piece) -> str:
    """Style sheets and scripts without indentation; what may hold a text of several lines stays."""
    inside = piece.inside
    if piece.name == "style" and not any(mark in inside for mark in "\"'\\"):
        short = _AROUND.sub(r"\1", _SPACE.sub(" ", inside)).strip()
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


class _Markdown:
    """Markdown as it is written. Text is folded; blocks are parted by blank lines, list items by newlines."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._gap = "\n\n"
        self._lists: list[int | None] = []
        self._links: list[str] = []
        self._row: list[str] | None = None
        self._cell: list[str] | None = None
        self._rows = 0
        self._space = False

    def break_(self, lines: int) -> None:
        if self._cell is not None:
            self._space = True
            return
        if len(self._gap) < lines:
            self._gap = "\n" * lines
        self._space = False

    def write(self, text: str, *, glue: bool = False) -> None:
        if self._cell is not None:
            if self._space and self._cell and not glue:
                self._cell.append(" ")
            self._cell.append(text.replace("|", "\\|"))
        else:
            if self._gap:
                if self._out:
                    self._out.append(self._gap)
            elif self._space and not glue:
                self._out.append(" ")
            self._gap = ""
            self._out.append(text)
        self._space = False

    def text(self, source: str) -> None:
        words = _SPACE.sub(" ", html.unescape(source))
        if words.startswith(" "):
            self._space = True
        body = words.strip(" ")
        if body:
            self.write(body)
            self._space = words.endswith(" ")

    def raw(self, piece: Piece) -> None:
        if piece.name in ("pre", "textarea", "xmp"):
            code = html.unescape("".join(p.source for p in pieces(piece.inside) if p.kind in ("text", "raw")))
            code = code.strip("\n").rstrip()
            if code:
                ticks = "`" * max(3, *(len(run) + 1 for run in re.findall(r"`+", code) or [""]))
                self.break_(2)
                self.write(f"{ticks}\n{code}\n{ticks}")
                self.break_(2)

    def open(self, piece: Piece) -> None:
        name = piece.name
        if name in _INLINE:
            self.write(_INLINE[name])
            self._space = False
            self._glue()
        elif name in ("ul", "ol"):
            self.break_(1 if self._lists else 2)
            self._lists.append(0 if name == "ol" else None)
        elif name == "li":
            self._item()
        elif len(name) == 2 and name[0] == "h" and name[1] in "123456":
            self.break_(2)
            self.write("#" * int(name[1]))
            self._space = True
        elif name == "br":
            self.break_(1)
        elif name == "hr":
            self.break_(2)
        elif name == "img":
            alt = _ALT.search(piece.attributes)
            words = html.unescape(alt[1] or alt[2] or "").strip() if alt else ""
            if words:
                self.write(f"[{words}]")
        elif name == "a":
            href = _HREF.search(piece.attributes)
            target = html.unescape(next((g for g in href.groups() if g), "")) if href else ""
            keeps = bool(target) and not target.startswith(("#", "javascript:"))
            self._links.append(target if keeps else "")
            if keeps:
                self.write("[")
                self._glue()
        elif name == "table":
            self.break_(2)
            self._rows = 0
        elif name == "tr":
            self._row = []
        elif name in ("td", "th") and self._row is not None:
            self._finish_cell()
            self._cell = []
        elif name in _BLOCKS:
            self.break_(2)

    def close(self, piece: Piece) -> None:
        name = piece.name
        if name in _INLINE:
            self.write(_INLINE[name], glue=True)
        elif name in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.break_(1 if self._lists else 2)
        elif name == "a" and self._links:
            target = self._links.pop()
            if target:
                self.write(f"]({target})", glue=True)
        elif name in ("td", "th"):
            self._finish_cell()
        elif name in ("tr", "table"):
            self._finish_row()
            if name == "table":
                self.break_(2)
        elif name in _BLOCKS or (len(name) == 2 and name[0] == "h" and name[1].isdigit()):
            self.break_(2)

    def result(self) -> str:
        self._finish_row()
        return "".join(self._out).strip()

    def _glue(self) -> None:
        self._space = False

    def _item(self) -> None:
        self.break_(1)
        if not self._lists:
            self._lists.append(None)
        number = self._lists[-1]
        depth = min(len(self._lists) - 1, 8)
        if number is None:
            self.write("  " * depth + "-")
        else:
            self._lists[-1] = number + 1
            self.write(f"{'  ' * depth}{number + 1}.")
        self._space = True

    def _finish_cell(self) -> None:
        if self._cell is not None and self._row is not None:
            self._row.append("".join(self._cell).strip())
        self._cell = None
        self._space = False

    def _finish_row(self) -> None:
        self._finish_cell()
        row, self._row = self._row, None
        if not row or not any(row):
            return
        self._rows += 1
        self.break_(1)
        self.write(f"|{'|'.join(row)}|")
        if self._rows == 1:
            self.break_(1)
            self.write("|" + "-|" * len(row))


def _markdown(tags: list[Piece]) -> str:
    page = _Markdown()
    dropped: str = ""
    depth = 0
    for piece in tags:
        if dropped:
            if piece.name == dropped:
                depth += 1 if piece.kind == "open" else -1 if piece.kind == "close" else 0
                if depth <= 0:
                    dropped = ""
            continue
        if piece.kind == "text":
            page.text(piece.source)
        elif piece.kind == "raw":
            page.raw(piece)
        elif piece.kind == "open":
            if piece.name in _DROPPED and _is_closed(tags, piece.name):
                dropped, depth = piece.name, 1
            else:
                page.open(piece)
        elif piece.kind == "close":
            page.close(piece)
    return page.result()


def _is_closed(tags: list[Piece], name: str) -> bool:
    return any(piece.kind == "close" and piece.name == name for piece in reversed(tags))


RULE = Rule("html", _apply, frozenset({"strong"}))
