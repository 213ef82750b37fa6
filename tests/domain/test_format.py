from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain import format as f
from costconsole.domain.money import NANO

OSLO = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (f.count(None), "–"),
        (f.count(0), "0"),
        (f.count(1204), "1,204"),
        (f.count(999_999), "999,999"),
        (f.count(1_000_000), "1.00 M"),
        (f.compact(999), "999"),
        (f.compact(1204), "1.20 k"),
        (f.compact(999_600), "1.00 M"),
        (f.compact(210_400), "210 k"),
        (f.compact(-1_230_000), "-1.23 M"),
        (f.percent(None), "–"),
        (f.percent(0.0), "0"),
        (f.percent(0.0001), "<0.1"),
        (f.percent(0.6321), "63.2"),
        (f.percent(0.99999), "99.9"),
        (f.percent(1.0), "100"),
        (f.percent(-0.031), "-3.1"),
        (f.percent(float("nan")), "–"),
        (f.points(0.021), "▲ 2.1"),
        (f.points(-0.004), "▼ 0.4"),
        (f.points(0.0001), "= 0.0"),
        (f.points(None), ""),
        (f.rate(None), "–"),
        (f.rate(0.0), "0"),
        (f.rate(0.001), "<0.01"),
        (f.rate(0.034), "0.03"),
        (f.rate(38.21), "38.2"),
        (f.rate(1204.2), "1,204"),
        (f.milliseconds(None), "–"),
        (f.milliseconds(0.0), "0"),
        (f.milliseconds(6.14), "6.1"),
        (f.milliseconds(1980.4), "1,980"),
        (f.milliseconds(120_000), "120 s"),
        (f.duration(6.14), "6.1 ms"),
        (f.duration(1984.0), "1.98 s"),
        (f.duration(700_000.0), "11 min"),
        (f.age(None), "–"),
        (f.age(300), "0 s"),
        (f.age(59_999), "59 s"),
        (f.age(60_000), "1 min"),
        (f.age(3 * 3_600_000), "3 h"),
        (f.age(2 * 86_400_000), "2 d"),
        (f.size(874), "874 B"),
        (f.size(61_400_000), "61.4 MB"),
        (f.dollars(None), "–"),
        (f.dollars(0), "0"),
        (f.dollars(1_204_500_000_000), "1,204.50"),
        (f.dollars(-320_000_000), "-0.32"),
        (f.dollars(1_000_000), "<0.01"),
        (f.dollars(1_000_000, 4), "0.0010"),
        (f.dollars(25_000_000 * NANO), "25.0 M"),
        (f.similarity(None), "–"),
        (f.similarity(0.9732), ".973"),
        (f.similarity(0.99996), ".999"),
        (f.similarity(1.0), "1.00"),
        (f.similarity(-0.12), "-.12"),
    ],
)
def test_look(made: str, wanted: str) -> None:
    assert made == wanted


def test_times_are_local_and_say_their_offset() -> None:
    at = 1_763_845_443_000
    assert f.clock(at, OSLO) == "22:04:03"
    assert f.clock_minute(at, OSLO) == "22:04"
    assert f.date(at, OSLO) == "11-22"
    assert f.stamp(at, OSLO) == "2025-11-22 22:04:03 +01:00"
    assert f.offset(at, OSLO) == "+01"
    assert f.offset(at, timezone(-timedelta(hours=3, minutes=30))) == "-03:30"


@given(st.integers(0, 10**17))
def test_counts_keep_their_width(n: int) -> None:
    assert len(f.count(n)) <= 7
    assert len(f.compact(n)) <= 6
    assert len(f.size(n)) <= 7
    assert len(f.dollars(n, f.decimals_for(n))) <= 8


@given(st.floats(0, 1e7))
def test_latencies_keep_their_width(ms: float) -> None:
    assert len(f.milliseconds(ms)) <= 7
    assert len(f.duration(ms)) <= 7


@given(st.floats(0, 1))
def test_shares_keep_their_width_and_their_ends(share: float) -> None:
    text = f.percent(share)
    assert len(text) <= 4
    assert (text == "0") == (share * 100 == 0)
    assert (text == "100") == (share * 100 == 100)


@given(st.integers(1, 9 * 10**14))
def test_a_columns_decimals_show_its_largest_amount(nano: int) -> None:
    decimals = f.decimals_for(nano, 0, None)
    text = f.dollars(nano, decimals)
    if nano >= 10_000:
        assert not text.startswith("<")
        assert abs(float(text.replace(",", "")) * NANO - nano) <= max(0.005 * nano, 5000)
