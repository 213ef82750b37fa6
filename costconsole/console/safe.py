"""The only way from data to a widget.

Strings given to Textual's widgets are markup: data in them could crash the console or act. So every piece
of text that a widget shows is a `Content`, and it is made here, from text that `domain.text.visible` made
harmless. An ink is a name such as `muted` or `bad` (`widgets.painted.INKS`); themes decide how it looks.
"""

from __future__ import annotations

from textual.content import Content

from costconsole.domain.text import visible


def safe(text: object, ink: str = "") -> Content:
    """One harmless line. `text` may be anything; newlines show as ⏎."""
    return _content(visible(str(text)), ink)


def safe_block(text: object, ink: str = "") -> Content:
    """Harmless text that keeps its line breaks."""
    return _content(visible(str(text), multiline=True), ink)


def join(*parts: Content, between: str = "") -> Content:
    """Several contents in a row, with plain text between them."""
    return _content(between, "").join(parts)


def _content(text: str, ink: str) -> Content:
    return Content.styled(text, f".ink--{ink}") if ink else Content(text)
