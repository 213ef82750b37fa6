"""Taking a prompt to the Lab from where it is seen."""

from __future__ import annotations

from costconsole.console.lab import Question
from costconsole.console.pages import PAGES
from costconsole.console.screens.lab import LabPage
from tests.console.fake_lab import LabSource
from tests.console.harness import console, text


async def test_from_an_entry() -> None:
    source = LabSource()
    async with console(source, pages=PAGES) as (app, pilot):
        await pilot.press("2")
        for _ in range(50):
            await pilot.pause()
            if "How" in text(app):
                break
        await pilot.press("slash", "l")
        await pilot.pause()
        assert not isinstance(app.page, LabPage), "in the search line it is a letter"
        await pilot.press("backspace", "tab", "l")
        await pilot.pause()
        page = app.page
        assert isinstance(page, LabPage)
        await page.settle()
        assert source.lab.answered[-1].prompt == source.search.found[0].prompt
        assert source.lab.answered[-1].model == source.search.found[0].model


async def test_from_a_live_call() -> None:
    source = LabSource()
    async with console(source, pages=PAGES) as (app, pilot):
        await pilot.press("l")
        assert not isinstance(app.page, LabPage), "the table of models scrolls with it"
        await pilot.press("t", "j", "l")
        await pilot.pause()
        page = app.page
        assert isinstance(page, LabPage)
        await page.settle()
        assert source.lab.answered[-1] == Question("How do I return order 1001?", "gpt-4o-mini")
        await pilot.press("escape", "1", "enter", "l")
        await pilot.pause()
        assert app.page is page
