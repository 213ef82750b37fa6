"""Markdown as inked lines: nothing in it can be clicked, opened or interpreted.

The text is made harmless before it is parsed and again after, HTML is shown as it stands, and entities are
not decoded: what is hidden behind them stays text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from rich.cells import cell_len

from costconsole.console.screens.entries_wrap import cut, prefixed, wrap, wrap_text
from costconsole.console.widgets.painted import Line, Span, fit
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST = 20_000
"""Characters up to which a text is read as Markdown: parsing hostile ones takes more than linear time."""


def markdown_lines(text: str, width: int) -> list[Line]:
    """A text as lines of at most `width` cells; longer than `LONGEST` it is shown unparsed."""
    text = visible(text, multiline=True).strip("\n")
    if len(text) > LONGEST:
        return wrap_text(text, width)
    try:
        tokens = _parser().parse(text)
    except RecursionError:
        return wrap_text(text, width)
    return _Writer(max(8, width)).write(tokens)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    # Without `reference`, definitions of links are shown: they would vanish from the text.
    return parser.enable("table").disable(["entity", "html_block", "html_inline", "autolink", "reference"])


class _Writer:
    """Writes block tokens; `_levels` are the prefixes of the quotes and list items around them."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lines: list[Line] = []
        self._levels: list[tuple[Line, Line]] = []
        self._numbers: list[int | None] = []
        self._tight = True
        self._heading = False

    def write(self, tokens: Sequence[Token]) -> list[Line]:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
                self._gap()
                self._put(_table(tokens[at:end], self._room))
                at = end
            else:
                self._block(token)
            at += 1
        return self._lines

    @property
    def _room(self) -> int:
        return max(8, self._width - sum(cell_len(t) for _, rest in self._levels for t, _ink in rest))

    def _block(self, token: Token) -> None:
        kind = token.type
        if kind in ("paragraph_open", "heading_open"):
            if not token.hidden:
                self._gap()
            self._heading = kind == "heading_open"
        elif kind == "inline":
            self._put(wrap(_inline(token, "strong" if self._heading else "text"), self._room))
        elif kind in ("fence", "code_block"):
            self._gap()
            self._put(_code(token.content, token.info, self._room))
        elif kind == "hr":
            self._gap()
            self._put([(("─" * min(24, self._room), "faint"),)])
        elif kind == "blockquote_open":
            self._gap()
            self._levels.append(((("│ ", "muted"),), (("│ ", "muted"),)))
            self._tight = True
        elif kind in ("bullet_list_open", "ordered_list_open"):
            if not self._numbers:
                self._gap()
            start = token.attrs.get("start", 1)
            self._numbers.append(int(start) if kind == "ordered_list_open" else None)
        elif kind == "list_item_open":
            number = self._numbers[-1]
            mark = "• " if number is None else f"{number}. "
            if number is not None:
                self._numbers[-1] = number + 1
            self._levels.append((((mark, "muted"),), ((" " * len(mark), "muted"),)))
            self._tight = True
        elif kind in ("list_item_close", "blockquote_close"):
            self._levels.pop()
            self._tight = False
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._numbers.pop()

    def _gap(self) -> None:
        """An empty line between blocks, but none at the beginning of an item."""
        if self._lines and not self._tight:
            self._lines.append(tuple(span for _, rest in self._levels for span in rest))

    def _put(self, lines: list[Line]) -> None:
        first = tuple(span for level, _ in self._levels for span in level)
        rest = tuple(span for _, level in self._levels for span in level)
        self._lines += prefixed(lines, first, rest)
        self._levels = [(after, after) for _, after in self._levels]
        self._tight = False


def _inline(token: Token, ink: str) -> Iterator[Span]:
    """The spans of a paragraph. A link is its text and, muted, where it leads."""
    strong = 0
    targets: list[str] = []
    for child in token.children or ():
        kind = child.type
        if kind == "text":
            yield visible(child.content), "strong" if strong else ink
        elif kind == "code_inline":
            yield f"`{visible(child.content)}`", "second"
        elif kind in ("softbreak", "hardbreak"):
            yield "\n", ink
        elif kind in ("strong_open", "strong_close"):
            strong += 1 if kind == "strong_open" else -1
        elif kind == "link_open":
            targets.append(visible(str(child.attrs.get("href", ""))))
        elif kind == "link_close":
            yield f" ({targets.pop()})", "muted"
        elif kind == "image":
            target = visible(str(child.attrs.get("src", "")))
            yield f"[image: {visible(child.content)}] ({target})", "muted"
        elif child.content:
            yield visible(child.content), ink


def _code(text: str, info: str, width: int) -> list[Line]:
    lines: list[Line] = [((f"  {visible(info.strip())}", "muted"),)] if info.strip() else []
    for row in text.rstrip("\n").split("\n"):
        row = visible(row)
        while True:
            head, row = cut(row, width - 2)
            lines.append((("  ", "text"), (head, "second")))
            if not row or not head:
                break
    return lines


def _table(tokens: Sequence[Token], width: int) -> list[Line]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append("".join(text for text, _ in _inline(token, "text")).replace("\n", " "))
    columns = max(len(row) for row in rows)
    if columns * 6 > width:  # No room for columns: rows as they are.
        return [line for row in rows for line in wrap_text(" │ ".join(row), width)]
    widths = [max((cell_len(row[n]) for row in rows if n < len(row)), default=0) for n in range(columns)]
    while sum(widths) + 3 * (columns - 1) > width and max(widths) > 3:
        widths[widths.index(max(widths))] -= 1
    lines: list[Line] = []
    for number, row in enumerate(rows):
        cells = [fit(row[n] if n < len(row) else "", widths[n]) for n in range(columns)]
        lines.append(((" │ ".join(cells), "text" if number else "strong"),))
        if not number:
            lines.append((("─┼─".join("─" * w for w in widths), "faint"),))
    return lines
