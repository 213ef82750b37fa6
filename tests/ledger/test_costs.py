"""The waterfall of one call: every step right, and the sum exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.call import STRATEGIES, CostStatus, Outcome, Processing, Savings, UnitPrices, Usage
from costconsole.ledger.costs import cost, waterfall

GPT_4O = UnitPrices(2_500_000_000, 10_000_000_000, 1_250_000_000, 2_500_000_000, 2_500_000_000, "v1")
MINI = UnitPrices(150_000_000, 600_000_000, 75_000_000, 150_000_000, 150_000_000, "v1")
SONNET = UnitPrices(3_000_000_000, 15_000_000_000, 300_000_000, 3_750_000_000, 6_000_000_000, "v1")
HALF = UnitPrices(1_250_000_000, 5_000_000_000, 625_000_000, 1_250_000_000, 1_250_000_000, "v1")

_price = st.integers(0, 10**12)
prices = st.builds(
    UnitPrices,
    *[_price] * 5,
    version=st.just("v"),
    status=st.sampled_from([s for s in CostStatus if s is not CostStatus.UNPRICED]),
    per_request=st.integers(0, 10**9),
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    parts = [draw(st.integers(0, 10**6)) for _ in range(4)]
    return Usage(sum(parts), draw(st.integers(0, 10**6)), *parts[1:])


@given(
    usages(),
    prices | st.none(),
    prices | st.none(),
    prices | st.none(),
    st.integers(0, 10**6),
    st.sampled_from(list(Processing)),
    st.sampled_from([None, Outcome.EXACT, Outcome.SEMANTIC]),
    st.integers(0, 10**9),
    st.none() | st.integers(0, 10**12),
)
def test_spend_and_savings_make_the_baseline(
    usage: Usage,
    price: UnitPrices | None,
    baseline: UnitPrices | None,
    batch: UnitPrices | None,
    minimized: int,
    processing: Processing,
    hit: Outcome | None,
    lookup: int,
    reported: int | None,
) -> None:
    found = waterfall(
        usage,
        price,
        baseline_prices=baseline,
        input_minimized=minimized,
        processing=processing,
        batch_prices=batch,
        hit=hit,
        lookup_nano=lookup,
        provider_cost_nano=reported,
    )
    if price is None and reported is None:
        assert (found.spend_nano, found.baseline_nano, found.status) == (None, None, CostStatus.UNPRICED)
        assert found.savings == Savings()
        return
    assert found.spend_nano is not None
    assert found.spend_nano + found.savings.total == found.baseline_nano
    if hit is not None:
        assert found.spend_nano == lookup
    elif reported is not None:
        assert (found.spend_nano, found.status) == (reported, CostStatus.PROVIDER)
    assert (found.savings.exact, found.savings.semantic).count(0) >= 1


def test_a_plain_call_costs_its_tokens_and_saves_nothing() -> None:
    found = waterfall(Usage(1000, 200), GPT_4O)
    assert found.spend_nano == 1000 * 2_500 + 200 * 10_000
    assert found.baseline_nano == found.spend_nano
    assert found.savings == Savings()
    assert (found.price_input, found.price_output, found.version) == (2_500_000_000, 10_000_000_000, "v1")


def test_routing_is_the_difference_of_the_models_on_the_tokens_really_used() -> None:
    found = waterfall(Usage(1000, 200), MINI, baseline_prices=GPT_4O)
    assert found.savings == Savings(routing=(1000 * 2_350) + (200 * 9_400))


def test_routing_to_a_dearer_model_is_a_loss() -> None:
    assert waterfall(Usage(1000, 200), GPT_4O, baseline_prices=MINI).savings.routing < 0


def test_minimization_saves_the_removed_tokens_at_the_price_of_the_model_that_answered() -> None:
    found = waterfall(Usage(1000, 200), MINI, baseline_prices=GPT_4O, input_minimized=400)
    assert found.savings.minimization == 400 * 150
    assert found.baseline_nano == 1400 * 2_500 + 200 * 10_000


def test_provider_cache_counts_reads_less_the_premium_of_writes() -> None:
    reads = waterfall(Usage(1000, 0, cached_input=600), SONNET)
    assert reads.savings == Savings(provider_cache=600 * 2_700)
    writes = waterfall(Usage(1000, 0, cache_write_5m=500, cache_write_1h=100), SONNET)
    assert writes.savings == Savings(provider_cache=-(500 * 750 + 100 * 3_000))
    assert writes.spend_nano == 400 * 3_000 + 500 * 3_750 + 100 * 6_000


def test_batch_prices_count_only_for_batches() -> None:
    usage = Usage(1000, 200)
    assert waterfall(usage, GPT_4O, batch_prices=HALF).savings.batch == 0
    found = waterfall(usage, GPT_4O, batch_prices=HALF, processing=Processing.BATCH)
    assert found.savings == Savings(batch=(1000 * 1_250) + (200 * 5_000))
    assert found.price_input == HALF.input


@pytest.mark.parametrize("outcome", [Outcome.EXACT, Outcome.SEMANTIC])
def test_a_hit_saves_the_whole_call_less_the_lookup(outcome: Outcome) -> None:
    found = waterfall(Usage(1000, 200), GPT_4O, hit=outcome, lookup_nano=7)
    assert found.spend_nano == 7
    assert getattr(found.savings, outcome.value) == 4_500_000 - 7
    assert found.savings.total == 4_500_000 - 7


def test_what_the_provider_reports_wins_without_changing_what_was_saved() -> None:
    catalog = waterfall(Usage(1000, 200), MINI, baseline_prices=GPT_4O)
    found = waterfall(Usage(1000, 200), MINI, baseline_prices=GPT_4O, provider_cost_nano=300_000)
    assert found.savings == catalog.savings
    assert (found.spend_nano, found.status) == (300_000, CostStatus.PROVIDER)


def test_a_reported_cost_is_enough_where_the_price_is_unknown() -> None:
    found = waterfall(Usage(1000, 200), None, provider_cost_nano=42)
    assert (found.spend_nano, found.baseline_nano, found.savings.total) == (42, 42, 0)


def test_a_fee_per_request_is_part_of_the_cost_and_of_what_a_hit_saves() -> None:
    search = UnitPrices(
        1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000, 1_000_000_000, "v", per_request=5_000_000
    )
    assert cost(Usage(10, 10), search) == 20_000 + 5_000_000
    assert waterfall(Usage(10, 10), search, hit=Outcome.EXACT).savings.exact == 5_020_000


def test_steps_are_rounded_levels_so_that_tiny_calls_sum_too() -> None:
    odd = UnitPrices(37_500, 37_500, 1, 1, 1, "v")
    found = waterfall(Usage(13, 1, cached_input=7), odd, baseline_prices=MINI, input_minimized=1)
    assert found.spend_nano is not None
    assert found.spend_nano + sum(getattr(found.savings, s) for s in STRATEGIES) == found.baseline_nano
