"""Which regular expressions are taken, and which could run for ages."""

from __future__ import annotations

import pytest

from costconsole.routing.known import provider_of, tier_of
from costconsole.routing.patterns import BadPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "prompt"),
    [
        (r"\b(invoice|receipt)s?\b", "two Invoices here"),
        (r"(\w+\s)+ago", "three days ago"),
        (r"(?:\d{1,3},)*\d+ euros", "1,204,500 euros"),
        (r"https?://\S+", "see http://example.org/a"),
        (r"^\s*(def|class)\s+\w+", "class Router:"),
        (r"\bv\d+(\.\d+){1,3}\b", "since v1.2.3"),
        (r"refund.*order", "refund my last order"),
        (r"\w+@\w+\.\w+", "to me@example.org"),
        (r"a.{0,80}b.{0,80}c", "a to b to c"),
        (r"(?=.*python)code", "code in python"),
        (r"(\w)\1{3}", "nooooo"),
        (r"(?:(?:very|really) )+good", "very really good"),
    ],
)
def test_usual_patterns_are_taken_whatever_the_case(pattern: str, prompt: str) -> None:
    assert compile_pattern(pattern).search(prompt)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+",
        r"(a*)*b",
        r"(.*)*x",
        r"([a-z]+)*$",
        r"(\w+\s?)+$",
        r"(\w+\d+)+$",
        r"(x+x+)+y",
        r"(a|a)*b",
        r"(a|ab)*c",
        r"(a+){10}$",
        r"(a?){30}a{30}",
        r".*.*x",
        r"a.*b.*c",
        r"\w*foo\w*bar",
        r"(.{0,100}){3}y",
        r"(?=(a+)+$)b",
    ],
)
def test_patterns_that_can_run_for_ages_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern, match="can take ages"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("[a", "unterminated character set at character 1"),
        ("(?P<n", "at character"),
        ("a" * 1001, "expected at most 1,000"),
        ("x*", "matches the empty text"),
        ("(" * 100 + "a" + ")" * 99, "not a regular expression"),
    ],
)
def test_what_is_no_pattern_is_said_with_its_place(pattern: str, words: str) -> None:
    with pytest.raises(BadPattern, match=words):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-4o-mini", "cheap"),
        ("gpt-4o", "strong"),
        ("claude-3-haiku-20240307", "cheap"),
        ("claude-3-5-sonnet-20241022", "strong"),
        ("gemini-2.5-flash-lite", "cheap"),
        ("gemini-2.5-pro", "strong"),
        ("meta-llama/Llama-3-8b-chat-hf", "cheap"),
        ("llama-3.3-70b-versatile", "strong"),
        ("o4-mini", "cheap"),
        ("mixtral-8x22b", "strong"),
        ("gpt-3.5-turbo", "cheap"),
        ("gpt-4-turbo", "strong"),
    ],
)
def test_a_model_name_tells_its_tier(model: str, tier: str) -> None:
    assert tier_of(model) == tier


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("o3-mini", "openai"),
        ("claude-sonnet-5-5", "anthropic"),
        ("gemini-2.5-pro", "google"),
        ("mistral-large-latest", "mistral"),
        ("llama3-8b-8192", "groq"),
        ("wonder-1", ""),
    ],
)
def test_a_model_name_tells_its_provider(model: str, provider: str) -> None:
    assert provider_of(model) == provider
