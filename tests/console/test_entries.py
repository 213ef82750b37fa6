"""The page of entries, as a user meets it: searched as one types, paged, read, copied."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.entries_query import EntryTable, QueryInput
from costconsole.console.screens.entries_reader import Reader
from costconsole.domain.entry import CacheEntry
from costconsole.domain.figures import Policy
from tests.console import fakes
from tests.console.fake_entries import NO_SEARCH, EchoSearch, HeldEmbedder, numbered, unreadable
from tests.console.harness import console, lines, text


@asynccontextmanager
async def entries_page(
    source: fakes.FakeSource | None = None, **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], EntriesPage]]:
    async with console(source, pages=PAGES, **options) as (app, pilot):
        await pilot.press("2")
        page = app.page
        assert isinstance(page, EntriesPage)
        await settled(pilot, page)
        yield app, pilot, page


async def settled(pilot: Pilot[None], page: EntriesPage) -> None:
    """Until nothing is read and everything is painted."""
    await pilot.pause()
    for _ in range(3):
        await page.settle()
        await pilot.pause()


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def prompts(page: EntriesPage) -> list[str]:
    """Prompts of the first rows, and dividers as they are labelled."""
    table = page.query_one(EntryTable)
    at = next(n for n, column in enumerate(table.columns) if column.key == "prompt")
    rows = [table._rows[n] for n in range(min(table.row_count, 60))]
    return [str(row.cells[0] if row.divider else row.cells[at]) for row in rows]


def widths(app: CostConsoleApp) -> set[int]:
    """Cells of the lines on screen."""
    strips = app.screen._compositor.render_strips()
    return {cell_len("".join(segment.text for segment in strip)) for strip in strips}


def held_source(embedder: HeldEmbedder | None = None, **search: Any) -> fakes.FakeSource:
    return fakes.FakeSource(search=EchoSearch(**search), embedder=embedder or HeldEmbedder())


# -- as one types


async def test_the_newest_query_wins_and_one_is_in_flight() -> None:
    embedder = HeldEmbedder()
    source = held_source(embedder)
    async with entries_page(source) as (_app, pilot, page):
        page._feed.answers._patience_s = 60  # However slow this machine is.
        await pilot.press("slash", *"refund")
        # The first letter was asked for at once; of those typed meanwhile only the last is.
        assert embedder.asked == ["r"]
        embedder.let_go("r")
        await turns()
        await pilot.pause()
        assert not any("found for" in prompt for prompt in prompts(page))
        assert embedder.asked == ["r", "refund"]
        embedder.let_go("refund")
        await settled(pilot, page)
        assert prompts(page)[0] == "found for refund"
        assert embedder.most_in_flight == 1
        assert [what for how, what in source.search.asked if how == "vector"] == ["refund"]


async def test_an_answer_that_takes_too_long_does_not_hold_up_the_next() -> None:
    embedder = HeldEmbedder()
    async with entries_page(held_source(embedder)) as (_app, pilot, page):
        await pilot.press("slash", "a")
        embedder.let_go("ab")
        await pilot.press("b")  # "a" is never answered.
        await settled(pilot, page)
        assert prompts(page)[0] == "found for ab"


async def test_clearing_the_text_while_a_search_is_in_flight_lists_the_newest_again() -> None:
    embedder = HeldEmbedder()
    async with entries_page(held_source(embedder)) as (_app, pilot, page):
        newest = prompts(page)
        await pilot.press("slash", "x", "escape")
        embedder.let_go("x")
        await settled(pilot, page)
        assert prompts(page) == newest
        assert page.query_one(QueryInput).value == ""


async def test_the_threshold_stands_between_the_rows_that_it_parts() -> None:
    found = tuple(replace(entry, cache="support", library="costconsole") for entry in fakes.entries())
    async with entries_page(fakes.FakeSource(search=fakes.FakeSearch(found))) as (app, pilot, page):
        await pilot.press("slash", *"refund")
        await settled(pilot, page)
        shown = lines(app)
        at = next(n for n, line in enumerate(shown) if "threshold .950" in line)
        assert ".953" in shown[at - 1]
        assert ".946" in shown[at + 1]
        assert "20 of ≈10,643" in text(app)


async def test_the_live_policy_moves_the_threshold_of_our_own_cache() -> None:
    own = replace(fakes.CACHES[0], name="support:semantic")
    found = tuple(replace(entry, cache=own.name) for entry in fakes.entries())
    source = fakes.FakeSource(
        views=[lambda window: fakes.view(window, policy=Policy(threshold=0.97))],
        search=fakes.FakeSearch(found),
        known_caches=(own,),
    )
    async with entries_page(source) as (_app, pilot, page):
        await pilot.press("slash", "r")
        await settled(pilot, page)
        assert prompts(page)[2] == "threshold .970"


async def test_thresholds_of_several_caches_are_named() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("slash", *"refund")
        await settled(pilot, page)
        assert "threshold .950 of support" in text(app)
        assert "threshold .900 of llmcache" in text(app)


async def test_while_the_model_starts_text_is_searched_and_then_meaning() -> None:
    embedder = HeldEmbedder("off")
    embedder.free = True
    source = held_source(embedder)
    async with entries_page(source) as (app, pilot, page):
        await pilot.press("slash", *"refund after 31")
        await settled(pilot, page)
        assert "the model is starting…" in text(app)
        assert "found by text instead" in text(app)
        assert prompts(page) == ["Can I get a refund after 31 days?"]
        embedder.status = "ready"
        for _ in range(40):
            await pilot.pause(0.05)
            if prompts(page)[0].startswith("found for"):
                break
        assert prompts(page)[0] == "found for refund after 31"
        assert "starting" not in text(app)


async def test_a_model_that_failed_says_why_and_text_is_searched() -> None:
    embedder = HeldEmbedder("failed: the model minilm is not installed: run costconsole doctor")
    async with entries_page(held_source(embedder)) as (app, pilot, page):
        await pilot.press("slash", *"31")
        await settled(pilot, page)
        assert "the model minilm is not installed" in text(app)
        assert prompts(page) == ["Can I get a refund after 31 days?"]


async def test_a_cache_without_vectors_says_why_meaning_is_off() -> None:
    source = fakes.FakeSource(known_caches=(replace(NO_SEARCH, kind="exact"),))
    async with entries_page(source) as (app, pilot, page):
        await pilot.press("slash", *"31")
        await settled(pilot, page)
        assert "this Redis has no search module" in text(app)
        assert prompts(page) == ["Can I get a refund after 31 days?"]
        assert not source.embedder.asked


async def test_caches_that_cannot_be_searched_are_named() -> None:
    embedder = HeldEmbedder()
    embedder.free = True
    source = held_source(embedder)
    assert isinstance(source.search, EchoSearch)
    source.search.note = "docs holds vectors of 768 dimensions, the model in use gives 384"
    async with entries_page(source) as (app, pilot, page):
        await pilot.press("slash", "x")
        await settled(pilot, page)
        assert "docs holds vectors of 768 dimensions" in text(app)
        assert prompts(page)[0] == "found for x"


async def test_modes_and_caches_are_cycled_and_shown() -> None:
    source = fakes.FakeSource()
    async with entries_page(source) as (app, pilot, page):
        assert "Search by meaning · all 2 caches" in text(app)
        await pilot.press("slash", *"00001", "ctrl+t", "ctrl+t")
        await settled(pilot, page)
        assert "Search by key" in text(app)
        assert len(prompts(page)) == 11
        await pilot.press("ctrl+n")
        await settled(pilot, page)
        assert "Search by key · support" in text(app)
        assert "threshold .950" in text(app)
        assert len(prompts(page)) == 8
        await pilot.press("ctrl+t")
        assert "Search by meaning" in text(app)


async def test_the_palette_searches() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("colon", *"text after 33", "enter")
        await settled(pilot, page)
        assert "Search by text" in text(app)
        assert prompts(page) == ["Can I get a refund after 33 days?"]


async def test_pasted_escapes_are_typed_as_signs() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("slash")
        page.query_one(QueryInput).insert_text_at_cursor("a\x1b]52;c;x\x07\u202e")
        await settled(pilot, page)
        assert page.query_one(QueryInput).value == "a␛]52;c;x␇\\u202e"
        assert "\x1b" not in text(app)


# -- the list


async def test_a_million_entries_are_read_page_by_page() -> None:
    search = EchoSearch(1_000_000)
    async with entries_page(fakes.FakeSource(search=search)) as (app, pilot, page):
        assert prompts(page)[0] == "prompt number 0"
        read = search.pages_read
        assert read <= 2
        for _ in range(5):
            await pilot.press("G")
            await settled(pilot, page)
        table = page.query_one(EntryTable)
        assert search.pages_read >= read + 4
        assert table.row_count == 100 * search.pages_read
        assert [table._rows[n].key for n in (150, 499)] == [numbered(150).key, numbered(499).key]
        assert "held; g follows" in text(app)


async def test_all_that_is_found_can_be_sorted() -> None:
    async with entries_page() as (_app, pilot, page):
        await pilot.press("slash", *"refund", "enter")
        await settled(pilot, page)
        table = page.query_one(EntryTable)
        table.sort_by("hits", False)
        await settled(pilot, page)
        assert prompts(page)[0] == "Can I get a refund after 49 days?"
        assert not any("threshold" in prompt for prompt in prompts(page))


async def test_new_entries_appear_by_themselves_and_the_cursor_keeps_its_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(EntriesPage, "TIMER", lambda: now[0])
    search = fakes.FakeSearch()
    async with entries_page(fakes.FakeSource(search=search)) as (app, pilot, page):
        await pilot.press("j", "j")
        chosen = page.query_one(EntryTable).cursor_key
        new = CacheEntry("k", "support", "costconsole", "a brand new prompt", "x", created_ms=fakes.NOW_MS)
        search.found = (new, *search.found)
        now[0] = 60.0
        assert app.view is not None
        page.show(app.view)
        await settled(pilot, page)
        assert prompts(page)[0] == "a brand new prompt"
        assert page.query_one(EntryTable).cursor_key == chosen


async def test_an_entry_that_is_gone_leaves_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(EntriesPage, "TIMER", lambda: now[0])
    search = fakes.FakeSearch()
    async with entries_page(fakes.FakeSource(search=search)) as (app, pilot, page):
        gone, search.found = search.found[1], search.found[2:]
        now[0] = 60.0
        assert app.view is not None
        page.show(app.view)
        await settled(pilot, page)
        assert gone.prompt not in prompts(page)


async def test_redis_failing_is_said_by_name_and_the_rows_stay() -> None:
    source = fakes.FakeSource()
    async with entries_page(source) as (app, pilot, page):
        before = prompts(page)
        source.search.problem = unreadable()
        await pilot.press("slash", "x")
        await settled(pilot, page)
        assert "lets this user not read entries: grant +hmget" in text(app)
        assert prompts(page) == before
        source.search.problem = None
        await pilot.press("escape")
        await settled(pilot, page)
        assert "grant +hmget" not in text(app)


async def test_a_redis_without_caches_says_what_to_do() -> None:
    async with entries_page(fakes.FakeSource(known_caches=())) as (app, pilot, _page):
        assert "No cache here yet" in text(app)
        assert "costconsole demo" in text(app)
        await pilot.press("c")
        assert "there is no cache yet" in text(app)


async def test_nothing_found_says_how_to_go_on() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("ctrl+t", "slash", *"zzz")
        await settled(pilot, page)
        assert "Nothing found. Esc clears the search" in text(app)
        assert "0 of ≈10,643" in text(app)


# -- one entry


async def test_the_entry_stands_beside_the_list_with_its_neighbours() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("j")
        await settled(pilot, page)
        shown = page.query_one(Reader).whole_text
        assert "Can I get a refund after 31 days?" in shown
        assert "Yes. Within 31 days you get it all back." in shown
        assert "• keep the receipt" in shown
        for field in ("gpt-4o-mini", "support (costconsole)", "9f2c", "210, last", "3.20 kB", "entry_id"):
            assert field in shown
        assert "Nearest in its cache" in text(app)


async def test_a_cursor_that_runs_reads_only_where_it_stops() -> None:
    source = fakes.FakeSource()
    async with entries_page(source) as (_app, pilot, page):
        source.search.asked.clear()
        await pilot.press(*"jjjjjjjj")
        await settled(pilot, page)
        read = [what for how, what in source.search.asked if how == "entry"]
        assert read[-1] == page.query_one(EntryTable).cursor_key
        assert len(read) <= 2


async def test_enter_on_a_neighbour_goes_there_and_esc_comes_back() -> None:
    async with entries_page() as (app, pilot, page):
        panel = page._panel
        first = panel.key
        panel.near.focus()
        await pilot.pause()
        wanted = panel.near.cursor_key
        await pilot.press("enter")
        await settled(pilot, page)
        assert panel.key == wanted != first
        assert panel.entry is not None
        assert panel.entry.prompt in page.query_one(Reader).whole_text.replace("\n", " ")
        await pilot.press("escape")
        await settled(pilot, page)
        assert panel.key == first
        assert app.page is page


async def test_on_a_small_screen_enter_opens_the_entry_and_esc_closes_it() -> None:
    async with entries_page(size=(80, 24)) as (app, pilot, page):
        assert "Nearest in" not in text(app)
        await pilot.press("enter")
        await settled(pilot, page)
        assert "Within 30 days you get it all back." in text(app)
        assert "Entries, newest first" not in text(app)
        await pilot.press("escape")
        assert "Entries, newest first" in text(app)
        assert app.focused is page.query_one(EntryTable)


async def test_an_entry_that_expired_meanwhile_is_told() -> None:
    source = fakes.FakeSource()
    async with entries_page(source) as (_app, pilot, page):
        source.search.found = source.search.found[:1]
        await pilot.press("j")
        await settled(pilot, page)
        assert "This entry is gone" in page.query_one(Reader).whole_text


async def test_esc_goes_back_level_by_level() -> None:
    async with entries_page() as (app, pilot, page):
        await pilot.press("slash", "x", "escape")
        assert app.focused is page.query_one(QueryInput)
        await pilot.press("escape")
        assert app.focused is page.query_one(EntryTable)
        await pilot.press("escape")
        assert app.page is not page


async def test_copying_takes_the_answer_and_the_row() -> None:
    async with entries_page() as (_app, pilot, page):
        await settled(pilot, page)
        what, answer = page.copyable() or ("", "")
        assert what == "answer"
        assert answer.startswith("Yes. **Within 30 days**")
        document = json.loads((page.copyable(whole=True) or ("", ""))[1])
        assert document["prompt"] == "Can I get a refund after 30 days?"
        assert document["fields"]["entry_id"] == "000000"
        export = page.exportable()
        assert export is not None
        assert len(export.rows) == 40
        assert "prompt" in export.columns


# -- what others wrote


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_hostile_entries_are_shown_and_nothing_else(size: tuple[int, int]) -> None:
    found = tuple(
        replace(
            entry,
            response=fakes.HOSTILE[n % len(fakes.HOSTILE)],
            model=fakes.HOSTILE[n % len(fakes.HOSTILE)],
            fields=(("raw", fakes.HOSTILE[0]), (fakes.HOSTILE[1], "x")),
        )
        for n, entry in enumerate(fakes.entries(prompts=fakes.HOSTILE))
    )
    async with entries_page(fakes.FakeSource(search=fakes.FakeSearch(found)), size=size) as (
        app,
        pilot,
        page,
    ):
        for _ in range(len(fakes.HOSTILE)):
            await settled(pilot, page)
            shown = lines(app)
            assert not set("".join(shown)) & set("\x00\x07\x1b\x9b\r\u202e\u200b\ufe0f")
            assert widths(app) == {size[0]}
            await pilot.press("down")
        assert "[/] [/foo] [link=http://x]" in text(app)
        await pilot.press("slash", "x")
        await settled(pilot, page)
        assert widths(app) == {size[0]}


async def test_nothing_is_painted_again_when_nothing_changed() -> None:
    async with entries_page() as (app, pilot, page):
        await settled(pilot, page)
        painted: list[object] = []
        table, refresh = page.query_one(EntryTable), EntryTable.refresh
        table.refresh = lambda *regions, **options: (  # type: ignore[method-assign]
            painted.append(regions),
            refresh(table, *regions, **options),
        )[1]
        assert app.view is not None
        page.show(app.view)
        await settled(pilot, page)
        assert painted == []
