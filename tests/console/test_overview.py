"""The Overview as a user meets it: what is on screen at each size, and what its keys do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.widgets.chart import Chart
from costconsole.console.widgets.painted import Painted
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import ConnectionProblem
from costconsole.domain.figures import LedgerView
from tests.console import fakes
from tests.console.harness import console, lines, text

OVERVIEW = tuple(entry for entry in PAGES if entry.name == "overview")
SIZES = ((80, 24), (100, 50), (120, 36), (200, 60))


async def drawn(app: CostConsoleApp, pilot: Pilot[None]) -> str:
    """The screen once its charts are drawn."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    return text(app)


def shown(view: Any = fakes.view) -> fakes.FakeSource:
    return fakes.FakeSource(views=[view])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "view",
    [fakes.view, fakes.hostile_view, fakes.huge_view, fakes.unpriced_view, fakes.empty_view],
    ids=lambda view: view.__name__,
)
async def test_every_line_is_as_wide_as_the_screen(size: tuple[int, int], view: Any) -> None:
    async with console(shown(view), size=size, pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
        rows = [row.rstrip() for row in lines(app)]
    assert len(rows) == size[1]
    assert all(cell_len(row) <= size[0] for row in rows)
    framed = [row for row in rows if row.startswith(("│", "╭", "╰"))]
    assert len(framed) > 10
    assert {cell_len(row) for row in framed} == {size[0]}
    assert not any(ord(c) < 32 and c != "\n" for c in screen)
    assert "\u202e" not in screen


async def test_80x24_shows_tiles_one_chart_and_the_models() -> None:
    async with console(shown(), size=(80, 24), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    for words in (
        "Hit rate, %      Spend, $ 1h   Saved, $ 1h    p50 / p95 ms     Calls 1h",
        " 63.0       = 0.0 252.82        674.63  72.7 % hit       5.8/14 137,400  38.2 /s",
        " ex 21.0 sem 42.0 today   1,656 tokens  50.8 M call   622/1,953 err        0.5 %",
        "Outcomes, % of calls · 1h",
        "⣿ exact  ⡇ semantic  rest: missed",
        "Models · 1h",
        "│model               calls hit % in tok out tok ▼spend $  saved $ p95 ms err % │",
        "│o4-mini            12,000  63.0 4.94 M  1.85 M   ≥22.08    58.92  1,953   0.5 │",
        "t tail",
    ):
        assert words in screen, words
    assert "Calls, newest first" not in screen


async def test_120x36_shows_everything_at_once() -> None:
    async with console(shown(), size=(120, 36), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    for words in (
        "Outcomes, % of calls · 1h",
        "Spend and saved, $ a minute · 1h",
        "From baseline to spend, $ · 1h",
        "− provider cache  43.97",
        "Models · 1h",
        "o4-mini",
        "Calls, newest first",
        "23:34:03 semantic .973 gpt-4o",
        "✗ error",
        "timeout · How do I return",
    ):
        assert words in screen, words


async def test_200x60_uses_the_room() -> None:
    async with console(shown(), size=(200, 60), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    for words in ("p50 / p95 / p99", "per 1,000 calls", "by cost", "spend saved", "not cacheable"):
        assert words in screen, words
    assert screen.count("How do I return order") >= 25


async def test_c_goes_through_the_charts_where_one_fits() -> None:
    async with console(shown(), size=(80, 24), pages=OVERVIEW) as (app, pilot):
        titles = []
        for _ in range(4):
            screen = await drawn(app, pilot)
            titles.append(next(t for t in ("Outcomes, %", "Spend and saved", "From baseline") if t in screen))
            await pilot.press("c")
    assert titles == ["Outcomes, %", "Spend and saved", "From baseline", "Outcomes, %"]


async def test_c_says_why_not_where_all_fit() -> None:
    async with console(shown(), pages=OVERVIEW) as (app, pilot):
        await pilot.press("c")
        assert "all charts are on screen" in await drawn(app, pilot)


async def test_b_goes_through_the_dimensions_and_keeps_the_order() -> None:
    async with console(shown(), pages=OVERVIEW) as (app, pilot):
        table = app.query_one("#by", LiveTable)
        await pilot.press("greater_than_sign")
        order = table.sorting
        found = []
        for _ in range(4):
            await pilot.press("b")
            await pilot.pause()
            found.append(str(table.border_title))
            assert table.sorting == order
    assert found == ["Routes · 1h", "Tags · 1h", "Outcomes · 1h", "Models · 1h"]


async def test_a_model_is_drilled_into_and_esc_returns() -> None:
    def view(window: Any) -> LedgerView:
        made = fakes.view(window)
        first, *rest = made.by["model"]
        only = replace(first.figures, exact=first.figures.calls, semantic=0, miss=0, bypass=0)
        return replace(made, by={**made.by, "model": (replace(first, figures=only), *rest)})

    async with console(shown(view), pages=OVERVIEW) as (app, pilot):
        await pilot.press("enter")
        screen = await drawn(app, pilot)
        assert "model gpt-4o" in screen
        assert "│ 100 " in screen
        assert "Outcomes, % of all calls" in screen
        table = app.query_one("#tail", LiveTable)
        assert table.row_count == 6
        await pilot.press("escape")
        screen = await drawn(app, pilot)
        assert "Esc shows all" not in screen
        assert "│ 63.0 " in screen
        assert table.row_count == 30


async def test_an_outcome_is_drilled_into() -> None:
    async with console(shown(), pages=OVERVIEW) as (app, pilot):
        await pilot.press("b", "b", "b")
        app.query_one("#by", LiveTable).move_to("miss")
        await pilot.press("enter")
        await drawn(app, pilot)
        tail = app.query_one("#tail", LiveTable)
        assert {str(tail.row(key).cells[1]) for key in tail_keys(tail)} == {"miss"}  # type: ignore[union-attr]


def tail_keys(table: LiveTable) -> list[str]:
    return [f"call-{i:04}" for i in range(30) if table.row(f"call-{i:04}") is not None]


async def test_t_gives_the_calls_the_page_and_enter_opens_one() -> None:
    async with console(shown(), size=(80, 24), pages=OVERVIEW) as (app, pilot):
        await pilot.press("t")
        screen = await drawn(app, pilot)
        assert screen.count("How do I") >= 15
        assert "Models · 1h" not in screen
        await pilot.press("j", "enter")
        screen = await drawn(app, pilot)
        assert "Call call-0001" in screen
        assert "no cached answer fitted" in screen
        assert "not reached" not in screen
        assert "threshold     .950" in screen
        await pilot.press("escape")
        assert "How do I" in await drawn(app, pilot)
        await pilot.press("escape")
        assert "Models · 1h" in await drawn(app, pilot)


async def test_the_neighbour_of_a_call_is_read() -> None:
    entry = fakes.entries(1)[0]
    call = replace(fakes.calls(1)[0], neighbor=entry.key)
    source = shown(lambda window: fakes.view(window, recent=(call,)))
    async with console(source, pages=OVERVIEW) as (app, pilot):
        await pilot.press("tab", "enter")
        assert "Can I get a refund after 30 days?" in await drawn(app, pilot)


async def test_a_tail_that_is_read_stands_still() -> None:
    first = fakes.calls(30)
    newer = replace(first[0], id="newer", preview="brand new")
    source = fakes.FakeSource(
        views=[
            lambda window: fakes.view(window, recent=first),
            lambda window: fakes.view(window, recent=(newer, *first[:-1])),
        ]
    )
    async with console(source, pages=OVERVIEW) as (app, pilot):
        await pilot.press("tab", "j", "j")
        await pilot.press("ctrl+r")
        screen = await drawn(app, pilot)
        assert "brand new" not in screen
        assert "held; g follows again" in screen
        await pilot.press("g", "ctrl+r")
        screen = await drawn(app, pilot)
        assert "brand new" in screen
        assert "held" not in screen


async def test_without_a_ledger_it_says_how_figures_come() -> None:
    source = shown(lambda window: fakes.empty_view(window, present=False))
    async with console(source, size=(80, 24), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    for words in (
        "No figures yet",
        "llmcache",
        "212 entries",
        "from costconsole import Gateway",
        "costconsole demo",
    ):
        assert words in screen, words
    assert "$" not in screen


async def test_a_window_without_calls_says_so_in_its_charts() -> None:
    async with console(shown(fakes.empty_view), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    assert "No cache hit in the last 1h." in screen
    assert "chooses a wider" in screen
    assert "No call in this window." in screen


async def test_the_same_figures_again_draw_nothing() -> None:
    async with console(shown(), pages=OVERVIEW) as (app, pilot):
        await drawn(app, pilot)
        refreshed: list[str] = []
        for widget in (*app.query(Painted), *app.query(LiveTable)):
            before = widget.refresh

            def spy(*regions: Any, _before: Any = before, _id: Any = widget.id, **options: Any) -> Any:
                refreshed.append(f"{_id} {regions}")
                return _before(*regions, **options)

            widget.refresh = spy  # type: ignore[method-assign]
        page = app.page
        assert page is not None
        assert app.view is not None
        page.show(replace(app.view))
        await drawn(app, pilot)
        assert refreshed == []


async def test_y_copies_and_e_exports_what_is_shown() -> None:
    async with console(shown(), pages=OVERVIEW) as (app, pilot):
        await drawn(app, pilot)
        page = app.page
        assert page is not None
        assert page.copyable() == ("model", "gpt-4o")
        row = page.copyable(whole=True)
        assert row is not None
        assert json.loads(row[1])["spend_usd"] == 110.4
        export = page.exportable()
        assert export is not None
        assert export.columns[0] == "model"
        assert len(export.rows) == 5
        await pilot.press("tab")
        assert page.copyable() == ("call id", "call-0000")
        calls = page.exportable()
        assert calls is not None
        assert len(calls.rows) == 30


async def test_ascii_needs_no_other_sign() -> None:
    async with console(shown(), pages=OVERVIEW, charset="ascii") as (app, pilot):
        await drawn(app, pilot)
        charts = [chart.text for chart in app.query(Chart)]
    assert all(chart.isascii() for chart in charts)
    assert "#" in charts[0]
    assert ":" in charts[0]


async def test_without_a_connection_the_reason_stands_there_in_full() -> None:
    reason = "cache:6379/0 (from --redis) refuses the password of the default user: correct it in the URL."
    source = fakes.FakeSource(problem=ConnectionProblem(reason))
    async with console(source, size=(80, 24), pages=OVERVIEW) as (app, pilot):
        screen = await drawn(app, pilot)
    assert "No figures: not connected" in screen
    assert reason in " ".join(screen.split())
    assert "Models" not in screen
