"""Looking for caches in a Redis so large that it takes time: what is known is shown, and what isn't said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from costconsole.cache.catalog import Survey
from costconsole.console.discovery import Discovery
from costconsole.console.pages import PAGES
from costconsole.console.screens.overview_empty import empty_lines
from costconsole.console.source import Looked
from costconsole.domain.errors import ConnectionProblem, Problem
from tests.console import fakes
from tests.console.harness import console, text
from tests.console.test_entries import entries_page, settled

INDEXED, PLAIN = replace(fakes.CACHES[0], index="idx"), replace(fakes.CACHES[0], name="plain", index="")


class Walk:
    """A look whose walk over the keys goes on until it is told to end."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()
        self.problem: Exception | None = None
        self.count = 0

    async def look(self, indexed: Callable[[Survey], None], progress: Callable[[int], None]) -> Survey:
        self.count += 1
        indexed(Survey((INDEXED,), complete=False))
        progress(412_000)
        await self.ends.wait()
        if self.problem is not None:
            raise self.problem
        progress(1_000_000)
        return Survey((INDEXED, PLAIN), looked_at=1_000_000)


async def test_caches_with_an_index_do_not_wait_for_the_others() -> None:
    walk = Walk()
    told: list[Survey] = []
    discovery = Discovery(walk.look, told.append)
    assert (await discovery.survey()).caches == (INDEXED,)
    assert discovery.looked.running
    assert discovery.looked.words == "looking for caches without an index… 412,000 keys looked at"
    assert (await discovery.survey(again=True)).caches == (INDEXED,), "a look under way is joined"
    walk.ends.set()
    assert (await discovery.survey()).caches == (INDEXED, PLAIN)
    assert (discovery.looked.running, discovery.looked.words, discovery.looked.left_out) == (False, "", "")
    assert [len(one.caches) for one in told] == [1, 2]
    assert walk.count == 1


async def test_a_second_look_does_not_forget_what_the_first_has_found() -> None:
    walk = Walk()
    walk.ends.set()
    discovery = Discovery(walk.look, lambda _seen: None)
    await discovery.survey()
    walk.ends.clear()
    assert (await discovery.survey(again=True)).caches == (INDEXED, PLAIN)
    assert discovery.looked.running
    await discovery.forget()
    assert not discovery.looked.running


async def test_who_waits_is_told_what_went_wrong_and_may_look_again() -> None:
    walk = Walk()
    walk.ends.set()
    walk.problem = ConnectionProblem("it is gone")
    discovery = Discovery(walk.look, lambda _seen: None)
    with pytest.raises(ConnectionProblem, match="it is gone"):
        await discovery.survey()
    walk.problem = None
    assert (await discovery.survey(again=True)).caches == (INDEXED, PLAIN)


async def test_who_no_longer_waits_does_not_stop_the_look() -> None:
    walk = Walk()
    discovery = Discovery(walk.look, lambda _seen: None)
    waits = asyncio.ensure_future(discovery.survey())
    await asyncio.sleep(0)
    waits.cancel()
    walk.ends.set()
    assert (await discovery.survey()).caches == (INDEXED, PLAIN)
    assert walk.count == 1


async def test_who_waits_while_the_connection_is_made_anew_is_told() -> None:
    walk = Walk()
    discovery = Discovery(walk.look, lambda _seen: None)
    waits = asyncio.ensure_future(discovery.survey())
    await asyncio.sleep(0.01)
    await discovery.forget()
    with pytest.raises(Problem, match="made anew"):
        await waits


async def test_entries_lists_what_is_known_and_the_rest_when_it_is_found() -> None:
    source = fakes.FakeSource(known_caches=fakes.CACHES[:1], looked=Looked(412_000, running=True))
    async with entries_page(source) as (app, pilot, page):
        assert "412,000 keys looked at" in text(app)
        source.known_caches, source.looked = fakes.CACHES, Looked(1_000_000, left_out="Only so many.")
        page.show(fakes.view())
        await settled(pilot, page)
        assert f"all {len(fakes.CACHES)} caches" in text(app)
        assert "keys looked at" not in text(app)
        assert "Only so many." in text(app)


async def test_entries_of_a_redis_without_an_index_says_that_it_still_looks() -> None:
    source = fakes.FakeSource(known_caches=(), looked=Looked(7_000, running=True))
    async with entries_page(source) as (app, pilot, page):
        assert "7,000 keys looked at" in text(app)
        assert "holds no cache" not in text(app)
        source.looked = Looked(9_000)
        page.show(fakes.view())
        await settled(pilot, page)
        assert "holds no cache that is understood" in text(app)


def test_the_overview_says_none_only_when_all_was_looked_at() -> None:
    def said(**options: object) -> str:
        return " ".join(
            "".join(words for words, _ in line) for line in empty_lines("x", "n", (), 200, **options)
        )  # type: ignore[arg-type]

    running = said(looked=Looked(412_000, running=True))
    assert "No cache was found" not in running
    assert "412,000 keys looked at" in running
    assert "No cache was found in it so far. Only some." in said(looked=Looked(5, left_out="Only some."))
    assert "No cache was found in it either." in said(looked=Looked(5))


async def test_the_overview_shows_what_is_found_in_the_end() -> None:
    empty = replace(fakes.view(), present=False)
    source = fakes.FakeSource([empty], known_caches=(), looked=Looked(412_000, running=True))
    async with console(source, pages=PAGES) as (app, pilot):
        await pilot.pause()
        assert "412,000 keys looked at" in text(app)
        source.known_caches, source.looked = fakes.CACHES, Looked(1_000_000)
        for _ in range(50):
            await pilot.pause(0.1)
            if "llmcache" in text(app):
                break
        assert "llmcache" in text(app)
        assert "keys looked at" not in text(app)
