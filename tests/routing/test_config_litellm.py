"""LiteLLM's config.yaml: what is taken over, what is said about the rest, and that no key is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from costconsole.domain.call import CostStatus
from costconsole.ledger.prices import PriceBook
from costconsole.routing.config import ConfigProblem, load_config, parse_config
from costconsole.routing.endpoints import prices_of
from costconsole.routing.model import RoutingConfig

SECRET = "sk-ant-Zx81QmTnotAnyRealKey77"

WHOLE = f"""\
model_list:
  - model_name: helpdesk
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: os.environ/HELPDESK_KEY
      weight: 1
      rpm: 100
  - model_name: helpdesk
    litellm_params:
      model: groq/llama-3.1-8b-instant
      api_key: os.environ/GROQ_API_KEY
      weight: 5
      input_cost_per_token: 5e-8
      output_cost_per_token: 0.00000008
  - model_name: lawyer
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: {SECRET}
    model_info: {{id: lawyer-1, max_input_tokens: 200000, mode: chat}}
  - model_name: own
    litellm_params:
      model: hosted_vllm/our-70b
      api_base: os.environ/VLLM_URL
      extra_headers: {{x-team: legal}}
  - model_name: vectors
    litellm_params: {{model: openai/text-embedding-3-small}}
  - model_name: amazon
    litellm_params: {{model: bedrock/anthropic.claude-3-haiku-20240307-v1:0}}
  - model_name: "*"
    litellm_params: {{model: openai/*}}
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {{gpt-4: lawyer, old: {{model: helpdesk, hidden: true}}, far: amazon}}
  fallbacks: [{{helpdesk: [own]}}, {{lawyer: [amazon, helpdesk]}}]
  context_window_fallbacks: [{{helpdesk: [lawyer]}}]
  default_fallbacks: [gpt-4]
  cooldown_time: 45
litellm_settings:
  cache: true
  cache_params: {{type: redis-semantic, similarity_threshold: 0.83, password: {SECRET}}}
general_settings:
  master_key: {SECRET}
environment_variables:
  OPENAI_API_KEY: {SECRET}
"""


def parsed(text: str = WHOLE) -> RoutingConfig:
    return parse_config(text, "config.yaml")


def warned(config: RoutingConfig, words: str) -> list[int | None]:
    return [f.line for f in config.findings if words in f.message]


def test_groups_become_models_the_heaviest_deployment_first() -> None:
    config = parsed()
    assert config.format == "litellm"
    assert [(m.name, m.provider, m.model, m.key_env, m.base_url) for m in config.models] == [
        ("helpdesk", "groq", "llama-3.1-8b-instant", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
        ("helpdesk #2", "openai", "gpt-4o-mini", "HELPDESK_KEY", None),
        ("lawyer", "anthropic", "claude-sonnet-4-5", "ANTHROPIC_API_KEY", None),
        ("own", "vllm", "our-70b", "VLLM_API_KEY", "os.environ/VLLM_URL"),
    ]
    assert warned(config, "the group 'helpdesk' has 2 deployments")
    lawyer = config.model("lawyer")
    assert lawyer is not None
    assert (lawyer.wire, lawyer.context_tokens, lawyer.tier) == ("anthropic", 200_000, "strong")


def test_fallbacks_go_upwards_and_through_aliases() -> None:
    config = parsed()
    assert {m.name: m.fallbacks for m in config.models} == {
        "helpdesk": ("helpdesk #2", "own", "lawyer"),
        "helpdesk #2": (),
        "lawyer": (),
        "own": ("lawyer",),
    }
    assert warned(config, "'helpdesk' is less capable than 'lawyer'")
    assert warned(config, "'amazon' is left out of the models")
    assert warned(config, "those of 'helpdesk' are used after every kind of failure")
    assert config.cooldown_s == 45


def test_aliases_lead_to_groups_and_auto_to_the_router() -> None:
    assert parsed().aliases == {"gpt-4": "lawyer", "old": "helpdesk", "auto": ""}


def test_tiers_come_from_names_and_say_so() -> None:
    config = parsed()
    assert config.tiers == {"cheap": "helpdesk", "strong": "lawyer"}
    assert warned(config, "helpdesk cheap, lawyer strong, own strong")
    told = parsed(WHOLE.replace("id: lawyer-1,", "tier: cheap,"))
    assert told.tiers == {"cheap": "helpdesk", "strong": "own"}
    assert warned(told, "helpdesk cheap, own strong;")


def test_prices_a_token_become_prices_a_million_tokens_exactly() -> None:
    config = parsed()
    assert config.models[0].prices == {"input": "0.05", "output": "0.08"}
    price = PriceBook(prices_of(config)).prices("groq", "llama-3.1-8b-instant", at_ms=1_760_000_000_000)
    assert price is not None
    assert (price.input, price.output, price.status) == (50_000_000, 80_000_000, CostStatus.OVERRIDE)


def test_what_cannot_be_called_is_left_out_in_words() -> None:
    config = parsed()
    for line, words in (
        (25, "'vectors' is left out: an embedding model"),
        (27, "'amazon' is left out: bedrock speaks neither"),
        (29, "'*' is left out: a wildcard"),
    ):
        assert warned(config, words) == [line]


@pytest.mark.parametrize(
    "name",
    [
        "litellm_params.rpm",
        "litellm_params.extra_headers",
        "routing_strategy",
        "master_key",
        "environment_variables",
        "similarity of 0.83",
    ],
)
def test_nothing_is_dropped_without_a_word(name: str) -> None:
    assert any(name in f.message for f in parsed().findings)


def test_a_literal_key_is_a_finding_and_nothing_else() -> None:
    config = parsed()
    said = [(f.line, f.key) for f in config.findings if "a literal key at line" in f.message]
    assert said == [
        (18, "model_list[2].litellm_params.api_key"),
        (40, "litellm_settings.cache_params.password"),
        (42, "general_settings.master_key"),
        (44, "environment_variables.OPENAI_API_KEY"),
    ]
    assert SECRET not in repr(config)
    assert SECRET[10:] not in repr(config)


@pytest.mark.parametrize(
    ("params", "provider", "model", "base_url"),
    [
        ("model: gpt-4o", "openai", "gpt-4o", None),
        (
            "model: openrouter/anthropic/claude-3.5-sonnet",
            "openrouter",
            "anthropic/claude-3.5-sonnet",
            "https://openrouter.ai/api/v1",
        ),
        (
            "model: mistral-7b, custom_llm_provider: together_ai",
            "together",
            "mistral-7b",
            "https://api.together.xyz/v1",
        ),
        ("model: meta/our-8b, api_base: 'http://h/v1'", "openai-compatible", "meta/our-8b", "http://h/v1"),
        ("model: azure/gpt-4o, api_base: os.environ/AZURE_URL", "azure", "gpt-4o", "os.environ/AZURE_URL"),
        ("model: xai/grok-4, api_key: null, api_base: ~", "x-ai", "grok-4", "https://api.x.ai/v1"),
    ],
)
def test_what_stands_before_the_slash_says_where_a_model_is(
    params: str, provider: str, model: str, base_url: str | None
) -> None:
    (found,) = parsed(f"model_list: [{{model_name: a, litellm_params: {{{params}}}}}]").models
    assert (found.provider, found.model, found.base_url) == (provider, model, base_url)


COMPLEXITY = """\
model_list:
  - {model_name: one, litellm_params: {model: openai/gpt-4o}}
  - {model_name: two, litellm_params: {model: openai/gpt-4o-mini}}
  - {model_name: three, litellm_params: {model: anthropic/claude-opus-4-5}}
  - model_name: smart
    litellm_params:
      model: auto_router/complexity_router
      complexity_router_config:
        tiers: {SIMPLE: one, MEDIUM: two, COMPLEX: three, REASONING: three}
        tier_boundaries: {simple_medium: 0.2}
        keyword_tier_rules:
          - {keywords: [sum up, extract], tier: SIMPLE}
          - {keywords: [prove], tier: REASONING}
      complexity_router_default_model: three
"""


def test_a_complexity_router_becomes_tiers_and_keyword_routes() -> None:
    config = parsed(COMPLEXITY)
    assert config.tiers == {"cheap": "one", "strong": "three"}
    assert [(m.name, m.tier) for m in config.models] == [
        ("one", "cheap"),
        ("two", "cheap"),
        ("three", "strong"),
    ]
    rules = [route for route in config.routes if route.rule is not None]
    assert [(r.use, r.rule and r.rule.keywords) for r in rules] == [
        ("one", ("sum up", "extract")),
        ("three", ("prove",)),
    ]
    assert {route.task for route in config.routes} >= {"summarization", "coding"}
    assert (config.default, config.aliases) == ("three", {"smart": "", "auto": ""})
    assert warned(config, "MEDIUM is answered by 'one'") == [9]
    assert warned(config, "tier_boundaries") == [10]
    assert warned(config, "not by LiteLLM's complexity score")


def test_wrong_names_in_a_complexity_router_are_errors() -> None:
    with pytest.raises(ConfigProblem) as raised:
        parsed(COMPLEXITY.replace("COMPLEX: three", "COMPLEX: thre").replace("tier: SIMPLE", "tier: SIMPEL"))
    assert [(f.line, "did you mean" in f.message) for f in raised.value.findings if f.level == "error"] == [
        (9, True),
        (12, True),
    ]


SEMANTIC = """\
model_list:
  - {model_name: small, litellm_params: {model: openai/gpt-4o-mini}}
  - {model_name: large, litellm_params: {model: openai/gpt-4o}}
  - model_name: guess
    litellm_params:
      model: auto_router/guess
      auto_router_config_path: routes/mine.json
      auto_router_default_model: small
      auto_router_embedding_model: openai/text-embedding-3-small
"""
ROUTES = """{"encoder_type": "openai", "routes": [
  {"name": "large", "description": "hard ones", "utterances": ["Prove it", "Why does it fail?"],
   "score_threshold": 0.4, "metadata": null, "llm": "x"}
]}"""


def test_a_semantic_auto_router_reads_its_routes_from_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "mine.json").write_text(ROUTES)
    path = tmp_path / "config.yaml"
    path.write_text(SEMANTIC)
    config = load_config(path)
    (route,) = config.routes
    assert (route.name, route.use, route.threshold) == ("large", "large", 0.4)
    assert route.references == ("Prove it", "Why does it fail?")
    assert (config.default, config.includes) == ("small", ("routes/mine.json",))
    assert warned(config, "thresholds were set for openai/text-embedding-3-small")
    assert [f.file for f in config.findings if f.message == "not used here: llm"] == ["routes/mine.json"]


def test_broken_route_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SEMANTIC)
    with pytest.raises(ConfigProblem, match=r"line 7: .*routes/mine.json.*does not exist"):
        load_config(path)
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "mine.json").write_text(ROUTES.replace('"large"', '"larg"'))
    with pytest.raises(ConfigProblem) as raised:
        load_config(path)
    (error,) = (f for f in raised.value.findings if f.level == "error")
    assert (error.file, error.line, error.key) == ("routes/mine.json", 2, "routes[0].name")
    assert "did you mean 'large'?" in error.message


def test_inline_routes_work_and_text_alone_looks_at_no_file() -> None:
    inline = SEMANTIC.replace("auto_router_config_path: routes/mine.json", f"auto_router_config: '{ROUTES}'")
    assert [route.name for route in parsed(inline).routes] == ["large"]
    config = parsed(SEMANTIC)
    assert warned(config, "this file isn't looked at here") == [7]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("model_list:\n", 1, "model_list", "model_list is missing"),
        ("model_list: []\n", 1, "model_list", "no model of it can be called"),
        ("model_list: {a: b}\n", 1, "model_list", "found a table"),
        ("model_lists: []\nrouter_settings: {}\n", 1, "model_lists", "did you mean 'model_list'?"),
        (
            "model_list:\n- {model_name: a, litelm_params: {model: openai/x}}\n",
            2,
            "model_list[0].litellm_params",
            "found 'litelm_params'",
        ),
        (
            "model_list:\n- {model_name: a, litellm_params: {api_key: os.environ/X}}\n",
            2,
            "model_list[0].litellm_params.model",
            "model is missing",
        ),
        ("model_list: [7]\n", 1, "model_list[0]", "found 7"),
        (
            "model_list:\n- {model_name: a, litellm_params: {model: openai/x, input_cost_per_token: x}}\n",
            2,
            "model_list[0].litellm_params.input_cost_per_token",
            "dollars for one token",
        ),
        (
            "model_list:\n- {model_name: large, litellm_params: {model: openai/gpt-4o}}\n"
            "router_settings:\n  fallbacks: [{large: [larg]}]\n",
            4,
            "router_settings.fallbacks",
            "did you mean 'large'?",
        ),
        (
            "model_list:\n- {model_name: large, litellm_params: {model: openai/gpt-4o}}\n"
            "router_settings:\n  model_group_alias: {gpt-4: larg}\n",
            4,
            "router_settings.model_group_alias.gpt-4",
            "did you mean 'large'?",
        ),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(text: str, line: int, key: str, words: str) -> None:
    with pytest.raises(ConfigProblem) as raised:
        parsed(text)
    assert any((f.line, f.key) == (line, key) and words in f.message for f in raised.value.findings), (
        raised.value.findings
    )
