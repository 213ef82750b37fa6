"""Two pages that show a little of everything that pages may do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from costconsole.console.page import Export, Page
from costconsole.console.pages import PageEntry
from costconsole.console.palette import Command
from costconsole.console.widgets.table import Column, LiveTable, Row
from costconsole.domain.figures import LedgerView
from costconsole.domain.format import count


class ListPage(Page):
    BINDING_GROUP_TITLE = "List"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "drop", "drop", id="list.drop"),
        Binding("b", "boom", "break", id="list.boom"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[LedgerView] = []
        self.links: list[str] = []

    def compose(self) -> ComposeResult:
        columns = [Column("model", "model", 20, flex=True), Column("calls", "calls", 9, "right", sort=True)]
        yield LiveTable(columns, sort="calls", empty="no calls yet", id="list")
        yield LiveTable(columns, id="other")

    def show(self, view: LedgerView) -> None:
        self.shown.append(view)
        self.query_one("#list", LiveTable).update_rows(
            [
                Row(s.value, (s.value, count(s.figures.calls)), (s.value, s.figures.calls))
                for s in view.by.get("model", ())
            ]
        )

    def show_link(self, link: object) -> None:
        self.links.append(getattr(link, "state", ""))

    def why_not(self, action: str) -> str:
        return "read-only" if action == "drop" and not self.console_app.link.writable else ""

    def action_drop(self) -> None:
        self.say("dropped")

    def action_boom(self) -> None:
        raise RuntimeError("boom redis://admin:hunter2@prod:6379")

    def exportable(self) -> Export:
        rows = [(s.value, s.figures.calls) for s in self.shown[-1].by["model"]]
        return Export("models", ("model", "calls"), rows)

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        key = self.query_one("#list", LiveTable).cursor_key
        if key is None:
            return None
        return ("row", json.dumps({"model": key})) if whole else ("model", key)

    def commands(self, typed: str) -> Sequence[Command]:
        if not typed.startswith("pick "):
            return ()
        return [Command(typed, lambda: self.query_one("#list", LiveTable).move_to(typed[5:]))]


class FieldPage(Page):
    BINDING_GROUP_TITLE = "Field"
    FIRST_FOCUS = "LiveTable"

    def compose(self) -> ComposeResult:
        field = Input(id="field")
        field.cursor_blink = False
        yield field
        yield LiveTable([Column("a", "a", 10)])

    def filter_widget(self) -> Widget:
        return self.query_one(Input)


PLAIN_PAGES = (
    PageEntry("overview", "1", "Overview", "tests.console.plain_pages", "ListPage"),
    PageEntry("entries", "2", "Entries", "tests.console.plain_pages", "FieldPage"),
)
"""Two small pages: tests of the frame don't depend on the real ones."""
