"""The frame around every page: header, tabs, banner, footer, and the place in which one page is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.events import Resize
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from costconsole.console.compositor import SparingCompositor
from costconsole.console.footer import Hint, footer_line, message_line
from costconsole.console.header import Status, banner_line, header_line
from costconsole.console.keymap import key_name
from costconsole.console.page import Page
from costconsole.console.pages import PageEntry
from costconsole.console.tabs import Tabs
from costconsole.console.terminal import MIN_HEIGHT, MIN_WIDTH
from costconsole.console.widgets.painted import INKS, Painted, centred

_MESSAGE_S = 6.0
# What the footer shows first and last; what the page binds stands between. One entry may join several keys.
_FIRST = ((("app.help",), "help"), (("app.commands",), "commands"))
_LAST = (
    (("app.filter",), "filter"),
    (("app.pause",), "pause"),
    (("app.window_shorter", "app.window_longer"), "window"),
    (("app.quit",), "quit"),
    (("app.copy",), "copy"),
    (("app.export",), "export"),
)
_NEEDED = frozenset({"app.help", "app.commands", "app.filter", "app.quit"})
"""Shown whatever else is."""


class MainScreen(Screen[None], inherit_bindings=False):
    """Header, tabs, one page, banner, footer. Pages are kept, each with its own focus."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in INKS}

    class Mounted(Message):
        """The frame stands; its stage is empty."""

    def __init__(self, entries: Sequence[PageEntry]) -> None:
        super().__init__(id="main")
        self._compositor = SparingCompositor()
        self._entries = tuple(entries)
        self._pages: dict[str, Page] = {}
        self._focus_of: dict[str, Widget | None] = {}
        self._active = ""
        self._message: tuple[str, bool] | None = None
        self._message_timer: Timer | None = None
        self._hidden: list[Widget] = []
        self._enlarged: Widget | None = None
        self.header = Painted(id="header")
        self.tabs = Tabs([(entry.key, entry.title) for entry in self._entries])
        self.stage = Widget(id="stage")
        self.banner = Painted(id="banner")
        self.footer = Painted(id="footer")
        self.too_small = Painted(id="too-small")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self.tabs
        yield self.stage
        yield self.banner
        yield self.footer
        yield self.too_small

    def on_mount(self) -> None:
        self.tabs.show(self._entries[0].key)
        self.post_message(self.Mounted())
        self.bindings_updated_signal.subscribe(self, lambda _screen: self.show_hints())

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        self.set_class(width < MIN_WIDTH or height < MIN_HEIGHT, "-too-small")
        words = f"need {MIN_WIDTH}x{MIN_HEIGHT}, have {width}x{height}"
        self.too_small.paint(lambda across, down: centred(words, across, down))

    # -- pages

    @property
    def page(self) -> Page | None:
        """The page on screen."""
        return self._pages.get(self._active)

    @property
    def active(self) -> str:
        """The name of the page on screen."""
        return self._active

    async def open_page(self, entry: PageEntry, ready: Callable[[Page], None]) -> None:
        """Bring a page on screen, importing and mounting it on its first visit; then `ready(page)`."""
        before = self.page
        if before is not None:
            self._focus_of[self._active] = self.focused
            self.restore_panels()
        page = self._pages.get(entry.name)
        if page is None:
            page = self._pages[entry.name] = entry.load()()
            await self.stage.mount(page)
        self._active = entry.name
        if before is not None and before is not page:
            before.display = False
        page.display = True
        self.tabs.show(entry.key)
        page.on_reveal()
        ready(page)
        self._focus_page(entry.name, page)
        self.show_hints()

    def _focus_page(self, name: str, page: Page) -> None:
        widget = self._focus_of.get(name)
        if widget is None and page.FIRST_FOCUS:
            widget = next(iter(page.query(page.FIRST_FOCUS)), None)
        if widget is None:
            widget = next((w for w in page.walk_children(Widget) if w.focusable), None)
        self.set_focus(widget, scroll_visible=False)

    # -- maximising

    def maximise(self, widget: Widget) -> bool:
        """Give the panel that holds `widget` the whole stage; False when it has that already."""
        page = self.page
        if page is None or widget is page or page not in widget.ancestors:
            return False
        self.restore_panels()
        node: Widget = widget
        while node is not page:
            parent = node.parent
            assert isinstance(parent, Widget)
            for sibling in parent.children:
                if sibling is not node and sibling.display:
                    sibling.display = False
                    self._hidden.append(sibling)
            node.add_class("-maximised")
            node = parent
        self._enlarged = widget
        return bool(self._hidden)

    def restore_panels(self) -> bool:
        """Undo `maximise`; False when nothing was maximised."""
        if self._enlarged is None:
            return False
        for sibling in self._hidden:
            sibling.display = True
        for node in [self._enlarged, *self._enlarged.ancestors]:
            if isinstance(node, Widget):
                node.remove_class("-maximised")
        self._hidden.clear()
        self._enlarged = None
        return True

    # -- what the frame shows

    def show_status(self, status: Status) -> None:
        """Header and banner. What is on the stage is greyed while it is old."""
        self.header.paint(lambda width, _height: (header_line(status, width),))
        self.stage.set_class(status.link.is_old and status.paused_ms is None, "-stale")
        self.banner.display = bool(banner_line(status, MIN_WIDTH))
        self.banner.paint(lambda width, _height: (banner_line(status, width),))

    def say(self, text: str, *, bad: bool) -> None:
        """Show a message (harmless text) in the footer's place, until a few seconds later."""
        if self._message_timer is not None:
            self._message_timer.stop()
        self._message = (text, bad)
        self._message_timer = self.set_timer(_MESSAGE_S, self._forget_message)
        self.show_hints()

    def _forget_message(self) -> None:
        self._message = None
        self.show_hints()

    def show_hints(self) -> None:
        """The footer: the message there is, else the keys that matter now."""
        if self._message is not None:
            text, bad = self._message
            self.footer.paint((message_line(text, bad=bad),))
            return
        hints = list(self.hints())
        self.footer.paint(lambda width, _height: (footer_line(hints, width),))

    def hints(self) -> Iterator[Hint]:
        """Help and commands, what page and focused widget offer, then what is the same everywhere."""
        active = self.active_bindings
        keys: dict[str, list[str]] = {}
        bound: dict[str, ActiveBinding] = {}
        for key, found in active.items():
            action = found.binding.id or found.binding.action
            keys.setdefault(action, []).append(key_name(key))
            bound[action] = found
        yield from _named(_FIRST, keys, bound)
        for action, found in bound.items():
            if found.node is not self.app and found.binding.show:
                yield Hint(keys[action][0], found.binding.description, found.enabled)
        for hint in _named(_LAST, keys, bound):
            if hint.what == "filter" and self.page is not None:
                hint = replace(hint, what=self.page.FILTER_WORD)
            yield hint


def _named(
    groups: Sequence[tuple[tuple[str, ...], str]],
    keys: dict[str, list[str]],
    bound: dict[str, ActiveBinding],
) -> Iterator[Hint]:
    for actions, what in groups:
        there = [action for action in actions if action in bound]
        if there:
            shown = " ".join(keys[action][0] for action in there)
            enabled = all(bound[action].enabled for action in there)
            yield Hint(shown, what, enabled, needed=not _NEEDED.isdisjoint(there))
