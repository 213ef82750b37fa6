from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.histogram import BASE, MAX_INDEX, MIN_INDEX, Histogram, bucket_of, bucket_value

durations = st.floats(0.11, 1.5e6, allow_nan=False)


@given(durations)
def test_a_bucket_stands_for_its_durations_within_five_percent(ms: float) -> None:
    assert abs(bucket_value(bucket_of(ms)) / ms - 1) < 0.05


@given(durations, durations)
def test_longer_never_lies_in_a_lower_bucket(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert bucket_of(low) <= bucket_of(high)


@given(st.integers(MIN_INDEX + 1, MAX_INDEX))
def test_a_bucket_ends_with_its_upper_bound(index: int) -> None:
    assert bucket_of(BASE**index) == index


@pytest.mark.parametrize(
    ("ms", "index"),
    [(-1.0, MIN_INDEX), (0.0, MIN_INDEX), (math.nan, MIN_INDEX), (math.inf, MAX_INDEX), (1e300, MAX_INDEX)],
)
def test_odd_durations_have_a_bucket_too(ms: float, index: int) -> None:
    assert bucket_of(ms) == index


@given(st.lists(durations, min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_are_those_of_the_values_within_five_percent(values: list[float], q: float) -> None:
    rank = max(1, math.ceil(q * len(values)))
    true = sorted(values)[rank - 1]
    found = Histogram.of(values).quantile(q)
    assert found is not None
    assert abs(found / true - 1) < 0.05


@given(st.lists(durations), st.lists(durations))
def test_merging_is_counting_together(a: list[float], b: list[float]) -> None:
    assert Histogram.of(a) + Histogram.of(b) == Histogram.of(a + b)
    assert (Histogram.of(a) + Histogram.of(b)).total == len(a) + len(b)


def test_nothing_has_no_quantile_and_shares_lie_between_0_and_1() -> None:
    assert Histogram().quantile(0.5) is None
    with pytest.raises(ValueError, match="between 0 and 1"):
        Histogram.of([1.0]).quantile(1.1)
