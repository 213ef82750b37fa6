"""What one call cost, and which strategy saved what: one waterfall of integers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from costconsole.domain.call import CostStatus, Outcome, Processing, Savings, UnitPrices, Usage
from costconsole.domain.money import MTOK, settle, tokens_cost


@dataclass(frozen=True, slots=True)
class Costs:
    """The money of one call, as `Call` keeps it. `spend_nano + savings.total == baseline_nano`, or both are
    None and `status` is UNPRICED. `price_input` and `price_output` are nano-dollars per million tokens."""

    spend_nano: int | None
    baseline_nano: int | None
    savings: Savings
    status: CostStatus
    version: str
    price_input: int
    price_output: int


UNPRICED = Costs(None, None, Savings(), CostStatus.UNPRICED, "", 0, 0)


def cost(usage: Usage, prices: UnitPrices) -> int:
    """What `usage` costs in nano-dollars, rounded once, half to even."""
    return settle(_scaled(usage, prices))


def waterfall(
    usage: Usage,
    prices: UnitPrices | None,
    *,
    baseline_prices: UnitPrices | None = None,
    input_minimized: int = 0,
    processing: Processing = Processing.LIVE,
    batch_prices: UnitPrices | None = None,
    hit: Outcome | None = None,
    lookup_nano: int = 0,
    provider_cost_nano: int | None = None,
) -> Costs:
    """From the baseline down to the spend, one step a strategy; the steps sum exactly.

    `usage` is what was sent and answered, on a hit what is stored with the entry; `prices` are the model's
    that answered, live; `baseline_prices` the requested or declared model's (None: the same model).
    `input_minimized` tokens were taken from the prompt before it was sent. `batch_prices` count only with
    `processing` BATCH. With `hit` nothing was paid but the look-up, `lookup_nano`.

    Levels, each rounded once: (0) baseline model, whole prompt, nothing cached, live; (1) the model that
    answered: `routing`; (2) the shorter prompt: `minimization`; (3) reads from the provider's prompt cache
    at their price and writes at theirs: `provider_cache`, negative where the writes' premium outweighs;
    (4) batch prices: `batch`; (5) on a hit the look-up alone: `exact` or `semantic`.

    A cost that the provider reports takes the place of level 4. The difference, a fee or a discount that
    no strategy earned, moves the levels above by as much, so that no saving changes and the sum holds.
    """
    if prices is None:
        return _unknown(hit, lookup_nano, provider_cost_nano)
    whole = usage.input + input_minimized
    requested = baseline_prices or prices
    batched = batch_prices is not None and processing is Processing.BATCH
    paid = batch_prices if batched and batch_prices is not None else prices
    levels = [
        settle(_flat(whole, usage.output, requested)),
        settle(_flat(whole, usage.output, prices)),
        settle(_flat(usage.input, usage.output, prices)),
        settle(_scaled(usage, prices)),
        settle(_scaled(usage, paid)),
    ]
    status = paid.status
    if provider_cost_nano is not None:
        difference = provider_cost_nano - levels[4]
        levels = [level + difference for level in levels]
        status = CostStatus.PROVIDER
    spend = levels[4] if hit is None else lookup_nano
    own = levels[4] - spend
    return Costs(
        spend_nano=spend,
        baseline_nano=levels[0],
        savings=Savings(
            exact=own if hit is Outcome.EXACT else 0,
            semantic=own if hit is Outcome.SEMANTIC else 0,
            routing=levels[0] - levels[1],
            minimization=levels[1] - levels[2],
            batch=levels[3] - levels[4],
            provider_cache=levels[2] - levels[3],
        ),
        status=status,
        version=paid.version,
        price_input=paid.input,
        price_output=paid.output,
    )


def _unknown(hit: Outcome | None, lookup_nano: int, provider_cost_nano: int | None) -> Costs:
    """Without unit prices only the provider's own word counts, and then nothing but a hit saved anything."""
    if provider_cost_nano is None:
        return UNPRICED
    spend = provider_cost_nano if hit is None else lookup_nano
    own = provider_cost_nano - spend
    savings = Savings(
        exact=own if hit is Outcome.EXACT else 0, semantic=own if hit is Outcome.SEMANTIC else 0
    )
    return Costs(spend, provider_cost_nano, savings, CostStatus.PROVIDER, "", 0, 0)


def _flat(input_tokens: int, output_tokens: int, prices: UnitPrices) -> int:
    return (
        tokens_cost(input_tokens, prices.input)
        + tokens_cost(output_tokens, prices.output)
        + prices.per_request * MTOK
    )


def _scaled(usage: Usage, prices: UnitPrices) -> int:
    plain = usage.input - usage.cached_input - usage.cache_write_5m - usage.cache_write_1h
    return (
        _flat(max(0, plain), usage.output, prices)
        + tokens_cost(usage.cached_input, prices.cached_input)
        + tokens_cost(usage.cache_write_5m, prices.cache_write_5m)
        + tokens_cost(usage.cache_write_1h, prices.cache_write_1h)
    )
