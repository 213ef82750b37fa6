"""Starting and ending the console: everything that is to be checked before a byte goes to the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from costconsole.console.terminal import Signals, colors, require_terminal
from costconsole.settings import Settings

if TYPE_CHECKING:
    from costconsole.console.app import CostConsoleApp
    from costconsole.console.source import Source


def run_console(settings: Settings, source: Source | None = None) -> int:
    """Show the console until the user leaves it; the exit code.

    0 left by the user, 1 an error inside, 128 + n ended by signal n. Raises UsageProblem before anything was
    drawn: no terminal, an unknown theme, a key that can't be bound; ConnectionProblem when no Redis was named
    and none answers here.
    """
    require_terminal(os.environ)
    app = build_app(settings, source)
    signals = Signals(app.leave_from_signal)
    signals.install()
    try:
        asyncio.run(_run(app, settings.mouse))
    finally:
        signals.remove()
    return _last_words(app)


def build_app(settings: Settings, source: Source | None = None) -> CostConsoleApp:
    """The app, with theme and keys checked. Raises UsageProblem."""
    if not os.environ.get("NO_COLOR"):
        # Textual takes an empty NO_COLOR for a wish; the convention says that it is none.
        os.environ.pop("NO_COLOR", None)
    from costconsole.console.app import CostConsoleApp
    from costconsole.console.keymap import all_bindings, check_keymap
    from costconsole.console.themes import choose_theme

    theme, warning = choose_theme(settings.theme, colors(os.environ), settings.origins.get("theme", ""))
    keymap = {}
    if settings.keymap:
        origin = settings.origins.get("keymap", "config file")
        keymap = check_keymap(settings.keymap, all_bindings(), origin)
    if source is None:
        from costconsole.console.redis_source import RedisSource
        from costconsole.redis_store.discover import find_target

        source = RedisSource(settings, find_target(settings))
    return CostConsoleApp(settings, source, theme, warning=warning, keymap=keymap)


async def _run(app: CostConsoleApp, mouse: bool) -> None:
    try:
        await app.run_async(mouse=mouse)
    finally:
        await app.stop_reading()


def _last_words(app: CostConsoleApp) -> int:
    """What is said on the terminal once it is itself again."""
    for path in app.exported:
        print(f"exported {path}", file=sys.stderr)
    if app.crash_log is not None:
        print(f"costconsole: ended by an error inside it; details are in {app.crash_log}", file=sys.stderr)
        return 1
    return app.return_code or 0
