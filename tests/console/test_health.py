"""The Health page as a user meets it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.health import HealthPage
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import ConnectionProblem
from costconsole.health.finding import Finding
from tests.console.fake_health import FINDINGS, HOSTILE, KEY, HealthSource
from tests.console.harness import console, lines, text

SIZES = ((80, 24), (120, 36))


@asynccontextmanager
async def health_page(
    source: HealthSource | None = None, *, wait: bool = True, **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], HealthPage]]:
    async with console(source or HealthSource(), pages=PAGES, **options) as (app, pilot):
        await pilot.press("8")
        page = app.page
        assert isinstance(page, HealthPage)
        if wait:
            await settled(pilot, page)
        yield app, pilot, page


async def settled(pilot: Pilot[None], page: HealthPage) -> None:
    await pilot.pause()
    await page.settle()
    await pilot.pause()


def states(page: HealthPage) -> list[str]:
    table = page.query_one(LiveTable)
    return [f"{table._rows[n].cells[0]} {table._rows[n].cells[1]}" for n in range(table.row_count)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [(), ("j", "enter")], ids=["list", "open"])
async def test_page(size: tuple[int, int], keys: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    async with health_page(size=size) as (app, pilot, _page):
        await pilot.press(*keys)
        await pilot.pause()
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_hostile(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    async with health_page(HealthSource(found=HOSTILE), size=size) as (app, pilot, _page):
        seen = [text(app)]
        for _ in HOSTILE:
            await pilot.press("enter")
            await pilot.pause()
            seen.append(text(app))
            await pilot.press("escape", "j")
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    for screen in seen:
        assert not set(screen) & set("\x00\x07\x1b\x9b\r\u202e\u200b")
    assert shown == snapshot


async def test_worst_first_with_a_word_beside_each_mark() -> None:
    async with health_page() as (app, _pilot, page):
        assert states(page) == [
            "✗ fail prefix bleed", "! warn never expires", "! warn answers", "✓ ok server", "✓ ok memory",
            "✓ ok hit rate",
        ]  # fmt: skip
        screen = text(app)
        assert "1 ✗ · 2 ! · 3 ✓ · looked at" in screen
        # The worst one is open beside the list, with its evidence and the next step.
        assert "look-ups" in page.query_one(Reader).whole_text
        whole = page.query_one(Reader).whole_text.replace("\n  ", "").replace("\n", "")
        assert KEY in whole
        assert "neither name begins with the other" in " ".join(page.query_one(Reader).whole_text.split())
        assert "≈132" in screen


async def test_it_looks_once_and_again_only_when_told_to() -> None:
    source = HealthSource()
    async with health_page(source) as (_app, pilot, page):
        await pilot.press("1", "8")
        await settled(pilot, page)
        assert source.examined == 1
        for times, key in ((2, "x"), (3, "ctrl+r")):
            await pilot.press(key)
            await settled(pilot, page)
            assert source.examined == times


async def test_nothing_is_painted_when_the_same_is_found_again() -> None:
    async with health_page() as (app, pilot, page):
        before = lines(app)
        painted: list[object] = []
        for widget in (page.query_one(LiveTable), page.query_one(Reader)):
            refresh = widget.refresh
            widget.refresh = lambda *a, _r=refresh, **k: (painted.append(a), _r(*a, **k))[1]  # type: ignore[method-assign]
        page.show(app.view)  # type: ignore[arg-type]
        await pilot.pause()
        assert painted == []
        assert lines(app) == before


async def test_findings_come_as_they_are_found_and_esc_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HealthPage, "PACE_S", 0.0)
    gate = asyncio.Semaphore(0)
    async with health_page(HealthSource(gate=gate), wait=False) as (app, pilot, page):
        await pilot.pause()
        assert states(page) == ["✓ ok server"]
        assert "Esc stops" in text(app)
        gate.release()
        gate.release()
        await pilot.pause()
        assert states(page) == ["! warn never expires", "✓ ok server", "✓ ok memory"]
        assert page.query_one(LiveTable).cursor_key == "never expires\0llmcache\x000"
        await pilot.press("x")
        assert "it is looking already" in text(app)
        await pilot.press("escape")
        await settled(pilot, page)
        assert app.page is page
        assert "stopped at" in text(app)
        assert "partial" in text(app)
        assert len(states(page)) == 3


async def test_a_stopped_second_look_keeps_what_the_first_one_found() -> None:
    source = HealthSource()
    async with health_page(source) as (app, pilot, page):
        before = states(page)
        source.gate = asyncio.Semaphore(0)
        await pilot.press("x")
        await pilot.pause()
        await pilot.press("escape")
        await settled(pilot, page)
        assert states(page) == before
        assert "findings from before" in text(app)


async def test_the_cursor_stays_on_its_finding_when_others_come_and_go() -> None:
    source = HealthSource()
    async with health_page(source) as (_app, pilot, page):
        await pilot.press("j", "j")
        assert page.query_one(LiveTable).cursor_key == "answers\0support\x000"
        source.found = tuple(f for f in FINDINGS if f.check != "never expires")
        await pilot.press("x")
        await settled(pilot, page)
        assert page.query_one(LiveTable).cursor_key == "answers\0support\x000"
        assert "answer differently" in " ".join(page.query_one(Reader).whole_text.split())


async def test_who_reads_on_while_more_is_found_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HealthPage, "PACE_S", 0.0)
    gate = asyncio.Semaphore(0)
    long = Finding("first", "fail", "words " * 2000)
    source = HealthSource(gate=gate, found=(long, *FINDINGS))
    async with health_page(source, wait=False) as (_app, pilot, page):
        await pilot.pause()
        await pilot.press("enter", "pagedown")
        reader = page.query_one(Reader)
        place = str(reader.border_subtitle)
        assert place != ""
        gate.release()
        gate.release()
        await pilot.pause()
        assert len(states(page)) == 3
        assert str(reader.border_subtitle) == place
        await pilot.press("escape")
        await settled(pilot, page)


async def test_what_goes_wrong_is_said_and_the_rest_stays() -> None:
    source = HealthSource(fails=ConnectionProblem("prod-cache:6379/0 closed the connection"))
    async with health_page(source) as (app, _pilot, page):
        assert len(states(page)) == len(FINDINGS)
        assert "closed the connection" in text(app)
        assert "not finished" in text(app)


async def test_a_narrow_page_opens_a_finding_in_place_of_the_list_and_esc_goes_back() -> None:
    async with health_page(size=(80, 24)) as (app, pilot, page):
        assert "next step" not in text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "next step" in text(app)
        assert "Findings, worst first" not in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "Findings, worst first" in text(app)
        await pilot.press("escape")
        assert app.page is not page


async def test_a_finding_can_be_taken_away() -> None:
    async with health_page() as (_app, _pilot, page):
        assert page.copyable() == ("evidence", "\n".join(FINDINGS[3].evidence))
        what, whole = page.copyable(whole=True) or ("", "")
        assert what == "finding"
        assert json.loads(whole)["check"] == "prefix bleed"
        export = page.exportable()
        assert export is not None
        assert [row[0] for row in export.rows] == ["fail", "warn", "warn", "ok", "ok", "ok"]


async def test_sorting_by_a_column() -> None:
    async with health_page() as (_app, pilot, page):
        page.query_one(LiveTable).sort_by("count", True)
        await pilot.pause()
        assert states(page)[:2] == ["✗ fail prefix bleed", "! warn never expires"]


async def test_ascii_and_no_colour_lose_no_word() -> None:
    async with health_page(charset="ascii") as (app, _pilot, _page):
        assert "fail" in text(app)
        assert "warn" in text(app)
