"""The console on a fake source, with a clock that stands still, and what it shows as text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PageEntry
from costconsole.console.themes import choose_theme
from costconsole.settings import Settings
from tests.console import fakes
from tests.console.plain_pages import PLAIN_PAGES


class Clock:
    """Unix milliseconds that pass only when told to."""

    def __init__(self, now_ms: int = fakes.NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def make_app(
    source: fakes.FakeSource | None = None,
    *,
    pages: Sequence[PageEntry] = PLAIN_PAGES,
    clock: Callable[[], int] | None = None,
    colors: int = 1 << 24,
    keymap: dict[str, str] | None = None,
    warning: str = "",
    **settings: Any,
) -> CostConsoleApp:
    chosen = Settings(**{"refresh_s": 3600.0, "timezone": "Europe/Vienna", **settings})
    theme, _ = choose_theme(chosen.theme, colors)
    return CostConsoleApp(
        chosen,
        source or fakes.FakeSource(),
        theme,
        pages=pages,
        clock=clock or Clock(),
        keymap=keymap,
        warning=warning,
    )


@asynccontextmanager
async def console(
    source: fakes.FakeSource | None = None, *, size: tuple[int, int] = (120, 36), **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None]]]:
    """The running console after its first read."""
    app = make_app(source, **options)
    async with app.run_test(size=size) as pilot:
        for _ in range(200):
            await pilot.pause()
            if app.page is not None and (app.view is not None or app.source.hang):
                break
        await pilot.pause()
        yield app, pilot
        await app.stop_reading()


def lines(app: CostConsoleApp) -> list[str]:
    """The screen as text, without styles."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).ljust(width) for strip in strips[:height]]


def text(app: CostConsoleApp) -> str:
    return "\n".join(lines(app))
