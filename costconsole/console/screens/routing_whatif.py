"""The what-if of the Routing page: choose what to compare, run it, read what came of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from costconsole.console.page import Export, Page
from costconsole.console.routing_values import ConfigState
from costconsole.console.safe import safe
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.routing_compared import Asked, asked_lines, export_of, outcome_lines
from costconsole.console.screens.routing_sheets import AskSheet
from costconsole.console.widgets.painted import Painted
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.routing.replay import LAST, MOST, Progress

if TYPE_CHECKING:
    from costconsole.routing.model import RoutingConfig
    from costconsole.routing.whatif import WhatIf

_DRAWN_S = 0.2
_FILES = ("native YAML, LiteLLM's config.yaml or RedisVL's YAML; empty: the one in use",)
_PRICES = (
    'A TOML file with tables [prices."openai/gpt-4o"], input and output in dollars per million tokens, or '
    "JSON; models that it leaves out keep their price. Empty: those in use.",
)


class WhatIfPanel(Vertical):
    """One what-if at a time. It reads the ledger and writes nothing."""

    BINDING_GROUP_TITLE = "What if"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "compare", "compare", id="routing.compare"),
        Binding("f", "file", "config", id="routing.file", tooltip="another routing config to compare with"),
        Binding("p", "prices", "prices", id="routing.prices", tooltip="another price list to compare with"),
        Binding("n", "last", "calls", id="routing.last", tooltip="how many of the last calls"),
    ]

    def __init__(self, page: Page, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._page = page
        self._state: ConfigState | None = None
        self._asked = Asked()
        self._progress: Progress | None = None
        self._found: WhatIf | None = None
        self._run: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._drawn_s = 0.0

    def compose(self) -> ComposeResult:
        yield Painted(id="asked")
        yield Reader(id="outcome", classes="panel")

    def on_mount(self) -> None:
        self._reader.border_title = safe("What if · nothing compared yet")
        self.draw()

    def on_unmount(self) -> None:
        if self._run is not None:
            self._run.cancel()

    @property
    def _reader(self) -> Reader:
        return self.query_one("#outcome", Reader)

    @property
    def busy(self) -> bool:
        return self._run is not None

    async def settle(self) -> None:
        """Wait until it has compared."""
        while self._run is not None:
            await asyncio.wait({self._run})

    def take(self, state: ConfigState) -> None:
        """The config as it is now."""
        self._state = state
        asked = replace(self._asked, edited=state.previous is not None and not self._asked.file)
        if asked != self._asked:
            self._asked = asked
            self.draw()

    def draw(self) -> None:
        """What is asked, and what came of it."""
        asked, progress = self._asked, self._progress
        self.query_one("#asked", Painted).paint(
            lambda width, _height: asked_lines(asked, progress if self.busy else None, width)
        )
        self.read()

    def read(self) -> None:
        """What came of it, in the width that there is."""
        if self._found is not None:
            width = max(40, self._reader.content_size.width)
            self._reader.read(outcome_lines(self._found, self._page.console_app.tz, width), keep_place=True)

    # -- choosing

    def action_file(self) -> None:
        start = self._asked.file or (self._state.path if self._state is not None else None) or ""
        self.app.push_screen(
            AskSheet("An edited routing config", _FILES, self._take_file, value=start, hint="routing.yaml")
        )

    def _take_file(self, typed: str) -> None:
        _must_be_file(typed)
        edited = not typed and self._state is not None and self._state.previous is not None
        self._choose(replace(self._asked, file=typed, edited=edited))

    def action_prices(self) -> None:
        self.app.push_screen(
            AskSheet(
                "Another price list", _PRICES, self._take_prices, value=self._asked.prices, hint="prices.toml"
            )
        )

    def _take_prices(self, typed: str) -> None:
        _must_be_file(typed)
        self._choose(replace(self._asked, prices=typed))

    def action_last(self) -> None:
        about = (f"A number from 1 to {MOST:,}. The more, the longer it takes to read them.",)
        self.app.push_screen(
            AskSheet("How many of the last calls", about, self._take_last, value=str(self._asked.last))
        )

    def _take_last(self, typed: str) -> None:
        digits = typed.replace(",", "").replace("_", "")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
        if not 1 <= number <= MOST:
            raise UsageProblem(f"write a number from 1 to {MOST:,}, such as {LAST:,}")
        self._choose(replace(self._asked, last=number))

    def _choose(self, asked: Asked) -> None:
        self.app.pop_screen()
        self._asked = asked
        self.draw()

    # -- comparing

    def why_not(self) -> str:
        """Why nothing can be compared now, or ""."""
        if self._run is not None:
            return "it is comparing; Esc stops it"
        if self._state is None:
            return "the config is still being read"
        if self._asked.nothing:
            return "both sides would be the same: choose a config (f) or a price list (p)"
        return ""

    def action_compare(self) -> None:
        if why := self.why_not():
            self._page.say(f"compare: {why}")
            return
        self._stop = asyncio.Event()
        self._progress = Progress(0, self._asked.last)
        self._run = asyncio.create_task(self._compare(), name="what-if")
        self.draw()

    def _sides(self) -> tuple[RoutingConfig, RoutingConfig | str]:
        """The config of these calls, and the other one."""
        state, asked = self._state, self._asked
        assert state is not None
        same_file = bool(asked.file) and state.path is not None and _same(asked.file, state.path)
        if state.previous is not None and (asked.edited or same_file):
            return state.previous, asked.file or state.config
        return state.config, asked.file or state.config

    async def _compare(self) -> None:
        old, new = self._sides()
        asked, ended = self._asked, ""
        found: WhatIf | None = None
        try:
            found = await self._page.source.routing.what_if(
                old, new, asked.prices, asked.last, self._tell, self._stop
            )
        except asyncio.CancelledError:
            raise
        except Problem as problem:
            ended = str(problem)
        except Exception as error:
            ended = f"an error inside the console ({type(error).__name__})"
            asyncio.get_running_loop().call_exception_handler({"message": "what-if", "exception": error})
        finally:
            self._run = self._progress = None
        if not self.is_attached:
            return
        if ended:
            self._page.say(ended, bad=True)
        if found is not None:
            self._found = found
            self._reader.border_title = safe("What if" if found.complete else "What if · stopped: partial")
            self._reader.read(())
        self.draw()

    def _tell(self, progress: Progress) -> None:
        self._progress = progress
        now = asyncio.get_running_loop().time()
        if now - self._drawn_s >= _DRAWN_S:
            self._drawn_s = now
            self.draw()

    def back(self) -> bool:
        """`Esc`: stop what runs."""
        if self._run is None:
            return False
        self._stop.set()
        return True

    # -- taking away

    def exportable(self) -> Export | None:
        return None if self._found is None else export_of(self._found)

    def copyable(self) -> tuple[str, str] | None:
        return None if self._found is None else ("what-if", json.dumps(asdict(self._found)))


def _must_be_file(typed: str) -> None:
    if typed and not Path(typed).expanduser().is_file():
        raise UsageProblem(f"there is no file {typed}: give its path")


def _same(one: str, other: str) -> bool:
    return Path(one).expanduser().absolute() == Path(other).expanduser().absolute()
