"""Token counts: exact where the encoding is public, estimated and said so elsewhere."""

from __future__ import annotations

import pytest

from costconsole.ledger import tokens
from costconsole.ledger.tokens import count, count_messages, family, kind_of

PROSE = "How do I get a refund for an order that has not been shipped yet? I placed it on Monday."
CODE = "def area(r):\n    import math\n    return math.pi * r ** 2\n\nclass Box:\n    pass\n"


@pytest.mark.parametrize(
    "model", ["gpt-4o", "openai/gpt-4o-mini", "gpt-5.4-sol", "o3-mini", "gpt-4", "gpt-oss-20b"]
)
def test_public_encodings_are_counted_exactly(model: str) -> None:
    assert count("hello world", model) == (2, False)


@pytest.mark.parametrize(
    "model", ["claude-sonnet-4-5", "gemini-2.5-pro", "meta-llama/Llama-3-8b-chat-hf", "new-thing-1"]
)
def test_other_families_are_estimates(model: str) -> None:
    tokens_, estimated = count(PROSE, model)
    assert estimated
    assert tokens_ >= count(PROSE, "gpt-4o")[0]


@pytest.mark.parametrize(
    ("model", "factor"),
    [
        ("claude-3-haiku-20240307", 1.10),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", 1.10),
        ("claude-sonnet-4-5-20250929", 1.10),
        ("claude-opus-4-6", 1.10),
        ("claude-opus-4-20250514", 1.10),
        ("claude-opus-4-8", 1.39),
        ("claude-opus-4.7", 1.39),
        ("claude-sonnet-5", 1.39),
        ("claude-fable-5-2", 1.39),
    ],
)
def test_claude_has_two_tokenizers_of_different_size(model: str, factor: float) -> None:
    assert family(model).factors.prose == factor


def test_code_and_json_have_factors_of_their_own() -> None:
    assert [kind_of(text) for text in (PROSE, CODE, '{"a": [1, 2], "b": "c"}')] == ["prose", "code", "json"]
    plain = count(CODE, "gpt-4o")[0]
    assert count(CODE, "claude-3-haiku")[0] == -(-plain * 124 // 100)


def test_a_chat_costs_more_than_its_texts() -> None:
    one = [{"role": "user", "content": "hello world"}]
    assert count_messages(one, "gpt-4o") == (2 + 1 + 3 + 3, False)
    assert count_messages(one * 2, "gpt-4o")[0] == 2 * (2 + 1 + 3) + 3


def test_parts_of_a_message_are_counted_and_pictures_make_it_an_estimate() -> None:
    parts = [{"type": "text", "text": "hello world"}, {"type": "image_url", "image_url": {"url": "x"}}]
    found, estimated = count_messages([{"role": "user", "content": parts}], "gpt-4o")
    assert (found, estimated) == (9, True)


def test_text_that_no_encoding_can_hold_is_counted_all_the_same() -> None:
    assert count("a\ud800b", "gpt-4o")[0] > 0


def test_without_waiting_an_estimate_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_loaded", set())
    assert count("x" * 40, "gpt-4o", wait=False) == (10, True)


def test_without_the_tokenizer_the_length_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(tokens, "_loaded", set())
    monkeypatch.setattr(tokens, "_missing", False)
    monkeypatch.setitem(sys.modules, "toktok", None)
    assert count("x" * 40, "gpt-4o") == (10, True)
    assert count_messages([{"role": "user", "content": "x" * 40}], "gpt-4o") == (10 + 1 + 6, True)
