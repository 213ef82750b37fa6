"""Money is integer nano-dollars inside; dollars exist only at the edges.

A token of a model at $0.0375 per million tokens costs 37.5 nano-dollars, so unit prices are kept as
integer nano-dollars per *million* tokens, and a product is rounded once, half to even.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO = 1_000_000_000
MTOK = 1_000_000


def usd_to_nano(usd: Decimal | int | str) -> int:
    """Dollars to nano-dollars, rounded half to even. Raises ValueError for what is not a finite number."""
    try:
        value = Decimal(str(usd).strip().removeprefix("$"))
    except InvalidOperation:
        raise ValueError(f"{usd!r} is not an amount in dollars, such as 1.25") from None
    if not value.is_finite():
        raise ValueError(f"{usd!r} is not a finite amount in dollars")
    return int((value * NANO).to_integral_value(ROUND_HALF_EVEN))


def nano_to_usd(nano: int) -> float:
    """Nano-dollars to dollars, for JSON and display; never added up again."""
    return nano / NANO


def tokens_cost(tokens: int, nano_per_mtok: int) -> int:
    """Exact cost of `tokens` in nano-dollars x 10^6; sum these, then call `settle` once."""
    return tokens * nano_per_mtok


def settle(cost_times_mtok: int) -> int:
    """Round a sum of `tokens_cost` products to whole nano-dollars, half to even."""
    quotient, rest = divmod(cost_times_mtok, MTOK)
    if rest * 2 > MTOK or (rest * 2 == MTOK and quotient % 2):
        quotient += 1
    return quotient


def format_usd(nano: int | None) -> str:
    """A fixed look for money: `–` unknown, `0` nothing, four figures at least below a cent.

    12.4 -> `$12.40`, 1234 -> `$1,234`, 0.0041 -> `$0.0041`, 0.0000004 -> `<$0.0001`.
    """
    if nano is None:
        return "–"
    if nano == 0:
        return "$0"
    sign, value = ("-", -nano) if nano < 0 else ("", nano)
    usd = value / NANO
    if usd >= 1000:
        return f"{sign}${usd:,.0f}"
    if usd >= 0.1:
        return f"{sign}${usd:.2f}"
    if usd >= 0.0001:
        return f"{sign}${usd:.4f}"
    return f"{sign}<$0.0001"
