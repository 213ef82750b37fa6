"""Overview: are we saving, is anything wrong, what just happened?"""

from __future__ import annotations

import asyncio
import json
from datetime import tzinfo
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widget import Widget

from costconsole.console.page import Export, Page
from costconsole.console.safe import safe
from costconsole.console.screens.call_detail import call_lines
from costconsole.console.screens.overview_charts import outcome_plot, outcome_title, spend_plot, spend_title
from costconsole.console.screens.overview_empty import empty_lines, unconnected_lines
from costconsole.console.screens.overview_export import export_calls, export_slices
from costconsole.console.screens.overview_style import STYLE
from costconsole.console.screens.overview_tables import (
    DIMENSIONS,
    TAIL_COLUMNS,
    Tail,
    of_slice,
    slice_columns,
    slice_rows,
    table_title,
)
from costconsole.console.screens.overview_tiles import Scope, tiles
from costconsole.console.screens.wrong_hits import WrongHits
from costconsole.console.source import Link
from costconsole.console.widgets.chart import Chart, legend
from costconsole.console.widgets.painted import Line, Painted, centred
from costconsole.console.widgets.table import LiveTable
from costconsole.console.widgets.tile import Tile
from costconsole.console.widgets.waterfall import Waterfall, waterfall_lines
from costconsole.domain.call import Call
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import Problem
from costconsole.domain.figures import Figures, LedgerView
from costconsole.domain.format import count
from costconsole.domain.known import Known

_NARROW, _WIDE, _TALL, _STACK = 110, 160, 44, 34
_SECOND_READING_S = 31.0
_CUT = 119
"""Characters from which a preview is only the beginning of its prompt."""
_LOOK_S = 0.5
_CHARTS = ("outcomes", "spend", "waterfall")
Mode = Literal["figures", "tail", "call", "empty"]


