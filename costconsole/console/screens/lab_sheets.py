"""What the Lab asks before it acts, and the list of prompts that were tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from costconsole.console.lab_history import Tried
from costconsole.console.safe import safe
from costconsole.console.screens.entries_query import LineInput
from costconsole.console.screens.entries_wrap import wrap_text
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.columns import Column, Row
from costconsole.console.widgets.painted import Line, Painted
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.format import clock_minute, date
from costconsole.domain.text import first_words, visible


class AskSheet(Sheet):
    """Says what would be done, and asks once. No is what happens by default."""

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Store"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="lab_ask.yes"),
        Binding("n,enter,q", "close", "no", id="lab_ask.no"),
    ]
    DEFAULT_CSS = "AskSheet #facts { height: 1fr; }"

    def __init__(self, title: str, facts: Sequence[str], confirmed: Callable[[], None]) -> None:
        super().__init__()
        self._question, self._facts, self._confirmed = title, tuple(facts), confirmed

    def compose(self) -> ComposeResult:
        yield Static(safe(self._question, "accent"), classes="sheet-title")
        yield Painted(id="facts")

    def on_mount(self) -> None:
        self.query_one("#facts", Painted).paint(self._lines)

    def _lines(self, width: int, _height: int) -> list[Line]:
        lines: list[Line] = []
        for fact in self._facts:
            lines += wrap_text(visible(fact), max(20, width))
        blank: Line = ()
        ask: Line = (("y", "accent"), (" yes   ", "text"), ("n", "accent"), (" no (Enter)", "text"))
        return [*lines, blank, ask]

    def action_yes(self) -> None:
        self.dismiss()
        self._confirmed()


class CompareSheet(Sheet):
    """Asks for the model that another one is compared with."""

    AUTO_FOCUS = "#other"
    DEFAULT_CSS = """
    CompareSheet #other { width: 50; }
    CompareSheet #known { height: 1fr; margin-top: 1; }
    """

    def __init__(
        self, left: str, models: Sequence[str], proposed: str, chosen: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._left, self._models = left, [model for model in models if model != left]
        self._proposed, self._chosen = proposed, chosen

    def compose(self) -> ComposeResult:
        yield Static(safe(f"Compare {self._left} with", "accent"), classes="sheet-title")
        other = LineInput(self._proposed, id="other")
        other.suggester = SuggestFromList([visible(model) for model in self._models])
        yield other
        yield Painted(id="known")

    def on_mount(self) -> None:
        self.query_one("#known", Painted).paint(self._lines)

    def _lines(self, width: int, _height: int) -> list[Line]:
        words = "Enter asks both; Esc keeps to one. Known here: " + ", ".join(self._models)
        return wrap_text(visible(words), max(20, width), "muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        model = event.value.strip()
        if model:
            self.dismiss()
            self._chosen(model)


class HistorySheet(Sheet):
    """The prompts that were tried, newest first; Enter takes one."""

    AUTO_FOCUS = "#tried"
    BINDING_GROUP_TITLE = "Tried prompts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "back", show=False, id="lab_history.close"),
    ]
    COLUMNS = (
        Column("at", "when", 11),
        Column("model", "model", 20, drop=1),
        Column("prompt", "prompt", 20, flex=True),
    )

    def __init__(
        self, tried: Sequence[Tried], tz: tzinfo | None, why_none: str, chosen: Callable[[Tried], None]
    ) -> None:
        super().__init__()
        self._tried = {str(number): one for number, one in enumerate(tried)}
        self._tz, self._why_none, self._chosen = tz, why_none, chosen

    def compose(self) -> ComposeResult:
        yield Static(
            safe("Prompts that were tried   enter takes one   esc back", "accent"), classes="sheet-title"
        )
        yield LiveTable(self.COLUMNS, id="tried", empty=self._why_none)

    def on_mount(self) -> None:
        self.query_one(LiveTable).update_rows(
            [
                Row(
                    key,
                    (
                        f"{date(one.at_ms, self._tz)} {clock_minute(one.at_ms, self._tz)}",
                        first_words(one.model or "the usual", 60),
                        first_words(one.prompt, 300),
                    ),
                )
                for key, one in self._tried.items()
            ]
        )

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        self.dismiss()
        self._chosen(self._tried[event.key])
