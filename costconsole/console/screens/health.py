"""Health: is what is cached in good order, and what should be done about what isn't?"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize

from costconsole.console.page import Export, Page
from costconsole.console.safe import safe
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.health_words import COLUMNS, detail_lines, ended_words, rows, summary
from costconsole.console.source import Link
from costconsole.console.widgets.painted import centred
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem
from costconsole.domain.figures import LedgerView
from costconsole.domain.text import visible
from costconsole.health.finding import Finding, worst_first

_NARROW = 110


class HealthPage(Page):
    """Findings, worst first, and one of them in full.

    It looks once on the first visit and again when it is told to, never by itself, for it reads samples of
    all caches. `-narrow` (below 110 columns): a finding takes the place of the list, with `-open`.
    """

    TITLE = "Health"
    KEY = "8"
    FIRST_FOCUS = "#findings"
    PACE_S: ClassVar[float] = 0.4
    """While it looks, it paints so often at most."""

    BINDING_GROUP_TITLE = "Health"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "examine", "examine", id="health.examine", tooltip="look at everything again"),
    ]
    DEFAULT_CSS = """
    HealthPage {
        layout: vertical;
        .panel {
            border: round $text-disabled;
            border-title-color: $text-muted;
            border-subtitle-color: $text-muted;
        }
        &.-ascii .panel { border: ascii $text-disabled; }
        LiveTable:focus, Reader:focus { border: round $accent; border-title-color: $foreground; }
        &.-ascii LiveTable:focus, &.-ascii Reader:focus { border: ascii $accent; }
        #body { height: 1fr; }
        #findings { width: 7fr; }
        #finding { width: 5fr; height: 1fr; padding: 0 1; }
        &.-narrow #finding { display: none; }
        &.-narrow.-open #findings { display: none; }
        &.-narrow.-open #finding { display: block; width: 1fr; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._findings: list[Finding] = []
        self._by_row: dict[str, Finding] = {}
        self._run: asyncio.Task[None] | None = None
        self._shown: tuple[Finding, int] | None = None
        self._live = False
        self._told_s = self._shown_s = 0.0

    # -- parts

    def compose(self) -> ComposeResult:
        with Horizontal(id="body"):
            yield LiveTable(COLUMNS, id="findings", classes="panel", empty="Looking…")
            yield Reader(id="finding", classes="panel")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        self._table.border_title = safe("Findings, worst first")
        self._reader.border_title = safe("Finding")
        self._table.set_empty("Waiting for the connection: this page looks as soon as it is live.")
        self._show_finding()

    def on_unmount(self) -> None:
        if self._run is not None:
            self._run.cancel()

    @property
    def _table(self) -> LiveTable:
        return self.query_one("#findings", LiveTable)

    @property
    def _reader(self) -> Reader:
        return self.query_one("#finding", Reader)

    def on_resize(self, event: Resize) -> None:
        narrow = event.size.width < _NARROW
        self.set_class(narrow, "-narrow")
        if not narrow:
            self.remove_class("-open")

    # -- looking

    @property
    def busy(self) -> bool:
        """Whether it is looking."""
        return self._run is not None

    async def settle(self) -> None:
        """Wait until it has looked."""
        while self._run is not None:
            await asyncio.wait({self._run})

    def show_link(self, link: Link) -> None:
        was, self._live = self._live, link.state == "live"
        self.refresh_bindings()
        if self._live and not was and not self._findings:
            self._examine()

    def show(self, view: LedgerView) -> None:
        """Nothing here moves with the figures."""

    def look_again(self) -> None:
        if not self.why_not("examine"):
            self._examine()

    def action_examine(self) -> None:
        self._examine()

    def _examine(self) -> None:
        if self._run is None:
            self._told_s = self._shown_s = 0.0
            self._run = asyncio.create_task(self._look(first=not self._findings), name="health")
            self.refresh_bindings()

    async def _look(self, *, first: bool) -> None:
        """One run. The first one shows what it finds as it goes; later ones replace what is shown."""
        found: list[Finding] = []
        ended, stopped = "", False
        self._table.set_empty("Looking…  Esc stops.")
        self._progress("begins")
        try:
            async for finding in self.source.examine(self._progress):
                found.append(finding)
                now = asyncio.get_running_loop().time()
                if first and now - self._shown_s >= type(self).PACE_S:
                    self._shown_s = now
                    self._show_findings(found)
        except asyncio.CancelledError:
            stopped = True
        except Problem as problem:
            ended = str(problem)
        except Exception as error:
            ended = f"an error inside the console ({type(error).__name__})"
            asyncio.get_running_loop().call_exception_handler({"message": "health", "exception": error})
        finally:
            self._run = None
        if not self.is_attached:
            return
        if first or not (stopped or ended):
            self._show_findings(found)
        app = self.console_app
        if ended:
            self.say(ended, bad=True)
            self._table.set_empty(f"{ended}  x looks again.")
            words = f"{summary(self._findings)} · not finished: x looks again"
        elif stopped and not first:
            words = f"{summary(self._findings)} · stopped: these are the findings from before"
        else:
            words = ended_words(self._findings, app.clock(), app.tz, stopped=stopped)
            self._table.set_empty("Stopped before anything was found. x looks again.")
        self._subtitle(words)
        self.refresh_bindings()

    def _progress(self, words: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_s >= type(self).PACE_S:
            self._told_s = now
            self._subtitle(f"{words} · Esc stops")

    def _subtitle(self, words: str) -> None:
        if str(self._table.border_subtitle or "") != visible(words):
            self._table.border_subtitle = safe(words)

    # -- drawing

    def _show_findings(self, found: list[Finding]) -> None:
        self._findings = worst_first(found)
        made = rows(self._findings)
        at_top = self._table.cursor_key is None or self._table.cursor_key == next(iter(self._by_row), None)
        self._by_row = {row.key: finding for row, finding in zip(made, self._findings, strict=True)}
        self._table.update_rows(made)
        if at_top and made:
            # Whoever hasn't moved yet sees the worst.
            self._table.move_to(made[0].key)
        self._show_finding()

    def _show_finding(self) -> None:
        finding = self._by_row.get(self._table.cursor_key or "")
        reader = self._reader
        if finding is None:
            self._shown = None
            reader.paint(lambda width, height: centred("no finding chosen", width, height))
            return
        width = max(20, reader.content_size.width)
        before, self._shown = self._shown, (finding, width)
        if before != self._shown:
            # Whoever reads on while others are found keeps the place.
            same = before is not None and before[0] == finding
            reader.read(detail_lines(finding, width), keep_place=same)

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        event.stop()
        self._show_finding()

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        if self.has_class("-narrow"):
            self.add_class("-open")
        self._reader.focus()

    def on_reader_refit(self, event: Reader.Refit) -> None:
        event.stop()
        self._show_finding()

    def back(self) -> bool:
        if self._run is not None:
            self._run.cancel()
        elif self.has_class("-open") or self._reader.has_focus:
            self.remove_class("-open")
            self._table.focus()
        else:
            return False
        return True

    def why_not(self, action: str) -> str:
        if action == "examine":
            if self._run is not None:
                return "it is looking already; Esc stops"
            if not self._live:
                return "the connection isn't live"
        return ""

    # -- taking away

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        finding = self._by_row.get(self._table.cursor_key or "")
        if finding is None:
            return None
        if whole:
            return "finding", json.dumps(asdict(finding))
        if finding.evidence:
            return "evidence", "\n".join(finding.evidence)
        return "finding", finding.what

    def exportable(self) -> Export | None:
        if not self._findings:
            return None
        names = ("status", "check", "cache", "what", "count", "estimated", "next_step", "evidence")
        return Export(
            "health",
            names,
            [
                [" ".join(f.evidence) if name == "evidence" else getattr(f, name) for name in names]
                for f in self._findings
            ],
        )
