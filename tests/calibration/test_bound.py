"""Exact bounds against scipy's own distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from costconsole.calibration.bound import corrected_level, crossing, labels_needed, lower, upper

counts = st.integers(1, 3_000).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m)))
confidences = st.sampled_from([0.9, 0.95, 0.99])


@given(counts, confidences)
def test_limits_are_those_of_the_beta_distribution(km: tuple[int, int], confidence: float) -> None:
    k, m = km
    assert upper(k, m, confidence) == pytest.approx(1.0 if k == m else beta.ppf(confidence, k + 1, m - k))
    assert lower(k, m, confidence) == pytest.approx(0.0 if k == 0 else beta.ppf(1 - confidence, k, m - k + 1))


@given(counts, confidences)
def test_more_wrong_raises_both_limits_and_more_right_lowers_them(
    km: tuple[int, int], confidence: float
) -> None:
    k, m = km
    assert upper(k, m + 1, confidence) <= upper(k, m, confidence)
    assert lower(k, m + 1, confidence) <= lower(k, m, confidence)
    assert upper(k + 1, m + 1, confidence) >= upper(k, m + 1, confidence)
    assert lower(k, m, confidence) <= k / m <= upper(k, m, confidence)


def test_without_labels_nothing_is_known() -> None:
    assert (lower(0, 0, 0.95), upper(0, 0, 0.95)) == (0.0, 1.0)


@pytest.mark.parametrize(("bound", "needed"), [(0.01, 299), (0.02, 149), (0.05, 59), (0.10, 29)])
def test_labels_needed_when_all_are_right(bound: float, needed: int) -> None:
    assert labels_needed(bound, 0.95) == needed
    assert upper(0, needed, 0.95) <= bound < upper(0, needed - 1, 0.95)


@given(st.sampled_from([0.02, 0.05, 0.1]), st.just(0.0) | st.floats(0.001, 0.8))
@settings(max_examples=40)
def test_labels_needed_is_the_smallest_number_that_certifies(bound: float, part: float) -> None:
    rate = bound * part
    needed = labels_needed(bound, 0.95, rate)
    assert needed is not None
    sizes = np.arange(1, needed + 1)
    wrong = np.ceil(sizes * rate - 1e-9)
    certified = binom.cdf(wrong, sizes, bound) <= 0.05
    assert certified[-1]
    assert not certified[:-1].any()


def test_no_number_of_labels_certifies_a_rate_that_breaks_the_bound() -> None:
    assert labels_needed(0.02, 0.95, 0.02) is None


def test_crossing_is_the_share_of_walks_that_are_certified_somewhere() -> None:
    looks, bound = [60, 90, 120, 160, 200], 0.05
    rng = np.random.default_rng(7)
    walks = (rng.random((40_000, 200)) < bound).cumsum(axis=1)
    certified = np.zeros(40_000, dtype=bool)
    for m in looks:
        certified |= binom.cdf(walks[:, m - 1], m, bound) <= 0.05
    assert crossing(looks, bound, 0.05) == pytest.approx(certified.mean(), abs=0.005)
    assert certified.mean() > 0.08  # many looks at 5 % each break a promise of 5 %


@given(st.lists(st.integers(30, 900), min_size=1, max_size=30), st.sampled_from([0.02, 0.05, 0.1]))
@settings(max_examples=30, deadline=None)
def test_the_corrected_level_keeps_the_promise_over_all_looks(looks: list[int], bound: float) -> None:
    level = corrected_level(looks, bound, 0.95)
    assert 0 < level <= 0.05 + 1e-12
    assert crossing(sorted(set(looks)), bound, level) <= 0.05 + 1e-9


def test_long_walks_are_added_up_as_exactly_as_short_ones() -> None:
    # 20,000 labels a look go by Fourier's way.
    assert crossing([20_000], 0.1, 0.05) == pytest.approx(
        binom.cdf(binom.ppf(0.05, 20_000, 0.1) - 1, 20_000, 0.1), abs=1e-6
    )
