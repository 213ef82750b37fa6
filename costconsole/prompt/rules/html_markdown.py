"""HTML as Markdown: headings, lists, links, tables, code and words; no scripts, navigation or attributes."""

from __future__ import annotations

import html
import re

from costconsole.prompt.rules.markup import BLOCKS, SPACE, Piece, pieces

_DROPPED = frozenset(
    {"nav", "footer", "aside", "head", "form", "button", "select", "iframe", "object", "canvas"}
)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_INLINE = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`", "kbd": "`", "samp": "`", "del": "~~"}


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
        words = SPACE.sub(" ", html.unescape(source))
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
        elif name in BLOCKS:
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
        elif name in BLOCKS or (len(name) == 2 and name[0] == "h" and name[1].isdigit()):
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


def markdown(tags: list[Piece]) -> str:
    """The words of a page, in Markdown."""
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
