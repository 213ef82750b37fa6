from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.call import STRATEGIES, Call, Outcome, Savings, Usage, total_usage
from tests.ledger.calls import calls, make_call

_nano = st.integers(-(10**12), 10**12)
savings = st.builds(Savings, *[_nano] * 6)


@given(calls())
def test_what_is_stored_is_the_call_up_to_six_decimals(call: Call) -> None:
    found = Call.from_fields(call.to_fields())
    for name in (field.name for field in fields(Call)):
        value, again = getattr(call, name), getattr(found, name)
        if isinstance(value, float):
            assert again == round(value, 6)
        else:
            assert again == value, name
    assert Call.from_fields(found.to_fields()) == found


def test_defaults_are_not_stored() -> None:
    bare = Call(id="1", ts_ms=5, outcome=Outcome.MISS, model="m")
    assert bare.to_fields() == {"id": "1", "ts_ms": "5", "outcome": "miss", "model": "m"}
    assert not bare.priced


def test_unknown_fields_are_ignored_and_missing_ones_named() -> None:
    stored = {**make_call().to_fields(), "colour": "blue"}
    assert Call.from_fields(stored).model == "gpt-4o"
    for name in ("id", "ts_ms", "outcome", "model"):
        with pytest.raises(ValueError, match=name):
            Call.from_fields({key: value for key, value in stored.items() if key != name})
    for broken in ({"outcome": "lucky"}, {"input": "many"}, {"saved_batch_nano": "x"}):
        with pytest.raises(ValueError, match=r"lucky|many|x"):
            Call.from_fields({**stored, **broken})


@given(savings, savings)
def test_savings_add_up_by_strategy(a: Savings, b: Savings) -> None:
    both = a + b
    assert both.total == a.total + b.total == sum(getattr(both, strategy) for strategy in STRATEGIES)
    assert all(getattr(both, s) == getattr(a, s) + getattr(b, s) for s in STRATEGIES)


def test_attempts_of_one_call_add_up() -> None:
    assert total_usage([Usage(1, 2, 3, 4, 5), Usage(10, 20, 30, 40, 50, estimated=True)]) == Usage(
        11, 22, 33, 44, 55, estimated=True
    )


def test_a_hit_is_exact_or_semantic() -> None:
    assert [outcome.is_hit for outcome in Outcome] == [True, True, False, False]
