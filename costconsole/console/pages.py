"""The registry of pages: to add one, add a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from textual.binding import Binding

from costconsole.console.page import Page


@dataclass(frozen=True, slots=True)
class PageEntry:
    """Where a page is; its module is imported on the first visit."""

    name: str
    key: str
    title: str
    module: str
    class_name: str

    def load(self) -> type[Page]:
        found = getattr(import_module(self.module), self.class_name)
        assert isinstance(found, type)
        assert issubclass(found, Page)
        return found


PAGES = (
    PageEntry("overview", "1", "Overview", "costconsole.console.screens.overview", "OverviewPage"),
    PageEntry("entries", "2", "Entries", "costconsole.console.screens.entries", "EntriesPage"),
    PageEntry("lab", "3", "Lab", "costconsole.console.screens.lab", "LabPage"),
    PageEntry("thresholds", "4", "Thresholds", "costconsole.console.screens.thresholds", "ThresholdsPage"),
    PageEntry("routing", "5", "Routing", "costconsole.console.screens.routing", "RoutingPage"),
    PageEntry("health", "8", "Health", "costconsole.console.screens.health", "HealthPage"),
)


def page_bindings(entries: Sequence[PageEntry]) -> list[Binding]:
    """The keys that go to pages."""
    return [
        Binding(entry.key, f"page('{entry.name}')", entry.title, show=False, id=f"page.{entry.name}")
        for entry in entries
    ]
