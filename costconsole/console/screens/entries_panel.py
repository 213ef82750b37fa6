"""The panel of one entry: read after the cursor has rested on it, with its nearest neighbours below."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from textual.app import ComposeResult
from textual.containers import Vertical

from costconsole.console.safe import safe
from costconsole.console.screens.entries_detail import (
    NEAR_COLUMNS,
    NEIGHBORS,
    entry_lines,
    gone_lines,
    near_row,
)
from costconsole.console.screens.entries_latest import Latest
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.source import Source
from costconsole.console.widgets.painted import Line, centred
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.entry import CacheEntry, Neighbor
from costconsole.domain.errors import Problem
from costconsole.domain.text import first_words

_REST_S = 0.09
"""A key that is held down repeats faster, so nothing is read until it is let go."""


@dataclass(frozen=True, slots=True)
class _Shown:
    key: str
    entry: CacheEntry | None
    lines: tuple[Line, ...]
    raised: float | None = None
    """Its own threshold, after a wrong hit."""


class EntryPanel(Vertical):
    """Shows the entry of the key that `load` was given last; `fail` gets what could not be read."""

    DEFAULT_CSS = """
    EntryPanel {
        #reader { width: 1fr; height: 1fr; padding: 0 1; }
        #near { height: 8; }
        &.-alone #near { display: none; }
    }
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], int],
        tz: tzinfo | None,
        fail: Callable[[Exception], None],
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._source = source
        self._clock = clock
        self._tz = tz
        self._fail = fail
        self.reader = Reader(id="reader", classes="panel")
        self.near = LiveTable(NEAR_COLUMNS, id="near", classes="panel", empty="no other entry is near")
        self.key: str | None = None
        self._shown: _Shown | None = None
        self._entries = Latest(
            self._read, show=self._show, fail=lambda _key, error: fail(error), rest_s=_REST_S
        )
        self._near = Latest(
            self._find_near, show=self._show_near, fail=lambda _entry, error: self._near_failed(error)
        )

    def compose(self) -> ComposeResult:
        yield self.reader
        yield self.near

    def on_mount(self) -> None:
        self.add_class("-alone")
        self.reader.border_title = safe("Entry")
        self.near.border_title = safe("Nearest in its cache")
        self.clear()

    def on_unmount(self) -> None:
        self._entries.drop()
        self._near.drop()

    @property
    def entry(self) -> CacheEntry | None:
        """The entry that is on screen, with all its fields."""
        return None if self._shown is None else self._shown.entry

    @property
    def busy(self) -> bool:
        """Whether something is being read."""
        return self._entries.busy or self._near.busy

    async def settle(self) -> None:
        """Wait until what was asked for is on screen."""
        await self._entries.settle()
        await self._near.settle()

    def load(self, key: str | None) -> None:
        """Show the entry of this key, once nothing else was asked for a moment."""
        if key == self.key:
            return
        self.key = key
        if key is None:
            self.clear()
        else:
            self._entries.ask(key)

    def again(self) -> None:
        """Read what is shown once more: it may have changed."""
        if self.key is not None:
            self._entries.ask(self.key)

    def clear(self) -> None:
        """Show that no entry is chosen."""
        self._entries.drop()
        self._near.drop()
        self.key = self._shown = None
        self.add_class("-alone")
        self.reader.border_title = safe("Entry")
        self.reader.read(())
        self.reader.paint(lambda width, height: centred("no entry chosen", width, height))

    async def _read(self, key: str) -> _Shown:
        entry = await self._source.search.entry(key)
        raised = None if entry is None else await self._source.thresholds.entry_threshold(key)
        return await self._lines_of(key, entry, raised)

    async def _lines_of(self, key: str, entry: CacheEntry | None, raised: float | None) -> _Shown:
        width = max(20, self.reader.content_size.width)
        if entry is None:
            return _Shown(key, None, tuple(gone_lines(key, width)))
        # Markdown of somebody else's making: it may take a while, and its parser is imported there.
        lines = await asyncio.to_thread(entry_lines, entry, width, self._tz, self._clock(), raised)
        return _Shown(key, entry, tuple(lines), raised)

    def _show(self, key: str, shown: _Shown) -> None:
        same = self._shown is not None and self._shown.key == key
        self._shown = shown
        entry = shown.entry
        title = "Entry" if entry is None else f"Entry · {first_words(entry.cache, 60)}"
        if str(self.reader.border_title or "") != title:
            self.reader.border_title = safe(title)
        self.reader.read(shown.lines, keep_place=same)
        if same:
            return
        if entry is None:
            self.add_class("-alone")
        else:
            self._near.ask(entry)

    def on_reader_refit(self, event: Reader.Refit) -> None:
        """The panel has another width: fold the lines anew."""
        event.stop()
        if self._shown is not None:
            self.run_worker(self._fold(self._shown), group="fold", exclusive=True, exit_on_error=False)

    async def _fold(self, shown: _Shown) -> None:
        again = await self._lines_of(shown.key, shown.entry, shown.raised)
        if self._shown is shown:
            self._shown = again
            self.reader.read(again.lines, keep_place=True)

    # -- neighbours

    async def _find_near(self, entry: CacheEntry) -> tuple[Neighbor, ...]:
        return await self._source.search.neighbors(entry, NEIGHBORS)

    def _show_near(self, entry: CacheEntry, found: tuple[Neighbor, ...]) -> None:
        if entry.key != self.key:
            return
        self.set_class(not found, "-alone")
        self.near.update_rows([near_row(neighbor) for neighbor in found])
        self.near.action_to_end(-1)

    def _near_failed(self, error: Exception) -> None:
        self.add_class("-alone")
        if not isinstance(error, Problem):
            self._fail(error)
