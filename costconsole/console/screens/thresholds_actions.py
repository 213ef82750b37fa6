"""What the page of thresholds can do: apply, take back, switch guards, replay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from costconsole.calibration.replay import Replayed
from costconsole.console.page import Page
from costconsole.console.screens.thresholds_sheets import AskSheet, GuardSheet, effect_words
from costconsole.console.screens.thresholds_words import figure_lines, number, state_of
from costconsole.console.threshold_source import why_not_step
from costconsole.console.threshold_view import Change, GuardLine, Step, ThresholdView
from costconsole.console.widgets.painted import Line
from costconsole.domain.errors import Problem

if TYPE_CHECKING:
    from costconsole.cache.thresholds import CacheThreshold
    from costconsole.domain.entry import CacheInfo

_TOLD_S = 0.1


class ThresholdActions:
    """Does it, one thing at a time; `changed` is called when the view has to be read anew, `told` with words
    about what runs."""

    def __init__(self, page: Page, *, changed: Callable[[], None], told: Callable[[str], None]) -> None:
        self.replayed: tuple[Replayed, ...] = ()
        self.caches: tuple[CacheInfo, ...] = ()
        self._page = page
        self._changed = changed
        self._told = told
        self._stop: threading.Event | None = None
        self._busy = False
        self._task: asyncio.Task[None] | None = None

    @property
    def replaying(self) -> bool:
        return self._stop is not None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._task is not None

    async def settle(self) -> None:
        """Wait until what is being done is done."""
        while self._task is not None:
            await asyncio.wait({self._task})

    def stop(self) -> bool:
        """Stop replaying; False when nothing runs."""
        if self._stop is None:
            return False
        self._stop.set()
        self._told("stopping…")
        return True

    def why_not_write(self) -> str:
        link = self._page.console_app.link
        return "" if link.writable else f"nothing can be changed here: {link.why_read_only or 'read-only'}"

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if self._task is not None:
            work.close()
            self._page.say("something is still being done")
            return
        self._task = asyncio.create_task(self._worked(work), name="thresholds")

    async def _worked(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Problem as problem:
            self._page.say(str(problem), bad=True)
            # Whoever was slower sees what the other one did.
            self._changed()
        except Exception as error:
            self._page.say(f"an error inside the console ({type(error).__name__})", bad=True)
            asyncio.get_running_loop().call_exception_handler({"message": "thresholds", "exception": error})
        finally:
            self._task = None

    # -- the threshold

    def apply(self, view: ThresholdView, step: Step) -> None:
        """Ask whether to set the threshold of the view's scope to that of the line."""
        wanted = step.point.threshold
        if abs(wanted - view.current) < 1e-6 and not view.inherits:
            self._page.say(f"{number(wanted)} is in force: move the line with ← and →")
            return
        if why := why_not_step(view.current, wanted):
            self._page.say(why, bad=True)
            return
        lines = [*apply_lines(view, step), (), *figure_lines(view, step, 76)]
        title = f"Threshold of {view.scope.words}: {number(view.current)} to {number(wanted)}?"
        yes = f"apply {number(wanted)}"
        sheet = AskSheet(title, lines, lambda: self._run(self._apply(view, wanted)), yes=yes)
        self._page.console_app.push_screen(sheet)

    async def _apply(self, view: ThresholdView, threshold: float) -> None:
        change = await self._page.source.thresholds.apply(view, threshold)
        self._page.say(f"{change.sentence}; running applications follow within a second. z takes it back")
        self._changed()

    def apply_to_cache(self, one: CacheThreshold, step: Step) -> None:
        """Ask whether to set the threshold of another library's cache, or say the line that does."""
        if one.takes_effect == "code":
            self._page.say(f"{one.library} can't be told from here: change its line {one.line}", bad=True)
            return
        wanted = step.point.threshold
        before = "the library's default" if one.similarity is None else number(one.similarity)
        effect = (
            "Its running applications follow within 30 seconds."
            if one.takes_effect == "now"
            else "It takes effect at the next start of its applications."
        )
        no_log = "It keeps no log of look-ups here, so nothing is known of what this would do."
        lines: list[Line] = [((effect, "text"),), ((no_log, "warn"),), ((one.sentence, "muted"),)]
        self._page.console_app.push_screen(
            AskSheet(
                f"Threshold of {one.cache} {one.part}: {before} to {number(wanted)}?",
                lines,
                lambda: self._run(self._apply_to_cache(one, wanted)),
                yes=f"apply {number(wanted)}",
            )
        )

    async def _apply_to_cache(self, one: CacheThreshold, threshold: float) -> None:
        change = await self._page.source.thresholds.change_cache(self.caches, one.cache, one.part, threshold)
        self._page.say(f"{change.sentence}. z takes it back")
        self._changed()

    def take_back(self) -> None:
        """Ask whether to take back the newest change of a threshold."""
        self._run(self._ask_back())

    async def _ask_back(self) -> None:
        last = await self._page.source.thresholds.last_change()
        if last is None:
            self._page.say("there is no change of a threshold to take back")
            return
        words = "The value before is put in force again; running applications follow within a second."
        lines: list[Line] = [((last.sentence, "strong"),), (), ((words, "text"),)]
        self._page.console_app.push_screen(
            AskSheet(
                "Take the last change of a threshold back?",
                lines,
                lambda: self._run(self._take_back(last)),
                yes="take it back",
            )
        )

    async def _take_back(self, last: Change) -> None:
        change = await self._page.source.thresholds.take_back(self.caches, last.undo_id)
        self._page.say(f"taken back: {change.sentence}")
        self._changed()

    # -- guards

    def guards(self, view: ThresholdView) -> None:
        """Show the guards, to switch one."""
        self._page.console_app.push_screen(GuardSheet(view.guards, partial(self._ask_guard, view)))

    def _ask_guard(self, view: ThresholdView, guard: GuardLine) -> None:
        if why := self.why_not_write():
            self._page.say(why)
            return
        what = "off" if guard.on else "on"
        effect = (
            "Hits that it refused are served again, right or wrong."
            if guard.on
            else "Hits for which it fires are refused, right or wrong."
        )
        lines: list[Line] = [((effect_words(guard), "text"),), ((effect, "warn"),)]
        self._page.console_app.push_screen(
            AskSheet(
                f"Switch the guard {guard.name} {what}?",
                lines,
                lambda: self._run(self._switch(view, guard)),
                yes=f"switch it {what}",
            )
        )

    async def _switch(self, view: ThresholdView, guard: GuardLine) -> None:
        policy = await self._page.source.thresholds.switch_guard(view, guard.name, not guard.on)
        what = "off" if guard.on else "on"
        self._page.say(f"guard {guard.name} is {what} (version {policy.version}); applications follow")
        self._changed()

    # -- replaying

    def replay(self, view: ThresholdView, line: float) -> None:
        """Replay the log at the threshold in force and at the line."""
        if self._stop is not None:
            self._page.say("it is replaying already; Esc stops")
            return
        self._stop = threading.Event()
        self._told("replaying…  Esc stops")
        self._run(self._replay(view, tuple(dict.fromkeys((view.current, line))), self._stop))

    async def _replay(self, view: ThresholdView, thresholds: Sequence[float], stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        told = 0.0

        def progress(what: str, done: int, every: int) -> None:
            nonlocal told
            now = loop.time()
            if now - told >= _TOLD_S and not stop.is_set():
                told = now
                loop.call_soon_threadsafe(self._told, f"{what} {done:,} of {every:,}  Esc stops")

        try:
            found = await self._page.source.thresholds.replay(view, thresholds, progress=progress, stop=stop)
        finally:
            self._stop = None
            loop.call_soon(self._told, "")
        if found:
            self.replayed = found
            self._page.say("replayed: see what stands beside the scopes")
        else:
            self._page.say("stopped: nothing was replayed")
        self._told("")


def apply_lines(view: ThresholdView, step: Step) -> list[Line]:
    """What applying a threshold would mean, and how sure that is."""
    wanted = step.point.threshold
    state = state_of(view, step.point)
    ink = "bad" if step.point.state == "refuted" else "good" if step.point.state == "certified" else "warn"
    lines: list[Line] = [((f"{number(wanted)} is {state}.", ink),)]
    if view.inherits:
        lines.append(
            ((f"It gets a threshold of its own; until now it has that of {view.inherits}.", "text"),)
        )
    if wanted < view.current:
        words = "Lower: more hits, and other entries are cached, so a new log of look-ups begins."
    else:
        words = "Higher: fewer hits, and a new log of look-ups begins."
    lines.append(((words, "text"),))
    limit = f"One step lowers it by .05 at most. Labels given under {number(view.current)} stay with it."
    lines.append(((limit, "muted"),))
    return lines
