"""Prices: the catalogue's to the last digit, the user's own first, unknown ones unknown."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from costconsole.domain.call import CostStatus, Processing, Usage
from costconsole.domain.errors import UsageProblem
from costconsole.domain.money import NANO
from costconsole.ledger.costs import cost
from costconsole.ledger.prices import PriceBook


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-11-20T12:00")
BOOK = PriceBook()


def _catalog(
    usage: Usage, provider: str, model: str, when: int, context: dict[str, str] | None = None
) -> Decimal:
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    found: Any = calc_price(
        TheirUsage(
            input_tokens=usage.input,
            cache_read_tokens=usage.cached_input,
            cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
            cache_write_5m_tokens=usage.cache_write_5m,
            cache_write_1h_tokens=usage.cache_write_1h,
            output_tokens=usage.output,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(when / 1000, UTC),
        price_context=context,
    )
    price: Decimal = found.total_price
    return price


def _sample() -> list[tuple[str, str]]:
    """Every ninth model of the catalogue, and all of the providers that are asked most."""
    from genai_prices.data_snapshot import get_snapshot

    found = []
    for provider in get_snapshot().providers:
        for place, model in enumerate(provider.models):
            if provider.id in ("openai", "anthropic", "google") or place % 9 == 0:
                found.append((provider.id, model.id))
    return found


@pytest.mark.parametrize("when", [NOW, at("2025-01-15T03:00"), at("2026-08-20T23:59")])
def test_costs_agree_with_the_catalogue_over_a_sample_of_it(when: int) -> None:
    usages = [
        Usage(1000, 500),
        Usage(150_001, 7, cached_input=100_000),
        Usage(272_001, 1000, cached_input=13, cache_write_5m=5000, cache_write_1h=70_000),
    ]
    compared = 0
    for provider, model in _sample():
        for usage in usages:
            prices = BOOK.prices(provider, model, at_ms=when, input_tokens=usage.input)
            try:
                theirs = _catalog(usage, provider, model, when) * NANO
            except (LookupError, ValueError):
                continue
            if prices is None:
                continue
            assert abs(cost(usage, prices) - theirs) <= Decimal("0.51"), (provider, model, usage)
            compared += 1
    assert compared > 1000


def test_crossing_a_threshold_reprices_the_whole_call() -> None:
    below = BOOK.prices("google", "gemini-2.5-pro", at_ms=NOW, input_tokens=200_000)
    above = BOOK.prices("google", "gemini-2.5-pro", at_ms=NOW, input_tokens=200_001)
    assert below is not None
    assert above is not None
    assert above.input == 2 * below.input
    assert above.output > below.output


def test_prices_follow_the_date_and_the_hour() -> None:
    before = BOOK.prices("openai", "o3", at_ms=at("2025-06-09T23:59"))
    after = BOOK.prices("openai", "o3", at_ms=at("2025-06-10T00:00"))
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (10 * NANO, 2 * NANO)
    night = BOOK.prices("deepseek", "deepseek-chat", at_ms=at("2025-03-01T20:00"))
    day = BOOK.prices("deepseek", "deepseek-chat", at_ms=at("2025-03-01T12:00"))
    assert night is not None
    assert day is not None
    assert night.input * 2 == day.input


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("", "gpt-4o"),
        ("openai", ""),
        ("openai", "gpt-4o-of-my-own"),
        ("nobody", "gpt-4o"),
        ("openai", "openai/gpt-4o"),
        ("github-copilot", "gpt-4o"),
        ("groq", "whisper-large-v3"),
    ],
)
def test_unknown_and_not_sold_by_tokens_is_none_never_another_model(provider: str, model: str) -> None:
    assert BOOK.prices(provider, model, at_ms=NOW) is None


def test_batch_prices_come_from_the_catalogue_where_it_has_them() -> None:
    live = BOOK.prices("openai", "gpt-4o", at_ms=NOW)
    batch = BOOK.prices("openai", "gpt-4o", at_ms=NOW, processing=Processing.BATCH)
    assert live is not None
    assert batch is not None
    assert (batch.input, batch.output) == (live.input // 2, live.output // 2)
    assert batch.cached_input == live.cached_input
    assert batch.status is CostStatus.CATALOG
    usage = Usage(1000, 100)
    assert cost(usage, batch) == _catalog(usage, "openai", "gpt-4o", NOW, {"processing": "batch"}) * NANO


@pytest.mark.parametrize(
    ("provider", "model", "when"),
    [("openai", "gpt-4o", "2026-10-01T00:00"), ("anthropic", "claude-3-haiku", "2026-11-20T00:00")],
)
def test_a_batch_price_that_the_catalogue_lacks_is_half_and_an_estimate(
    provider: str, model: str, when: str
) -> None:
    live = BOOK.prices(provider, model, at_ms=at(when))
    batch = BOOK.prices(provider, model, at_ms=at(when), processing=Processing.BATCH)
    assert live is not None
    assert batch is not None
    assert (batch.input * 2, batch.output * 2) == (live.input, live.output)
    assert batch.status is CostStatus.ESTIMATED
    if provider == "openai":
        assert batch.cached_input == live.cached_input


def test_no_batch_discount_is_assumed_for_other_providers() -> None:
    live = BOOK.prices("groq", "llama-3.1-8b-instant", at_ms=NOW)
    batch = BOOK.prices("groq", "llama-3.1-8b-instant", at_ms=NOW, processing=Processing.BATCH)
    assert live is not None
    assert batch is not None
    assert (batch.input, batch.status) == (live.input, CostStatus.ESTIMATED)


def test_an_override_wins_and_says_so() -> None:
    book = PriceBook({"OpenAI/My-Model": {"input": "0.15", "output": 0.6, "cached_input": 0.075}})
    found = book.prices("openai", "my-model", at_ms=NOW)
    assert found is not None
    assert (found.input, found.output, found.cached_input) == (150_000_000, 600_000_000, 75_000_000)
    assert found.cache_write_1h == found.input
    assert found.status is CostStatus.OVERRIDE
    assert found.version.startswith("override ")
    half = book.prices("openai", "my-model", at_ms=NOW, processing=Processing.BATCH)
    assert half is not None
    assert (half.input, half.status) == (75_000_000, CostStatus.ESTIMATED)


def test_an_override_may_name_its_batch_prices() -> None:
    book = PriceBook({"acme/m": {"input": 1, "output": 2, "batch_input": "0.4"}})
    found = book.prices("acme", "m", at_ms=NOW, processing=Processing.BATCH)
    assert found is not None
    assert (found.input, found.output, found.status) == (400_000_000, 2_000_000_000, CostStatus.OVERRIDE)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"gpt-4o": {"input": 1, "output": 1}}, "gpt-4o"),
        ({"openai/x": {"input": 1}}, "output"),
        ({"openai/x": {"input": 1, "output": "many"}}, "many"),
        ({"openai/x": {"input": -1, "output": 1}}, "below zero"),
        ({"openai/x": {"inputs": 1, "output": 1}}, "inputs"),
    ],
)
def test_an_override_that_can_not_be_is_named(overrides: dict[str, dict[str, object]], named: str) -> None:
    with pytest.raises(UsageProblem, match=named):
        PriceBook(overrides)


def test_neither_the_price_list_nor_the_tokenizer_is_imported_before_it_is_asked() -> None:
    code = (
        "import sys, costconsole.ledger.prices, costconsole.ledger.tokens, costconsole.ledger.ledger\n"
        "import costconsole.ledger.reader\n"
        "costconsole.ledger.prices.PriceBook({'a/b': {'input': 1, 'output': 1}})\n"
        "print([m for m in ('genai_prices', 'pydantic', 'toktok', 'redis', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
