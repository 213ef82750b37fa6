"""The Routing page as a user meets it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.routing import RoutingPage
from costconsole.console.screens.routing_learnt import learnt_lines
from costconsole.console.screens.routing_router_rows import verdict
from costconsole.console.screens.routing_sheets import AskSheet, YesSheet
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Refused, UsageProblem
from costconsole.domain.figures import Policy
from tests.console import fakes
from tests.console.fake_routing import (
    CONFIG,
    FEW,
    LEARNT,
    QUALITY,
    ROUTED,
    FakeRouting,
    RoutingSource,
    broken,
    config,
    defaults,
    hostile_routing_view,
    routed_view,
    state,
)
from tests.console.harness import console, lines, text

SIZES = ((80, 24), (120, 36))
BAD = set("\x00\x07\x1b\x9b\r\u202e\u200b")


@asynccontextmanager
async def routing_page(
    source: RoutingSource | None = None, **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], RoutingPage]]:
    async with console(source or RoutingSource(), pages=PAGES, **options) as (app, pilot):
        await pilot.press("5")
        page = app.page
        assert isinstance(page, RoutingPage)
        await settled(pilot, page)
        yield app, pilot, page


async def settled(pilot: Pilot[None], page: RoutingPage) -> None:
    for _ in range(2):
        await pilot.pause()
        await page.settle()
    await pilot.pause()


async def press(pilot: Pilot[None], page: RoutingPage, *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot, page)


def rows(page: RoutingPage, name: str) -> list[list[str]]:
    table = page.query_one(f"#{name}", LiveTable)
    return [[str(cell) for cell in table._rows[n].cells] for n in range(table.row_count)]


def shown(app: CostConsoleApp) -> str:
    return "\n".join(line.rstrip() for line in lines(app)[2:-1])


def words(page: RoutingPage, selector: str = "#detail") -> str:
    return " ".join(page.query_one(selector, Reader).whole_text.split())


# -- what it looks like

VIEWS = {
    "tables": (),
    "route": ("j", "enter"),
    "model": ("tab", "enter"),
    "config": ("c",),
    "learnt": ("a",),
    "routers": ("s", "slash", *"refund", "enter"),
    "whatif": ("w",),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", VIEWS)
async def test_page(size: tuple[int, int], view: str, snapshot: SnapshotAssertion) -> None:
    async with routing_page(size=size) as (app, pilot, page):
        await press(pilot, page, *VIEWS[view])
        assert shown(app) == snapshot


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("made", [defaults, broken], ids=["defaults", "broken"])
async def test_without_a_config_and_with_a_broken_one(
    size: tuple[int, int], made: Any, snapshot: SnapshotAssertion
) -> None:
    async with routing_page(RoutingSource(routing=FakeRouting(made())), size=size) as (app, pilot, page):
        await press(pilot, page, "c")
        # Which providers' models are the defaults hangs on the keys that are set here.
        kept = [line for line in shown(app).splitlines() if "tiers" not in line]
        assert ("\n".join(kept) if made is broken else kept[3:6]) == snapshot


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_hostile(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    source = RoutingSource(views=[hostile_routing_view])
    async with routing_page(source, size=size) as (app, pilot, _page):
        seen = [text(app)]
        assert shown(app) == snapshot
        for _ in fakes.HOSTILE:
            await pilot.press("enter")
            await pilot.pause()
            seen.append(text(app))
            await pilot.press("escape", "j")
        await pilot.press("tab")
        for _ in fakes.HOSTILE:
            await pilot.press("enter")
            await pilot.pause()
            seen.append(text(app))
            await pilot.press("escape", "j")
    for screen in seen:
        assert not set(screen) & BAD


async def test_ascii_loses_no_word() -> None:
    async with routing_page(charset="ascii") as (app, pilot, page):
        await press(pilot, page, "a")
        assert not set(shown(app)) & set("●│·╭")
        assert "APGR 0.63" in shown(app)


# -- tables


async def test_config_and_ledger_side_by_side() -> None:
    async with routing_page() as (app, _pilot, page):
        found = {row[0]: row for row in rows(page, "routes")}
        assert list(found) == ["answers", "code", "(no route)", "+ an old one", "legal"]
        assert found["answers"][2] == "cheap = gpt-4o-mini"
        assert found["+ an old one"][2] == "not in the config"
        assert found["legal"][3] == ".400"
        assert found["legal"][5] == "0"
        models = {row[0]: row for row in rows(page, "models")}
        assert list(models) == ["gpt-4o", "gpt-4o-mini", "+ o4-mini", "claude-haiku-4-5", "house-70b"]
        assert models["gpt-4o"][3:6] == ["2.50", "10.00", "✓ set"]
        assert models["claude-haiku-4-5"][3:6] == ["–", "–", "✗ missing"]
        assert models["+ o4-mini"][-1] == "✗ failing"
        assert models["house-70b"][-1] == "no calls"
        assert "+ not in the config" in text(app)


async def test_a_model_says_whose_price_and_whose_environment() -> None:
    async with routing_page() as (_app, pilot, page):
        for name, wanted in (
            (
                "house-70b",
                ("of the config or the settings", "HOUSE_KEY is missing in this console's environment"),
            ),
            ("gpt-4o", ("of genai-prices 0.0.27", "OPENAI_API_KEY is set in this console's environment")),
            ("claude-haiku-4-5", ("price unknown", "can't be told")),
            ("o4-mini", ("the config in use doesn't name it",)),
        ):
            table = page.query_one("#models", LiveTable)
            table.focus()
            table.move_to(f"model\0{name}")
            await press(pilot, page, "enter")
            for each in wanted:
                assert each in words(page), name
            await press(pilot, page, "escape")


async def test_nothing_is_painted_when_nothing_has_changed() -> None:
    async with routing_page() as (app, pilot, page):
        painted: list[object] = []
        for widget in page.query(LiveTable):
            refresh = widget.refresh
            widget.refresh = lambda *a, _r=refresh, **k: (painted.append(a), _r(*a, **k))[1]  # type: ignore
        page.show(app.view)  # type: ignore[arg-type]
        page._look()
        await settled(pilot, page)
        assert painted == []


async def test_before_the_first_call_and_without_a_ledger() -> None:
    source = RoutingSource(views=[lambda window: fakes.empty_view(window, present=False)])
    async with routing_page(source) as (app, _pilot, page):
        assert [row[0] for row in rows(page, "routes")] == ["answers", "legal", "code"]
        assert "no ledger here" in text(app)


# -- the config


async def test_a_change_of_the_file_is_live_and_a_broken_one_is_shown() -> None:
    source = RoutingSource()
    async with routing_page(source) as (app, pilot, page):
        assert "✓ valid, followed live" in text(app)
        source.routing.now = broken()
        page._look()
        await settled(pilot, page)
        assert "line 12: models.gpt-4o.tier" in text(app)
        assert "the last good one stays" in text(app)
        await press(pilot, page, "c")
        assert "did you mean 'default'?" in words(page)
        assert "last good content stays in use" in words(page)
        edited = config(text=CONFIG.replace("use: cheap, fallbacks: [gpt-4o]", "use: gpt-4o"))
        source.routing.now = state(config=edited)
        page._look()
        await settled(pilot, page)
        await press(pilot, page, "escape")
        assert rows(page, "routes")[0][2] == "gpt-4o"
        assert "✓ valid, followed live" in text(app)


async def test_without_a_config_it_says_so_and_how_to_set_one() -> None:
    async with routing_page(RoutingSource(routing=FakeRouting(defaults()))) as (app, pilot, page):
        assert "none: the defaults route" in text(app)
        assert "costconsole --routing FILE" in text(app)
        await press(pilot, page, "c")
        assert "COSTCONSOLE_ROUTING=FILE" in words(page)


async def test_the_file_is_not_looked_at_while_another_page_is_shown() -> None:
    source = RoutingSource()
    async with routing_page(source) as (_app, pilot, page):
        await pilot.press("1")
        looked = source.routing.looked
        page._look()
        await pilot.pause()
        assert source.routing.looked == looked


# -- switches


async def test_a_switch_asks_once_and_no_is_the_default() -> None:
    source = RoutingSource()
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "o")
        assert isinstance(app.screen, YesSheet)
        assert "Turn routing off?" in text(app)
        await press(pilot, page, "enter")
        assert source.routing.changed == []
        await press(pilot, page, "o", "y")
        assert source.routing.changed == [("routing", False)]
        assert "routing is off (version 4" in text(app)


async def test_a_switch_that_is_off_is_turned_on() -> None:
    off = Policy(version=3, minimization=False)
    source = RoutingSource(views=[lambda window: routed_view(window, policy=off)])
    async with routing_page(source) as (app, pilot, page):
        assert "minimization ✗ off" in text(app)
        await press(pilot, page, "i", "y")
        assert source.routing.changed == [("minimization", True)]


async def test_the_policy_of_the_caches_counts_where_the_ledger_is_elsewhere() -> None:
    source = RoutingSource(routing=FakeRouting(apart=Policy(version=9, routing=False)))
    async with routing_page(source) as (app, pilot, page):
        assert "routing ✗ off" in text(app)
        await press(pilot, page, "o", "y")
        assert source.routing.changed == [("routing", True)]


async def test_read_only_says_why() -> None:
    source = RoutingSource(writable=False)
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "o")
        assert "nothing can be changed here: --read-only" in text(app)
        await press(pilot, page, "s", "t")
        assert "nothing can be changed here: --read-only" in text(app)
        assert source.routing.changed == []


async def test_a_refusal_is_said() -> None:
    source = RoutingSource(routing=FakeRouting(problem=Refused("user viewer may not write")))
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "o", "y")
        assert "user viewer may not write" in text(app)


# -- routers


async def test_a_phrase_is_tried_by_each_routers_own_rule() -> None:
    async with routing_page() as (app, pilot, page):
        await press(pilot, page, "s")
        assert [row[:3] for row in rows(page, "router-list")] == [
            ["topic-router", "refunds", ".700"], ["topic-router", "delivery", ".650"], ["lost", "–", "–"],
        ]  # fmt: skip
        assert "its config key is missing" in text(app)[: text(app).rindex("?")] or "config key" in text(app)
        await press(pilot, page, "slash", *"money back", "enter")
        found = rows(page, "router-list")
        assert found[0][3] == ".830"
        assert found[0][5] == "✓ taken"
        assert found[1][5] == "nothing that near"
        assert "avg of the references' distances, max_k 1" in " ".join(text(app).split())
        await press(pilot, page, "escape")
        assert page.query_one("#router-list", LiveTable).has_focus


def test_what_a_router_makes_of_a_route() -> None:
    many = replace(
        ROUTED, routes=("refunds", "second"), hidden=("third",), scores={**ROUTED.scores, "far": 0.1}
    )
    assert [verdict(name, many)[0] for name in ("refunds", "second", "third", "delivery", "far")] == [
        "✓ taken", "passes (route_many)", "beyond max_k 1", "nothing that near", "below its threshold",
    ]  # fmt: skip


async def test_another_embedding_model_is_said() -> None:
    fake = FakeRouting()
    fake.found = (replace(fake.found[0], model="text-embedding-3-small"),)
    async with routing_page(RoutingSource(routing=fake)) as (app, pilot, page):
        await press(pilot, page, "s")
        assert "made with text-embedding-3-small" in " ".join(text(app).split())


async def test_a_threshold_is_set_with_when_it_takes_effect_and_taken_back() -> None:
    source = RoutingSource()
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "s", "t")
        assert isinstance(app.screen, AskSheet)
        assert "counts from the next start of what uses the router" in " ".join(text(app).split())
        app.screen.query_one(Input).value = "1.5"
        await press(pilot, page, "enter")
        assert "is not possible" in text(app)
        assert source.routing.changed == []
        app.screen.query_one(Input).value = "0.8"
        await press(pilot, page, "enter")
        assert source.routing.changed == [("threshold", "topic-router", "refunds", 0.8)]
        assert "0.7 → 0.8" in text(app)
        await press(pilot, page, "z")
        assert source.routing.changed[-1] == ("undo", "17-1")
        assert "back to 0.7" in text(app)
        await press(pilot, page, "z")
        assert "no threshold was changed here" in text(app)


async def test_no_router_says_how_one_is_found() -> None:
    async with routing_page(RoutingSource(routing=FakeRouting(found=()))) as (app, pilot, page):
        await press(pilot, page, "s")
        assert "There is no RedisVL SemanticRouter in this Redis" in " ".join(text(app).split())


# -- what-if


async def test_what_if_with_an_edited_config(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text("x")
    source = RoutingSource()
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "w", "x")
        assert "both sides would be the same" in text(app)
        await press(pilot, page, "f")
        app.screen.query_one(Input).value = str(tmp_path / "gone.yaml")
        await press(pilot, page, "enter")
        assert "there is no file" in text(app)
        app.screen.query_one(Input).value = str(edited)
        await press(pilot, page, "enter", "n")
        app.screen.query_one(Input).value = "many"
        await press(pilot, page, "enter")
        assert "write a number" in text(app)
        app.screen.query_one(Input).value = "5,000"
        await press(pilot, page, "enter", "x")
        _, old, new, prices, last = source.routing.changed[-1]
        assert (old, new, prices, last) == (state().config, str(edited), "", 5_000)
        assert shown(app) == snapshot
        export = page.exportable()
        assert export is not None
        totals = {(row[0], row[1]): row[2:] for row in export.rows}
        assert totals["total", "known calls"][2:] == (4.2, 3.1)
        assert totals["unknown", "spend"][2] == 0.12
        _what, whole = page.copyable() or ("", "")
        assert json.loads(whole)["moved"] == 900


async def test_what_if_shows_how_far_it_is_and_esc_stops(tmp_path: Path) -> None:
    listed = tmp_path / "prices.toml"
    listed.write_text("x")
    source = RoutingSource(routing=FakeRouting(gate=asyncio.Event()))
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "w", "p")
        app.screen.query_one(Input).value = str(listed)
        await press(pilot, page, "enter")
        await pilot.press("x")
        await pilot.pause()
        assert "1,000 of 10,000 calls · 12 prompts routed anew · Esc stops" in text(app)
        await pilot.press("x")
        assert "it is comparing" in text(app)
        await press(pilot, page, "escape")
        assert "stopped: partial" in text(app)
        assert source.routing.changed[-1][3] == str(listed)


async def test_a_changed_file_is_compared_with_what_it_was() -> None:
    before = config(source="before.yaml")
    source = RoutingSource(routing=FakeRouting(state(previous=before)))
    async with routing_page(source) as (app, pilot, page):
        await press(pilot, page, "w")
        assert "config before its last change" in text(app)
        await press(pilot, page, "x")
        assert source.routing.changed[-1][1] is before
        assert source.routing.changed[-1][2] == state().config


async def test_what_goes_wrong_in_a_what_if_is_said() -> None:
    fake = FakeRouting(
        state(previous=config()), problem=UsageProblem("edited.yaml, line 3: tier: expected cheap")
    )
    async with routing_page(RoutingSource(routing=fake)) as (app, pilot, page):
        await press(pilot, page, "w", "x")
        assert "edited.yaml, line 3" in text(app)
        assert not page.whatif.busy


# -- what was learnt


def test_below_enough_labels_it_is_not_better_than_random_yet() -> None:
    def said(found: Any) -> str:
        return " ".join("".join(t for t, _ink in line) for line in learnt_lines(found, 100, "braille"))

    assert "Not better than random yet: APGR 0.52 [0.31, 0.74] on 40 outcomes" in said(
        replace(LEARNT, quality=FEW)
    )
    assert "69.0 % [64.4, 73.3]" in said(LEARNT)
    assert "APGR 0.63" in said(LEARNT)
    nothing = said(replace(LEARNT, labels=0, accuracy=None, quality=None))
    assert "From 200 labelled prompts on" in nothing
    assert "below 100 it can't say" in nothing


@pytest.mark.parametrize("charset", ["braille", "ascii"])
def test_the_curve_rises_from_nothing_to_all(charset: Any) -> None:
    made = learnt_lines(replace(LEARNT, quality=QUALITY), 70, charset)
    chart = ["".join(t for t, _ink in line) for line in made]
    top = next(line for line in chart if line.startswith("  100 "))
    bottom = next(line for line in chart if line.startswith("    0 "))
    dot = "o" if charset == "ascii" else "●"
    assert top.rstrip().endswith(dot)
    assert bottom[6] == dot


async def test_what_was_learnt_is_read_once_the_config_is(monkeypatch: pytest.MonkeyPatch) -> None:
    source = RoutingSource()
    gate, known = asyncio.Event(), source.routing.state

    async def late() -> Any:
        await gate.wait()
        return await known()

    monkeypatch.setattr(source.routing, "state", late)
    async with console(source, pages=PAGES) as (app, pilot):
        await pilot.press("5", "a")
        await pilot.pause()
        page = app.page
        assert isinstance(page, RoutingPage)
        assert "APGR" not in text(app)
        gate.set()
        await settled(pilot, page)
        assert "APGR 0.63" in text(app)


# -- taking away


async def test_tables_can_be_taken_away() -> None:
    async with routing_page() as (_app, pilot, page):
        assert page.copyable() == ("route", "answers")
        export = page.exportable()
        assert export is not None
        assert export.name == "routes"
        assert [row[:3] for row in export.rows] == [
            ("answers", "both", 60_000), ("code", "both", 30_000), ("", "ledger", 20_000),
            ("an old one", "ledger", 10_000), ("legal", "config", 0),
        ]  # fmt: skip
        await press(pilot, page, "tab")
        assert page.copyable() == ("model", "gpt-4o")
        row = json.loads((page.copyable(whole=True) or ("", ""))[1])
        assert (row["name"], row["known_to"], row["calls"]) == ("gpt-4o", "both", 50_000)
        export = page.exportable()
        assert export is not None
        assert export.name == "models"
