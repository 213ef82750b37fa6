"""The registry of pages: to add one, add a line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

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
    # PageEntry("entries", "2", "Entries", "costconsole.console.screens.entries", "EntriesPage"),
)
