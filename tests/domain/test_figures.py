from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.call import Call, Savings
from costconsole.domain.figures import Figures, Policy
from tests.ledger.calls import calls, recount


@given(st.lists(calls(), max_size=8), st.lists(calls(), max_size=8))
def test_figures_of_two_sets_add_up_to_those_of_both(a: list[Call], b: list[Call]) -> None:
    assert recount(a) + recount(b) == recount(a + b)


def test_shares_are_none_when_there_is_nothing_to_share() -> None:
    nothing = Figures()
    assert nothing.hit_rate is None
    assert nothing.saved_share is None
    assert nothing.hit_rate_by_tokens is None
    assert nothing.hit_rate_by_cost is None


def test_three_hit_rates() -> None:
    found = Figures(
        calls=10,
        exact=1,
        semantic=4,
        miss=5,
        input=300,
        input_saved=150,
        output_saved=50,
        hit_input=100,
        spend_nano=60,
        baseline_nano=100,
        saved=Savings(exact=5, semantic=20, routing=15),
    )
    assert found.hits == 5
    assert found.hit_rate == 0.5
    assert found.hit_rate_by_tokens == 0.25
    assert found.hit_rate_by_cost == 0.25
    assert found.saved_share == 0.4
    assert found.tokens_saved == 200


def test_the_routes_threshold_comes_before_the_models_before_the_general_one() -> None:
    policy = Policy(threshold=0.9, thresholds_by_route=(("r", 0.8),), thresholds_by_model=(("m", 0.7),))
    assert policy.threshold_for(route="r", model="m") == 0.8
    assert policy.threshold_for(route="x", model="m") == 0.7
    assert policy.threshold_for() == 0.9
