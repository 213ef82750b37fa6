from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.money import MTOK, format_usd, nano_to_usd, settle, tokens_cost, usd_to_nano


@given(st.integers(0, 10**7), st.integers(-(10**12), 10**12))
def test_a_cost_is_the_exact_product_rounded_once_half_to_even(tokens: int, price: int) -> None:
    exact = Fraction(tokens * price, MTOK)
    assert settle(tokens_cost(tokens, price)) == round(exact)


@given(st.decimals(-(10**9), 10**9, places=9))
def test_dollars_of_nine_places_are_kept_exactly(usd: Decimal) -> None:
    assert Decimal(usd_to_nano(usd)) == usd * 10**9


@pytest.mark.parametrize(
    ("text", "nano"), [("1.25", 1_250_000_000), (" $0.15 ", 150_000_000), ("0.0000000005", 0), ("1.5e-9", 2)]
)
def test_text_as_people_write_it(text: str, nano: int) -> None:
    assert usd_to_nano(text) == nano


@pytest.mark.parametrize("text", ["", "free", "nan", "inf", "1,25", "$"])
def test_what_is_no_amount_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="dollars"):
        usd_to_nano(text)


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (None, "–"),
        (0, "$0"),
        (12_400_000_000, "$12.40"),
        (1_234_000_000_000, "$1,234"),
        (4_100_000, "$0.0041"),
        (400, "<$0.0001"),
        (-2_500_000_000, "-$2.50"),
    ],
)
def test_money_has_one_look(nano: int | None, shown: str) -> None:
    assert format_usd(nano) == shown


def test_dollars_for_output() -> None:
    assert nano_to_usd(1_500_000_000) == 1.5
