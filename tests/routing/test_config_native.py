"""What a routing config of our own form says, and what is left to defaults."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from costconsole.routing import native
from costconsole.routing.config import ConfigProblem, parse_config
from costconsole.routing.model import TASKS, RoutingConfig

SMALL = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap}
  large: {provider: anthropic, model: claude-sonnet-5-5, tier: strong}
"""


def parsed(text: str) -> RoutingConfig:
    return parse_config(text, "routing.yaml")


def test_the_documented_example_is_read_without_a_finding() -> None:
    doc = inspect.getdoc(native)
    assert doc is not None
    config = parsed(textwrap.dedent(doc.partition("\n\n")[2]).replace("\\\\", "\\"))
    assert config.findings == ()
    assert config.format == "native"
    assert config.tiers == {"cheap": "small", "strong": "large"}
    small, large, largest = config.models
    assert (small.provider, small.wire, small.base_url, small.key_env) == (
        "openai",
        "openai",
        None,
        "OPENAI_API_KEY",
    )
    assert (large.wire, large.context_tokens, large.fallbacks) == ("anthropic", 1_000_000, ("largest",))
    assert small.rank < large.rank < largest.rank
    assert (largest.base_url, largest.tools) == ("https://llm.example/v1", False)
    assert largest.prices == {"input": "2.5", "output": 10, "cached_input": "1.25"}
    summaries, contracts = config.routes
    assert (summaries.task, summaries.use, summaries.rule) == ("summarization", "cheap", None)
    assert contracts.references == ("Review this contract", "Which clauses are unusual?")
    assert (contracts.threshold, contracts.strict, contracts.use) == (0.45, False, "large")
    rule = contracts.rule
    assert rule is not None
    assert (rule.tags, rule.keywords, rule.code, rule.min_tokens) == (
        ("legal",),
        ("clause", "liability"),
        False,
        20,
    )
    assert rule.patterns[0].search("see § 12")
    assert config.chosen(config.default).name == "large"
    assert (config.baseline, config.aliases) == ("large", {"auto": "", "gpt-4": "large"})
    assert (config.unsure_below, config.sticky_s, config.cooldown_s) == (0.3, 1800, 60)


def test_models_alone_are_enough() -> None:
    config = parsed(SMALL)
    assert {route.task: config.chosen(route.use).name for route in config.routes} == {
        task: "small" if tier == "cheap" else "large" for task, tier in TASKS.items()
    }
    assert config.chosen(config.default).name == config.baseline == "large"
    assert config.aliases == {"auto": ""}


def test_no_routes_means_none() -> None:
    assert parsed(SMALL + "routes: []").routes == ()


def test_json_is_read_too_and_bytes_order_marks_and_windows_lines_change_nothing() -> None:
    assert parsed('{"models": {"a": {"provider": "groq", "tier": "cheap"}}}').model("a") is not None
    assert parsed("\ufeff" + SMALL.replace("\n", "\r\n")).models == parsed(SMALL).models


def test_the_version_follows_the_content() -> None:
    assert parsed(SMALL).version == parsed(SMALL).version != parsed(SMALL + "# changed").version


def test_anchors_and_merges_work() -> None:
    config = parsed(
        "x-usual: &usual {provider: openai, tier: cheap}\n"
        "models:\n  a:\n    <<: *usual\n    model: gpt-4o-mini\n"
        "  b: {<<: *usual, model: gpt-4o, tier: strong}\n"
    )
    assert [(m.model, m.tier) for m in config.models] == [("gpt-4o-mini", "cheap"), ("gpt-4o", "strong")]


@pytest.mark.parametrize(
    ("provider", "base_url", "key_env"),
    [
        ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        ("ollama", "http://localhost:11434/v1", "OLLAMA_API_KEY"),
    ],
)
def test_a_known_provider_needs_no_url(provider: str, base_url: str, key_env: str) -> None:
    model = parsed(f"models: {{a: {{provider: {provider}, tier: cheap, model: x}}}}").models[0]
    assert (model.wire, model.base_url, model.key_env) == ("openai", base_url, key_env)


def test_an_unknown_provider_works_with_a_url_even_out_of_the_environment() -> None:
    text = "models: {a: {provider: acme, tier: cheap, base_url: os.environ/ACME_URL, key_env: ACME_KEY}}"
    model = parsed(text).models[0]
    assert (model.provider, model.base_url, model.key_env) == ("acme", "os.environ/ACME_URL", "ACME_KEY")


def test_tiers_may_say_what_models_dont() -> None:
    config = parsed(
        "models: {a: {provider: openai}, b: {provider: openai}}\ntiers: {cheap: b, strong: a}\ndefault: b"
    )
    assert [(m.name, m.tier) for m in config.models] == [("a", "strong"), ("b", "cheap")]
    assert config.chosen(config.default).name == "b"


def test_a_model_called_cheap_is_meant_before_the_tier() -> None:
    config = parsed(
        "models:\n  cheap: {provider: openai, tier: cheap}\n  other: {provider: openai, tier: cheap}\n"
        "tiers: {cheap: other}\ndefault: cheap"
    )
    assert config.chosen("cheap").name == "cheap"


def test_fallbacks_downwards_and_circles_are_warnings() -> None:
    config = parsed(
        "models:\n"
        "  a: {provider: openai, tier: cheap, fallbacks: [b, s]}\n"
        "  b: {provider: openai, tier: cheap, fallbacks: [a]}\n"
        "  s: {provider: openai, tier: strong, fallbacks: [a]}\n"
    )
    assert {m.name: m.fallbacks for m in config.models} == {"a": ("b", "s"), "b": ("a",), "s": ()}
    circle, down = config.findings
    assert (circle.level, circle.line, circle.key) == ("warning", 3, "models.b.fallbacks")
    assert "a → b → a" in circle.message
    assert (down.level, down.line) == ("warning", 4)
    assert "'a' is less capable than 's'" in down.message


def test_ranks_order_models_of_one_tier() -> None:
    config = parsed(
        "models:\n"
        "  a: {provider: openai, tier: strong, rank: 2, fallbacks: [b]}\n"
        "  b: {provider: openai, tier: strong, rank: 1, fallbacks: [a]}\n"
    )
    assert {m.name: m.fallbacks for m in config.models} == {"a": (), "b": ("a",)}


def test_durations_and_off() -> None:
    config = parsed(SMALL + "sticky: off\ncooldown: 1.5m\n")
    assert (config.sticky_s, config.cooldown_s) == (0, 90)


def test_words_that_yaml_takes_for_yes_or_numbers_stay_words() -> None:
    config = parsed(SMALL + "routes:\n- {name: r, use: cheap, when: {keywords: [no, 404], tags: on}}\n")
    rule = config.routes[0].rule
    assert rule is not None
    assert (rule.keywords, rule.tags) == (("no", "404"), ("on",))


def test_an_alias_may_name_a_tier_and_ends_at_a_model() -> None:
    config = parsed(SMALL + "aliases: {quick: cheap, think: large, any: auto, whatever: }\n")
    assert config.aliases == {"quick": "small", "think": "large", "any": "", "whatever": "", "auto": ""}


def test_a_problem_says_the_first_error_and_how_many_more() -> None:
    with pytest.raises(ConfigProblem) as raised:
        parsed(SMALL + "defualt: x\nsticky: soon\nroutes: 3\n")
    assert str(raised.value).startswith(
        "routing.yaml, line 4: defualt: this key is unknown; did you mean 'default'?"
    )
    assert "and 2 more" in str(raised.value)
    assert raised.value.exit_code == 2
