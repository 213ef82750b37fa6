"""RedisVL's SemanticRouter: its YAML, and the same as Redis keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.routing.config import ConfigProblem, parse_config
from costconsole.routing.redisvl import parse_route_config

YAML = """\
name: helpdesk
routes:
  - name: easy
    references: ["Where is my parcel?", "What does it cost?"]
    metadata: {model: gpt-4o-mini, owner: shop}
    distance_threshold: 0.7
  - name: hard
    references: [Compare these two contracts]
    metadata: {model: groq/llama-3.3-70b-versatile, tier: strong}
    distance_threshold: 0.35
  - name: odd
    references: [Anything else]
vectorizer: {type: hf, model: sentence-transformers/all-mpnet-base-v2}
routing_config: {max_k: 2, aggregation_method: min}
"""


def as_redis_keeps_it() -> dict[str, Any]:
    return {
        "name": "helpdesk",
        "routes": [
            {
                "name": "easy",
                "references": ["Where is my parcel?", "What does it cost?"],
                "metadata": {"model": "gpt-4o-mini", "owner": "shop"},
                "distance_threshold": 0.7,
            },
            {
                "name": "hard",
                "references": ["Compare these two contracts"],
                "metadata": {"model": "groq/llama-3.3-70b-versatile", "tier": "strong"},
                "distance_threshold": 0.35,
            },
            {"name": "odd", "references": ["Anything else"], "metadata": {}, "distance_threshold": 0.5},
        ],
        "vectorizer": {"type": "hf", "model": "sentence-transformers/all-mpnet-base-v2"},
        "routing_config": {"max_k": 2, "aggregation_method": "min"},
    }


def test_distances_become_strict_similarities_and_the_rule_is_kept() -> None:
    config = parse_config(YAML, "router.yaml")
    assert config.format == "redisvl"
    assert [(r.name, r.threshold, r.strict, r.use) for r in config.routes] == [
        ("easy", 0.3, True, "gpt-4o-mini"),
        ("hard", 0.65, True, "llama-3.3-70b-versatile"),
        ("odd", 0.5, True, "strong"),
    ]
    assert config.routes[0].references == ("Where is my parcel?", "What does it cost?")
    rule = config.semantic
    assert rule is not None
    assert (rule.router, rule.aggregation, rule.max_k) == ("helpdesk", "min", 2)
    assert rule.distances == {"easy": 0.7, "hard": 0.35, "odd": 0.5}
    assert rule.vectorizer_model == "sentence-transformers/all-mpnet-base-v2"
    assert config.tiers == {"cheap": "gpt-4o-mini", "strong": "llama-3.3-70b-versatile"}
    assert [(m.name, m.provider) for m in config.models] == [
        ("gpt-4o-mini", "openai"),
        ("llama-3.3-70b-versatile", "groq"),
    ]
    messages = [f.message for f in config.findings]
    assert any("it names no model for 'odd'" in message for message in messages)
    assert any("all-mpnet-base-v2" in message for message in messages)


def test_what_redis_keeps_says_the_same() -> None:
    kept, file = parse_route_config(as_redis_keeps_it(), "helpdesk:route_config"), parse_config(YAML, "r")
    assert (kept.routes, kept.models, kept.semantic) == (file.routes, file.models, file.semantic)
    assert kept.source == "helpdesk:route_config"
    assert {finding.line for finding in kept.findings} == {None}


def test_a_missing_tier_is_filled_from_the_usual_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    config = parse_config(YAML.replace(", tier: strong", ", tier: cheap"), "r")
    assert config.chosen("strong").name == "gpt-4o"


def test_a_model_whose_provider_nothing_tells_is_said() -> None:
    config = parse_config(YAML.replace("gpt-4o-mini", "wonder-1"), "r")
    assert config.routes[0].use == "strong"
    assert [f.line for f in config.findings if "'wonder-1'" in f.message] == [5]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "words"),
    [
        ("name: helpdesk\n", "", 1, "name", "name is missing"),
        ("vectorizer: {type", "vectoriser: {type", 13, "vectoriser", "did you mean 'vectorizer'?"),
        (
            "distance_threshold: 0.7",
            "distance_threshold: 0",
            6,
            "routes[0].distance_threshold",
            "above 0, up to 2",
        ),
        (
            "distance_threshold: 0.35",
            "distance_threshold: 2.5",
            10,
            "routes[1].distance_threshold",
            "found 2.5",
        ),
        ("max_k: 2", "max_k: 0", 14, "routing_config.max_k", "found 0"),
        (
            "aggregation_method: min",
            "aggregation_method: mean",
            14,
            "routing_config.aggregation_method",
            "min",
        ),
        ("name: hard", "name: easy", 7, "routes[1].name", "a second route 'easy'"),
        ("references: [Anything else]", "refs: []", 11, "routes[2].references", "references is missing"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, line: int, key: str, words: str) -> None:
    assert old in YAML
    with pytest.raises(ConfigProblem) as raised:
        parse_config(YAML.replace(old, new, 1), "r")
    errors = [f for f in raised.value.findings if f.level == "error"]
    assert any((f.line, f.key) == (line, key) and words in f.message for f in errors), errors


def test_a_broken_route_config_out_of_redis_is_named_without_lines() -> None:
    broken = as_redis_keeps_it() | {"routes": [{"name": 3}, "x"]}
    with pytest.raises(ConfigProblem) as raised:
        parse_route_config(broken, "k")
    assert {(f.line, f.key) for f in raised.value.findings} >= {
        (None, "routes[0].references"),
        (None, "routes[1]"),
    }
