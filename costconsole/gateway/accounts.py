"""From the end of a call to its line in the ledger."""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache

from costconsole.domain.call import Call, CostStatus, Outcome, UnitPrices, Usage, total_usage
from costconsole.gateway.completion import Found
from costconsole.gateway.errors import Attempt, ProviderError
from costconsole.gateway.plan import Plan
from costconsole.ledger.costs import Costs, waterfall
from costconsole.ledger.prices import PriceBook

_NOTHING = Usage()


def call_of(plan: Plan, found: Found, prices: PriceBook, latency_ms: float) -> Call:
    """The call that was answered. A hit is priced from the usage stored with its entry, at today's price
    of the model that gave it."""
    answer = found.answer
    if found.outcome.is_hit:
        return _hit(plan, found, prices, latency_ms)
    return _asked(plan, answer.usage, found.outcome, found.cost_nano, prices, latency_ms, found.key, "")


def failed_call(plan: Plan, error: BaseException, prices: PriceBook, latency_ms: float) -> Call:
    """The call that was not answered. What a provider billed all the same (a refusal, or an answer that came
    before the call was cancelled) is its cost, for the one that asked: followers pay nothing."""
    usage, cost_nano = _NOTHING, None
    if plan.leads and isinstance(error, ProviderError):
        usage, cost_nano = billed(error.attempts), error.provider_cost_nano
    elif plan.leads and plan.billed is not None:
        usage, cost_nano = plan.billed
    outcome = Outcome.MISS if plan.asked else Outcome.BYPASS
    return _asked(plan, usage, outcome, cost_nano, prices, latency_ms, "", reason_of(error))


def billed(attempts: tuple[Attempt, ...]) -> Usage:
    """The tokens of all attempts that the provider billed."""
    return total_usage(attempt.usage for attempt in attempts if attempt.usage is not None)


def reason_of(error: BaseException) -> str:
    """One word for the ledger, never the error's own words, which may hold a prompt."""
    if isinstance(error, ProviderError):
        return error.kind
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | GeneratorExit | SystemExit):
        return "cancelled"
    return type(error).__name__


@lru_cache(maxsize=4096)
def _saved(
    usage: Usage, price: UnitPrices | None, baseline: UnitPrices | None, outcome: Outcome, minimized: int
) -> Costs:
    """What a hit saves. Remembered: a look-up has little more than a tenth of a millisecond in all."""
    return waterfall(usage, price, baseline_prices=baseline, hit=outcome, input_minimized=minimized)


def _baseline(plan: Plan, prices: PriceBook, input_tokens: int) -> UnitPrices | None:
    """Prices of the model that savings by routing count against; None where nothing was routed."""
    if plan.baseline is None:
        return None
    provider, model = plan.baseline
    return prices.prices(provider, model, at_ms=plan.ts_ms, input_tokens=input_tokens)


def _hit(plan: Plan, found: Found, prices: PriceBook, latency_ms: float) -> Call:
    answer = found.answer
    usage, provider, model = answer.usage, answer.provider or plan.provider.name, answer.model or plan.model
    price = prices.prices(provider, model, at_ms=plan.ts_ms, input_tokens=usage.input)
    costs = _saved(usage, price, _baseline(plan, prices, usage.input), found.outcome, plan.input_minimized)
    return Call(
        id=os.urandom(16).hex(),
        ts_ms=plan.ts_ms,
        outcome=found.outcome,
        model=model,
        provider=provider,
        requested_model=plan.requested_model,
        route=plan.route or answer.route,
        tag=plan.tag,
        usage_estimated=usage.estimated,
        input_saved=usage.input + plan.input_minimized,
        output_saved=usage.output,
        latency_ms=latency_ms,
        similarity=found.similarity,
        threshold=plan.threshold if found.outcome is Outcome.SEMANTIC else None,
        neighbor=found.key if found.outcome is Outcome.SEMANTIC else "",
        policy_version=plan.policy.version,
        cache_key=found.key,
        spend_nano=costs.spend_nano,
        baseline_nano=costs.baseline_nano,
        savings=costs.savings,
        cost_status=costs.status,
        price_version=costs.version,
        price_input=costs.price_input,
        price_output=costs.price_output,
        scope=plan.known_scope,
        preview=plan.prompt,
    )


def _asked(
    plan: Plan,
    usage: Usage,
    outcome: Outcome,
    cost_nano: int | None,
    prices: PriceBook,
    latency_ms: float,
    key: str,
    error: str,
) -> Call:
    price = prices.prices(plan.provider.name, plan.model, at_ms=plan.ts_ms, input_tokens=usage.input)
    minimized = plan.input_minimized if usage != _NOTHING else 0
    costs = waterfall(
        usage,
        price,
        # What was paid for no answer saved nothing, whichever model gave none.
        baseline_prices=None if error else _baseline(plan, prices, usage.input + minimized),
        input_minimized=minimized,
        provider_cost_nano=cost_nano,
    )
    spend, baseline, status = costs.spend_nano, costs.baseline_nano, costs.status
    if error and usage == _NOTHING and status is CostStatus.UNPRICED:
        # Nothing was billed, which is known without any price.
        spend, baseline, status = 0, 0, CostStatus.PROVIDER
    return Call(
        id=os.urandom(16).hex(),
        ts_ms=plan.ts_ms,
        outcome=outcome,
        model=plan.model,
        provider=plan.provider.name,
        requested_model=plan.requested_model,
        route=plan.route,
        tag=plan.tag,
        input=usage.input,
        output=usage.output,
        cached_input=usage.cached_input,
        cache_write_5m=usage.cache_write_5m,
        cache_write_1h=usage.cache_write_1h,
        usage_estimated=usage.estimated,
        input_saved=minimized,
        latency_ms=latency_ms,
        error=error,
        similarity=plan.similarity,
        threshold=plan.threshold if plan.searched else None,
        neighbor=plan.neighbor,
        guard=",".join(plan.refused),
        policy_version=plan.policy.version,
        cache_key=key,
        spend_nano=spend,
        baseline_nano=baseline,
        savings=costs.savings,
        cost_status=status,
        price_version=costs.version,
        price_input=costs.price_input,
        price_output=costs.price_output,
        scope=plan.known_scope,
        preview=plan.prompt,
    )
