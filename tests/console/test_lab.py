"""The Lab as a user meets it."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.events import Paste
from textual.pilot import Pilot

from costconsole.console.app import CostConsoleApp
from costconsole.console.lab import Question
from costconsole.console.lab_history import FILE, History
from costconsole.console.pages import PAGES
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.lab import LabPage
from costconsole.console.screens.lab_editor import PromptArea
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import ConnectionProblem
from costconsole.settings import state_dir
from tests.console import fakes
from tests.console.fake_lab import CHECK, EXACT, KEY, KEYLESS, QUESTION, SHORT, FakeLab, LabSource, hostile
from tests.console.harness import console, lines, text

SIZES = ((80, 24), (120, 36), (200, 60))


@pytest.fixture(autouse=True)
def no_history() -> None:
    (state_dir() / FILE).unlink(missing_ok=True)


@asynccontextmanager
async def lab_page(
    lab: FakeLab | None = None, *, prompt: str = QUESTION, writable: bool = True, **options: Any
) -> AsyncIterator[tuple[CostConsoleApp, Pilot[None], LabPage]]:
    source = LabSource(lab=lab or FakeLab(), writable=writable)
    async with console(source, pages=PAGES, **options) as (app, pilot):
        await app.open_lab(prompt)
        page = app.page
        assert isinstance(page, LabPage)
        await settled(pilot, page)
        yield app, pilot, page


async def settled(pilot: Pilot[None], page: LabPage) -> None:
    await pilot.pause()
    await page.settle()
    await pilot.pause()


def body(app: CostConsoleApp) -> str:
    return "\n".join(line.rstrip() for line in lines(app)[2:-1])


def step(page: LabPage) -> str:
    return " ".join(page.query_one(Reader).whole_text.split())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_way(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    async with lab_page(size=size) as (app, _pilot, _page):
        shown = body(app)
    assert shown == snapshot


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "row",
    ["minimize", "exact", "semantic\0support:semantic", "semantic\0llmcache", "route", "cost", "decision"],
)
async def test_each_step(size: tuple[int, int], row: str, snapshot: SnapshotAssertion) -> None:
    async with lab_page(size=size) as (app, pilot, page):
        await pilot.press("escape")
        page.query_one("#way", LiveTable).move_to(row)
        await settled(pilot, page)
        await pilot.press("enter")
        await settled(pilot, page)
        shown = body(app)
    assert shown == snapshot


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("way", ["sent", "compared"])
async def test_answers(size: tuple[int, int], way: str, snapshot: SnapshotAssertion) -> None:
    async with lab_page(size=size) as (app, pilot, page):
        await pilot.press("escape", *(["ctrl+s"] if way == "sent" else ["equals_sign", "enter"]))
        await settled(pilot, page)
        shown = body(app)
    assert shown == snapshot


async def test_words_in_ascii() -> None:
    async with lab_page(charset="ascii") as (app, _pilot, _page):
        assert not set(text(app)) & set("█▉▌╭│╰")


async def test_every_hostile_text_is_only_shown() -> None:
    for evil in fakes.HOSTILE:
        async with lab_page(FakeLab(hostile(evil)), prompt=evil) as (app, pilot, page):
            await pilot.press("escape")
            seen = [text(app)]
            for _ in range(7):
                await pilot.press("j")
                await settled(pilot, page)
                seen.append(text(app))
            await pilot.press("ctrl+s")
            await settled(pilot, page)
            seen.append(text(app))
            assert page.question.prompt.strip() == evil.replace("\r", "").strip()
        for screen in seen:
            assert not set(screen) & set("\x00\x07\x1b\x9b\r\u202e\u200b"), evil


async def test_only_the_newest_text_is_answered() -> None:
    lab = FakeLab(gate=asyncio.Semaphore(1))
    async with lab_page(lab) as (app, pilot, page):
        assert [q.prompt for q in lab.answered] == [QUESTION]
        # Every letter asks anew, and what it asks instead of is dropped.
        for letter in "abc":
            await pilot.press(letter)
            while lab.asked[-1].prompt != page.question.prompt:
                await pilot.pause()
        assert not page.fresh
        assert "refused" in text(app), "what was known stays until the next answer"
        lab.gate.release()  # type: ignore[union-attr]
        await settled(pilot, page)
        assert page.fresh
        assert [q.prompt for q in lab.answered] == [QUESTION, QUESTION + "abc"]


async def test_keys_are_typed_in_the_editor_and_act_outside() -> None:
    async with lab_page(prompt="") as (app, pilot, page):
        await pilot.press("tab")
        page.query_one(PromptArea).focus()
        await pilot.press(
            "y", "e", "equals_sign", "s", "3", "1", "space", "slash", "q", "question_mark", "d", "z"
        )
        await settled(pilot, page)
        assert page.question.prompt == "yes=31 /q?dz".replace("yes=", "ye=s")
        assert app.page is page
        assert "esc to the steps" in text(app)
        await pilot.press("escape", "1")
        await pilot.pause()
        assert app.page is not page
        await pilot.press("3", "slash", "x")
        await settled(pilot, page)
        assert page.question.prompt.endswith("dzx")


async def test_a_long_paste_is_held_beside_the_editor() -> None:
    long = "Summarize the notes below, please.\n" + "lorem ipsum dolor sit amet\n" * 7_500
    assert len(long) > 200_000
    lab = FakeLab()
    async with lab_page(lab, prompt="Hello: ") as (app, pilot, page):
        editor = page.query_one(PromptArea)
        editor.focus()
        await pilot.pause()
        editor.post_message(Paste(long))
        await settled(pilot, page)
        assert f"[pasted text 1: {len(long):,} characters]" in text(app)
        assert lab.answered[-1].prompt == "Hello: " + long
        await pilot.press("exclamation_mark")
        await settled(pilot, page)
        assert lab.answered[-1].prompt == "Hello: " + long + "!"
        assert len(editor.text) < 100, "what is drawn with every key stays small"
        assert f"{len(long) + 8:,} characters" in text(app)
        await pilot.press("escape", "u")
        assert "stays folded" in text(app)


async def test_a_paste_that_would_act_on_the_terminal_is_told_of_only() -> None:
    evil = "harmless\x1b]52;c;cHduZWQ=\x07"
    lab = FakeLab()
    async with lab_page(lab, prompt="") as (app, pilot, page):
        page.query_one(PromptArea).focus()
        await pilot.pause()
        page.query_one(PromptArea).post_message(Paste(evil))
        await settled(pilot, page)
        assert "some not shown" in text(app)
        assert lab.answered[-1].prompt == evil


async def test_model_system_and_tenant_are_part_of_the_question() -> None:
    lab = FakeLab()
    async with lab_page(lab) as (_app, pilot, page):
        await pilot.press("escape", "o", *"gpt-4o", "tab", *"acme", "tab", *"Be", "enter")
        await settled(pilot, page)
        assert lab.answered[-1] == Question(QUESTION, "gpt-4o", "Be", "acme")


async def test_the_answer_comes_in_pieces_with_its_figures() -> None:
    lab = FakeLab(hold=asyncio.Event())
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("ctrl+s")
        for _ in range(100):
            await pilot.pause(0.02)
            if "Thirty days" in step(page):
                break
        assert "Thirty days, **no** more." in step(page)
        assert "first text after" in step(page)
        lab.hold.set()  # type: ignore[union-attr]
        await settled(pilot, page)
        assert "first text 212 ms · whole 1.43 s · tokens in 16, out 7 · cost $0.0001" in step(page)
        assert "answer" in text(app)
        await pilot.press("escape", "y")
        assert "copied answer" in text(app)


async def test_esc_stops_and_what_came_stays() -> None:
    lab = FakeLab(hold=asyncio.Event())
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("ctrl+s")
        for _ in range(100):
            await pilot.pause(0.02)
            if "Thirty" in step(page):
                break
        await pilot.press("ctrl+s")
        assert len(lab.sent) == 1, "one at a time"
        await pilot.press("escape")
        await settled(pilot, page)
        assert "stopped; what came until then is paid for" in step(page)
        assert "Thirty days" in step(page)
        assert "‖ stopped" in text(app)


async def test_an_error_of_the_provider_keeps_what_came() -> None:
    lab = FakeLab(error="openai dropped its answer in the middle: send it again")
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        assert "✗ openai dropped its answer in the middle" in step(page)
        assert "What came until then:" in step(page)
        assert "Thirty days" in step(page)
        assert "✗ failed" in text(app)


async def test_without_a_key_it_says_which_variable_is_missing() -> None:
    lab = FakeLab(KEYLESS)
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        assert "set OPENAI_API_KEY in the environment" in text(app)
        assert not lab.sent


async def test_read_only_sends_and_stores_nothing() -> None:
    lab = FakeLab()
    async with lab_page(lab, writable=False) as (app, pilot, page):
        assert "✗ .981" in text(app), "looking is free"
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        assert not lab.sent
        assert "send: --read-only" in text(app)


async def test_an_answer_is_stored_after_a_yes_and_taken_back() -> None:
    lab = FakeLab()
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("escape", "s")
        assert "ctrl+s gets an answer first" in text(app)
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        await pilot.press("s", "enter")
        await settled(pilot, page)
        assert not lab.stored, "no is the default"
        await pilot.press("s")
        assert KEY in text(app)
        assert "604,800 s" in text(app)
        await pilot.press("y")
        await settled(pilot, page)
        assert [one.text for one in lab.stored] == ["Thirty days, **no** more."]
        assert "✓ stored in 1 entries" in step(page)
        await pilot.press("z")
        await settled(pilot, page)
        assert [one.keys for one in lab.taken_back] == [(KEY,)]


async def test_what_may_not_be_stored_says_why() -> None:
    lab = FakeLab(no_store="the provider refused to answer")
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        await pilot.press("escape", "s")
        assert "store: the provider refused to answer" in text(app)


async def test_two_models_side_by_side() -> None:
    lab = FakeLab()
    async with lab_page(lab) as (app, pilot, page):
        await pilot.press("escape", "equals_sign", "ctrl+u", *"house-7b", "enter")
        await settled(pilot, page)
        assert [one.model for one in lab.sent] == ["gpt-4o", "house-7b"]
        assert page.query_one("#way", LiveTable).cursor_key == "compare"
        first = page.query_one(Reader).whole_text.splitlines()[0].split()
        assert first == ["gpt-4o", "│", "house-7b"]
        await pilot.press("s")
        assert "send one alone" in text(app)


async def test_a_cached_answer_is_said() -> None:
    async with lab_page(FakeLab(EXACT)) as (app, _pilot, _page):
        assert "✓ hit" in text(app)
        assert "answered: exact" in text(app)
        assert "not asked: the exact cache answers" not in text(app), "this one is refused anyway"


async def test_problems_are_said_and_pass() -> None:
    lab = FakeLab(problem=ConnectionProblem("prod-cache:6379 is away: look at it"))
    async with lab_page(lab) as (app, pilot, page):
        assert "prod-cache:6379 is away" in text(app)
        lab.problem = None
        await pilot.press("ctrl+r", "escape", "ctrl+r")
        await settled(pilot, page)
        assert "decision" in text(app)


async def test_it_asks_again_while_the_router_is_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabPage, "AGAIN_S", 0.01)
    lab = FakeLab(replace(CHECK, route=replace(CHECK.route, without_embedding=True)))
    async with lab_page(lab) as (_app, pilot, page):
        lab.found = CHECK
        while len(lab.answered) < 2:
            await pilot.pause(0.02)
        await settled(pilot, page)
        asked = len(lab.answered)
        await pilot.pause(0.05)
        assert len(lab.answered) == asked


async def test_tried_prompts_are_found_again() -> None:
    async with lab_page() as (app, pilot, page):
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        page.load("Another one", "Be brief", "gpt-4o")
        await settled(pilot, page)
        await pilot.press("escape", "t")
        await pilot.pause()
        assert "Can I get a refund" in text(app)
        await pilot.press("enter")
        await settled(pilot, page)
        assert page.question == Question(QUESTION)
        folder = state_dir()
        assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


async def test_with_prompts_off_nothing_is_kept() -> None:
    async with lab_page(prompts="off") as (app, pilot, page):
        await pilot.press("ctrl+s")
        await settled(pilot, page)
        await pilot.press("escape", "t")
        await pilot.pause()
        assert "prompts = off" in text(app)
    assert not (state_dir() / FILE).exists()


def test_the_history_is_bounded_masked_and_stands_what_is_broken(tmp_path: Any) -> None:
    history = History(tmp_path, redacted=True, kept=3)
    for number in range(5):
        history.add(Question(f"prompt {number} of jane@example.com"), number)
    history.add(Question("prompt 3 of jane@example.com"), 9)
    assert [(t.at_ms, t.prompt) for t in history.read()] == [
        (9, "prompt 3 of [email]"), (4, "prompt 4 of [email]"), (2, "prompt 2 of [email]"),
    ]  # fmt: skip
    with (tmp_path / FILE).open("a") as file:
        file.write("{broken\n[]\n")
    assert len(history.read()) == 3
    history.add(Question("x" * 30_000), 10)
    assert (len(history.read()[0].prompt), history.read()[0].cut) == (20_000, True)


async def test_what_is_copied_and_exported() -> None:
    async with lab_page() as (_app, pilot, page):
        await pilot.press("escape")
        assert page.copyable() == ("prompt as it is sent", SHORT)
        what, document = page.copyable(whole=True) or ("", "")
        assert (what, json.loads(document)["route"]["name"]) == ("check", "answers")
        costs = page.exportable()
        assert costs is not None
        assert costs.rows[0][:3] == ("gpt-4o-mini", "openai", "gpt-4o-mini")
        page.query_one("#way", LiveTable).move_to("semantic\0llmcache")
        await pilot.pause()
        neighbours = page.exportable()
        assert neighbours is not None
        assert ("llmcache", 0.944, "served") in [(row[0], row[2], row[4]) for row in neighbours.rows]
