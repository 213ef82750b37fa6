from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region

from costconsole.console.widgets.chart import Area, Charset, Chart, Plot, draw_plot, legend
from costconsole.console.widgets.painted import Line


def plot(columns: int = 60, *, hits: float = 60.0, last: float | None = None) -> Plot:
    exact: list[float | None] = [20.0] * columns
    both: list[float | None] = [hits] * columns
    if last is not None:
        both[-2:] = [last, last]
    return Plot(
        (Area("exact", "accent", tuple(exact)), Area("semantic", "second", tuple(both), striped=True)),
        100,
        ((0, "0"), (50, "50"), (100, "100")),
        ((0.0, "22:00"), (0.5, "22:30")),
    )


def text(lines: tuple[Line, ...]) -> list[str]:
    return ["".join(part for part, _ink in line) for line in lines]


@pytest.mark.parametrize("charset", ["braille", "block", "ascii"])
def test_a_plot_fills_its_area_exactly(charset: Charset) -> None:
    drawn = text(draw_plot(plot(), 44, 9, charset))
    assert len(drawn) == 9
    assert {cell_len(row) for row in drawn} == {44}
    assert drawn[0].startswith("100")
    assert "22:00" in drawn[-1]
    assert "22:30" in drawn[-1]


def test_ascii_is_ascii() -> None:
    assert "".join(text(draw_plot(plot(30), 34, 8, "ascii"))).isascii()
    assert legend((("exact", False), ("semantic", True)), "ascii") == "# exact  : semantic"


def test_areas_differ_without_colour_and_by_ink() -> None:
    drawn = draw_plot(plot(80), 44, 11, "braille")
    glyphs = {
        ink: {glyph for line in drawn for part, used in line if used == ink for glyph in part}
        for ink in ("accent", "second")
    }
    assert "⣿" in glyphs["accent"]
    assert "⡇" in glyphs["second"]
    assert "⣿" not in glyphs["second"]


def test_heights_are_true() -> None:
    """60 % of ten rows of four dots each are six rows full, of which 20 % are the exact hits' two."""
    rows = text(draw_plot(plot(80), 44, 11, "block"))
    filled = [y for y, row in enumerate(rows[:-1]) if "▌" in row or "█" in row]
    solid = [y for y, row in enumerate(rows[:-1]) if "█" in row]
    assert filled == [4, 5, 6, 7, 8, 9]
    assert solid == [8, 9]


def test_unknown_is_a_gap_not_zero() -> None:
    given = plot(80)
    holes = tuple(None if 30 <= x < 50 else top for x, top in enumerate(given.areas[0].tops))
    rows = text(draw_plot(Plot((Area("exact", "accent", holes),), 100, given.y_ticks, ()), 44, 11, "block"))
    assert rows[-2][4 + 15 : 4 + 25].strip() == ""
    assert rows[-2][4 + 5 : 4 + 14].strip() != ""


def test_drawings_in_many_threads_do_not_mix() -> None:
    wanted = {hits: draw_plot(plot(hits=hits), 40, 9) for hits in (10.0, 50.0, 90.0)}
    wrong: list[float] = []

    def draw(hits: float) -> None:
        for _ in range(10):
            if draw_plot(plot(hits=hits), 40, 9) != wanted[hits]:
                wrong.append(hits)

    threads = [threading.Thread(target=draw, args=(hits,)) for hits in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_plotext_is_imported_for_the_first_drawing_only() -> None:
    code = "import sys, costconsole.console.widgets.chart; assert 'plotext' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart(id="chart")


class Spy(Chart):
    def __init__(self) -> None:
        super().__init__(id="chart")
        self.sent: list[Region] = []

    def refresh(self, *regions: Region, **options: object) -> Spy:
        self.sent.extend(regions)
        return super().refresh(*regions, **options)  # type: ignore[arg-type, return-value]


class SpyHost(App[None]):
    def compose(self) -> ComposeResult:
        yield Spy()


async def test_only_what_changed_is_sent() -> None:
    app = SpyHost()
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Spy)
        chart.show_plot(plot, empty="nothing")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "⣿" in chart.text

        chart.sent.clear()
        chart.show_plot(plot, empty="nothing")
        await app.workers.wait_for_complete()
        assert chart.sent == []

        chart.show_plot(lambda columns: plot(columns, last=95.0), empty="nothing")
        await app.workers.wait_for_complete()
        assert 0 < sum(region.area for region in chart.sent) <= 10


async def test_an_empty_plot_says_so() -> None:
    app = Host()
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Chart)
        chart.show_plot(lambda columns: plot(columns, hits=0), empty="filled after all")
        await app.workers.wait_for_complete()
        assert "filled" not in chart.text
        nothing = Plot((Area("exact", "accent", (None, None)),), 100, ((0, "0"),), ())
        chart.show_plot(lambda _columns: nothing, empty="No call in the last 1h.")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "No call in the last 1h." in chart.text


async def test_a_resize_draws_for_the_new_size() -> None:
    app = Host()
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Chart)
        chart.show_plot(plot, empty="nothing")
        await app.workers.wait_for_complete()
        await pilot.resize_terminal(90, 20)
        await pilot.pause()
        await app.workers.wait_for_complete()
        rows = chart.text.split("\n")
        assert len(rows) == 20
        assert {cell_len(row) for row in rows} == {90}