class OverviewPage(Page):
    """Tiles, charts and tables of one window.

    Classes say what fits: `-narrow` (below 110 columns: one chart, no tail), `-wide`, `-tall`, `-stack`
    (narrow, but with rows for the tail as well); and what is shown: `-tail`, `-call`, `-empty`.
    """

    TITLE = "Overview"
    KEY = "1"
    FIRST_FOCUS = "#by"

    BINDING_GROUP_TITLE = "Overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "next_dimension", "by", id="overview.by", tooltip="by model, route, tag or outcome"),
        Binding("t", "tail", "tail", id="overview.tail", tooltip="the newest calls on the whole page"),
        # Before the table, which scrolls with this key.
        Binding("l", "lab", "to lab", show=False, priority=True, id="overview.lab", tooltip="try its prompt"),
        Binding(
            "c", "next_chart", "chart", id="overview.chart", tooltip="the other chart, where only one fits"
        ),
        Binding("w", "wrong", "wrong", id="overview.wrong", tooltip="this hit was wrong"),
        Binding("z", "undo", "undo", show=False, id="overview.undo"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._view: LedgerView | None = None
        self._dimension = "model"
        self._drill: tuple[str, str] | None = None
        self._tail_held = False
        self._by_height = 0
        self._call: Call | None = None
        self._neighbor: CacheEntry | None = None
        self._caches: tuple[CacheInfo, ...] | None = None
        self._known: Known | None = None
        self._looking = False
        self._tail = Tail()
        self._tz: tzinfo | None = None
        self.wrong = WrongHits(self)

    def compose(self) -> ComposeResult:
        charset = self.console_app.settings.charset
        with Horizontal(id="tiles"):
            for n in range(5):
                yield Tile(id=f"tile-{n}", classes="panel")
        yield Painted(id="scope")
        with Horizontal(id="charts"):
            yield Chart(charset=charset, id="outcomes", classes="panel")
            yield Chart(charset=charset, id="spend", classes="panel")
            yield Painted(id="waterfall", classes="panel")
        with Horizontal(id="tables"):
            yield LiveTable(
                slice_columns("model"),
                sort="spend",
                id="by",
                classes="panel",
                empty="No call in this window.",
            )
            yield LiveTable(TAIL_COLUMNS, tail=True, id="tail", classes="panel", empty="No call yet.")
        yield Painted(id="empty")
        with VerticalScroll(id="call", classes="panel"):
            yield Painted(id="call-lines")

    def on_mount(self) -> None:
        self._tz = self.console_app.settings.tz
        charset = self.console_app.settings.charset
        self.set_class(charset == "ascii", "-ascii")
        self.add_class("-chart-outcomes")
        self.query_one("#tail", LiveTable).border_title = safe("Calls, newest first")
        self.query_one("#outcomes", Chart).border_subtitle = safe(
            legend((("exact", False), ("semantic", True)), charset) + "  rest: missed"
        )
        self.query_one("#spend", Chart).border_subtitle = safe(
            legend((("spend", False), ("saved", True)), charset)
        )

    # -- layout

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        narrow = width < _NARROW
        self.set_class(narrow, "-narrow")
        self.set_class(narrow and height >= _STACK, "-stack")
        self.set_class(width >= _WIDE, "-wide")
        self.set_class(not narrow and height >= _TALL, "-tall")
        for tile in self.query(Tile):
            tile.plain = narrow
        self.call_after_refresh(self._draw)

    # -- figures

    def show_link(self, link: Link) -> None:
        """Without any figures yet there is nothing to grey: what stands in their way is said instead."""
        if self._view is None:
            self.add_class("-empty")
            self.query_one("#empty", Painted).paint(lambda width, _height: unconnected_lines(link, width))

    def show(self, view: LedgerView) -> None:
        self._view = view
        self._draw()

    def _draw(self) -> None:
        view = self._view
        if view is None:
            return
        if not view.present:
            self.add_class("-empty")
            self._draw_empty(view)
            return
        if self.has_class("-empty"):
            # The panels get their sizes only now, and what is drawn depends on them.
            self.remove_class("-empty")
            self.call_after_refresh(self._draw)
        if self.has_class("-call"):
            return
        scope = self._scope(view)
        if not self.has_class("-tail"):
            self._draw_tiles(view, scope)
            self._draw_charts(view, scope)
            self._draw_by(view)
        self._draw_tail(view)

    def _scope(self, view: LedgerView) -> Scope:
        if self._drill is None:
            return Scope(view.total, view.total)
        dimension, value = self._drill
        found = (s.figures for s in view.by.get(dimension, ()) if s.value == value)
        return Scope(next(found, Figures()), view.total, dimension)

    def _draw_tiles(self, view: LedgerView, scope: Scope) -> None:
        shown = list(self.query(Tile))
        rows = 3 if self.has_class("-tall") else 2
        # There are none while the page is being taken down.
        width = shown[0].content_size.width if shown else 0
        if width:
            for tile, text in zip(shown, tiles(view, scope, width, rows), strict=True):
                tile.show(text)
        if self._drill is not None:
            dimension, value = self._drill
            name = str(safe(value)) if value else "(none)"
            line: Line = (
                (f"{dimension} {name}", "accent"),
                ("   tiles, waterfall and calls are of it alone; Esc shows all", "muted"),
            )
            self.query_one("#scope", Painted).paint([line])

    def _draw_charts(self, view: LedgerView, scope: Scope) -> None:
        settings = self.console_app.settings
        label = view.window.label
        outcomes, spend = self.query_one("#outcomes", Chart), self.query_one("#spend", Chart)
        self._title(outcomes, outcome_title(view, whole=scope.whole))
        self._title(spend, spend_title(view, whole=scope.whole))
        wider = "" if view.total.calls else " ] chooses a wider window."
        outcomes.show_plot(outcome_plot(view, self._tz), empty=f"No cache hit in the last {label}.{wider}")
        spend.show_plot(
            spend_plot(view, self._tz), empty=f"Nothing spent or saved in the last {label}.{wider}"
        )
        figures = scope.figures
        known = figures.unpriced < figures.calls or not figures.calls
        fall = Waterfall(
            figures.baseline_nano if known else None, figures.saved, figures.spend_nano if known else None
        )
        waterfall = self.query_one("#waterfall", Painted)
        self._title(waterfall, f"From baseline to spend, $ · {label}")
        missing = f"{count(figures.unpriced)} calls unpriced, not in it" if figures.unpriced else ""
        if str(waterfall.border_subtitle or "") != missing:
            waterfall.border_subtitle = safe(missing)
        waterfall.paint(lambda width, height: waterfall_lines(fall, width, height, settings.charset))

    def _draw_by(self, view: LedgerView) -> None:
        table = self.query_one("#by", LiveTable)
        self._title(table, table_title(self._dimension, view.window.label))
        rows = slice_rows(view.by.get(self._dimension, ()), self.console_app.settings.charset)
        if self._stacked:
            # As many rows as it has, and half of the room at most; the calls get the rest.
            room = self.query_one("#tables").size.height
            height = max(6, min(len(rows) + 3, room // 2))
        else:
            height = 0
        if height != self._by_height:
            self._by_height = height
            table.styles.height = height or "1fr"
        table.update_rows(rows)

    def _draw_tail(self, view: LedgerView) -> None:
        table = self.query_one("#tail", LiveTable)
        newest = self._tail.calls[0].id if self._tail.calls else None
        held = table.has_focus and table.cursor_key not in (None, newest)
        if held != self._tail_held:
            self._tail_held = held
            table.border_subtitle = safe("held; g follows again" if held else "")
        if held:
            return
        calls = view.recent
        if self._drill is not None:
            calls = tuple(call for call in calls if of_slice(call, *self._drill))
        if calls != self._tail.calls:
            self._tail = Tail(calls, self._tz, self._tail)
            table.update_rows(self._tail)

    @property
    def _stacked(self) -> bool:
        """Whether the two tables stand one above the other."""
        return self.has_class("-stack") or not (self.has_class("-narrow") or self.has_class("-wide"))

    def _title(self, widget: Widget, title: str) -> None:
        if str(widget.border_title or "") != title:
            widget.border_title = safe(title)

    # -- no ledger

    def _draw_empty(self, view: LedgerView) -> None:
        if self.console_app.settings.origins.get("redis_url") == "demo":
            words = "The first calls are on their way."
            self.query_one("#empty", Painted).paint(lambda width, height: centred(words, width, height))
            return
        if not self._looking:
            self._looking = True
            self.run_worker(self._find_caches(), group="caches", exit_on_error=False)
        link = self.source.link
        caches, known, looked = self._caches, self._known, self.source.looked
        self.query_one("#empty", Painted).paint(
            lambda width, height: empty_lines(
                link.label, view.namespace, caches, width, known=known, looked=looked, height=height
            )
        )

    async def _find_caches(self) -> None:
        try:
            self._caches = await self.source.caches()
            while self.source.looked.running:
                # Every view draws how far it is; it may take many seconds.
                self._draw()
                await asyncio.sleep(_LOOK_S)
                self._caches = await self.source.caches()
            self._draw()
            self._known = await self.source.known()
        except Problem as problem:
            self.say(safe(str(problem)), bad=True)
            # The next view that comes has them looked for again.
            self._looking = self._caches is not None
            return
        self._draw()
        if self._known is not None and any(not one.counted for one in self._known.figures):
            # An estimate needs a second reading; more of them would only cost the server.
            self.set_timer(_SECOND_READING_S, self._read_again)

    def _read_again(self) -> None:
        if self._view is not None and not self._view.present:
            self.run_worker(self._find_known(), group="caches", exit_on_error=False)

    async def _find_known(self) -> None:
        try:
            self._known = await self.source.known()
        except Problem:
            # What was known before stays; the header says how the connection is.
            return
        self._draw()

    # -- keys

    def action_next_dimension(self) -> None:
        self._dimension = DIMENSIONS[(DIMENSIONS.index(self._dimension) + 1) % len(DIMENSIONS)]
        table = self.query_one("#by", LiveTable)
        table.set_columns(slice_columns(self._dimension))
        if self._view is not None and self._view.present:
            self._draw_by(self._view)

    def action_next_chart(self) -> None:
        now = next(name for name in _CHARTS if self.has_class(f"-chart-{name}"))
        following = _CHARTS[(_CHARTS.index(now) + 1) % len(_CHARTS)]
        self.remove_class(f"-chart-{now}")
        self.add_class(f"-chart-{following}")

    async def action_lab(self) -> None:
        """Take the prompt of the open call, or of the one under the tail's cursor, to the Lab."""
        call = self._call or self._tail.call(self.query_one("#tail", LiveTable).cursor_key or "")
        if call is None:
            self.say("there is no call under the cursor")
        elif not call.preview:
            self.say("nothing is kept of this call's prompt: prompts = preview or full keeps it")
        else:
            await self.console_app.open_lab(call.preview, model=call.requested_model or call.model)
            if len(call.preview) >= _CUT:
                self.say("what is kept of this prompt is its beginning; prompts = full keeps more")

    def action_tail(self) -> None:
        self.toggle_class("-tail")
        self.query_one("#tail" if self.has_class("-tail") else "#by", LiveTable).focus()
        self.call_after_refresh(self._draw)

    def action_wrong(self) -> None:
        """Mark the hit of the open call, or of the one under the tail's cursor."""
        tail = self.query_one("#tail", LiveTable)
        call = self._call
        if call is None and not (tail.has_focus or self.has_class("-tail")):
            self.say("choose a call first: t shows the newest calls")
            return
        self.wrong.mark_call(call or self._tail.call(tail.cursor_key or ""))

    def action_undo(self) -> None:
        if self.wrong.can_undo:
            self.wrong.undo()
        else:
            self.say("nothing was marked as wrong here that could be taken back")

    def why_not(self, action: str) -> str:
        if action in ("wrong", "undo"):
            return self.wrong.why_not()
        if self.has_class("-empty"):
            return "there are no figures yet"
        if action in ("next_chart", "next_dimension", "tail") and self.has_class("-call"):
            return "a call is open; Esc goes back"
        if action == "next_chart" and self.has_class("-tail"):
            return "the tail is open; Esc goes back"
        if action == "next_chart" and not self.has_class("-narrow"):
            return "all charts are on screen"
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "lab" and self._call is None and not self._on_tail():
            return False  # There its key scrolls.
        own = ("next_chart", "next_dimension", "tail", "wrong", "undo")
        return None if action in own and self.why_not(action) else True

    def back(self) -> bool:
        if self.has_class("-call"):
            self.remove_class("-call")
            self._call = None
            self.query_one("#tail", LiveTable).focus()
        elif self.has_class("-tail"):
            self.action_tail()
        elif self._drill is not None:
            self._drill = None
            self.remove_class("-drilled")
        else:
            return False
        self.call_after_refresh(self._draw)
        return True

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        if event.table.id == "by":
            self._drill = (self._dimension, event.key)
            self.add_class("-drilled")
            self._draw()
        elif (call := self._tail.call(event.key)) is not None:
            self._open_call(call)

    # -- one call

    def _open_call(self, call: Call) -> None:
        self._call, self._neighbor = call, None
        self.add_class("-call")
        self.query_one("#call", VerticalScroll).border_title = safe(f"Call {call.id}")
        self.query_one("#call", VerticalScroll).focus()
        self.call_after_refresh(self._draw_call)
        if call.neighbor:
            self.run_worker(self._read_neighbor(call), group="neighbor", exclusive=True, exit_on_error=False)

    async def _read_neighbor(self, call: Call) -> None:
        try:
            found = await self.source.search.entry(call.neighbor)
        except Exception:
            # Gone, or of a cache that can't be read: its key stays on screen.
            return
        if self._call is call:
            self._neighbor = found
            self._draw_call()

    def _draw_call(self) -> None:
        if self._call is None:
            return
        call, neighbor, settings = self._call, self._neighbor, self.console_app.settings
        scroll = self.query_one("#call", VerticalScroll)
        width = max(20, scroll.scrollable_content_region.width)
        lines = call_lines(call, width, self._tz, settings.charset, neighbor)
        painted = self.query_one("#call-lines", Painted)
        painted.styles.height = len(lines)
        painted.paint(lines)

    # -- copying and exporting

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        table = self.query_one("#tail" if self._on_tail() else "#by", LiveTable)
        if self._call is not None:
            return self._copy_call(self._call, whole=whole)
        key = table.cursor_key
        if key is None or self._view is None:
            return None
        if table.id == "tail":
            call = self._tail.call(key)
            return None if call is None else self._copy_call(call, whole=whole)
        if not whole:
            return self._dimension, key
        export = export_slices(self._dimension, self._view.by.get(self._dimension, ()))
        row = next((row for row in export.rows if row[0] == key), None)
        return (
            None
            if row is None
            else (f"{self._dimension} row", json.dumps(dict(zip(export.columns, row, strict=True))))
        )

    def _copy_call(self, call: Call, *, whole: bool) -> tuple[str, str]:
        return ("call", json.dumps(call.to_fields())) if whole else ("call id", call.id)

    def _on_tail(self) -> bool:
        return self.has_class("-tail") or self.query_one("#tail").has_focus

    def exportable(self) -> Export | None:
        if self._view is None or not self._view.present:
            return None
        if self._on_tail():
            return export_calls(self._view.recent)
        return export_slices(self._dimension, self._view.by.get(self._dimension, ()))
