from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.errors import ExitCode, UsageProblem
from costconsole.domain.window import GRAIN_MS, WINDOWS, Grain, Window, cover, parse_duration, parse_window

instants = st.integers(0, 4_000_000_000_000)


@given(instants, st.integers(0, 40 * 86_400_000), st.sampled_from(["minute", "hour", "day"]))
def test_a_cover_is_gapless_whole_and_as_coarse_as_fits(start: int, length: int, coarsest: Grain) -> None:
    buckets = cover(start, start + length, coarsest)
    at = start // 60_000 * 60_000
    for bucket in buckets:
        assert bucket.start_ms == at
        assert bucket.number * GRAIN_MS[bucket.grain] == at
        at = bucket.end_ms
    assert at == (-(-(start + length) // 60_000) * 60_000 if length or start % 60_000 else start)
    assert all(GRAIN_MS[bucket.grain] <= GRAIN_MS[coarsest] for bucket in buckets)
    assert sum(bucket.grain == "minute" for bucket in buckets) <= (
        length // 60_000 + 2 if coarsest == "minute" else 120
    )
    assert sum(bucket.grain == "hour" for bucket in buckets) <= (
        48 if coarsest == "day" else length // 3_600_000 + 1
    )


@given(instants, st.integers(60, 366 * 86_400))
def test_a_window_ends_with_the_open_bucket_and_is_as_long_as_it_says(now_ms: int, seconds: int) -> None:
    window = Window("x", seconds)
    size = GRAIN_MS[window.grain]
    from_ms, to_ms = window.bounds(now_ms)
    assert from_ms % size == to_ms % size == 0
    assert to_ms - size <= now_ms < to_ms
    assert 0 <= to_ms - from_ms - seconds * 1000 < size


def test_a_chart_has_a_bearable_number_of_points() -> None:
    for window in WINDOWS:
        from_ms, to_ms = window.bounds(1_790_000_000_000)
        assert 5 <= (to_ms - from_ms) // GRAIN_MS[window.grain] <= 360


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), (" 2W ", 1_209_600), ("7d", 604_800)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1", "1 h", "1y", "-1h", "1.5h", "0m"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(UsageProblem, match=r"such as|for example") as caught:
        parse_duration(text)
    assert caught.value.exit_code is ExitCode.USAGE


def test_windows_by_label_or_any_duration() -> None:
    assert parse_window("60m") is next(window for window in WINDOWS if window.label == "1h")
    assert parse_window("90m") == Window("90m", 5400)
    for text in ("30s", "367d"):
        with pytest.raises(UsageProblem, match="1m to 366d"):
            parse_window(text)
