"""What the page of entries is made of: folding, Markdown, rows, and asking for the newest only."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from costconsole.console.screens.entries_detail import entry_lines
from costconsole.console.screens.entries_finder import Found, Question, count_words, merge_newest
from costconsole.console.screens.entries_latest import Latest
from costconsole.console.screens.entries_listing import Held, Listing, Shape, dividers, in_order
from costconsole.console.screens.entries_markdown import markdown_lines
from costconsole.console.screens.entries_wrap import wrap, wrap_text
from costconsole.console.widgets.painted import Line
from costconsole.domain.text import visible
from tests.console import fakes
from tests.console.fake_entries import numbered

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def plain(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ink in line) for line in lines]


@given(text=ANY_TEXT, width=st.integers(2, 60))
def test_folding_keeps_every_sign_and_the_width(text: str, width: int) -> None:
    shown = visible(text, multiline=True)
    folded = plain(wrap_text(shown, width))
    assert all(cell_len(line) <= width for line in folded)
    assert "".join("".join(folded).split()) == "".join(shown.split())


def test_folding_breaks_at_spaces_and_keeps_words_over_inks_together() -> None:
    lines = wrap((("one two ", "text"), ("three", "strong"), (", four", "text")), 10)
    assert plain(lines) == ["one two", "three,", "four"]
    assert lines[1] == (("three", "strong"), (",", "text"))


def test_folding_keeps_lines_and_their_indent() -> None:
    assert plain(wrap_text("a\n    b\n\nc", 10)) == ["a", "    b", "", "c"]


@given(text=ANY_TEXT)
def test_no_answer_breaks_the_panel(text: str) -> None:
    lines = plain(markdown_lines(text, 40))
    assert all(cell_len(line) <= 40 for line in lines)
    assert not set("".join(lines)) & set("\x00\x07\x1b\x9b\r\n\u202e\u200b\ufe0f")


@pytest.mark.parametrize(
    "hidden",
    ["&#27;[31m", "&#x202e;", "&ZeroWidthSpace;", "<script>x</script>", "<http://x.y/>", "[a]: http://x"],
)
def test_what_markdown_would_hide_stays_text(hidden: str) -> None:
    assert plain(markdown_lines(f"see {hidden}", 60)) == [f"see {hidden}"]


def test_a_link_shows_where_it_leads() -> None:
    assert plain(markdown_lines("[our page](http://evil.example/x)", 60)) == [
        "our page (http://evil.example/x)"
    ]


def test_markdown_is_laid_out() -> None:
    text = "# Title\n\nSome **bold** and `code`.\n\n1. one\n   - two\n2. three\n\n```sh\nls -l\n```\n> said"
    assert plain(markdown_lines(text, 40)) == [
        "Title", "", "Some bold and `code`.", "", "1. one", "   • two", "2. three", "", "  sh", "  ls -l", "",
        "│ said",
    ]  # fmt: skip


def test_a_wide_table_is_fitted() -> None:
    lines = plain(markdown_lines("|a|b|\n|-|-|\n|" + "x" * 80 + "|short|", 30))
    assert all(cell_len(line) <= 30 for line in lines)
    assert "short" in lines[2]


def test_an_entry_with_ten_thousand_signs_on_a_line_is_shown_whole() -> None:
    entry = replace(fakes.entries(1)[0], prompt="x" * 10_000, response="y" * 50_000)
    text = "".join(plain(entry_lines(entry, 50, None, fakes.NOW_MS)))
    assert text.count("x") >= 10_000
    assert text.count("y") >= 50_000


def test_dividers_part_the_rows() -> None:
    held = [Held(entry, 0) for entry in fakes.entries(10)]
    one = [Held(replace(h.entry, cache="support"), 0) for h in held]
    lines = dividers(one, {"support": 0.96})
    (at,) = lines
    assert (one[at - 1].entry.similarity or 0) >= 0.96 > (one[at].entry.similarity or 0)
    assert list(dividers(one, {"support": 0.1})) == [10]
    assert list(dividers(one, {"support": 1.0})) == [0]
    assert dividers(one, {}) == {}
    both = dividers(held, {"support": 0.96, "llmcache": 0.96})
    assert [row.cells[0] for row in both.values()] == ["threshold .960"]


def test_rows_that_look_the_same_are_the_same() -> None:
    listing = Listing(Shape(), [Held(numbered(n), 0) for n in range(5)], fakes.NOW_MS + 3_600_000)
    assert listing.at(listing.now_ms + 1)[3] is listing[3]
    assert listing.at(listing.now_ms + 7_200_000)[3] is not listing[3]
    assert listing.index_of(numbered(4).key) == 4


def test_time_to_live_counts_down_from_the_reading() -> None:
    entry = replace(numbered(1), ttl_ms=90_000)
    listing = Listing(Shape(), [Held(entry, 1000)], 31_000)
    assert "1 min" in listing[0].cells
    assert "0 s" in listing.at(1_000_000)[0].cells


def test_unknown_values_sort_last_both_ways() -> None:
    held = [Held(replace(numbered(n), hits=hits), 0) for n, hits in enumerate([3, None, 9])]
    assert [h.entry.hits for h in in_order(held, "hits", True)] == [9, 3, None]
    assert [h.entry.hits for h in in_order(held, "hits", False)] == [3, 9, None]


QUESTION = Question("meaning", "", fakes.CACHES)


def found(numbers: list[int], *, more: bool) -> Found:
    from costconsole.cache.page import Cursor

    return Found(
        QUESTION, "newest", tuple(Held(numbered(n), 0) for n in numbers), next=Cursor() if more else None
    )


@pytest.mark.parametrize(
    ("before", "first", "merged"),
    [
        (range(2, 12), range(5), range(12)),  # New entries on top, the rest stays.
        (range(10), [0, 1, 3, 4, 5], [0, 1, 3, 4, 5, 6, 7, 8, 9]),  # One of the first is gone.
        (range(50, 60), range(5), range(5)),  # More are new than one page holds: begin anew.
    ],
)
def test_a_first_page_read_again_joins_what_was_listed(before: range, first: range, merged: range) -> None:
    joined = merge_newest(found(list(before), more=True), found(list(first), more=True))
    assert [held.entry.key for held in joined.held] == [numbered(n).key for n in merged]
    assert joined.next is not None


def test_a_first_page_that_is_all_there_is_replaces_the_list() -> None:
    joined = merge_newest(found([0, 1, 2, 3], more=False), found([2, 3], more=False))
    assert [held.entry.key for held in joined.held] == [numbered(2).key, numbered(3).key]


def test_counts_say_what_is_an_estimate() -> None:
    some = replace(found([1, 2], more=True), total=10_431, took_ms=9.2)
    assert count_words(some) == "2 of ≈10,431 · 9.2 ms"
    assert count_words(replace(some, next=None)) == "2 · 9.2 ms"
    assert count_words(replace(some, by="text")) == "2+ of ≈10,431 · 9.2 ms"


async def test_answers_that_arrive_out_of_order_leave_the_newest() -> None:
    gates: dict[int, asyncio.Event] = {n: asyncio.Event() for n in range(4)}
    shown: list[int] = []

    async def answer(question: int) -> int:
        await gates[question].wait()
        return question

    latest: Latest[int, int] = Latest(
        answer, show=lambda _q, a: shown.append(a), fail=lambda _q, e: None, patience_s=60
    )
    for n in range(3):
        latest.ask(n)
        await asyncio.sleep(0)
    gates[2].set()
    gates[0].set()
    await latest.settle()
    assert shown == [2]
    latest.ask(1)
    await asyncio.sleep(0)
    latest.drop()
    latest.ask(3)
    gates[1].set()
    gates[3].set()
    await latest.settle()
    assert shown == [2, 3]


async def test_a_failure_is_told_only_of_the_newest_question() -> None:
    failed: list[int] = []
    gate = asyncio.Event()

    async def answer(question: int) -> int:
        await gate.wait()
        raise ValueError(question)

    latest: Latest[int, int] = Latest(
        answer, show=lambda _q, _a: None, fail=lambda q, _e: failed.append(q), patience_s=60
    )
    latest.ask(1)
    await asyncio.sleep(0)
    latest.ask(2)
    gate.set()
    await latest.settle()
    assert failed == [2]


async def test_a_question_waits_until_nothing_else_is_asked() -> None:
    asked: list[int] = []

    async def answer(question: int) -> int:
        asked.append(question)
        return question

    latest: Latest[int, int] = Latest(answer, show=lambda _q, _a: None, fail=lambda _q, _e: None, rest_s=0.02)
    for n in range(5):
        latest.ask(n)
        await asyncio.sleep(0)
    await latest.settle()
    assert asked == [4]
