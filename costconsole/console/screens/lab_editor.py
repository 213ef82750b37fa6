"""Where a prompt is written: an editor that stays quick and harmless whatever is pasted into it."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.message import Message
from textual.widgets import TextArea

from costconsole.domain.text import visible

FOLDED_FROM = 4_000
"""Characters from which a pasted text is held beside the editor, with a line in its place: what has to be
folded into rows and drawn with every key must stay small."""
_LONGEST_LINE = 1_000
_MARK = re.compile(r"\[pasted text (\d+): [\d,]+ characters[^\]\n]*\]")
_NAMED = frozenset({"slash", "space", "minus", "plus"})


class PromptArea(TextArea):
    """The prompt. `prompt` is all of it, with the texts that its lines stand for."""

    BINDING_GROUP_TITLE = "Prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "to the steps", id="lab.leave"),
    ]

    class Left(Message):
        """The user leaves the editor."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            id=id,
            classes=classes,
        )
        self.cursor_blink = False
        self._folded: dict[int, str] = {}

    @property
    def prompt(self) -> str:
        """The whole prompt."""
        if not self._folded:
            return self.text
        return _MARK.sub(lambda mark: self._folded.get(int(mark.group(1)), mark.group()), self.text)

    @property
    def length(self) -> int:
        """Characters of the whole prompt."""
        text = self.text
        found = len(text)
        for mark in _MARK.finditer(text) if self._folded else ():
            held = self._folded.get(int(mark.group(1)))
            found += len(held) - len(mark.group()) if held is not None else 0
        return found

    def load(self, prompt: str) -> None:
        """Show another prompt, with the cursor at its end."""
        self._folded.clear()
        self.load_text(self._shown(prompt))
        self.move_cursor(self.document.end)

    def unfold(self) -> bool:
        """Bring a folded text back into the editor as far as it may be shown; False if there is none."""
        if not self._folded:
            return False
        for held in self._folded.values():
            if _is_large(held) or not _is_plain(held):
                return False
        self.load_text(self.prompt)
        self._folded.clear()
        return True

    def _shown(self, text: str) -> str:
        """What stands in the editor for a text: itself, or a line that tells of it."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not _is_large(text) and _is_plain(text):
            return text
        number = max(self._folded, default=0) + 1
        self._folded[number] = text
        hidden = "" if _is_plain(text) else ", some not shown"
        return f"[pasted text {number}: {len(text):,} characters{hidden}]"

    async def _on_paste(self, event: Paste) -> None:
        if self.read_only:
            return
        event.stop()
        event.prevent_default()
        if result := self._replace_via_keyboard(self._shown(event.text), *self.selection):
            self.move_cursor(result.end_location)

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def check_consume_key(self, key: str, character: str | None = None) -> bool:
        """Every sign is typed, also those whose keys have names."""
        return super().check_consume_key(key, character) or key in _NAMED


def _is_large(text: str) -> bool:
    return len(text) >= FOLDED_FROM or any(len(line) > _LONGEST_LINE for line in text.split("\n"))


def _is_plain(text: str) -> bool:
    """Whether a text may go to the terminal as it is."""
    return visible(text, multiline=True) == text.replace("\t", "    ")
