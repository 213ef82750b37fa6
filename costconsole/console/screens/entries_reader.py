"""A panel of lines to read: scrolled by keys, drawn where it is seen, sent where it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message
from textual.widget import Widget

from costconsole.console.safe import safe
from costconsole.console.screens.entries_wrap import wrap_text
from costconsole.console.widgets.painted import Line, Painted
from costconsole.domain.text import visible


class Reader(Painted, can_focus=True, inherit_bindings=False):
    """Shows any number of lines. Post `Refit` asks for lines of another width."""

    BINDING_GROUP_TITLE = "Reading"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, what, show=False, id=f"reader.{name}")
        for keys, action, what, name in (
            ("down,j", "scroll(1)", "down", "down"),
            ("up,k", "scroll(-1)", "up", "up"),
            ("home,g", "to_end(-1)", "beginning", "first"),
            ("end,G", "to_end(1)", "end", "last"),
            ("pagedown", "page(1)", "page down", "page_down"),
            ("pageup", "page(-1)", "page up", "page_up"),
            ("ctrl+d", "half_page(1)", "half a page down", "half_down"),
            ("ctrl+u", "half_page(-1)", "half a page up", "half_up"),
        )
    ]

    class Refit(Message):
        """The width has changed."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._all: tuple[Line, ...] = ()
        self._top = 0
        self._width = 0

    def read(self, lines: Sequence[Line], *, keep_place: bool = False) -> None:
        """Show these lines, from the beginning unless told to keep the place."""
        self._all = tuple(lines)
        self._show_from(self._top if keep_place else 0)

    @property
    def whole_text(self) -> str:
        """All lines, seen or not, without inks."""
        return "\n".join("".join(text for text, _ink in line) for line in self._all)

    def _show_from(self, line: int) -> None:
        height = self.content_size.height
        last = max(0, len(self._all) - height)
        self._top = top = max(0, min(line, last))
        lines = self._all
        self.paint(lambda _width, down: lines[top : top + down])
        seen = min(len(lines), top + height)
        words = f"{seen * 100 // len(lines)} %" if last else ""
        if str(self.border_subtitle or "") != words:
            self.border_subtitle = safe(words)

    def on_resize(self, event: Resize) -> None:
        width = self.content_size.width
        if width and width != self._width:
            self._width = width
            self.post_message(self.Refit(width))
        self._show_from(self._top)

    def action_scroll(self, lines: int) -> None:
        self._show_from(self._top + lines)

    def action_to_end(self, direction: int) -> None:
        self._show_from(0 if direction < 0 else len(self._all))

    def action_page(self, direction: int) -> None:
        self._show_from(self._top + direction * max(1, self.content_size.height - 1))

    def action_half_page(self, direction: int) -> None:
        self._show_from(self._top + direction * max(1, self.content_size.height // 2))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._show_from(self._top + 3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._show_from(self._top - 3)


class Notice(Painted, can_focus=True):
    """What stands in place of a list that there isn't: it has the focus, so that the page's keys work."""


class NoteLine(Painted):
    """A sentence under the list, in one line or two."""

    def tell(self, words: str, ink: str) -> None:
        """Say this; nothing, with empty words."""
        parent = self.parent
        across = parent.size.width - 4 if isinstance(parent, Widget) else 0
        width = max(20, self.content_size.width or across)
        lines = wrap_text(visible(words), width, ink)[:2] if words else [()]
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.paint(lines)
