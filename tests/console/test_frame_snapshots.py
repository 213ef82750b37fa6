"""What the frame looks like, as pictures: the main page, help, commands, and old figures."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from tests.console import fakes
from tests.console.harness import make_app


async def ready(pilot: Pilot[None]) -> None:
    while pilot.app.view is None:  # type: ignore[attr-defined]
        await pilot.pause()
    await pilot.pause()


def test_the_frame_at_80x24(snap_compare: Any) -> None:
    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=ready)


def test_help_at_120x36(snap_compare: Any) -> None:
    async def press(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await pilot.press("question_mark")

    assert snap_compare(make_app(), terminal_size=(120, 36), run_before=press)


def test_commands_at_80x24(snap_compare: Any) -> None:
    async def press(pilot: Pilot[None]) -> None:
        await ready(pilot)
        await pilot.press("colon", *"win")

    assert snap_compare(make_app(), terminal_size=(80, 24), run_before=press)


def test_old_figures_at_120x36_light(snap_compare: Any) -> None:
    source = fakes.FakeSource()

    async def press(pilot: Pilot[None]) -> None:
        await ready(pilot)
        source.problem = fakes.refused()
        await pilot.press("ctrl+r")
        while pilot.app.link.state != "down":  # type: ignore[attr-defined]
            await pilot.pause()
        await pilot.pause()

    app = make_app(source, theme="costconsole-light")
    assert snap_compare(app, terminal_size=(120, 36), run_before=press)
