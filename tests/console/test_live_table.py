"""The table of changing figures: order, cursor, columns, and what it sends again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from costconsole.console.safe import safe
from costconsole.console.widgets.columns import Column, Row, arrange, sort_rows
from costconsole.console.widgets.strips import changed_spans
from costconsole.console.widgets.table import LiveTable

COLUMNS = (
    Column("model", "model", 10, flex=True),
    Column("calls", "calls", 8, "right", sort=True),
    Column("spend", "spend", 8, "right", sort=True, drop=2),
)


class TableApp(App[None]):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        self.messages: list[tuple[str, object]] = []

    def compose(self) -> ComposeResult:
        yield LiveTable(COLUMNS, **{"sort": "calls", "empty": "no calls yet", **self.options})

    def on_live_table_row_highlighted(self, message: LiveTable.RowHighlighted) -> None:
        self.messages.append(("highlighted", message.key))

    def on_live_table_row_selected(self, message: LiveTable.RowSelected) -> None:
        self.messages.append(("selected", message.key))

    def on_live_table_sorted(self, message: LiveTable.Sorted) -> None:
        self.messages.append(("sorted", (message.column, message.reverse)))


def rows(n: int, plus: int = 0) -> list[Row]:
    return [
        Row(f"k{i:02}", (f"m{i}", f"{i * 100 + plus:,}", f"{i}"), (f"m{i}", i * 100 + plus, -i))
        for i in range(n)
    ]


@asynccontextmanager
async def table(
    size: tuple[int, int] = (40, 9), **options: Any
) -> AsyncIterator[tuple[LiveTable, Pilot[None], TableApp]]:
    app = TableApp(**options)
    async with app.run_test(size=size) as pilot:
        yield app.query_one(LiveTable), pilot, app


def shown(widget: LiveTable) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def test_numbers_end_at_one_column_and_the_sorted_one_is_marked() -> None:
    async with table() as (widget, pilot, _app):
        widget.update_rows(rows(5))
        await pilot.pause()
        lines = shown(widget)
        assert "▼calls" in lines[0]
        ends = {len(line.split("00 ")[0]) for line in lines[1:5]}
        assert len(ends) == 1
        assert lines[0].index("calls") + len("calls") - 2 in ends


async def test_sorting_by_keys_survives_refreshes_and_unknown_comes_last() -> None:
    async with table() as (widget, pilot, app):
        widget.update_rows([*rows(3), Row("unknown", ("?", "–", "–"), ("?", None, None))])
        await pilot.pause()
        assert [line[:2].strip() for line in shown(widget)[1:5]] == ["m2", "m1", "m0", "?"]
        await pilot.press("r")
        assert [line[:2].strip() for line in shown(widget)[1:5]] == ["m0", "m1", "m2", "?"]
        assert "▲calls" in shown(widget)[0]
        await pilot.press("greater_than_sign")
        assert widget.sorting == ("spend", True)
        assert [line[:2].strip() for line in shown(widget)[1:5]] == ["m0", "m1", "m2", "?"]
        widget.update_rows(rows(3, plus=7))
        assert widget.sorting == ("spend", True)
        await pilot.press("less_than_sign")
        assert widget.sorting == ("calls", True)
        await pilot.pause()
        assert ("sorted", ("calls", True)) in app.messages


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ("j", 1),
        ("jjk", 1),
        ("G", 29),
        ("Gg", 0),
        (("ctrl+d",), 4),
        (("ctrl+d", "ctrl+u"), 0),
        (("pagedown",), 7),
        (("end",), 29),
        (("end", "home"), 0),
        (("down", "down", "up"), 1),
    ],
)
async def test_cursor_keys(keys: Sequence[str], index: int) -> None:
    async with table(sort=None) as (widget, pilot, _app):
        widget.update_rows(rows(30))
        await pilot.pause()
        await pilot.press(*keys)
        assert widget.cursor_key == f"k{index:02}"
        await pilot.pause()
        assert any(f"m{index} " in line for line in shown(widget)), "the cursor is in sight"


async def test_the_cursor_stays_on_its_row_while_others_pass_it() -> None:
    async with table() as (widget, pilot, app):
        widget.update_rows(rows(10))
        await pilot.press("j")
        key = widget.cursor_key
        app.messages.clear()
        widget.update_rows([*rows(10), Row("new", ("new", "9,999", "0"), ("new", 9999, 0))])
        await pilot.pause()
        assert widget.cursor_key == key
        assert not app.messages, "it is the same row, so nobody is told"


async def test_a_tail_stays_at_its_newest_row() -> None:
    async with table(sort=None, tail=True) as (widget, pilot, _app):
        widget.update_rows(rows(5))
        await pilot.pause()
        widget.update_rows([Row("new", ("new", "1", "1")), *rows(5)])
        assert widget.cursor_key == "new"
        await pilot.press("j")
        widget.update_rows([Row("newer", ("newer", "1", "1")), Row("new", ("new", "1", "1")), *rows(5)])
        assert widget.cursor_key == "k00"


async def test_enter_selects_and_dividers_are_stepped_over() -> None:
    async with table(sort=None) as (widget, pilot, app):
        above, *below = rows(3)
        widget.update_rows([above, Row("line", ("threshold .930",), divider=True), *below])
        await pilot.pause()
        assert "─ threshold .930 ───" in shown(widget)[2]
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.messages[-1] == ("selected", "k01")
        await pilot.press("k")
        assert widget.cursor_key == "k00"


async def test_only_changed_cells_are_marked_and_nothing_when_nothing_changed() -> None:
    async with table(sort=None) as (widget, pilot, _app):
        widget.update_rows(rows(5))
        await pilot.pause()
        widget._repaint_regions.clear()
        widget.update_rows(rows(5))
        assert not widget._repaint_regions
        changed = rows(5)
        changed[2] = Row("k02", ("m2", "201", "2"))
        widget.update_rows(changed)
        (region,) = widget._repaint_regions
        assert (region.y, region.width, region.height) == (3, 1, 1)


async def test_a_million_rows_cost_nothing() -> None:
    class Million:
        asked = 0

        def __len__(self) -> int:
            return 1_000_000

        def __getitem__(self, index: int) -> Row:
            self.asked += 1
            return Row(f"k{index}", (f"m{index}", f"{index:,}", "0"))

        def index_of(self, key: str) -> int | None:
            return int(key[1:])

    async with table() as (widget, pilot, _app):
        lazy = Million()
        widget.update_rows(lazy)
        await pilot.pause()
        await pilot.press("G")
        await pilot.pause()
        assert widget.cursor_key == "k999999"
        assert "999,999" in shown(widget)[-1]
        assert lazy.asked < 500


async def test_hostile_cells_are_shown_and_columns_stay_aligned() -> None:
    async with table(sort=None) as (widget, pilot, _app):
        texts = ("[/]", "[red]x", "\x1b[2J", "漢字漢字漢字漢字漢字漢字", "a\nb", "x" * 5000, "\u202eevil")
        widget.update_rows([Row(str(i), (text, "1,000", "2")) for i, text in enumerate(texts)])
        await pilot.pause()
        strips = [widget.render_line(y) for y in range(1, 8)]
        assert {strip.cell_length for strip in strips} == {strips[0].cell_length}
        for text, strip in zip(
            ("[/]", "[red]x", "␛[2J", "漢字", "a⏎b", "xxx", "\\u202eevil"), strips, strict=True
        ):
            assert text in strip.text
        assert all(strip.text.rstrip().endswith("1,000        2") for strip in strips)
        assert "…" in strips[3].text


async def test_an_empty_table_says_what_to_do() -> None:
    async with table() as (widget, pilot, _app):
        await pilot.pause()
        assert shown(widget)[1].startswith("no calls yet")
        widget.set_empty("no entries match /foo – Esc clears")
        assert "Esc clears" in shown(widget)[1]


async def test_the_count_in_the_border_names_the_filter() -> None:
    async with table() as (widget, _pilot, _app):
        widget.show_count(212, 10_431, filtered="[/]refund")
        assert "212 of 10,431" in str(widget.border_subtitle)
        widget.show_count(500, 12_000, about=True)
        assert "500 of ≈12,000" in str(widget.border_subtitle)


def test_columns_share_the_width_and_the_least_needed_go_first() -> None:
    wide = arrange(COLUMNS, 40)
    assert [(p.column.key, p.x, p.width) for p in wide] == [
        ("model", 0, 22),
        ("calls", 23, 8),
        ("spend", 32, 8),
    ]
    assert [p.column.key for p in arrange(COLUMNS, 24)] == ["model", "calls"]
    assert [p.column.key for p in arrange(COLUMNS, 5)] == ["model", "calls"], "0 never goes"


def test_ties_keep_one_order_both_ways() -> None:
    tied = [Row(key, ("x",), (1,)) for key in "cab"]
    assert [row.key for row in sort_rows(tied, 0, False)] == ["a", "b", "c"]
    assert [row.key for row in sort_rows(tied, 0, True)] == ["a", "b", "c"]


def test_changed_spans_are_joined_when_near_and_keep_wide_characters_whole() -> None:
    def strip(text: str) -> Strip:
        return Strip([Segment(text)])

    assert changed_spans(strip("1,204"), strip("1,205")) == [(4, 5)]
    assert changed_spans(strip("same"), strip("same")) == []
    assert changed_spans(strip("a..b"), strip("x..y")) == [(0, 4)]
    assert changed_spans(strip("a" + "." * 20 + "b"), strip("x" + "." * 20 + "y")) == [(0, 1), (21, 22)]
    assert changed_spans(strip("漢字"), strip("漢x ")) == [(2, 4)]
    assert changed_spans(strip("漢"), strip("xy")) == [(0, 2)]
    assert changed_spans(strip("ab"), strip("abc")) == [(2, 3)]


def test_ink_and_text_of_contents() -> None:
    assert safe("a\x1bb").plain == "a␛b"
    assert safe("[red]x[/]", "bad").plain == "[red]x[/]"
