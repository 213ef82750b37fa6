"""RedisVL's SemanticRouters on the Routing page: thresholds, what a phrase would get, and changing one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from costconsole.console.page import Export, Page
from costconsole.console.routing_values import RouterRoute, RouterState
from costconsole.console.safe import safe
from costconsole.console.screens.entries_wrap import wrap
from costconsole.console.screens.routing_router_rows import (
    COLUMNS,
    EFFECTS,
    changed_words,
    note_words,
    router_rows,
    verdict,
)
from costconsole.console.screens.routing_sheets import AskSheet
from costconsole.console.widgets.painted import Painted
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.domain.format import count
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.cache.layouts.redisvl_router import Routed
    from costconsole.console.widgets.bars import Charset

_MOST = 2_000


class RoutersPanel(Vertical):
    """Looks for routers when it is first shown and when it is told to; a phrase is tried on all of them."""

    BINDING_GROUP_TITLE = "RedisVL routers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "threshold", "threshold", id="routing.threshold", tooltip="of the route at the cursor"),
        Binding("z", "undo", "undo", id="routing.undo", tooltip="take the last change made here back"),
    ]

    def __init__(self, page: Page, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._page = page
        self._states: tuple[RouterState, ...] = ()
        self._tried: dict[str, Routed | str] = {}
        self._phrase = ""
        self._undos: list[str] = []
        self._doing: asyncio.Task[None] | None = None
        self._looked = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="phrase-line", classes="panel"):
            yield Static(safe("› ", "accent"), id="phrase-mark")
            field = Input(placeholder="a phrase to route", select_on_focus=False, id="phrase")
            field.cursor_blink = False
            yield field
        yield LiveTable(COLUMNS, id="router-list", classes="panel", empty="Looking for routers…")
        yield Painted(id="router-note")

    def on_mount(self) -> None:
        self.query_one("#phrase-line").border_title = safe("Try a phrase")
        self._table.border_title = safe("RedisVL routers in this Redis")
        self._draw()

    def on_unmount(self) -> None:
        if self._doing is not None:
            self._doing.cancel()

    @property
    def _table(self) -> LiveTable:
        return self.query_one("#router-list", LiveTable)

    @property
    def field(self) -> Input:
        return self.query_one("#phrase", Input)

    async def settle(self) -> None:
        """Wait until it is done with what it does."""
        while self._doing is not None:
            await asyncio.wait({self._doing})

    # -- looking

    def reveal(self) -> None:
        """Look, the first time."""
        if not self._looked:
            self.look()

    def look(self) -> None:
        """Look for routers again."""
        self._do(self._look)

    async def _look(self) -> None:
        self._states = tuple(await self._page.source.routing.routers())
        self._looked = True
        if self._phrase:
            await self._try()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._phrase = event.value.strip()[:_MOST]
        self._tried = {}
        if self._phrase:
            self._do(self._try)
        else:
            self._draw()

    async def _try(self) -> None:
        tried: dict[str, Routed | str] = {}
        for state in self._states:
            if not state.routes:
                continue
            try:
                tried[state.name] = await self._page.source.routing.try_phrase(state.name, self._phrase)
            except Problem as problem:
                tried[state.name] = str(problem)
        self._tried = tried

    def _do(self, work: Callable[[], object]) -> None:
        """One thing at a time."""
        if self._doing is not None:
            self._page.say("something is still being done")
            return
        self._doing = asyncio.create_task(self._run(work), name="routers")

    async def _run(self, work: Callable[[], object]) -> None:
        try:
            await work()  # type: ignore[misc]
        except Problem as problem:
            self._table.set_empty(str(problem))
            self._page.say(str(problem), bad=True)
        except Exception as error:
            self._page.say(f"an error inside the console ({type(error).__name__})", bad=True)
            asyncio.get_running_loop().call_exception_handler({"message": "routers", "exception": error})
        finally:
            self._doing = None
        if self.is_attached:
            self._draw()

    def _draw(self) -> None:
        if self._looked and not self._states:
            self._table.set_empty(
                "There is no RedisVL SemanticRouter in this Redis. One that is made with "
                "SemanticRouter(name=..., routes=[...]) on it is found with ctrl+r."
            )
        charset: Charset = self._page.console_app.settings.charset
        self._table.update_rows(router_rows(self._states, self._tried, charset))
        total = sum(state.references or 0 for state in self._states)
        self._table.border_subtitle = safe(f"{count(total)} references" if self._states else "")
        embedder = self._page.source.embedder
        words, ink = note_words(self._states, self._tried, embedder.name, embedder.status)
        self.query_one("#router-note", Painted).paint(
            lambda width, height: wrap(((visible(words), ink),), max(20, width))[:height]
        )

    # -- changing

    def _route(self) -> RouterRoute | None:
        name, _, route = (self._table.cursor_key or "").partition("\0")
        found = (one for state in self._states if state.name == name for one in state.routes)
        return next((one for one in found if one.route == route), None)

    def _why_not(self) -> str:
        link = self._page.console_app.link
        return "" if link.writable else f"nothing can be changed here: {link.why_read_only or 'read-only'}"

    def action_threshold(self) -> None:
        one, why = self._route(), self._why_not()
        if one is None or why:
            self._page.say(f"threshold: {why or 'there is no route at the cursor'}")
            return
        about = (
            f"Route {one.route} of {one.router}: taken above a similarity of {one.threshold:g} now.",
            f"A change counts from the next start of what uses the router: {one.sentence}.",
            f"In code: {one.line}",
            "Enter sets it; it is written down in the audit, and can be taken back.",
        )
        self.app.push_screen(
            AskSheet(
                f"Threshold of {one.route}",
                about,
                lambda typed: self._set(one, typed),
                value=f"{one.threshold:g}",
                hint="0.7",
            )
        )

    def _set(self, one: RouterRoute, typed: str) -> None:
        from costconsole.cache.policy import check_threshold

        value = check_threshold(typed)
        if value == 1:
            raise UsageProblem("a router takes no threshold of 1: nothing is nearer than the same words")
        self.app.pop_screen()
        if abs(value - one.threshold) < 1e-9:
            self._page.say("that is its threshold already")
            return

        async def change() -> None:
            done = await self._page.source.routing.set_threshold(one.router, one.route, value)
            self._undos.append(done.undo_id)
            self._page.say(changed_words(done, "z"))
            await self._look()

        self._do(change)

    def action_undo(self) -> None:
        if why := self._why_not() or ("" if self._undos else "no threshold was changed here"):
            self._page.say(f"undo: {why}")
            return
        undo_id = self._undos[-1]

        async def undo() -> None:
            done = await self._page.source.routing.undo_threshold(undo_id)
            self._undos.remove(undo_id)
            effect = EFFECTS.get(done.takes_effect, "")
            after = "none" if done.after is None else f"{done.after:g}"
            self._page.say(f"{done.cache}, {done.part}: back to {after} · {effect}")
            await self._look()

        self._do(undo)

    def back(self) -> bool:
        """`Esc`: from the phrase to the list."""
        if self.field.has_focus:
            self._table.focus()
            return True
        return False

    def exportable(self) -> Export | None:
        if not self._states:
            return None
        rows = []
        for state in self._states:
            routed = self._tried.get(state.name)
            for one in state.routes:
                known = None if routed is None or isinstance(routed, str) else routed
                score = None if known is None else known.scores.get(one.route)
                rows.append(
                    (one.router, one.route, one.threshold, self._phrase, score, verdict(one.route, known)[0])
                )
        return Export("routers", ("router", "route", "threshold", "phrase", "score", "verdict"), rows)

    def copyable(self) -> tuple[str, str] | None:
        one = self._route()
        return None if one is None else ("line", one.line)
