"""What a page is: one of the numbered screens between the tabs and the footer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from costconsole.console.app import CostConsoleApp
    from costconsole.console.palette import Command
    from costconsole.console.source import Link, Source
    from costconsole.domain.figures import LedgerView


@dataclass(frozen=True, slots=True)
class Export:
    """What `e` writes: raw values, so that a spreadsheet can count with them."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]] = field(default_factory=tuple)


class Page(Widget):
    """A page is mounted when it is first visited and kept, with its state, until the console ends.

    The console calls `show` with the newest figures while the page is on screen, no modal covers it and it
    isn't paused; `show_link` whenever the connection's state changes. While figures are old, an ancestor has
    the class `-stale`. Bindings carry ids (`overview.chart`), so that they can be rebound and listed.
    """

    TITLE: ClassVar[str] = ""
    KEY: ClassVar[str] = ""
    FIRST_FOCUS: ClassVar[str] = ""
    """Selector of the widget that has the focus on the first visit; the first focusable one if empty."""

    FILTER_WORD: ClassVar[str] = "filter"
    """What `/` does here, as the footer says it."""

    DEFAULT_CSS = "Page { width: 1fr; height: 1fr; }"

    @property
    def console_app(self) -> CostConsoleApp:
        from costconsole.console.app import CostConsoleApp

        app = self.app
        assert isinstance(app, CostConsoleApp)
        return app

    @property
    def source(self) -> Source:
        return self.console_app.source

    def show(self, view: LedgerView) -> None:
        """Draw these figures."""

    def show_link(self, link: Link) -> None:
        """The connection's state changed."""

    def on_reveal(self) -> None:
        """The page came on screen. (When it leaves, Textual sends its `Hide` event.)"""

    def look_again(self) -> None:
        """`ctrl+r`: read anew what isn't read with every refresh."""

    def back(self) -> bool:
        """`Esc`: leave one level (a filter, a detail). True when there was one to leave."""
        return False

    def filter_widget(self) -> Widget | None:
        """What `/` focuses."""
        return None

    def exportable(self) -> Export | None:
        """The current view as a table, or None when there is nothing to export."""
        return None

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        """What `y` (or `Y`: the whole row, as JSON) copies: (what it is, the text)."""
        return None

    def why_not(self, action: str) -> str:
        """Why `action` (of this page's bindings) can't be done now, in a few words; empty when it can.

        Its key is then dimmed in the footer, and says why when it is pressed. Call `refresh_bindings` when
        an answer has changed.
        """
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if self.why_not(action) else True

    def commands(self, typed: str) -> Sequence[Command]:
        """Commands for the palette made from what was typed, such as `search refund`."""
        return ()

    def say(self, text: Content | str, *, bad: bool = False) -> None:
        """Tell the user something in the footer's place, for a few seconds."""
        self.console_app.say(text, bad=bad)
