"""What the Overview's tiles, charts, waterfall and rows say about given figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from costconsole.console.screens.call_detail import call_lines
from costconsole.console.screens.overview_charts import nice_ceiling, outcome_plot, spend_plot, time_ticks
from costconsole.console.screens.overview_empty import empty_lines
from costconsole.console.screens.overview_tables import slice_rows, tail_row
from costconsole.console.screens.overview_tiles import Scope, tiles
from costconsole.console.widgets.bars import bar, floating, parts
from costconsole.console.widgets.painted import Line, spread
from costconsole.console.widgets.waterfall import Waterfall, waterfall_lines
from costconsole.domain.call import Savings
from costconsole.domain.entry import CacheEntry
from costconsole.domain.figures import Figures, LedgerView, Point, Slice
from costconsole.domain.format import dollars
from costconsole.domain.known import Known, KnownFigures, NearMisses, SpendGauge
from costconsole.domain.window import WINDOWS
from tests.console.fakes import (
    CACHES,
    HOSTILE,
    NOW_MS,
    calls,
    empty_view,
    figures,
    huge_view,
    unpriced_view,
    view,
)

OSLO = timezone(timedelta(hours=1))


def said(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ink in line) for line in lines)


def tile_text(shown: LedgerView, width: int, rows: int = 2) -> list[str]:
    scope = Scope(shown.total, shown.total)
    return [
        said([spread(left, right, width) for left, right in tile.rows])
        for tile in tiles(shown, scope, width, rows)
    ]


# -- tiles


def test_tiles_answer_their_questions() -> None:
    shown = view(previous=replace(figures(100), exact=1900, semantic=4190, miss=3510))
    hit, spend, saved, latency, made = tile_text(shown, 20)
    assert "63.0" in hit
    assert "▲ 2.1" in hit
    assert "exact 21.0" in hit
    assert "sem 42.0" in hit
    assert spend.split() == ["252.82", "today", "1,656"]
    assert saved.split() == ["674.63", "72.7", "%", "tokens", "50.8", "M"]
    assert latency.split("\n")[0].startswith("hit")
    assert "137,400" in made
    assert "38.2 /s" in made
    assert "0.5 %" in made


def test_tiles_of_nothing_are_unknown_not_zero() -> None:
    hit, _spend, _saved, latency, made = tile_text(empty_view(), 20)
    assert hit.split() == ["–", "exact", "–", "sem", "–"]
    assert latency.count("–") == 4
    assert made.split("\n")[0].split() == ["0", "–", "/s"]


def test_unpriced_calls_are_counted_and_never_a_silent_zero() -> None:
    _hit, spend, saved, _latency, _calls = tile_text(unpriced_view(), 20)
    assert spend.startswith("–")
    assert "1.00 k unpriced" in spend
    assert saved.startswith("–")
    some = view(total=figures(10, unpriced=5))
    assert tile_text(some, 20)[1].startswith("≥1.84")


@pytest.mark.parametrize("make", [view, huge_view, unpriced_view, empty_view])
@pytest.mark.parametrize("width", [13, 14, 16, 20, 36])
def test_no_figure_of_a_tile_is_cut(make: object, width: int) -> None:
    assert callable(make)
    for tile in tile_text(make(), width, 3 if width > 30 else 2):
        for row in tile.split("\n"):
            assert cell_len(row) <= width
            assert "…" not in row


def test_many_errors_are_marked() -> None:
    calm, alarming = figures(100), replace(figures(100), errors=900)
    inks = [
        {
            ink
            for tile in tiles(view(total=f), Scope(f, f), 20)
            for pair in tile.rows
            for part in pair
            for _t, ink in part
        }
        for f in (calm, alarming)
    ]
    assert "bad" not in inks[0]
    assert "bad" in inks[1]


# -- charts


def test_the_top_of_the_semantic_area_is_the_hit_rate() -> None:
    shown = view(WINDOWS[0])
    plot = outcome_plot(shown, OSLO)(50)
    exact, hits = plot.areas
    assert exact.tops[0] == pytest.approx(21.0)
    assert hits.tops[0] == pytest.approx(63.0)
    assert hits.striped
    assert not exact.striped


def test_charts_end_now_and_leave_gaps_where_no_call_was() -> None:
    shown = view(WINDOWS[0])
    quiet = replace(shown.series[1], figures=Figures())
    shown = replace(shown, series=(shown.series[0], quiet, *shown.series[2:]))
    tops = outcome_plot(shown, OSLO)(50).areas[1].tops
    assert tops[10:20] == (None,) * 10
    assert tops[9] is not None
    # Three seconds of the open minute have passed: the tenth of it is drawn, the rest is not known yet.
    assert [top is not None for top in tops[40:]] == [True] + [False] * 9


def test_many_buckets_on_few_columns_are_weighed_by_their_calls() -> None:
    from_ms, to_ms = WINDOWS[0].bounds(NOW_MS + 59_000)
    counts = ((100, 100), (300, 0), (0, 0), (0, 0), (0, 0))
    series = tuple(
        Point(from_ms + i * 60_000, 60, Figures(calls=n, exact=exact, miss=n - exact))
        for i, (n, exact) in enumerate(counts)
    )
    shown = view(WINDOWS[0], series=series, from_ms=from_ms, to_ms=to_ms, read_ms=to_ms)
    assert outcome_plot(shown, OSLO)(1).areas[0].tops == (25.0,)


def test_spend_and_saved_together_are_the_baseline() -> None:
    shown = view(WINDOWS[0])
    plot = spend_plot(shown, OSLO)(50)
    spend, both = (area.tops[0] for area in plot.areas)
    first = shown.series[0].figures
    assert spend == pytest.approx(first.spend_nano / 1e9)
    assert both == pytest.approx(first.baseline_nano / 1e9)
    assert plot.y_max >= max(top for top in plot.areas[1].tops if top is not None)


def test_the_open_bucket_is_a_rate_and_waits_until_it_means_something() -> None:
    shown = view(WINDOWS[0])
    early = spend_plot(replace(shown, read_ms=shown.to_ms - 57_000), OSLO)(50).areas[0].tops
    late = spend_plot(replace(shown, read_ms=shown.to_ms - 30_000), OSLO)(50).areas[0].tops
    assert early[40] is None
    assert late[40] == pytest.approx(shown.series[4].figures.spend_nano / 1e9 * 2)


@given(st.floats(0, 1e17))
def test_a_scale_ends_above_its_largest_value_and_not_far(value: float) -> None:
    top = nice_ceiling(value)
    assert top >= value
    assert top <= max(10, 2.5 * value)


def test_ticks_are_round_local_times() -> None:
    shown = view()
    labels = [label for _at, label in time_ticks(shown.from_ms, shown.to_ms, ZoneInfo("Asia/Kolkata"), 60)]
    assert labels == ["03:10", "03:20", "03:30", "03:40", "03:50", "04:00"]
    week = view(WINDOWS[5])
    days = time_ticks(week.from_ms, week.to_ms, ZoneInfo("Europe/Oslo"), 90)
    assert [label for _at, label in days] == ["11-16", "11-17", "11-18", "11-19", "11-20", "11-21", "11-22"]
    assert all(0 <= at < 1 for at, _label in days)


@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: w.label)
@pytest.mark.parametrize("cells", [20, 34, 75, 190])
def test_ticks_never_crowd(window: object, cells: int) -> None:
    shown = view(window)  # type: ignore[arg-type]
    places = [at * cells for at, _label in time_ticks(shown.from_ms, shown.to_ms, OSLO, cells)]
    assert all(b - a >= 8 for a, b in pairwise(places))
    assert len(places) >= (1 if cells > 20 else 0)


# -- waterfall and bars


def test_a_waterfall_says_every_step() -> None:
    f = figures(10)
    lines = waterfall_lines(Waterfall(f.baseline_nano, f.saved, f.spend_nano), 70, 8)
    rows = [row.split() for row in said(lines).split("\n")]
    assert rows[0][:3] == ["baseline", "6.75", "100"]
    assert rows[1][:4] == ["−", "routing", "1.20", "17.8"]
    assert rows[-1][:4] == ["=", "spend", "1.84", "27.3"]
    assert len({cell_len("".join(t for t, _ in line)) for line in lines}) == 1


def test_a_step_that_cost_is_a_plus_and_is_marked() -> None:
    saved = Savings(provider_cache=-2_000_000_000, semantic=5_000_000_000)
    lines = waterfall_lines(Waterfall(10_000_000_000, saved, 7_000_000_000), 70, 8)
    row = next(line for line in lines if "provider" in line[0][0])
    assert row[0][0].startswith("+ provider cache")
    assert row[-1][1] == "bad"
    assert "2.00" in row[1][0]


def test_an_unknown_price_makes_no_waterfall() -> None:
    text = said(waterfall_lines(Waterfall(None, Savings(), None), 60, 8))
    assert "█" not in text
    assert text.split("\n")[-1].split()[:3] == ["=", "spend", "–"]


@pytest.mark.parametrize("height", [2, 5, 8, 10, 20])
def test_a_waterfall_keeps_to_its_height(height: int) -> None:
    f = replace(figures(10), saved=Savings(exact=3_280_000_000, semantic=1_630_000_000))
    lines = waterfall_lines(Waterfall(f.baseline_nano, f.saved, f.spend_nano), 60, height)
    assert len(lines) <= max(height, 4)
    assert "exact" in said(lines)


@given(st.floats(0, 1), st.integers(1, 60), st.sampled_from(["braille", "block", "ascii"]))
def test_bars_have_their_width_and_show_whatever_is_not_zero(
    share: float, width: int, charset: object
) -> None:
    drawn = bar(share, width, charset)  # type: ignore[arg-type]
    assert cell_len(drawn) == width
    assert (drawn.strip() == "") == (share == 0)
    assert cell_len(floating(share, 1 - share, width, charset)) == width  # type: ignore[arg-type]
    first, second = parts(share, 1 - share, width, charset)  # type: ignore[arg-type]
    assert cell_len(first + second) == width


# -- rows


def test_a_slice_says_what_it_knows() -> None:
    unknown = replace(figures(2), unpriced=200, spend_nano=0, saved=Savings())
    known, free, none = slice_rows(
        [Slice("gpt-4o", figures(10)), Slice("own-model", unknown), Slice("", figures(1, unpriced=3))],
        "braille",
    )
    assert [str(cell) for cell in known.cells[1:7]] == ["1,000", "63.0", "412 k", "154 k", "1.84", "4.91"]
    assert free.cells[5:7] == ("–", "–")
    assert free.sort[5] is None
    assert str(none.cells[0]) == "(none)"
    assert str(none.cells[5]).startswith("≥")


def test_a_call_in_the_tail() -> None:
    semantic, miss, exact, *_rest = calls(8)
    assert [str(c) for c in tail_row(semantic, OSLO).cells[:4]] == ["23:34:03", "semantic", ".973", "gpt-4o"]
    assert str(tail_row(miss, OSLO).cells[7]) == "0.00411"
    assert str(tail_row(exact, OSLO).cells[2]) == ""
    failed = tail_row(calls(8)[7], OSLO)
    assert str(failed.cells[1]) == "✗ error"
    assert str(failed.cells[-1]).startswith("timeout · How do I")


@pytest.mark.parametrize("prompt", HOSTILE)
def test_hostile_text_is_shown_not_obeyed(prompt: str) -> None:
    call = replace(calls(1)[0], preview=prompt, model=prompt, tag=prompt, neighbor=prompt, scope=prompt)
    shown = said(call_lines(call, 80, OSLO, "braille"))
    shown += "".join(str(cell) for cell in tail_row(call, OSLO).cells[-1:])
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert "\u202e" not in shown


# -- one call, and none


def test_a_call_in_full() -> None:
    call = replace(
        calls(1)[0],
        requested_model="gpt-5",
        neighbor="costconsole:{support}:semantic:4711",
        cache_key="exact:9f",
        price_input=2_500_000_000,
        price_output=10_000_000_000,
        price_version="2026-11-20",
    )
    text = said(call_lines(call, 100, OSLO, "braille"))
    for fact in (
        "answered from the semantic cache",
        "gpt-4o (asked for gpt-5)",
        "2026-11-22 23:34:03 +01:00",
        ".973",
        ".950",
        " reached",
        "costconsole:{support}:semantic:4711",
        "saved in 412, out 156",
        "2.50 in, 10.00 out per million tokens, 2026-11-20",
        "call-0000",
        "= spend",
    ):
        assert fact in text, fact


def test_no_ledger_says_what_is_known_and_the_way_on() -> None:
    text = said(empty_lines("prod-cache:6379/0", "support", CACHES, 78))
    assert "'support' holds no ledger" in text
    assert "llmcache" in text
    assert "212 entries" in text
    assert 'Gateway("redis://prod-cache:6379/0", namespace="support")' in text
    assert "costconsole demo" in text
    assert max(map(cell_len, text.split("\n"))) <= 78
    assert "any" not in said(empty_lines("x:1/0", "default", None, 78)).split()


def test_money_in_rows_adds_up_to_what_the_tile_says() -> None:
    rows = slice_rows([Slice("a", figures(10)), Slice("b", figures(20))], "braille")
    assert sum(float(str(row.cells[5])) for row in rows) == pytest.approx(
        float(dollars(figures(30).spend_nano))
    )


def test_a_call_whose_neighbour_was_refused_says_by_what() -> None:
    near = CacheEntry("k", "own", "costconsole", prompt="Return it in 30 days?")
    call = replace(
        calls(2)[1], preview="Return it in 60 days?", similarity=0.97, threshold=0.95, neighbor="k"
    )
    refused = said(call_lines(replace(call, guard="numbers"), 100, OSLO, "braille", near))
    assert "refused by    numbers (numbers differ: 60 / 30)" in refused
    unread = said(call_lines(replace(call, guard="numbers,entities"), 100, OSLO, "braille"))
    assert "refused by    numbers, entities" in unread
    assert "a wrong hit" in said(call_lines(replace(call, guard="ratchet"), 100, OSLO, "braille", near))
    assert "refused" not in said(call_lines(call, 100, OSLO, "braille", near))


def test_no_ledger_and_yet_something_is_known() -> None:
    estimated = KnownFigures(
        "llmcache", "redisvl", rate=0.7, lookups=10, code='Ledger("redis://…").record(Call())'
    )
    text = said(empty_lines("x:1/0", "default", CACHES, 78, known=known(estimated)))
    assert "≈70.0 % hits" in text
    assert "≈ is an estimate" in text
    assert "if every miss is stored once" in " ".join(text.split())
    assert 'Ledger("redis://…").record(' in text
    counted = replace(estimated, counted=True, code="", near=NearMisses(3, 2, 1, 0.91, None))
    text = said(empty_lines("x:1/0", "default", CACHES, 78, known=known(counted)))
    assert " 70.0 % hits" in text
    assert "≈" not in text
    assert "1 within 0.05 of the threshold" in " ".join(text.split())
    unknown = replace(estimated, rate=None, sentence="llmcache: nobody looked anything up")
    text = said(
        empty_lines("x:1/0", "default", CACHES, 78, known=known(unknown, "Not all hashes were looked at."))
    )
    assert "Hits aren't known: llmcache: nobody looked anything up." in text
    assert "Not all hashes were looked at." in text
    for height in (18, 24, 36):
        gauges = tuple(SpendGauge(f"k{at}", "key", f"k{at}", "", 10**9) for at in range(4))
        some = replace(known(counted), gauges=gauges)
        assert len(empty_lines("x:1/0", "default", CACHES, 78, known=some, height=height)) <= max(18, height)


def known(one: KnownFigures, left_out: str = "") -> Known:
    return Known((one,), (), left_out, {one.cache: one})
