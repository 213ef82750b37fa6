"""Marking a hit as wrong, from the live tail and from the page of entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.overview import OverviewPage
from costconsole.console.screens.thresholds_sheets import AskSheet
from costconsole.domain.window import Window
from tests.console import fakes
from tests.console.fake_thresholds import FakeThresholds, ThresholdSource, log_of
from tests.console.harness import console, text

KEY = fakes.entries()[0].key


def view_of_hits(window: Window) -> Any:
    """The newest call is a semantic hit of an entry that is there."""
    first, *others = fakes.calls()
    return fakes.view(window, recent=(replace(first, neighbor=KEY), *others))


@asynccontextmanager
async def page_of(
    key: str, *, writable: bool = True
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], Any, FakeThresholds]]:
    known = FakeThresholds(log=log_of(count=10))
    source = ThresholdSource(views=[view_of_hits], thresholds=known, writable=writable)
    async with console(source, pages=PAGES) as (app, pilot):
        await pilot.press(key)
        page = app.page
        assert isinstance(page, OverviewPage | EntriesPage)
        yield app, pilot, page, known


async def settled(pilot: Pilot[None], page: Any) -> None:
    await pilot.pause()
    await page.wrong.settle()
    await pilot.pause()


async def test_a_hit_in_the_tail_is_marked_after_asking_and_taken_back() -> None:
    async with page_of("1") as (app, pilot, page, known):
        await pilot.press("t", "w")
        await settled(pilot, page)
        assert isinstance(app.screen, AskSheet)
        assert "Was this hit wrong?" in text(app)
        assert "How do I return order" in text(app)
        await pilot.press("enter")
        await settled(pilot, page)
        assert known.wrong == []
        await pilot.press("w")
        await settled(pilot, page)
        await pilot.press("y")
        await settled(pilot, page)
        assert known.wrong == [(KEY, 0.973, "How do I return order 1000?", fakes.entries()[0].prompt)]
        assert "served from similarity 0.983 only. z takes it back" in text(app)
        await pilot.press("z")
        await settled(pilot, page)
        assert known.wrong == []
        assert "taken back" in text(app)


async def test_what_is_no_hit_cannot_be_marked() -> None:
    async with page_of("1") as (app, pilot, page, known):
        await pilot.press("w")
        assert "choose a call first" in text(app)
        await pilot.press("t", "j", "w")
        await settled(pilot, page)
        assert "that was no hit" in text(app)
        await pilot.press("j", "w")
        await settled(pilot, page)
        assert "an exact hit answers the same request" in text(app)
        assert known.wrong == []


@pytest.mark.parametrize("key", ["1", "2"])
async def test_read_only_says_why(key: str) -> None:
    async with page_of(key, writable=False) as (app, pilot, page, known):
        if key == "1":
            await pilot.press("t")
        else:
            await page.settle()
        await pilot.press("w")
        await settled(pilot, page)
        assert len(app.screen_stack) == 1
        assert "nothing can be changed here: --read-only" in text(app)
        assert known.wrong == []


async def test_an_entry_is_marked_for_what_is_searched_and_shows_its_own_threshold() -> None:
    async with page_of("2") as (app, pilot, page, known):
        await page.settle()
        await pilot.press("slash", *"refund", "enter")
        await pilot.pause()
        await page.settle()
        await pilot.press("w")
        await settled(pilot, page)
        assert isinstance(app.screen, AskSheet)
        await pilot.press("y")
        await settled(pilot, page)
        assert [mark[:3] for mark in known.wrong] == [(KEY, 0.981, "refund")]
        await page.settle()
        await pilot.pause()
        assert "from .983 on only: it was a wrong hit" in " ".join(page._panel.reader.whole_text.split())
        # Undo means the mark now, not an eviction.
        await pilot.press("z")
        await settled(pilot, page)
        assert known.wrong == []


async def test_without_a_search_there_is_nothing_that_it_would_be_wrong_for() -> None:
    async with page_of("2") as (app, pilot, page, known):
        await page.settle()
        page._table.focus()
        listed = page._chosen.targets
        page._chosen.targets = lambda: (listed()[0], tuple(replace(e, similarity=None) for e in listed()[1]))
        await pilot.press("w")
        await settled(pilot, page)
        assert "type the prompt that it answered wrongly" in text(app)
        assert known.wrong == []
