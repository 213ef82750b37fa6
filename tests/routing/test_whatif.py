"""What calls would have cost under another config: sums that hold, and fates that can be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.domain.call import Call, CostStatus, Outcome, Processing, UnitPrices, Usage
from costconsole.domain.money import NANO
from costconsole.ledger.costs import waterfall
from costconsole.routing.config import parse_config
from costconsole.routing.model import RoutingConfig
from costconsole.routing.whatif import UNKNOWN, Comparison, Decided, PricesOf, WhatIf, deciding_parts
from tests.ledger.calls import calls as any_calls
from tests.ledger.calls import hit, make_call

CONFIG = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap}
  large: {provider: openai, model: gpt-4o, tier: strong}
  other: {provider: anthropic, model: claude-3-haiku, tier: cheap}
tiers: {cheap: small, strong: large}
default: strong
baseline: large
aliases: {auto: auto, fast: small}
routes:
- {name: answers, task: qa, use: small}
- {name: code, task: coding, use: large}
"""
IDS = {
    "small": ("openai", "gpt-4o-mini"),
    "large": ("openai", "gpt-4o"),
    "other": ("anthropic", "claude-3-haiku"),
}
DOLLARS = {"gpt-4o-mini": (1, 4), "gpt-4o": (10, 40), "claude-3-haiku": (2, 8)}


def config(*changes: tuple[str, str]) -> RoutingConfig:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_config(text, "routing.yaml")


def prices(factor: int = 1) -> PricesOf:
    def of(_provider: str, model: str, _at: int, _tokens: int, _processing: Processing) -> UnitPrices | None:
        if model not in DOLLARS:
            return None
        into, out = (factor * dollars * NANO for dollars in DOLLARS[model])
        return UnitPrices(into, out, into, into, into, f"list {factor}")

    return of


def call(model: str = "small", requested: str = "auto", route: str = "answers", **changes: Any) -> Call:
    """A call of 1,000 tokens in and 100 out, priced as the gateway prices it."""
    provider, name = IDS[model]
    of = prices()
    costs = waterfall(
        Usage(1_000, 100),
        of(provider, name, 0, 0, Processing.LIVE),
        baseline_prices=of("openai", "gpt-4o" if requested == "auto" else name, 0, 0, Processing.LIVE),
    )
    return make_call(
        model=name, provider=provider, requested_model=requested, route=route, input=1_000, output=100,
        spend_nano=costs.spend_nano, baseline_nano=costs.baseline_nano, savings=costs.savings, **changes,
    )  # fmt: skip


def compare(
    found: list[Call],
    new: RoutingConfig,
    *,
    old: RoutingConfig | None = None,
    factor: int = 1,
    decide: Any = None,
) -> WhatIf:
    comparison = Comparison(old or config(), new, prices(), prices(factor), decide)
    comparison.add(found)
    return comparison.result()


def sums_hold(found: WhatIf) -> None:
    assert found.calls == found.hits + found.failed + found.kept + found.moved + sum(found.unknown.values())
    assert set(found.unknown) <= set(UNKNOWN)
    for changes in (found.models, found.routes):
        assert sum(change.before_nano for change in changes) == found.before_nano
        assert sum(change.after_nano for change in changes) == found.after_nano
        assert sum(change.calls_before for change in changes) == found.known
        assert sum(change.calls_after for change in changes) == found.known
    assert sum(change.calls_before for _was, _will, change in found.moves) == found.moved


@st.composite
def ledgers(draw: st.DrawFn) -> list[Call]:
    found = draw(st.lists(any_calls(), max_size=12))
    names = st.sampled_from(["", "auto", "fast", "large", "unheard-of"])
    models = st.sampled_from([*IDS.values(), ("acme", "unpriced")])
    routes = st.sampled_from(["", "answers", "code", "gone"])
    made = []
    for one in found:
        provider, model = draw(models)
        made.append(
            replace(one, requested_model=draw(names), provider=provider, model=model, route=draw(routes))
        )
    return made


@settings(max_examples=60, deadline=None)
@given(ledgers())
def test_the_same_config_costs_the_same(found: list[Call]) -> None:
    same = compare(found, config())
    sums_hold(same)
    assert same.moved == 0
    assert same.before_nano == same.after_nano
    assert same.routing_before_nano == same.routing_after_nano
    # Only what has no price is unknown.
    assert set(same.unknown) <= {"price"}
    known = [c for c in found if c.spend_nano is not None or (c.outcome.is_hit and not c.error)]
    assert same.known == len(known)
    assert same.before_nano == sum(c.spend_nano or 0 for c in known)


@settings(max_examples=60, deadline=None)
@given(
    ledgers(), st.sampled_from(["use: other", "use: large", "use: cheap"]), st.integers(1, 3), st.booleans()
)
def test_sums_hold_whatever_is_edited(found: list[Call], use: str, factor: int, routed: bool) -> None:
    changes = [("task: qa, use: small", f"task: qa, {use}")]
    if routed:
        changes.append(("task: coding", "task: reasoning"))
    sums_hold(compare(found, config(*changes), factor=factor))


