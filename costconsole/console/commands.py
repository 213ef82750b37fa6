"""What the palette offers: every bound action, themes, windows, and commands with a word behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING

from costconsole.console.help import BoundAction, bound_actions
from costconsole.console.page import Page
from costconsole.console.palette import Command, Palette
from costconsole.console.themes import read_themes
from costconsole.domain.errors import UsageProblem
from costconsole.domain.window import WINDOWS, parse_window

if TYPE_CHECKING:
    from costconsole.console.app import CostConsoleApp

_ALIASES = {
    "app.quit": ("q", "q!", "exit"),
    "app.help": ("h", "?"),
    "app.export": ("w", "write"),
    "page.entries": ("search", "caches"),
}


def commands_of(app: CostConsoleApp) -> list[Command]:
    """Every action that is bound where the user is, then what only the palette has."""
    bound = bound_actions(app.screen.active_bindings)
    # What a list does with its own keys comes last: nobody looks for it here.
    bound.sort(key=lambda action: not (isinstance(action.binding.node, Page) or action.binding.node is app))
    found = [_bound(app, action) for action in bound]
    found += [
        Command(f"window {window.label}", partial(app.set_window, window), group="Window")
        for window in WINDOWS
    ]
    found += [
        Command(f"export {kind}", partial(app.action_export, kind), group="Export")
        for kind in ("csv", "json", "svg")
    ]
    themes, problems = read_themes()
    for theme in themes:
        app.register_theme(theme)
        use = partial(setattr, app, "theme", theme.name)
        found.append(Command(f"theme {theme.name}", use, group="Theme", preview=use))
    for problem in problems:
        app.say(problem, bad=True)
    return found


def _bound(app: CostConsoleApp, action: BoundAction) -> Command:
    name = action.binding.binding.id or ""
    node = action.binding.node
    why = ""
    if not action.enabled:
        bare = action.action.partition("(")[0]
        why = (node.why_not(bare) if isinstance(node, Page) else app.why_not(bare)) or "not possible here"
    run: Callable[[], Awaitable[object]] = partial(app.run_action, action.action, node)
    return Command(
        action.what,
        run,
        key="  ".join(action.keys),
        group=action.group,
        aliases=_ALIASES.get(name, ()) if name else (),
        why_not=why,
    )


def commands_typed(app: CostConsoleApp, typed: str) -> list[Command]:
    """Commands that take a word: `window 45m`, `refresh 5`, and what the page makes of the text."""
    verb, _, rest = typed.strip().partition(" ")
    rest = rest.strip()
    found: list[Command] = []
    if verb == "window" and rest and all(rest != window.label for window in WINDOWS):
        try:
            window = parse_window(rest)
        except UsageProblem:
            pass
        else:
            found.append(Command(f"window {rest}", partial(app.set_window, window), group="Window"))
    if verb == "refresh" and rest.removesuffix("s").replace(".", "", 1).isdigit():
        seconds = float(rest.removesuffix("s"))
        found.append(
            Command(f"refresh every {seconds:g} s", partial(app.set_refresh, seconds), group="Refresh")
        )
    page = app.page
    if page is not None:
        found += page.commands(typed)
    return found


def palette(app: CostConsoleApp, typed: str = "") -> Palette:
    """The palette for where the user is now. A previewed theme stays only when it is chosen."""
    before = app.theme

    def left() -> None:
        app.theme = before

    def chosen(command: Command) -> None:
        if command.preview is None:
            left()
        app.call_later(_run, app, command)

    return Palette(
        commands_of(app),
        more=lambda text: commands_typed(app, text),
        chosen=chosen,
        closed=left,
        typed=typed,
    )


async def _run(app: CostConsoleApp, command: Command) -> None:
    if command.why_not:
        app.say(f"{command.title}: {command.why_not}")
        return
    result = command.run()
    if isawaitable(result):
        await result
