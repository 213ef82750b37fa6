"""The second line: the pages, by number."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.message import Message

from costconsole.console.widgets.painted import Line, Painted, width_of


def tab_line(tabs: Sequence[tuple[str, str]], active: str) -> Line:
    """Pairs of key and title in a row; the active one is marked by more than colour."""
    line: Line = ((" ", "text"),)
    for key, title in tabs:
        if key == active:
            line = (*line, (f" {key} {title} ", "tab"))
        else:
            line = (*line, (f" {key}", "accent"), (f" {title} ", "muted"))
    return line


class Tabs(Painted):
    """Shows the pages; a click goes to one."""

    class Chosen(Message):
        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, tabs: Sequence[tuple[str, str]]) -> None:
        super().__init__(id="tabs")
        self._tabs = tuple(tabs)

    def show(self, active: str) -> None:
        self.paint((tab_line(self._tabs, active),))

    def on_click(self, event: Click) -> None:
        x = 1
        for key, title in self._tabs:
            x += width_of(((f" {key} {title} ", ""),))
            if event.x < x:
                self.post_message(self.Chosen(key))
                return
