"""Evicting from the page of entries: asked first, stopped, told of, and undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from costconsole.cache.outcome import WHY, Evicted
from costconsole.cache.selection import Selection
from costconsole.console.app import CostConsoleApp
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.entries_chosen import next_left
from costconsole.console.screens.entries_confirm import ConfirmSheet
from costconsole.console.screens.entries_listing import Held
from costconsole.console.screens.entries_query import EntryTable
from costconsole.console.screens.entries_said import evicted_words, parse_ttl
from costconsole.console.screens.entries_sheets import UndoSheet
from costconsole.console.widgets.painted import Painted
from costconsole.domain.entry import CacheEntry
from costconsole.domain.errors import UsageProblem
from tests.console import fakes
from tests.console.fake_eviction import FakeEviction
from tests.console.harness import lines, text
from tests.console.test_entries import entries_page, prompts, settled, turns


@dataclass
class Stage:
    app: CostConsoleApp
    pilot: Pilot[None]
    page: EntriesPage
    eviction: FakeEviction

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settled()

    async def settled(self) -> None:
        for _ in range(3):
            if isinstance(self.app.screen, ConfirmSheet):
                await self.app.workers.wait_for_complete(list(self.app.screen.workers))
            await settled(self.pilot, self.page)

    @property
    def asking(self) -> bool:
        return isinstance(self.app.screen, ConfirmSheet)

    @property
    def listed(self) -> set[str]:
        assert self.page._listing is not None
        return {held.entry.key for held in self.page._listing.held}

    @property
    def cursor(self) -> str | None:
        return self.page.query_one(EntryTable).cursor_key

    @property
    def note(self) -> str:
        return self.page.query_one("#note", Painted).text

    async def done(self) -> None:
        """Until nothing is being evicted."""
        for _ in range(100):
            if not self.page._actions.running:
                break
            await self.pilot.pause()
        assert not self.page._actions.running
        await self.settled()


@asynccontextmanager
async def stage(
    found: tuple[CacheEntry, ...] | None = None, *, writable: bool = True, **options: Any
) -> AsyncIterator[Stage]:
    search = fakes.FakeSearch(found)
    eviction = FakeEviction(search)
    source = fakes.FakeSource(search=search, eviction=eviction, writable=writable)
    async with entries_page(source, **options) as (app, pilot, page):
        yield Stage(app, pilot, page, eviction)


async def test_one_entry_is_asked_for_and_goes_at_once() -> None:
    async with stage() as s:
        await s.press("j")
        first, second, third = fakes.entries()[:3]
        assert s.cursor == second.key
        await s.press("d")
        assert s.asking
        shown = text(s.app)
        assert "Evict 1 entry?" in shown
        assert second.prompt is not None
        assert second.prompt in shown
        assert "3.20 kB" in shown
        assert "24 hours" in shown
        assert second.cache in shown
        await s.press("y")
        await s.done()
        assert not s.asking
        assert second.key not in s.listed
        assert first.key in s.listed
        assert s.cursor == third.key
        assert s.note.startswith("evicted 1 · z brings it back until 23:34 tomorrow")


@pytest.mark.parametrize("key", ["n", "enter", "escape"])
async def test_no_is_the_default(key: str) -> None:
    async with stage() as s:
        before = s.listed
        await s.press("d", key)
        assert not s.asking
        assert s.listed == before
        assert s.eviction.undoable is None


async def test_the_selected_ones_are_evicted_and_nothing_else() -> None:
    async with stage() as s:
        keys = [entry.key for entry in fakes.entries()]
        await s.press("s", "j", "j", "s")
        assert "2 selected" in text(s.app)
        assert [p.startswith("✓ ") for p in prompts(s.page)[:4]] == [True, False, True, False]
        await s.press("d")
        assert "Evict 2 entries?" in text(s.app)
        await s.press("y")
        await s.done()
        assert s.listed == set(keys) - {keys[0], keys[2]}
        assert s.cursor == keys[3]
        assert "selected" not in text(s.app)


async def test_esc_selects_none() -> None:
    async with stage() as s:
        await s.press("s", "escape")
        assert "selected" not in text(s.app)
        await s.press("d")
        assert "Evict 1 entry?" in text(s.app)


async def test_many_need_the_count_or_the_name_to_be_typed() -> None:
    async with stage() as s:
        await s.press("c", "D")  # All of one cache.
        assert s.eviction.selections[-1] == Selection(caches=("support",))
        count = sum(entry.cache == "support" for entry in fakes.entries())
        assert f"Evict {count} entries?" in text(s.app)
        assert f"Type {count} or support" in text(s.app)
        await s.press("y", "enter")
        assert s.asking
        assert s.eviction.undoable is None
        assert "something else" in text(s.app)
        s.app.screen.query_one(Input).value = ""
        await s.press("enter")
        assert s.asking
        await s.press(*str(count), "enter")
        await s.done()
        assert not s.asking
        assert s.listed == set()
        assert s.note.startswith(f"evicted {count} · z")


async def test_the_caches_name_confirms_as_well() -> None:
    async with stage() as s:
        await s.press("c", "D", *"support", "enter")
        await s.done()
        assert s.listed == set()


async def test_all_that_the_words_find() -> None:
    async with stage() as s:
        await s.press("ctrl+t", "slash", *"after 3", "enter", "D")
        assert s.eviction.selections[-1] == Selection(text="after 3")
        assert "all with the words “after 3”" in text(s.app)
        await s.press("y")
        await s.done()
        assert s.listed == set()
        await s.press("escape")
        assert len(s.listed) == 30


async def test_all_that_reach_the_threshold_are_found_again_beyond_the_list() -> None:
    found = tuple(replace(entry, cache="llmcache") for entry in fakes.entries())
    async with stage(found) as s:
        await s.press("c", "c", "slash", *"refund", "enter", "D")
        selection = s.eviction.selections[-1]
        assert (selection.caches, selection.min_similarity) == (("llmcache",), 0.9)
        assert selection.vector == b"\0" * 1536
        assert "similarity .900 (the threshold)" in text(s.app)


async def test_with_several_thresholds_those_listed_that_reach_their_own() -> None:
    async with stage() as s:
        await s.press("slash", *"refund", "enter", "D")
        thresholds = {"support": 0.95, "llmcache": 0.9}
        wanted = {e.key for e in fakes.entries()[:20] if e.similarity and e.similarity >= thresholds[e.cache]}
        assert {listed.key for listed in s.eviction.selections[-1].keys} == wanted


async def test_where_none_reaches_the_threshold_all_down_to_the_cursor_are_meant() -> None:
    found = tuple(replace(e, similarity=(e.similarity or 0) / 2) for e in fakes.entries())
    async with stage(found) as s:
        await s.press("slash", *"refund", "enter", "j", "j", "D")
        assert "as the entry under the cursor, or nearer" in text(s.app)
        await s.press("y")
        await s.done()
        assert s.note.startswith("evicted 3 · ")
        assert not {entry.key for entry in found[:3]} & s.listed


async def test_everything_in_all_caches_is_not_evicted_by_one_key() -> None:
    async with stage() as s:
        await s.press("D")
        assert not s.asking
        assert "that would be everything" in text(s.app)


async def test_skipped_ones_are_told_of() -> None:
    async with stage() as s:
        keys = [entry.key for entry in fakes.entries()[:3]]
        s.eviction.changed = {keys[1]}
        await s.press("s", "j", "s", "j", "s", "d", "y")
        await s.done()
        assert "evicted 2 (1 changed meanwhile and was kept)" in s.note
        assert keys[1] in s.listed


async def test_what_cannot_be_undone_says_so() -> None:
    async with stage() as s:
        s.eviction.impossible = "ann may not run DUMP"
        await s.press("d")
        assert "This cannot be undone: ann may not run DUMP" in text(s.app)
        await s.press("y")
        await s.done()
        assert s.eviction.undoable is False
        assert "it cannot be undone" in s.note


async def test_escape_stops_and_says_what_was_done() -> None:
    async with stage() as s:
        s.eviction.gate = asyncio.Event()
        await s.press("c", "D", *"support", "enter")
        await turns()
        assert s.note == "evicting 10 of 26 · Esc stops"
        # The page stays live meanwhile.
        await s.pilot.press("j", "j")
        assert s.cursor is not None
        await s.pilot.press("d")
        assert "still being done" in text(s.app)
        await s.pilot.press("escape")
        assert "stopping…" in s.note
        s.eviction.gate.set()
        await s.done()
        assert s.note.startswith("stopped: evicted 10 · z brings them back until")
        assert len(s.listed) == 16


async def test_undo_brings_back_the_last_of_this_console() -> None:
    async with stage() as s:
        before = s.listed
        await s.press("d", "y")
        await s.done()
        await s.press("d", "y")
        await s.done()
        assert len(s.listed) == len(before) - 2
        await s.press("z")
        await s.done()
        assert s.note == "brought back 1"
        assert len(s.listed) == len(before) - 1
        await s.press("z")
        await s.done()
        assert s.listed == before
        await s.press("z")
        await s.settled()
        assert "there is nothing to undo" in text(s.app)


async def test_evictions_of_others_are_chosen_from_a_list() -> None:
    async with stage() as s:
        gone = s.eviction.search.found[:3]
        s.eviction.search.found = s.eviction.search.found[3:]
        s.eviction.remember("theirs", gone, who="ann")
        await s.press("z")
        await s.pilot.pause()
        assert isinstance(s.app.screen, UndoSheet)
        assert "ann@here" in text(s.app)
        assert "23:34 tomorrow" in text(s.app)
        await s.press("enter")
        await s.done()
        assert s.note == "brought back 3"
        assert {entry.key for entry in gone} <= s.listed


async def test_read_only_dims_the_keys_and_says_why() -> None:
    async with stage(writable=False) as s:
        assert "(d evict)" in lines(s.app)[-1]
        for key in ("d", "z", "t"):
            await s.press(key)
            assert not s.asking
            assert "nothing can be changed here: --read-only" in lines(s.app)[-1]


async def test_the_keys_stand_in_the_footer() -> None:
    async with stage(size=(120, 36)) as s:
        footer = lines(s.app)[-1]
        for hint in ("d evict", "D evict all", "z undo", "t ttl"):
            assert hint in footer


async def test_a_time_to_live_is_set_and_cleared() -> None:
    async with stage() as s:
        key = fakes.entries()[0].key
        await s.press("t")
        assert "never expires now" in text(s.app)
        await s.press(*"soon", "enter")
        assert "write a time such as" in text(s.app)
        s.app.screen.query_one(Input).value = ""
        await s.press(*"7d", "enter")
        await s.done()
        assert s.eviction.ttls == [(key, 7 * 86_400.0)]
        assert s.note == "expires in 7 d"
        row = s.page.query_one(EntryTable).row(key)
        assert row is not None
        assert "7 d" in row.cells
        await s.press("t", *"never", "enter")
        await s.done()
        assert s.eviction.ttls[-1] == (key, None)
        assert s.note == "never expires"


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("30m", 1800), ("1h", 3600), ("7d", 604_800), (" 1d 12h ", 129_600), ("never", None), ("90S", 90)],
)
def test_times_to_live_as_people_write_them(typed: str, seconds: float | None) -> None:
    assert parse_ttl(typed) == seconds


@pytest.mark.parametrize("typed", ["", "0s", "7", "1y", "-1h", "h", "999999d", "nan"])
def test_what_is_no_time_to_live(typed: str) -> None:
    with pytest.raises(UsageProblem):
        parse_ttl(typed)


async def test_hostile_prompts_are_harmless_in_the_sheet() -> None:
    async with stage(fakes.entries(prompts=fakes.HOSTILE)) as s:
        await s.press(*("s", "j") * 6, "d")
        assert "Evict 6 entries?" in text(s.app)
        shown = text(s.app)
        assert "\x1b" not in shown
        assert "[/foo]" in shown


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_everything_to_be_known_fits(size: tuple[int, int]) -> None:
    async with stage(size=size) as s:
        await s.press("c", "D")
        shown = text(s.app)
        for words in ("Evict 26 entries?", "all of this cache", "83.2 kB", "Type 26 or support", "Esc keeps"):
            assert words in shown
        assert shown.count("Can I get a refund") == 5


async def test_a_cache_without_a_known_threshold_is_cut_at_the_cursor() -> None:
    bare = replace(fakes.CACHES[1], threshold=None)
    found = tuple(replace(e, cache="llmcache") for e in fakes.entries())
    async with stage(found) as s:
        s.page.source.known_caches = (bare,)  # type: ignore[attr-defined]
        await s.press("f5", "slash", *"refund", "enter", "j", "D")
        assert "Evict 2 entries?" in text(s.app)


async def test_no_eviction_goes_on_when_the_console_ends() -> None:
    async with stage() as s:
        s.eviction.gate = asyncio.Event()
        await s.press("c", "D", *"support", "enter")
        await turns()
        assert s.page._actions.running
    s.eviction.gate.set()
    await turns()
    assert len(s.eviction.search.found) == 40 - 10


async def test_on_another_page_the_outcome_is_told_as_well() -> None:
    async with stage() as s:
        s.eviction.gate = asyncio.Event()
        await s.press("c", "D", *"support", "enter")
        await turns()
        await s.pilot.press("1")
        s.eviction.gate.set()
        await s.done()
        assert "evicted 26 · " in lines(s.app)[-1]


@pytest.mark.parametrize(
    ("gone", "at", "left"),
    [("b", "b", "c"), ("ab", "a", "c"), ("cd", "c", "b"), ("a", "c", "c"), ("abcd", "b", None)],
)
def test_the_cursor_goes_to_the_next_that_stays(gone: str, at: str, left: str | None) -> None:
    held = [Held(replace(fakes.entries()[0], key=key), 0) for key in "abcd"]
    assert next_left(held, frozenset(gone), at) == left


def test_every_reason_for_keeping_is_told() -> None:
    skipped = (
        *((f"k{n}", WHY["changed"]) for n in range(3)),
        ("g", WHY["gone"]),
        ("r", "the server refused: NOPERM"),
    )
    evicted = Evicted("id", 212, (), skipped, True, 7, 1, "the connection to Redis was lost")
    assert evicted_words(evicted, "22:14", "z") == (
        "stopped: evicted 212 (3 changed meanwhile and were kept, 1 expired or was removed meanwhile, "
        "1 not: the server refused: NOPERM, 2 others were kept) · the connection to Redis was lost · "
        "z brings them back until 22:14"
    )
