"""Filtering and ordering the list, as a user meets it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from costconsole.cache.entryfilter import EntryFilter
from costconsole.cache.selection import Selection
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.entries_filter import FilterSheet, known_values, suggestions
from costconsole.console.screens.entries_order import OrderSheet
from costconsole.console.screens.entries_query import EntryTable
from tests.console import fakes
from tests.console.fake_entries import EchoSearch, numbered
from tests.console.harness import lines, text
from tests.console.test_entries import entries_page, prompts, settled
from tests.console.test_entries_actions import stage


def titles(page: EntriesPage) -> str:
    return str(page.query_one(EntryTable).border_title)


async def test_a_filter_is_written_shown_and_cleared() -> None:
    async with entries_page() as (app, pilot, page):
        search = app.source.search
        assert isinstance(search, fakes.FakeSearch)
        before = page.query_one(EntryTable).row_count
        await pilot.press("f", *"model:gpt-4o-mini", "enter")
        await settled(pilot, page)
        assert search.wheres[-1] == EntryFilter(model="gpt-4o-mini")
        held = page._listing.held if page._listing is not None else ()
        assert {one.entry.model for one in held} == {"gpt-4o-mini"}
        assert "‹model:gpt-4o-mini›" in text(app)
        assert "F clears" in text(app)
        await pilot.press("slash", *"refund", "enter")
        await settled(pilot, page)
        assert search.asked[-1][0] != "newest"
        assert search.wheres[-1] == EntryFilter(model="gpt-4o-mini")
        await pilot.press("escape", "F")
        await settled(pilot, page)
        assert search.wheres[-1] == EntryFilter()
        assert "F clears" not in text(app)
        assert page.query_one(EntryTable).row_count == before


async def test_what_is_wrong_is_named_and_changes_nothing() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("f", *"modle:x ")
        assert "did you mean model:?" in text(app)
        await pilot.press("enter")
        assert isinstance(app.screen, FilterSheet)
        await pilot.press("escape")
        await settled(pilot, page)
        assert not page._feed.where


async def test_tab_completes_names_and_values() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("f", *"mo", "tab")
        field = app.screen.query_one(Input)
        assert field.value == "model:"
        await pilot.press(*"mini", "tab", *"ttl:", "tab")
        assert field.value.startswith("model:gpt-4o-mini ttl:none")
        await pilot.press("enter")
        await settled(pilot, page)
        assert page._feed.where == EntryFilter(model="gpt-4o-mini", never_expires=True)
        await pilot.press("f")
        assert app.screen.query_one(Input).value == "model:gpt-4o-mini ttl:none "


def test_proposals_follow_what_is_written() -> None:
    entries = [numbered(n) for n in range(3)] + [replace(numbered(4), model="my model", scope="abc")]
    known = known_values(fakes.CACHES, entries)
    assert suggestions("model:", known)[0] == ("model:gpt-4o ", "3 of those listed")
    assert [line for line, _ in suggestions("ttl:none model:my", known)] == ['ttl:none model:"my model" ']
    assert suggestions("age:>7", known)[0][0] == "age:>7d "
    assert suggestions("model:gpt-4o", known) == []
    assert "model:" not in [line for line, _ in suggestions("model:a ", known)]


async def test_the_palette_takes_a_filter() -> None:
    async with entries_page() as (_app, pilot, page):
        await pilot.press("colon", *"filter ttl:none", "enter")
        await settled(pilot, page)
        assert page._feed.where == EntryFilter(never_expires=True)


async def test_all_that_pass_are_evicted_by_the_same_filter() -> None:
    async with stage() as s:
        await s.press("D")
        assert "that would be everything" in text(s.app)
        await s.press("f", *"age:>1h model:gpt-4o", "enter", "D")
        where = EntryFilter(model="gpt-4o", older_than_ms=3_600_000)
        assert s.eviction.selections[-1] == Selection(where=where)
        assert "all that pass model:gpt-4o age:>1h" in text(s.app)
        await s.press("escape", "ctrl+t", "slash", *"refund", "enter", "D")
        assert s.eviction.selections[-1] == Selection(text="refund", where=where)


async def test_a_long_look_shows_how_far_it_came_and_can_be_stopped() -> None:
    search = EchoSearch(1_000_000)
    async with entries_page(fakes.FakeSource(search=search)) as (app, pilot, page):
        await pilot.press("f", *"model:nobody", "enter")
        for _ in range(200):
            await pilot.pause()
            if "looked at" in text(app) and search.pages_read > 3:
                break
        assert "Esc stops" in text(app)
        await pilot.press("escape")
        await settled(pilot, page)
        read = search.pages_read
        assert "stopped: looked at" in text(app)
        assert "of 1,000,000 entries" in text(app)
        for _ in range(20):
            await pilot.pause()
        assert search.pages_read == read
        assert page._feed.where
        await pilot.press("ctrl+r")
        for _ in range(200):
            await pilot.pause()
            if search.pages_read > read + 2:
                break
        assert search.pages_read > read + 2
        await pilot.press("F")
        await settled(pilot, page)
        assert prompts(page)[0] == "prompt number 0"


async def test_the_oldest_and_the_most_hit_come_from_all_of_a_million() -> None:
    search = EchoSearch(1_000_000)
    async with entries_page(fakes.FakeSource(search=search)) as (_app, pilot, page):
        table = page.query_one(EntryTable)
        table.sort_by("age", True)
        await settled(pilot, page)
        assert prompts(page)[0] == "prompt number 999999"
        assert titles(page) == "Entries, oldest first"
        search.found = tuple(numbered(n) for n in (7, 900_000, 12))
        table.sort_by("hits", True)
        await settled(pilot, page)
        assert prompts(page)[0] == "prompt number 900000"
        assert titles(page) == "Entries, most hits first: the first 3 of all"


async def test_what_no_index_sorts_is_sorted_among_the_newest_and_says_so() -> None:
    search = EchoSearch(1_000_000)
    async with entries_page(fakes.FakeSource(search=search), size=(200, 60)) as (app, pilot, page):
        await pilot.press("o")
        assert isinstance(app.screen, OrderSheet)
        assert "the newest 2,000 that match" in text(app)
        row = next(n for n, line in enumerate(lines(app)) if "largest first" in line)
        first = next(n for n, line in enumerate(lines(app)) if "newest first" in line)
        await pilot.press(*["j"] * (row - first), "enter")
        await settled(pilot, page)
        assert titles(page) == "Entries, largest first: of the newest 2,000 only"
        held = page._listing.held if page._listing is not None else ()
        assert len(held) == 2_000
        sizes = [page._feed.weights[one.entry.key].weight.size_bytes for one in held]
        assert sizes == sorted(sizes, reverse=True)  # type: ignore[type-var]
        await pilot.press("G")
        await settled(pilot, page)
        assert page.query_one(EntryTable).row_count == 2_000
        assert "size" in page.query_one(EntryTable).columns_in_sight


async def test_sizes_and_idle_times_are_read_for_rows_in_sight_on_wide_screens() -> None:
    search = EchoSearch(5_000)
    async with entries_page(fakes.FakeSource(search=search), size=(200, 60)) as (_app, pilot, page):
        await settled(pilot, page)
        table = page.query_one(EntryTable)
        assert 0 < len(page._feed.weights) <= table.rows_in_sight
        first = table._rows[0]
        assert [str(cell) for cell in first.cells[-2:]] == ["0 s", "1.00 kB"]
    async with entries_page(fakes.FakeSource(search=EchoSearch(5_000)), size=(80, 24)) as (_app, pilot, page):
        await settled(pilot, page)
        assert not page._feed.weights


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_keys_that_matter_are_always_shown(size: tuple[int, int]) -> None:
    async with entries_page(size=size) as (app, _pilot, _page):
        footer = lines(app)[-1]
        for words in ("? help", ": commands", "f filter", "d evict", "z undo", "/ search", "q quit"):
            assert words in footer
