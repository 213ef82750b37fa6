"""What a config gives to the gateway: where models are asked, and its own prices."""

from __future__ import annotations

import pytest

from costconsole.domain.errors import UsageProblem
from costconsole.gateway.directory import Directory
from costconsole.ledger.prices import PriceBook
from costconsole.routing.config import parse_config
from costconsole.routing.endpoints import Endpoints, prices_of, providers_of

TEXT = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap}
  large: {provider: openai, model: gpt-4o, tier: strong}
  other: {provider: openai, model: gpt-4o, tier: strong, key_env: OTHER_KEY}
  quick: {provider: groq, model: llama-3.1-8b-instant, tier: cheap}
  mine:
    provider: acme
    model: our-70b
    tier: strong
    base_url: os.environ/ACME_URL
    prices: {input: 0.2, output: 0.8}
"""


def test_models_of_one_place_share_a_provider() -> None:
    config = parse_config(TEXT, "r")
    endpoints = Endpoints(config)
    small, large, other, quick, _ = config.models
    assert endpoints.provider(small) is endpoints.provider(large)
    assert endpoints.provider(other) is not endpoints.provider(small)
    assert endpoints.provider(other).key_env == "OTHER_KEY"
    provider = endpoints.provider(quick)
    assert (provider.name, provider.base_url, provider.key_env) == (
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
    )
    endpoints.close()


def test_a_base_url_comes_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse_config(TEXT, "r")
    mine = config.models[-1]
    monkeypatch.delenv("ACME_URL", raising=False)
    with pytest.raises(UsageProblem, match="'mine' is missing: set ACME_URL"):
        Endpoints(config).provider(mine)
    monkeypatch.setenv("ACME_URL", "http://127.0.0.1:9/v1")
    assert Endpoints(config).provider(mine).base_url == "http://127.0.0.1:9/v1"


def test_a_directory_takes_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_URL", raising=False)
    config = parse_config(TEXT, "r")
    assert [provider.name for provider in providers_of(config)] == ["openai", "groq"]
    directory = Directory(providers_of(config))
    assert directory.find("llama-3.1-8b-instant", "groq")[0].base_url == "https://api.groq.com/openai/v1"


def test_a_new_config_keeps_what_is_still_asked() -> None:
    config = parse_config(TEXT, "r")
    endpoints = Endpoints(config)
    small, quick = endpoints.provider(config.models[0]), endpoints.provider(config.models[3])
    fewer = parse_config("models: {small: {provider: openai, model: gpt-6-luna, tier: cheap}}", "r")
    assert endpoints.adopt(fewer) == (quick,)
    assert endpoints.provider(fewer.models[0]) is small


def test_own_prices_go_into_the_price_book_under_those_of_the_settings() -> None:
    config = parse_config(TEXT, "r")
    price = PriceBook(prices_of(config)).prices("acme", "our-70b", at_ms=0)
    assert price is not None
    assert (price.input, price.output) == (200_000_000, 800_000_000)
    merged = prices_of(config, {"acme/our-70b": {"input": 1, "output": 2}, "x/y": {"input": 1, "output": 1}})
    price = PriceBook(merged).prices("acme", "our-70b", at_ms=0)
    assert price is not None
    assert price.input == 1_000_000_000
    assert "x/y" in merged
