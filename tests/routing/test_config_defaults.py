"""The routing without any file: whose key is set answers, every model has a price."""

from __future__ import annotations

import time

import pytest

from costconsole.ledger.prices import PriceBook
from costconsole.routing.defaults import default_config
from costconsole.routing.model import TASKS

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "groq": "GROQ_API_KEY"}


def environ(*providers: str) -> dict[str, str]:
    return {KEYS[name]: "set" for name in providers}


def test_every_default_model_has_a_price_today() -> None:
    book = PriceBook()
    now_ms = int(time.time() * 1000)
    config = default_config({})
    unpriced = [m.name for m in config.models if book.prices(m.provider, m.model, at_ms=now_ms) is None]
    assert unpriced == []


def test_the_cheap_tier_costs_less_than_the_strong_one_of_each_provider() -> None:
    book = PriceBook()
    for provider in KEYS:
        config = default_config(environ(provider))
        cheap, strong = (
            book.prices(m.provider, m.model, at_ms=int(time.time() * 1000))
            for m in (config.chosen("cheap"), config.chosen("strong"))
        )
        assert cheap is not None
        assert strong is not None
        assert cheap.input * 5 < strong.input
        assert cheap.output * 5 < strong.output


@pytest.mark.parametrize(
    ("ready", "cheap", "strong"),
    [
        ((), "gpt-4o-mini", "gpt-4o"),
        (("openai", "anthropic", "groq"), "gpt-4o-mini", "gpt-4o"),
        (("anthropic", "groq"), "claude-haiku-5-5", "claude-sonnet-5-5"),
        (("groq",), "llama-3.1-8b-instant", "llama-3.3-70b-versatile"),
    ],
)
def test_the_provider_whose_key_is_set_answers(ready: tuple[str, ...], cheap: str, strong: str) -> None:
    config = default_config(environ(*ready))
    assert (config.tiers["cheap"], config.tiers["strong"], config.baseline) == (cheap, strong, strong)
    assert config.chosen(config.default).name == strong
    assert config.findings == ()


def test_an_empty_key_is_none() -> None:
    assert default_config({"OPENAI_API_KEY": " ", "GROQ_API_KEY": "x"}).chosen("cheap").provider == "groq"


def test_the_models_of_the_tiers_are_there_by_name() -> None:
    config = default_config({})
    for name, tier in (
        ("gpt-4o-mini", "cheap"),
        ("claude-3-haiku-20240307", "cheap"),
        ("llama3-8b-8192", "cheap"),
        ("gpt-4o", "strong"),
        ("claude-3-5-sonnet-20241022", "strong"),
    ):
        model = config.model(name)
        assert model is not None
        assert model.tier == tier


def test_a_route_for_each_task_by_its_shipped_phrases() -> None:
    routes = default_config({}).routes
    assert {route.task: route.use for route in routes} == dict(TASKS)
    assert all(route.references == () for route in routes)


@pytest.mark.parametrize("ready", [(), ("openai",), ("anthropic", "groq"), ("openai", "anthropic", "groq")])
def test_fallbacks_go_upwards_and_to_providers_that_can_be_asked(ready: tuple[str, ...]) -> None:
    config = default_config(environ(*ready))
    allowed = set(ready) or {"openai"}
    for model in config.models:
        for name in model.fallbacks:
            other = config.model(name)
            assert other is not None
            assert other.rank >= model.rank
            assert other.provider in allowed | {model.provider}
    cheap = config.chosen("cheap")
    assert config.tiers["strong"] in cheap.fallbacks
