"""A sparing update must leave the same screen as Textual's own."""

from __future__ import annotations

import io
import itertools
import random

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.strip import Strip

from costconsole.console.compositor import SparingUpdate
from costconsole.console.pages import PAGES
from tests.console.harness import console, lines
from tests.console.moving import MovingSource

WIDTH, HEIGHT = 40, 8
CUTS = (0, 13, 14, 27, WIDTH)
STYLES = (
    None,
    Style.parse("color(74) on color(233)"),
    Style.parse("bold color(251) on color(233)"),
    Style.parse("color(251) on color(233)"),
    Style.parse("reverse color(251) on color(234)"),
    Style.parse("#ff5f5f on #262626"),
    Style.parse("dim default on default"),
    Style.parse("red"),
    Style.parse("bold underline"),
)


def strip(rng: random.Random, width: int) -> Strip:
    segments = []
    while width:
        part = min(width, rng.randint(1, 6))
        text = "".join(rng.choice("ab01 ·│█") for _ in range(part))
        if part >= 2 and rng.random() < 0.2:
            text = "漢" + text[2:]
        segments.append(Segment(text, rng.choice(STYLES)))
        width -= part
    return Strip(segments)


def chops(rng: random.Random) -> list[dict[int, Strip | None]]:
    return [{x: strip(rng, end - x) for x, end in itertools.pairwise(CUTS)} for _ in range(HEIGHT)]


def cells(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    return [
        [
            (c.data, c.fg, c.bg, c.bold, c.reverse, c.underscore)
            for c in (screen.buffer[y][x] for x in range(WIDTH))
        ]
        for y in range(HEIGHT)
    ]


@pytest.mark.parametrize("color_system", ["standard", "256", "truecolor"])
@pytest.mark.parametrize("seed", range(8))
def test_the_same_cells_in_fewer_bytes(seed: int, color_system: str) -> None:
    for style in STYLES:
        if style is not None:
            style._ansi = None  # Rich keeps the codes of the colour system that asked first.
    rng = random.Random(seed)
    ends = [list(CUTS[1:])] * HEIGHT
    console = Console(file=io.StringIO(), force_terminal=True, color_system=color_system)  # type: ignore[arg-type]
    screens = [pyte.Screen(WIDTH, HEIGHT) for _ in range(2)]
    streams = [pyte.Stream(screen) for screen in screens]
    full = [(y, 0, WIDTH) for y in range(HEIGHT)]
    sent = [0, 0]
    lines = chops(rng)
    for round_ in range(12):
        spans = full
        if round_:
            # Some widgets change; a span covers each of them, from wherever in it.
            spans = []
            for y in sorted(rng.sample(range(HEIGHT), 3)):
                x = rng.choice(CUTS[:-1])
                end = CUTS[CUTS.index(x) + 1]
                lines[y][x] = strip(rng, end - x)
                spans.append((y, x, end))
        for n, update in enumerate((ChopsUpdate(lines, spans, ends), SparingUpdate(lines, spans, ends))):
            text = update.render_segments(console)
            sent[n] += len(text)
            streams[n].feed(text)
        assert cells(screens[0]) == cells(screens[1])
    assert sent[1] < sent[0]


def test_a_span_is_cut_on_both_sides() -> None:
    style = STYLES[1]
    line: list[dict[int, Strip | None]] = [{0: Strip([Segment("0123456789", style)])}]
    console = Console(file=io.StringIO(), force_terminal=True, color_system="256")
    text = SparingUpdate(line, [(0, 4, 6)], [[10]]).render_segments(console)
    assert text == "\x1b[1;5H\x1b[38;5;74;48;5;233m45\x1b[0m"


def test_neighbouring_parts_need_no_second_move_and_no_second_colour() -> None:
    base, bold = STYLES[3], STYLES[2]
    line: list[dict[int, Strip | None]] = [
        {0: Strip([Segment("ab", base)]), 2: Strip([Segment("cd", bold), Segment("ef", base)])}
    ]
    console = Console(file=io.StringIO(), force_terminal=True, color_system="256")
    text = SparingUpdate(line, [(0, 0, 6)], [[2, 6]]).render_segments(console)
    assert text == "\x1b[1;1H\x1b[38;5;251;48;5;233mab\x1b[1mcd\x1b[0;38;5;251;48;5;233mef\x1b[0m"


async def test_after_many_updates_a_terminal_shows_what_a_full_drawing_would() -> None:
    """Figures move, keys are pressed, a sheet opens and closes; the terminal gets only the changes."""
    source = MovingSource(rate=5, filled_minutes=8)
    async with console(source, pages=PAGES[:1]) as (app, pilot):
        screen = pyte.Screen(*app.size)
        stream = pyte.Stream(screen)
        updates = []

        def write(_screen: object, update: object) -> None:
            if update is None:
                return
            assert isinstance(update, CompositorUpdate)
            updates.append(type(update).__name__)
            stream.feed(update.render_segments(app.console))

        app._display = write  # type: ignore[method-assign, assignment]
        app.screen.refresh()
        app.screen._compositor._dirty_regions.add(app.screen.size.region)
        stream.feed(app.screen._compositor.render_full_update().render_segments(app.console))
        for key in ("ctrl+r", "b", "tab", "j", "ctrl+r", "?", "escape", "t", "ctrl+r", "escape", "ctrl+r"):
            await pilot.press(key)
            await pilot.pause()
            await app.workers.wait_for_complete()
            await pilot.pause()
        await pilot.pause(0.1)
        assert "SparingUpdate" in updates
        assert [row.rstrip() for row in screen.display] == [row.rstrip() for row in lines(app)]