def test_a_route_that_leads_elsewhere_moves_its_calls_to_the_cent() -> None:
    found = compare(
        [call(), call(), call("large", route="code")],
        config(("task: qa, use: small", "task: qa, use: other")),
    )
    assert (found.moved, found.kept) == (2, 1)
    assert found.before_nano == 2 * 1_400_000 + 14_000_000
    assert found.after_nano == 2 * 2_800_000 + 14_000_000
    # Against the baseline, gpt-4o at 14,000,000 a call.
    assert found.routing_before_nano == 2 * 12_600_000
    assert found.routing_after_nano == 2 * 11_200_000
    ((was, will, change),) = found.moves
    assert (was, will, change.calls_after) == ("openai/gpt-4o-mini", "anthropic/claude-3-haiku", 2)
    sums_hold(found)


def test_a_hit_and_a_failure_cost_what_they_did() -> None:
    served = hit(requested_model="auto", route="answers", model="gpt-4o-mini")
    failed = call(error="timeout")
    found = compare([served, failed], config(("task: qa, use: small", "task: qa, use: large")), factor=3)
    assert (found.hits, found.failed, found.moved) == (1, 1, 0)
    assert found.before_nano == found.after_nano == (failed.spend_nano or 0)


def test_another_price_list_prices_every_answer_anew() -> None:
    found = compare([call(), call("large", requested="large", route="")], config(), factor=2)
    assert found.moved == 0
    assert found.after_nano == 2 * found.before_nano
    assert found.routing_after_nano == 2 * found.routing_before_nano


def test_an_answer_of_another_model_than_the_routes_is_unknown_once_the_route_changes() -> None:
    stood_in = call("large")
    edited = config(("task: qa, use: small", "task: qa, use: other"))
    assert compare([stood_in], config()).kept == 1
    assert compare([stood_in], edited).unknown == {"other": 1}
    assert compare([stood_in], edited).unknown_nano == 14_000_000
    assert compare([call(route="an application's own")], edited).unknown == {"route": 1}


def test_without_a_route_the_default_or_the_strong_model_answered() -> None:
    unsure = call("large", route="")
    found = compare([unsure], config(("strong: large", "strong: other"), ("other: {provider: anthropic, "
        "model: claude-3-haiku, tier: cheap}", "other: {provider: anthropic, model: claude-3-haiku, "
        "tier: strong}")))  # fmt: skip
    assert [(was, will) for was, will, _ in found.moves] == [("openai/gpt-4o", "anthropic/claude-3-haiku")]


def test_explicit_models_and_aliases_go_where_the_config_says() -> None:
    fast, plain = call(requested="fast", route=""), call("large", requested="large", route="")
    edited = config(("fast: small", "fast: other"))
    found = compare([fast, plain], edited)
    assert (found.moved, found.kept) == (1, 1)
    gone = config((", fast: small", ""))
    assert compare([fast], gone).unknown == {"name": 1}
    # What no config is asked for stays where it is.
    assert compare([call(requested="gpt-4o-mini")], edited).kept == 1


def test_where_routes_differ_the_prompt_decides_or_it_is_unknown() -> None:
    old = config()
    new = config(("task: qa, use: small", "task: reasoning, use: large"))
    assert deciding_parts(old) != deciding_parts(new)
    asked: list[str] = []

    def decide(one: Call) -> tuple[Decided, Decided]:
        asked.append(one.preview)
        return ("answers", old.chosen("small")), ("answers", new.chosen("large"))

    whole, cut, off = call(preview="Who was it?"), call(preview="x" * 120), call(preview="")
    found = compare([whole, cut, off], new, decide=decide)
    assert found.moved == 1
    assert found.unknown == {"prompt": 2}
    assert asked == ["Who was it?"]
    # The old config's router wouldn't have said what happened: something else decided.
    assert compare([replace(call("large"), preview="Who?")], new, decide=decide).unknown == {"other": 1}


def test_what_has_no_price_is_never_guessed() -> None:
    unpriced = replace(call(), spend_nano=None, baseline_nano=None, cost_status=CostStatus.UNPRICED)
    assert compare([unpriced], config()).unknown == {"price": 1}
    dear = config(
        ("model: claude-3-haiku", "model: nobody-knows"), ("task: qa, use: small", "task: qa, use: other")
    )
    assert compare([call()], dear).unknown == {"price": 1}


def test_an_unpriced_hit_costs_nothing_all_the_same() -> None:
    free = replace(call(), outcome=Outcome.EXACT, spend_nano=None, baseline_nano=None)
    found = compare([free], config())
    assert (found.hits, found.after_nano) == (1, 0)


@pytest.mark.parametrize("batch", [False, True])
def test_batch_calls_stay_batch_calls(batch: bool) -> None:
    half = prices()

    def of(provider: str, model: str, at: int, tokens: int, processing: Processing) -> UnitPrices | None:
        found = half(provider, model, at, tokens, processing)
        if found is None or processing is Processing.LIVE:
            return found
        return replace(found, input=found.input // 2, output=found.output // 2)

    processing = Processing.BATCH if batch else Processing.LIVE
    comparison = Comparison(config(), config(("use: small", "use: other")), of, of)
    comparison.add([call(processing=processing)])
    assert comparison.result().after_nano == (1_400_000 if batch else 2_800_000)
