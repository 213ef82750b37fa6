"""The page of thresholds as a user meets it."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from costconsole.calibration.events import Event
from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.thresholds import ThresholdsPage
from costconsole.console.screens.thresholds_labels import LabelSheet
from costconsole.console.screens.thresholds_scopes import ScopeTable
from costconsole.console.screens.thresholds_sheets import AskSheet, GuardSheet
from costconsole.console.widgets.chart import Chart
from costconsole.domain.errors import Problem
from tests.console import fakes
from tests.console.fake_thresholds import FakeThresholds, ThresholdSource, labels_of, log_of, texts_of
from tests.console.harness import console, lines, text

SIZES = ((80, 24), (120, 36))


def certified() -> FakeThresholds:
    """Labels enough for 2 % from about .90 on."""
    log, dice = log_of(count=1_000), random.Random(3)

    def wrong(event: Event) -> bool:
        return dice.random() > 1 / (1 + math.exp(-5 - 40 * (event.similarity - 0.9)))

    return FakeThresholds(log=log, labels=labels_of(log, 500, wrong))


@asynccontextmanager
async def thresholds_page(
    thresholds: FakeThresholds | None = None, *, writable: bool = True, **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], ThresholdsPage, FakeThresholds]]:
    known = thresholds or certified()
    source = ThresholdSource(thresholds=known, writable=writable)
    async with console(source, pages=PAGES, **options) as (app, pilot):
        await pilot.press("4")
        page = app.page
        assert isinstance(page, ThresholdsPage)
        await settled(pilot, page)
        yield app, pilot, page, known


async def settled(pilot: Pilot[None], page: ThresholdsPage) -> None:
    for _ in range(3):
        await pilot.pause()
        await page.settle()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_page(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    async with thresholds_page(size=size) as (app, _pilot, _page, _known):
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot


@pytest.mark.parametrize("panel", [1, 2, 3], ids=["examples", "scopes", "evidence"])
async def test_a_narrow_page_shows_one_panel_at_a_time(panel: int, snapshot: SnapshotAssertion) -> None:
    async with thresholds_page(size=(80, 24)) as (app, pilot, page, _known):
        await pilot.press(*["v"] * panel)
        await settled(pilot, page)
        shown = "\n".join(line.rstrip() for line in lines(app)[10:-1])
        # Wherever the focus is, the keys of the page work.
        before = page.line
        await pilot.press("left")
        assert page.line is not before
    assert shown == snapshot


async def test_without_a_label_no_number_of_wrong_hits_is_shown() -> None:
    async with thresholds_page(FakeThresholds(labels={})) as (app, pilot, page, _known):
        screen = text(app)
        assert "149 labels would do for 2 %" in " ".join(screen.split()).replace("││ ", "")
        assert "there is none yet" in page.query_one("#beside", Reader).whole_text
        for row in ("wrong / 1,000 hits", "wrong / 1,000 look-ups", "at most wrong, %"):
            line = next(each for each in lines(app) if row in each)
            assert line.split(row)[1].split()[:2] == ["–", "–"]
        await pilot.press("p")
        assert "Not enough labels" in text(app)


async def test_the_line_moves_by_a_step_and_by_five_and_everything_with_it() -> None:
    async with thresholds_page() as (app, pilot, page, _known):
        await pilot.press("n")
        start = page.line
        assert start is not None
        assert start.point.threshold == 0.95
        chart = page.query_one("#rates", Chart).text
        await pilot.press("left")
        await pilot.pause()
        assert page.line is not None
        assert page.line.point.threshold == pytest.approx(0.9475)
        await pilot.press("shift+left")
        await pilot.pause()
        assert page.line.point.threshold == pytest.approx(0.935)
        assert page.query_one("#rates", Chart).text != chart
        gained = page.line.hits_a_day - start.hits_a_day
        assert f"+{gained:,.0f}" in text(app)
        assert "just above .935" in text(app)
        await pilot.press("shift+right", "right")
        assert page.line is start


async def test_a_key_works_nothing_out() -> None:
    async with thresholds_page() as (_app, pilot, page, known):
        built = known.viewed
        await pilot.press(*["left"] * 10)
        await settled(pilot, page)
        assert known.viewed == built


async def test_up_and_down_choose_a_scope() -> None:
    async with thresholds_page() as (app, pilot, page, _known):
        assert "all look-ups · 1,000 look-ups" in text(app)
        await pilot.press("down")
        await settled(pilot, page)
        assert "route support (as all look-ups) · 750 look-ups" in text(app)
        assert "each of 2 routes with 97.5 %" in page.query_one("#beside", Reader).whole_text
        await pilot.press("up")
        await settled(pilot, page)
        assert "all look-ups · 1,000" in text(app)


async def test_another_librarys_cache_says_when_it_acts_and_the_line_to_change() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        table = page.query_one("#scopes", ScopeTable)
        table.move_to("cache\0llmcache\0")
        await settled(pilot, page)
        assert "SemanticCache(distance_threshold=0.1)" in text(app)
        assert "Only its application's code sets it" in text(app)
        await pilot.press("a")
        assert "can't be told from here" in text(app)
        table.move_to("cache\0betterdb\0faq")
        await settled(pilot, page)
        assert "Effective now" in text(app)
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, AskSheet)
        await pilot.press("y")
        await settled(pilot, page)
        assert [change[:2] for change in known.changed] == [("betterdb", "faq")]


async def test_applying_asks_once_and_says_what_it_would_do() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        await pilot.press("n", "left", "left", "a")
        await pilot.pause()
        assert isinstance(app.screen, AskSheet)
        screen = text(app)
        assert "Threshold of all look-ups: .95 to .945?" in screen
        assert "hits a day" in screen
        assert "One step lowers it by .05 at most" in screen
        await pilot.press("enter")
        await settled(pilot, page)
        assert known.applied == []
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("y")
        await settled(pilot, page)
        assert known.applied == [("threshold", 0.945)]
        assert "z takes it back" in text(app)


async def test_a_step_too_far_is_refused_with_its_reason() -> None:
    async with thresholds_page() as (app, pilot, _page, known):
        await pilot.press("n", *["shift+left"] * 6, "a")
        await pilot.pause()
        assert not isinstance(app.screen, AskSheet)
        assert "one step lowers it by 0.05 at most, to 0.9" in text(app)
        assert known.applied == []


async def test_who_was_slower_is_told_and_sees_what_is_in_force() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        await pilot.press("n", "left", "a")
        await pilot.pause()
        known.problem = Problem("Nothing was changed: the policy was changed meanwhile.")
        built = known.viewed
        await pilot.press("y")
        await settled(pilot, page)
        assert known.viewed > built
        assert "changed meanwhile" in text(app)


async def test_taking_back_shows_what_and_asks() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        await pilot.press("z")
        await settled(pilot, page)
        assert isinstance(app.screen, AskSheet)
        assert "ada@desk had set it" in text(app)
        await pilot.press("y")
        await settled(pilot, page)
        assert known.taken_back == ["5-0"]
        known.last = None
        await pilot.press("z")
        await settled(pilot, page)
        assert "no change of a threshold to take back" in text(app)


@pytest.mark.parametrize("key", ["a", "z", "l"])
async def test_read_only_says_why(key: str) -> None:
    async with thresholds_page(writable=False) as (app, pilot, _page, known):
        await pilot.press("n", "left", key)
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert "nothing can be changed here: --read-only" in text(app)
        assert (known.applied, known.taken_back, known.said) == ([], [], [])


async def test_a_guard_is_switched_after_asking() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(app.screen, GuardSheet)
        await pilot.press("3")
        await pilot.pause()
        assert "Switch the guard negation off?" in text(app)
        await pilot.press("y")
        await settled(pilot, page)
        assert known.switched == [("negation", False)]


async def test_labels_are_kept_one_by_one_and_taken_back() -> None:
    thresholds = FakeThresholds(labels={})
    async with thresholds_page(thresholds) as (app, pilot, page, known):
        await pilot.press("l")
        await settled(pilot, page)
        sheet = app.screen
        assert isinstance(sheet, LabelSheet)
        assert "25 % drawn uniformly from .70 on, the rest from .90" in text(app)
        assert "numbers differ" in text(app)
        first = sheet.event
        assert first is not None
        await pilot.press("s")
        await settled(pilot, page)
        assert known.said == [(first.id, "same")]
        assert "1 labelled now · 1 count for .95" in text(app)
        await pilot.press("d")
        await settled(pilot, page)
        await pilot.press("question_mark")
        await settled(pilot, page)
        assert [verdict for _, verdict in known.said] == ["same", "different", "unsure"]
        await pilot.press("u")
        await settled(pilot, page)
        assert [verdict for _, verdict in known.said] == ["same", "different"]
        assert "taken back" in text(app)
        await pilot.press("escape")
        await settled(pilot, page)
        assert app.page is page
        assert len(app.screen_stack) == 1


async def test_a_label_that_could_not_be_kept_stays_on_screen() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        await pilot.press("l")
        await settled(pilot, page)
        assert isinstance(app.screen, LabelSheet)
        shown = app.screen.event
        known.problem = Problem("prod-cache closed the connection")
        await pilot.press("s")
        await settled(pilot, page)
        assert "not kept: prod-cache closed the connection" in text(app)
        assert app.screen.event is shown
        known.problem = None


async def test_no_prompts_no_labels() -> None:
    thresholds = FakeThresholds(log=log_of(texts=("",)))
    async with thresholds_page(thresholds) as (app, pilot, _page, _known):
        assert "keeps no prompts" in text(app)
        await pilot.press("l")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert "nothing to label" in text(app)


async def test_replay_shows_both_and_esc_stops_it() -> None:
    async with thresholds_page(size=(120, 60)) as (app, pilot, page, known):
        known.replaying = threading.Event()
        await pilot.press("r")
        await pilot.pause()
        assert "Esc stops" in text(app)
        await pilot.press("escape")
        await settled(pilot, page)
        assert "stopped: nothing was replayed" in text(app)
        assert "21.0 / 17.0" not in text(app)
        known.replaying.set()
        await pilot.press("r")
        await settled(pilot, page)
        assert "21.0 / 17.0" in page.query_one("#beside", Reader).whole_text
        assert "2 of 42 labelled hits wrong" in page.query_one("#beside", Reader).whole_text


async def test_a_refuted_threshold_is_red_and_says_so() -> None:
    log = log_of()
    bad = FakeThresholds(log=log, labels=labels_of(log, 500, lambda event: event.id.endswith("3")))
    async with thresholds_page(bad) as (app, _pilot, page, _known):
        assert "✗ refuted" in text(app)
        assert "breaks the bound" in " ".join(page.query_one("#beside", Reader).whole_text.split())


async def test_the_bound_can_be_chosen() -> None:
    async with thresholds_page() as (app, pilot, page, _known):
        await pilot.press("b")
        await settled(pilot, page)
        assert "promise 5 %" in text(app)


async def test_the_policy_is_looked_at_again_when_somebody_changed_it() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        built = known.viewed
        assert app.view is not None
        page.show(app.view)
        await settled(pilot, page)
        assert known.viewed == built
        assert app.view.policy is not None
        page.show(replace(app.view, policy=replace(app.view.policy, version=9)))
        await settled(pilot, page)
        assert known.viewed == built + 1


async def test_a_problem_is_said_and_reading_again_possible() -> None:
    thresholds = FakeThresholds(problem=Problem("prod-cache refused XREVRANGE"))
    thresholds.log = log_of(count=1_000)
    async with thresholds_page(thresholds) as (app, pilot, page, known):
        assert "refused XREVRANGE" in text(app)
        known.problem = None
        await pilot.press("ctrl+r")
        await settled(pilot, page)
        assert "all look-ups · 1,000" in text(app)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_hostile(size: tuple[int, int]) -> None:
    log = log_of(texts=fakes.HOSTILE)
    for event in log.events:
        object.__setattr__(event, "route", fakes.HOSTILE[0])
    log.names = {fakes.HOSTILE[n % len(fakes.HOSTILE)]: number for n, number in enumerate(log.names.values())}

    def cached(wanted: Any) -> dict[str, tuple[str, str]]:
        return {key: (fakes.HOSTILE[int(key[-4:]) % 6], fakes.HOSTILE[0]) for key in wanted}

    hostile = FakeThresholds(log=log, cached=cached, labels={})
    async with thresholds_page(hostile, size=size) as (app, pilot, page, _known):
        seen = []
        for _ in range(4):
            seen.append(text(app))
            await pilot.press("v", "down")
            await settled(pilot, page)
        await pilot.press("l")
        for _ in range(4):
            await settled(pilot, page)
            seen.append(text(app))
            await pilot.press("s")
        await pilot.press("escape")
    for screen in seen:
        assert not set(screen) & set("\x00\x07\x1b\x9b\r\u202e\u200b")


async def test_ascii_loses_no_word() -> None:
    async with thresholds_page(charset="ascii") as (app, _pilot, _page, _known):
        screen = text(app)
        assert screen.isascii() or not set(screen) & set("⠒┃┊╭")
        assert "certified" in screen


async def test_what_is_shown_can_be_taken_away() -> None:
    async with thresholds_page() as (_app, _pilot, page, _known):
        what, copied = page.copyable() or ("", "")
        assert (what, float(copied)) == ("threshold", page.line.point.threshold if page.line else 0)
        export = page.exportable()
        assert export is not None
        assert len(export.rows) == len(page._view.steps if page._view else ())
        assert texts_of(["x:0001"])["x:0001"][0] == "Can I get a refund after 21 days?"


async def test_a_refuted_threshold_in_force_is_said_on_every_page() -> None:
    async with thresholds_page() as (app, pilot, page, known):
        known.alarming = "threshold 0.95 of all look-ups is refuted: 9 of 60 labelled hits are wrong"
        app.look_for_alarm()
        await settled(pilot, page)
        for key in ("1", "2", "4"):
            await pilot.press(key)
            await pilot.pause()
            assert "✗ threshold 0.95 of all look-ups is refuted" in text(app)
        known.alarming = ""
        app.look_for_alarm()
        await settled(pilot, page)
        assert "is refuted: 9 of 60" not in text(app)
