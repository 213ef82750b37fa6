"""Thresholds: what would another one have done, and how wrong may it be?"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widget import Widget

from costconsole.console.page import Export, Page
from costconsole.console.safe import safe
from costconsole.console.screens.entries_reader import Notice, Reader
from costconsole.console.screens.thresholds_actions import ThresholdActions
from costconsole.console.screens.thresholds_charts import (
    RULES,
    errors_legend,
    errors_plot,
    no_errors_words,
    rates_legend,
    rates_plot,
    rules_of,
)
from costconsole.console.screens.thresholds_scopes import COLUMNS, ScopeTable, cache_lines, choice_of, rows_of
from costconsole.console.screens.thresholds_style import STYLE
from costconsole.console.screens.thresholds_words import (
    example_lines,
    figure_lines,
    guard_lines,
    number,
    period_lines,
    proposal_lines,
    replay_lines,
    text_words,
    title_words,
)
from costconsole.console.source import Link
from costconsole.console.threshold_view import ALL, BOUNDS, Scope, Step, ThresholdView
from costconsole.console.widgets.chart import Chart
from costconsole.console.widgets.painted import Line, centred
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem
from costconsole.domain.figures import LedgerView

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold

_NARROW, _TALL = 110, 48
_AGAIN_S = 15.0
_PANELS = ("figures", "examples", "scopes", "beside")


class ThresholdsPage(Page):
    """Two charts over the threshold with a line that keys move; figures, examples, scopes and evidence below.

    Classes say what fits: `-narrow` (below 110 columns: one panel below the charts, that of the class
    `-figures`, `-examples`, `-scopes` or `-beside`), `-tall`; and `-nothing`, while there is nothing to show.
    """

    TITLE = "Thresholds"
    KEY = "4"
    FIRST_FOCUS = "#figures"

    BINDING_GROUP_TITLE = "Thresholds"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "line down", show=False, priority=True, id="thresholds.left"),
        Binding("right", "step(1)", "line up", show=False, priority=True, id="thresholds.right"),
        Binding(
            "shift+left", "step(-5)", "line down by 5", show=False, priority=True, id="thresholds.far_left"
        ),
        Binding(
            "shift+right", "step(5)", "line up by 5", show=False, priority=True, id="thresholds.far_right"
        ),
        Binding("up,k", "scope(-1)", "scope before", show=False, priority=True, id="thresholds.up"),
        Binding("down,j", "scope(1)", "next scope", show=False, priority=True, id="thresholds.down"),
        Binding("a", "apply", "apply", id="thresholds.apply", tooltip="set the threshold to the line"),
        Binding(
            "l",
            "label",
            "label",
            priority=True,
            id="thresholds.label",
            tooltip="say of pairs whether a hit is right",
        ),
        Binding("z", "take_back", "take back", id="thresholds.undo"),
        Binding("v", "panel", "view", id="thresholds.panel", tooltip="the next panel, where one fits"),
        Binding("b", "bound", "bound", id="thresholds.bound", tooltip="1, 2, 5 or 10 % of wrong hits"),
        Binding("o", "guards", "guards", id="thresholds.guards", tooltip="see and switch the guards"),
        Binding(
            "r",
            "replay",
            "replay",
            priority=True,
            id="thresholds.replay",
            tooltip="replay the log with a cache anew",
        ),
        Binding("p", "to_proposal", "proposed", show=False, id="thresholds.proposed"),
        Binding("n", "to_current", "in force", show=False, id="thresholds.current"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._view: ThresholdView | None = None
        self._line = 0
        self._scope: Scope = ALL
        self._cache: CacheThreshold | None = None
        self._max_error = 0.02
        self._reading: asyncio.Task[None] | None = None
        self._again = False
        self._read_s = 0.0
        self._live = False
        self._words = ""
        self._actions = ThresholdActions(self, changed=self._read, told=self._told)

    # -- parts

    def compose(self) -> ComposeResult:
        charset = self.console_app.settings.charset
        with Horizontal(id="charts"):
            yield Chart(charset=charset, id="rates", classes="panel")
            yield Chart(charset=charset, id="errors", classes="panel")
        with Horizontal(id="middle"):
            yield Notice(id="figures", classes="panel")
            yield Notice(id="examples", classes="panel")
        with Horizontal(id="bottom"):
            yield ScopeTable(COLUMNS, id="scopes", classes="panel", empty="No scope yet.")
            yield Reader(id="beside", classes="panel")
        yield Notice(id="nothing")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        self.add_class("-figures", "-nothing")
        self.query_one("#scopes", ScopeTable).border_title = safe("Scopes")
        self.query_one("#beside", Reader).border_title = safe("Evidence")
        self.query_one("#examples", Notice).border_title = safe("Examples")
        self._nothing("Waiting for the connection…")

    def on_unmount(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._actions.stop()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < _NARROW, "-narrow")
        self.set_class(event.size.width >= _NARROW and event.size.height >= _TALL, "-tall")
        self._focus_panel()

    def _nothing(self, words: str) -> None:
        self.query_one("#nothing", Notice).paint(lambda width, height: centred(words, width, height))

    # -- reading

    async def settle(self) -> None:
        """Wait until everything that was asked for is on screen."""
        while self._reading is not None or self._actions.busy:
            if self._reading is not None:
                await asyncio.wait({self._reading})
            await self._actions.settle()

    def show_link(self, link: Link) -> None:
        was, self._live = self._live, link.state == "live"
        self.refresh_bindings()
        if self._live and (not was or self._view is None):
            self._read()

    def show(self, view: LedgerView) -> None:
        """The log goes on: it is read again every few seconds, and at once when the policy was changed."""
        held = self._view
        changed = held is not None and view.policy is not None and view.policy.version > held.policy.version
        now = asyncio.get_running_loop().time()
        if self._live and (held is None or changed or now - self._read_s >= _AGAIN_S):
            self._read()

    def look_again(self) -> None:
        self._actions.caches = ()
        self._read()

    def _read(self) -> None:
        if self._reading is not None:
            self._again = True
        else:
            self._reading = asyncio.create_task(self._look(), name="thresholds")

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        first = self._view is None
        if first:
            self._nothing("Reading the ledger's look-ups…")

        def progress(done: int) -> None:
            if first:
                words = f"Reading the ledger's look-ups: {done:,}…"
                loop.call_soon_threadsafe(self._nothing, words)

        try:
            while True:
                self._again = False
                self._read_s = loop.time()
                if not self._actions.caches:
                    self._actions.caches = await self.source.caches()
                asked = (self._scope, self._max_error)
                view = await self.source.thresholds.view(
                    self._scope,
                    self._max_error,
                    caches=self._actions.caches,
                    progress=progress,
                    now_ms=self.console_app.clock(),
                )
                if asked == (self._scope, self._max_error):
                    self._take(view)
                    if not self._again:
                        break
        except Problem as problem:
            self.say(str(problem), bad=True)
            if self._view is None:
                self._nothing(f"{problem}  ctrl+r reads again.")
        except Exception as error:
            loop.call_exception_handler({"message": "thresholds", "exception": error})
            self.say(f"an error inside the console ({type(error).__name__})", bad=True)
        finally:
            self._reading = None

    def _take(self, view: ThresholdView) -> None:
        held = self._view
        if held is None or held.scope != view.scope or held.current != view.current:
            wanted = view.proposal.threshold
            self._line = view.index_of(view.current if wanted is None else wanted)
            self._actions.replayed = ()
        else:
            self._line = view.index_of(held.steps[self._line].point.threshold)
        self._view = view
        if self.has_class("-nothing"):
            self.remove_class("-nothing")
            self._focus_panel()
        self._draw()
        self.refresh_bindings()
        self.console_app.look_for_alarm()

    # -- drawing

    @property
    def line(self) -> Step | None:
        """The step of the moved line."""
        view = self._view
        return view.steps[self._line] if view is not None and view.steps else None

    def _draw(self) -> None:
        view = self._view
        if view is None:
            return
        charset = self.console_app.settings.charset
        rates, errors = self.query_one("#rates", Chart), self.query_one("#errors", Chart)
        rates.show_plot(rates_plot(view), empty="Nothing is logged under this threshold yet.")
        errors.show_plot(errors_plot(view), empty=no_errors_words(view))
        self._title(rates, "Hits by threshold, off the log")
        self._title(errors, f"Wrong hits, % · promise {100 * view.max_error:g} % at 95 %")
        self._subtitle(rates, rates_legend(view, charset))
        self._subtitle(errors, errors_legend(charset))
        self.query_one("#scopes", ScopeTable).update_rows(rows_of(view))
        self._draw_beside()
        self._draw_line()

    def _draw_beside(self) -> None:
        view, reader = self._view, self.query_one("#beside", Reader)
        if view is None:
            return
        width = max(20, reader.content_size.width)
        lines: list[Line] = [
            *proposal_lines(view, width),
            *period_lines(view, width, self.console_app.settings.tz),
            *replay_lines(self._actions.replayed, width),
            *guard_lines(view, width),
        ]
        reader.read(lines, keep_place=True)

    def on_reader_refit(self, event: Reader.Refit) -> None:
        event.stop()
        self._draw_beside()

    def _draw_line(self) -> None:
        """What moves with the line: nothing is worked out or drawn anew but text."""
        view, line, cache = self._view, self.line, self._cache
        if view is None or line is None:
            return
        charset = self.console_app.settings.charset
        threshold = line.point.threshold
        rules = rules_of(view.current, threshold, charset)
        for chart in self.query(Chart):
            chart.show_rules(rules)
        figures, examples = self.query_one("#figures", Notice), self.query_one("#examples", Notice)
        if cache is not None:
            self._title(figures, f"{cache.cache} · {cache.library}")
            figures.paint(lambda width, _height: cache_lines(cache, width))
        else:
            self._title(figures, title_words(view))
            figures.paint(lambda width, _height: figure_lines(view, line, width))
        now, moved = RULES[charset]
        words = f"{now} in force {number(view.current)}  {moved} line {number(threshold)}  ← → move it"
        self._subtitle(figures, self._words or words)
        examples.paint(lambda width, height: example_lines(view, threshold, width, height))

    def _told(self, words: str) -> None:
        self._words = words
        if self.is_attached:
            self._draw_line()
            self._draw_beside()

    def _title(self, widget: Widget, title: str) -> None:
        made = safe(title)
        if str(widget.border_title or "") != made.plain:
            widget.border_title = made

    def _subtitle(self, widget: Widget, title: str) -> None:
        made = safe(title)
        if str(widget.border_subtitle or "") != made.plain:
            widget.border_subtitle = made

    # -- keys

    def action_step(self, steps: int) -> None:
        view = self._view
        if view is not None and view.steps:
            self._move_to(min(len(view.steps) - 1, max(0, self._line + steps)))

    def _move_to(self, index: int) -> None:
        if index != self._line:
            self._line = index
            self._draw_line()

    def action_to_proposal(self) -> None:
        view = self._view
        if view is None:
            return
        if view.proposal.threshold is None:
            self.say(view.proposal.reason)
        else:
            self._move_to(view.index_of(view.proposal.threshold))

    def action_to_current(self) -> None:
        if self._view is not None:
            self._move_to(self._view.index_of(self._view.current))

    def action_scope(self, rows: int) -> None:
        self.query_one("#scopes", ScopeTable).action_move(rows)

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        event.stop()
        view = self._view
        if view is None or event.key is None:
            return
        choice = choice_of(event.key)
        if isinstance(choice, Scope):
            self._cache = None
            if choice != self._scope:
                self._scope = choice
                self._read()
        else:
            self._cache = next((one for one in view.caches if (one.cache, one.part) == choice), None)
        self._draw_line()
        self.refresh_bindings()

    def action_bound(self) -> None:
        self._max_error = BOUNDS[(BOUNDS.index(self._max_error) + 1) % len(BOUNDS)]
        self._read()

    def action_panel(self) -> None:
        now = next(name for name in _PANELS if self.has_class(f"-{name}"))
        self.remove_class(f"-{now}")
        self.add_class(f"-{_PANELS[(_PANELS.index(now) + 1) % len(_PANELS)]}")
        self._focus_panel()

    def _focus_panel(self) -> None:
        """The focus is where it can be seen, so that the page's keys work."""
        self.call_after_refresh(self._focus_shown)

    def _focus_shown(self) -> None:
        if self.console_app.page is not self or len(self.console_app.screen_stack) > 1:
            return
        focused = self.screen.focused
        shown = next(name for name in _PANELS if self.has_class(f"-{name}"))
        if self.has_class("-nothing"):
            shown = "nothing"
        elif not self.has_class("-narrow"):
            if focused is not None and focused.id in _PANELS:
                return
            shown = "figures"
        if focused is None or focused.id != shown:
            self.query_one(f"#{shown}").focus()

    def action_apply(self) -> None:
        view, line = self._view, self.line
        if view is None or line is None:
            return
        if self._cache is not None:
            self._actions.apply_to_cache(self._cache, line)
        else:
            self._actions.apply(view, line)

    def action_take_back(self) -> None:
        self._actions.take_back()

    def action_guards(self) -> None:
        if self._view is not None:
            self._actions.guards(self._view)

    def action_replay(self) -> None:
        if self._view is not None and self.line is not None:
            self._actions.replay(self._view, self.line.point.threshold)

    def action_label(self) -> None:
        from costconsole.console.screens.thresholds_labels import LabelSheet

        view = self._view
        if view is None:
            return
        if view.texts == "off":
            self.say(text_words(view), bad=True)
            return
        scope, max_error = view.scope, view.max_error

        async def look() -> ThresholdView:
            return await self.source.thresholds.view(scope, max_error)

        self.console_app.push_screen(LabelSheet(self.source.thresholds, view, look, self._read))

    def why_not(self, action: str) -> str:
        if action in ("step", "scope", "to_proposal", "to_current"):
            return ""
        if self._view is None:
            return "nothing was read yet"
        if action in ("apply", "take_back", "label"):
            return self._actions.why_not_write()
        if action == "panel" and not self.has_class("-narrow"):
            return "all panels are on screen"
        return ""

    def back(self) -> bool:
        return self._actions.stop()

    # -- taking away

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        line = self.line
        if self._cache is not None:
            return "line that sets it", self._cache.line
        if line is None:
            return None
        return ("step", json.dumps(asdict(line))) if whole else ("threshold", f"{line.point.threshold:g}")

    def exportable(self) -> Export | None:
        view = self._view
        if view is None or not view.steps:
            return None
        names = ("threshold", "hit_rate", "hits", "fhr", "fhr_low", "fhr_high", "bound", "labels", "wrong")
        rows = [
            [*(getattr(s.point, n) for n in names), s.point.state, s.hits_a_day, s.saved_nano_a_day]
            for s in view.steps
        ]
        return Export("thresholds", (*names, "state", "hits_a_day", "saved_nano_a_day"), rows)
