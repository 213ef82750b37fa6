"""Routing: what answers what, what that costs and saves, and what another config would have cost."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer
from textual.widget import Widget

from costconsole.console.page import Export, Page
from costconsole.console.routing_values import ConfigState, Learnt
from costconsole.console.safe import safe
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.routing_away import row_document, switch_words, table_export
from costconsole.console.screens.routing_learnt import learnt_lines
from costconsole.console.screens.routing_routers import RoutersPanel
from costconsole.console.screens.routing_sheets import YesSheet
from costconsole.console.screens.routing_style import STYLE
from costconsole.console.screens.routing_tables import (
    MODEL_COLUMNS,
    ROUTE_COLUMNS,
    ModelLine,
    RouteLine,
    model_lines,
    model_rows,
    route_lines,
    route_rows,
)
from costconsole.console.screens.routing_whatif import WhatIfPanel
from costconsole.console.screens.routing_words import config_lines, head_lines, model_detail, route_detail
from costconsole.console.source import Link
from costconsole.console.widgets.painted import Line, Painted
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem
from costconsole.domain.figures import Figures, LedgerView, Policy

View = Literal["tables", "route", "model", "config", "learnt", "routers", "whatif"]
_CLASSES = {"routers": "-routers", "whatif": "-whatif", "tables": ""}
_TITLES = {
    "route": "Route",
    "model": "Model",
    "config": "Config and findings",
    "learnt": "What was learnt",
}


class RoutingPage(Page):
    """Two tables, and views that take their place; Esc comes back. The config's file is looked at once a
    second while the page is on screen."""

    TITLE = "Routing"
    KEY = "5"
    FIRST_FOCUS = "#routes"
    FILTER_WORD = "try a phrase"
    LOOK_S: ClassVar[float] = 1.0
    BINDING_GROUP_TITLE = "Routing"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "w", "view('whatif')", "what if", id="routing.whatif", tooltip="another config, other prices"
        ),
        Binding("c", "view('config')", "config", id="routing.config", tooltip="the config and its findings"),
        Binding(
            "s", "view('routers')", "routers", id="routing.routers", tooltip="RedisVL's semantic routers"
        ),
        Binding("a", "view('learnt')", "accuracy", id="routing.learnt", tooltip="what the router has learnt"),
        Binding(
            "o", "switch('routing')", "routing on/off", id="routing.switch", tooltip="for all applications"
        ),
        Binding("i", "switch('minimization')", "minimize on/off", id="routing.minimize", tooltip="likewise"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._state: ConfigState | None = None
        self._ledger: LedgerView | None = None
        self._apart: Policy | None = None
        """The policy, where it isn't on the ledger's server."""
        self._learnt: tuple[object, Learnt] | None = None
        self._shown: View = "tables"
        self._of = ""
        self._routes: dict[str, RouteLine] = {}
        self._models: dict[str, ModelLine] = {}
        self._looking: asyncio.Task[None] | None = None
        self._doing: asyncio.Task[None] | None = None
        self._timer: Timer | None = None

    # -- parts

    def compose(self) -> ComposeResult:
        yield Painted(id="head")
        with Vertical(id="tables"):
            yield LiveTable(ROUTE_COLUMNS, id="routes", classes="panel", empty="Reading the config…")
            yield LiveTable(MODEL_COLUMNS, id="models", classes="panel", empty="Reading the config…")
        yield Reader(id="detail", classes="panel")
        yield RoutersPanel(self, id="routers")
        yield WhatIfPanel(self, id="whatif")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        self._timer = self.set_interval(type(self).LOOK_S, self._look)
        self._draw()
        self._look()

    def on_unmount(self) -> None:
        for task in (self._looking, self._doing):
            if task is not None:
                task.cancel()

    def on_reveal(self) -> None:
        self._look()

    def _table(self, name: str) -> LiveTable:
        return self.query_one(f"#{name}", LiveTable)

    @property
    def _reader(self) -> Reader:
        return self.query_one("#detail", Reader)

    @property
    def routers(self) -> RoutersPanel:
        return self.query_one(RoutersPanel)

    @property
    def whatif(self) -> WhatIfPanel:
        return self.query_one(WhatIfPanel)

    async def settle(self) -> None:
        """Wait until nothing is read or changed any more."""
        while waited := {task for task in (self._looking, self._doing) if task is not None}:
            await asyncio.wait(waited)
        await self.routers.settle()
        await self.whatif.settle()

    # -- reading

    def show(self, view: LedgerView) -> None:
        self._ledger = view
        self._draw()

    def show_link(self, link: Link) -> None:
        self.refresh_bindings()
        self._draw_head()

    def look_again(self) -> None:
        self._look()
        if self._shown == "routers":
            self.routers.look()
        if self._shown == "learnt":
            self._read_learnt()

    def _look(self) -> None:
        if self._looking is None and self.console_app.page is self:
            self._looking = asyncio.create_task(self._read_state(), name="routing config")

    async def _read_state(self) -> None:
        try:
            state = await self.source.routing.state()
            policy = (
                await self.source.routing.policy() if self.console_app.link.state == "live" else self._apart
            )
        except Problem as problem:
            self.say(str(problem), bad=True)
            return
        except Exception as error:
            self._bug(error)
            return
        finally:
            self._looking = None
        if (state is not self._state or policy != self._apart) and self.is_attached:
            self._state, self._apart = state, policy
            self.whatif.take(state)
            self._draw()
            if self._shown == "learnt" and (self._learnt is None or self._learnt[0] is not state.config):
                self._read_learnt()

    def _read_learnt(self) -> None:
        if self._doing is None and self._state is not None:
            self._doing = asyncio.create_task(self._learn(self._state), name="learnt")

    async def _learn(self, state: ConfigState) -> None:
        try:
            self._learnt = state.config, await self.source.routing.learnt(state.config)
        except Problem as problem:
            self.say(str(problem), bad=True)
        except Exception as error:
            self._bug(error)
        finally:
            self._doing = None
        if self.is_attached:
            self._draw_detail()

    def _bug(self, error: Exception) -> None:
        self.say(f"an error inside the console ({type(error).__name__})", bad=True)
        asyncio.get_running_loop().call_exception_handler({"message": "routing", "exception": error})

    # -- drawing

    @property
    def _window(self) -> str:
        return self.console_app.window.label

    def _draw(self) -> None:
        self._draw_head()
        state, ledger = self._state, self._ledger
        if state is None:
            return
        total = ledger.total.calls if ledger is not None else 0
        routes, models = route_lines(state, ledger), model_lines(state, ledger)
        made = {"routes": route_rows(routes, state, total), "models": model_rows(models, state, total)}
        self._routes = {row.key: line for row, line in zip(made["routes"], routes, strict=True)}
        self._models = {row.key: line for row, line in zip(made["models"], models, strict=True)}
        capped = ledger.capped if ledger is not None else ()
        for name, title in (("routes", "Routes"), ("models", "Models")):
            table = self._table(name)
            table.set_empty(f"The config has no {name}, and the ledger none in the last {self._window}.")
            table.update_rows(made[name])
            words = f"{title} · {self._window}"
            if str(table.border_title or "") != words:
                table.border_title = safe(words)
            note = "the ledger keeps the largest apart: the rest is other" if name[:-1] in capped else ""
            legend = "+ not in the config"
            if str(table.border_subtitle or "") != (note or legend):
                table.border_subtitle = safe(note or legend)
        self._draw_detail()

    @property
    def _policy(self) -> Policy | None:
        return self._apart or (self._ledger.policy if self._ledger is not None else None)

    def _draw_head(self) -> None:
        ledger, link = self._ledger, self.console_app.link
        self.query_one("#head", Painted).paint(
            lambda width, _height: head_lines(
                self._state,
                self._policy,
                writable=link.writable or link.state != "live",
                present=ledger is None or ledger.present,
                width=width,
            )
        )

    def _draw_detail(self, *, keep_place: bool = True) -> None:
        if self._state is None or self._shown in ("tables", "routers", "whatif"):
            return
        self._reader.read(self._detail(max(30, self._reader.content_size.width)), keep_place=keep_place)

    def _detail(self, width: int) -> list[Line]:
        state = self._state
        assert state is not None
        if self._shown == "config":
            return config_lines(state, self.console_app.tz, width)
        if self._shown == "learnt":
            learnt = self._learnt[1] if self._learnt and self._learnt[0] is state.config else None
            return learnt_lines(learnt, width, self.console_app.settings.charset)
        name = self._of.partition("\0")[2]
        if self._shown == "route":
            route = self._routes.get(self._of) or RouteLine(name, None, Figures())
            return route_detail(route, state, self._window, width)
        model = self._models.get(self._of) or ModelLine(name, None, Figures())
        return model_detail(model, state, self._window, width)

    def on_reader_refit(self, event: Reader.Refit) -> None:
        event.stop()
        self._draw_detail()
        self.whatif.read()

    # -- views

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        if event.key in self._routes or event.key in self._models:
            self._of = event.key
            self._open("route" if event.key in self._routes else "model")

    def action_view(self, name: View) -> None:
        self._open("tables" if self._shown == name else name)

    def _open(self, name: View) -> None:
        self._shown = name
        for view in ("-detail", "-routers", "-whatif"):
            self.set_class(view == _CLASSES.get(name, "-detail"), view)
        if name == "tables":
            self._table("models" if self._of.startswith("model") else "routes").focus()
        elif name == "routers":
            self.routers.query_one(LiveTable).focus()
            self.routers.reveal()
        elif name == "whatif":
            self.whatif.query_one(Reader).focus()
        else:
            self._reader.border_title = safe(_TITLES[name])
            self._reader.focus()
            if name == "learnt" and (self._learnt is None or self._learnt[0] is not self._config):
                self._read_learnt()
            self._draw_detail(keep_place=False)
        self.refresh_bindings()

    @property
    def _config(self) -> object:
        return self._state.config if self._state is not None else None

    def back(self) -> bool:
        if self._shown == "tables":
            return False
        if self._shown == "routers" and self.routers.back():
            return True
        if self._shown == "whatif" and self.whatif.back():
            return True
        self._open("tables")
        return True

    def filter_widget(self) -> Widget | None:
        return self.routers.field if self._shown == "routers" else None

    # -- switches

    def why_not(self, action: str) -> str:
        link = self.console_app.link
        if action == "switch":
            if not link.writable:
                return f"nothing can be changed here: {link.why_read_only or 'read-only'}"
            if self._ledger is None:
                return "the policy isn't read yet"
        return ""

    def action_switch(self, name: str) -> None:
        policy = self._policy
        on = policy is None or bool(getattr(policy, name))
        word = "off" if on else "on"
        about = switch_words(name, on, self.console_app.link.namespace)
        self.app.push_screen(
            YesSheet(f"Turn {name} {word}?", about, f"turn it {word}", partial(self._switch, name, not on))
        )

    def _switch(self, name: str, on: bool) -> None:
        if self._doing is None:
            self._doing = asyncio.create_task(self._write_switch(name, on), name="switch")

    async def _write_switch(self, name: str, on: bool) -> None:
        try:
            policy = await self.source.routing.switch(name, on)
        except Problem as problem:
            self.say(str(problem), bad=True)
            return
        except Exception as error:
            self._bug(error)
            return
        finally:
            self._doing = None
        self.say(f"{name} is {'on' if on else 'off'} (version {policy.version} of the policy)")
        self._look()
        self.console_app.action_refresh_now()

    # -- taking away

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        if self._shown == "routers":
            return self.routers.copyable()
        if self._shown == "whatif":
            return self.whatif.copyable()
        if self._shown != "tables":
            return _TITLES[self._shown].lower(), self._reader.whole_text
        key = self._table("models" if self._table("models").has_focus else "routes").cursor_key or ""
        line = self._routes.get(key) or self._models.get(key)
        if line is None:
            return None
        if whole:
            return "row", row_document(line)
        return ("route" if isinstance(line, RouteLine) else "model"), line.name

    def exportable(self) -> Export | None:
        if self._shown == "routers":
            return self.routers.exportable()
        if self._shown == "whatif":
            return self.whatif.exportable()
        if self._state is None:
            return None
        models = self._table("models").has_focus or self._shown == "model"
        return table_export(self._models.values() if models else self._routes.values())
