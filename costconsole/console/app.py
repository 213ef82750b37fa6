"""The console: one Textual app that reads through a `Source` and shows pages in a frame."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.content import Content
from textual.events import Key, Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.theme import Theme
from textual.timer import Timer
from textual.widget import Widget

from costconsole.console.alarm import EVERY_S as ALARM_EVERY_S
from costconsole.console.alarm import AlarmWatch
from costconsole.console.frame import MainScreen
from costconsole.console.header import Status
from costconsole.console.keymap import APP_BINDINGS
from costconsole.console.launch import run_console as run_console
from costconsole.console.page import Page
from costconsole.console.pages import PAGES, PageEntry, page_bindings
from costconsole.console.poll import FLOOR_S, Poller, now_ms
from costconsole.console.source import Link, Source
from costconsole.console.steps import faster, next_window, slower
from costconsole.console.tabs import Tabs
from costconsole.console.terminal import is_gone
from costconsole.console.themes import variable_defaults
from costconsole.domain.figures import LedgerView
from costconsole.domain.format import size
from costconsole.domain.text import visible
from costconsole.domain.window import Window, parse_window
from costconsole.settings import Settings, state_dir

_TERMINAL_CHECK_S = 2.0


class CostConsoleApp(App[None], inherit_bindings=False):
    """Holds what all pages share: the source, the newest view, the window, whether painting is paused."""

    TITLE = "costconsole"
    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDING_GROUP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = [*APP_BINDINGS]

    def __init__(
        self,
        settings: Settings,
        source: Source,
        theme: Theme,
        *,
        warning: str = "",
        keymap: dict[str, str] | None = None,
        pages: Sequence[PageEntry] = PAGES,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.settings = settings
        self.source = source
        self.clock = clock
        self.tz = settings.tz
        self.view: LedgerView | None = None
        self.exported: list[Path] = []
        self.crash_log: Path | None = None
        self._pages = tuple(pages)
        for binding in page_bindings(pages):
            self._bindings.key_to_bindings.setdefault(binding.key, []).append(binding)
        self._warning = warning
        self._paused_ms: int | None = None
        self._pause_timer: Timer | None = None
        self._asked_for = False
        self._painted_view: LedgerView | None = None
        self._poller = Poller(
            source,
            parse_window(settings.window),
            settings.refresh_s,
            on_view=self._on_view,
            on_link=self._on_link,
            on_bug=self._on_bug,
            clock=clock,
        )
        self._alarm = AlarmWatch(source, lambda: self._main.show_status(self._status()))
        self._told_link: tuple[object, ...] = ()
        self._reading: asyncio.Task[None] | None = None
        self._main = MainScreen(self._pages)
        self.register_theme(theme)
        self.theme = theme.name
        if keymap:
            self.set_keymap(keymap)
        if self.no_color:
            from costconsole.console.filters import NoColors

            # Textual chose greys when it was made, before it knew the theme.
            self._filters = [NoColors()]
        if settings.charset == "ascii":
            from costconsole.console.filters import AsciiFilter

            self._filters.append(AsciiFilter())

    def get_default_screen(self) -> Screen[None]:
        return self._main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    # -- life

    def on_main_screen_mounted(self) -> None:
        self._main.show_status(self._status())
        self.call_after_refresh(self._begin)
        self.set_interval(_TERMINAL_CHECK_S, self._check_terminal)
        self.set_interval(ALARM_EVERY_S, self.look_for_alarm)
        self.app_resume_signal.subscribe(self, self._resumed)

    async def _begin(self) -> None:
        """After the first paint: connecting, with its imports, and beside it the first page."""
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        if self._warning:
            self.say(self._warning, bad=True)
        self._reading = asyncio.create_task(self._poller.run(), name="poll")
        if self._main.page is None:
            await self._open(self._pages[0])

    def look_for_alarm(self) -> None:
        """See whether labels refute a threshold; it is said on every page."""
        if self.link.state == "live" and not self.paused:
            self.run_worker(self._alarm.look(), group="alarm", exit_on_error=False)

    def _resumed(self, _app: App[None]) -> None:
        """Back from the shell: terminals give back an empty screen."""
        for screen in self.screen_stack:
            screen.refresh(layout=True)

    async def stop_reading(self) -> None:
        """Drop the request in flight and close the connection; takes a second at most."""
        if self._reading is not None:
            self._reading.cancel()
        try:
            await asyncio.wait_for(self.source.close(), 1.0)
        except Exception:
            return

    def _check_terminal(self) -> None:
        if self.is_headless:
            return
        if is_gone():
            self.leave(129)
            return
        # Of many signals in a row the last can get lost, and the screen would keep a size that is past.
        size = Size(*shutil.get_terminal_size())
        if size != self.size:
            self.post_message(Resize(size, size))

    def leave(self, code: int) -> None:
        """End with this exit code."""
        self.exit(return_code=code)

    def leave_from_signal(self, code: int) -> None:
        """The same, from a signal handler: the event loop may be anywhere, or not there yet."""
        if self._loop is None:
            raise SystemExit(code)
        self._loop.call_soon_threadsafe(self.leave, code)

    # -- what the poll loop says

    @property
    def link(self) -> Link:
        return self._poller.link

    @property
    def window(self) -> Window:
        return self._poller.window

    @property
    def paused(self) -> bool:
        return self._paused_ms is not None

    def _status(self, *, quiet: bool = False) -> Status:
        return Status(
            self._poller.link,
            self._poller.interval_s,
            self._poller.window.label,
            self.clock(),
            self.tz,
            self._paused_ms,
            quiet,
            self._alarm.words,
        )

    @property
    def _covered(self) -> bool:
        """Whether a sheet lies over the page, so that painting it would be waste."""
        return len(self.screen_stack) > 1

    def _on_view(self, view: LedgerView) -> None:
        self.view = view
        wanted, self._asked_for = self._asked_for or not self.paused, False
        if self._covered or not wanted:
            return
        quiet = self._painted_view is not None and _same(view, self._painted_view)
        self._main.show_status(self._status(quiet=quiet))
        self._show(view)

    def _show(self, view: LedgerView) -> None:
        page = self._main.page
        if page is None:
            return
        self._painted_view = view
        try:
            page.show(view)
        except Exception as error:
            self.say(self._on_bug(error), bad=True)

    def _on_link(self, link: Link) -> None:
        told = (link.state, link.reason, link.writable, link.server)
        changed = told != self._told_link
        self._told_link = told
        if self._covered:
            return
        if link.state != "live" or changed:
            self._main.show_status(self._status())
        if changed:
            for page in self._main.query(Page):
                page.show_link(link)
            self._main.refresh_bindings()

    def _on_bug(self, error: Exception) -> str:
        """Write down what should not have happened, and say so; the console goes on."""
        from costconsole.console.crash import write_crash

        path = write_crash(error, self._secrets)
        return f"an error inside the console ({type(error).__name__}); details are in {path}"

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self.say(self._on_bug(error), bad=True)

    @property
    def _secrets(self) -> tuple[str | None, ...]:
        return (self.settings.redis_password, os.environ.get(self.settings.embedding_key_env))

    def _handle_exception(self, error: Exception) -> None:
        """What Textual calls for an error that ends the app. Its own report would print local variables."""
        from costconsole.console.crash import write_crash

        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
            self.crash_log = write_crash(error, self._secrets)
        self._close_messages_no_wait()

    def panic(self, *_renderables: object) -> None:
        """What Textual calls when its input thread failed: the terminal is gone or unusable."""
        self.leave(129 if is_gone() else 1)

    # -- talking

    def say(self, text: Content | str, *, bad: bool = False) -> None:
        """Tell the user something in one line, in the footer's place."""
        words = text.plain if isinstance(text, Content) else text
        self._main.say(visible(words), bad=bad)

    def notify(self, message: str, *, severity: str = "information", **_options: object) -> None:
        """Textual's toasts, as lines in the footer."""
        self.say(message, bad=severity == "error")

    async def on_key(self, event: Key) -> None:
        """A key that nothing took: if it is bound to something that can't be done now, say why not."""
        bound = self.screen.active_bindings.get(event.key)
        if bound is None or bound.enabled:
            return
        action = bound.binding.action.partition("(")[0]
        node = bound.node
        why = node.why_not(action) if isinstance(node, Page) else self.why_not(action)
        self.say(f"{bound.binding.description}: {why or 'not possible here'}")

    def why_not(self, action: str) -> str:
        """Why one of the console's own actions can't be done now."""
        page = self._main.page
        if action == "filter" and (page is None or page.filter_widget() is None):
            return "there is no list to filter on this page"
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "suspend_process":
            return super().check_action(action, parameters)
        if action == "filter" and (self._covered or _takes_text(self.focused)):
            return False  # There its key is a character.
        return None if self.why_not(action) else True

    # -- pages

    @property
    def page(self) -> Page | None:
        """The page on screen."""
        return self._main.page

    async def _open(self, entry: PageEntry) -> None:
        await self._main.open_page(entry, self._page_is_ready)

    def _page_is_ready(self, page: Page) -> None:
        page.show_link(self.link)
        if self.view is not None and self.view.window == self.window:
            self._show(self.view)

    async def action_page(self, name: str) -> None:
        entry = next(entry for entry in self._pages if entry.name == name)
        if name != self._main.active:
            await self._open(entry)

    async def open_lab(self, prompt: str, system: str = "", model: str = "") -> None:
        """Go to the Lab with this prompt."""
        from costconsole.console.screens.lab import LabPage

        await self.action_page("lab")
        if isinstance(self.page, LabPage):
            self.page.load(prompt, system, model)

    async def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        await self.action_page(next(entry.name for entry in self._pages if entry.key == message.key))

    def action_maximise(self) -> None:
        if self._main.restore_panels():
            return
        focused = self._main.focused
        if focused is None or not self._main.maximise(focused):
            self.say("there is nothing beside this panel: it is as large as it gets")

    async def action_back(self) -> None:
        page = self._main.page
        if self._main.restore_panels() or page is None or page.back():
            return
        if self._main.active != self._pages[0].name:
            await self.action_page(self._pages[0].name)
        else:
            self.say("this is the top; q quits")

    # -- figures

    def action_pause(self) -> None:
        paused = self._paused_ms is None
        self._paused_ms = self.clock() if paused else None
        self._poller.paused = paused
        self._main.show_status(self._status())
        if self._pause_timer is not None:
            self._pause_timer.stop()
        self._pause_timer = (
            self.set_interval(60, lambda: self._main.show_status(self._status())) if paused else None
        )

    def action_refresh_now(self) -> None:
        self._asked_for = True
        self._poller.refresh_now()
        if self._main.page is not None:
            self._main.page.look_again()
        if self._paused_ms is not None:
            self.say("refreshed once; still paused, space goes on")

    def set_window(self, window: Window) -> None:
        """Show another span of time on every page, also while it is paused."""
        self._asked_for = True
        self._poller.window = window
        self._main.show_status(self._status())

    def action_window(self, step: int) -> None:
        wanted = next_window(self.window, step)
        if wanted is None:
            self.say(f"{self.window.label} is the {'longest' if step > 0 else 'shortest'} window")
        else:
            self.set_window(wanted)

    def set_refresh(self, seconds: float) -> None:
        """Refresh every so many seconds, half a second at least."""
        self._poller.interval_s = max(FLOOR_S, seconds)
        self._main.show_status(self._status())

    def action_slower(self) -> None:
        self.set_refresh(slower(self._poller.interval_s))

    def action_faster(self) -> None:
        if self._poller.interval_s <= FLOOR_S:
            self.say(f"{FLOOR_S:g} s is the fastest refresh")
        self.set_refresh(faster(self._poller.interval_s))

    # -- taking away

    def action_filter(self) -> None:
        page = self._main.page
        widget = page.filter_widget() if page else None
        if widget is not None:
            # At once: what is typed behind the key belongs into the widget already.
            self._main.set_focus(widget)

    def action_copy(self) -> None:
        self._copy(whole=False)

    def action_copy_row(self) -> None:
        self._copy(whole=True)

    def _copy(self, *, whole: bool) -> None:
        from costconsole.console.clipboard import copy

        page = self._main.page
        found = page.copyable(whole=whole) if page else None
        if found is None:
            self.say("there is nothing to copy here")
            return
        what, text = found
        write = self._driver.write if self._driver is not None else lambda _text: None
        self.say(copy(what, text, write=write, folder=state_dir(), environ=os.environ))

    def action_export(self, kind: str = "") -> None:
        """Write the view as CSV and JSON (`kind` empty), or one of `csv`, `json`, `svg`."""
        from costconsole.console.export import texts_of, write_export

        page = self._main.page
        export = page.exportable() if page and kind != "svg" else None
        if kind == "svg":
            texts = [(".svg", self.export_screenshot(title="costconsole"))]
        elif export is None:
            self.say("there is nothing to export here; E takes a picture of the screen")
            return
        else:
            texts = texts_of(export, kind)
        name = export.name if export else self._main.active
        try:
            paths = write_export(texts, name, (Path.cwd(), state_dir()))
        except OSError as error:
            self.say(f"nothing exported: {error.strerror}", bad=True)
            return
        self.exported += paths
        written = size(sum(path.stat().st_size for path in paths))
        self.say(f"exported {written} to {' and '.join(str(path) for path in paths)}")

    # -- help, commands, leaving

    async def action_help(self) -> None:
        from costconsole.console.help import HelpSheet

        await self.push_screen(HelpSheet(self.screen.active_bindings), self._uncovered)

    async def action_commands(self, typed: str = "") -> None:
        from costconsole.console.commands import palette

        # Awaited, so that what is typed on goes to the palette and not to the page.
        await self.push_screen(palette(self, typed), self._uncovered)

    def _uncovered(self, _result: None) -> None:
        """A sheet was closed: show what came in meanwhile."""
        self.call_later(self._catch_up)

    def _catch_up(self) -> None:
        self._on_link(replace(self.link))
        self._main.show_status(self._status())
        if self.view is not None:
            self._show(self.view)

    async def action_quit(self) -> None:
        self.exit(return_code=0)

    def action_help_quit(self) -> None:
        self.say("ctrl+q quits; ctrl+c is left to the terminal's copying")


def _takes_text(widget: Widget | None) -> bool:
    return widget is not None and widget.check_consume_key("slash", "/")


def _same(a: LedgerView, b: LedgerView) -> bool:
    """Whether two views show the same, whenever they were read."""
    return replace(a, read_ms=0) == replace(b, read_ms=0)
