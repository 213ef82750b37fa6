"""Which requests and answers the caches leave alone."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.cache.answer import Answer
from costconsole.cache.cacheable import cacheable, points_outside, storable
from costconsole.cache.request import Request


def ask(content: Any = "What is the capital of France?", **params: Any) -> Request:
    return Request("m", ({"role": "user", "content": content},), params)


def test_a_plain_question_uses_both_caches() -> None:
    found = cacheable(ask(temperature=0.7, tools=[{"type": "function"}]))
    assert (found.exact, found.semantic, found.reason) == (True, True, "")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask(n=3), "3 samples"),
        (ask(temperature=1.4), "variety"),
        (ask(previous_response_id="r1"), "provider keeps"),
        (ask(logit_bias={"a": float("nan")}), "not JSON"),
        (ask(stop=object()), "not JSON"),
        (Request("m", ()), "no messages"),
    ],
)
def test_neither_cache(request_: Request, reason: str) -> None:
    found = cacheable(request_)
    assert (found.exact, found.semantic) == (False, False)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ask([{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": "u"}]), "image_url"),
        (ask([{"type": "tool_result", "tool_use_id": "1", "content": "42"}]), "tool_result"),
        (Request("m", ({"role": "user", "content": "x"}, {"role": "tool", "content": "42"})), "user's"),
        (Request("m", ({"role": "user", "content": "x"}, {"role": "assistant", "content": "{"})), "user's"),
        (ask(""), "empty"),
        (ask("Summarize this video"), "outside"),
        (Request("m", ({"role": "user", "content": "x"},), template="Q: {prompt}"), "template"),
    ],
)  # fmt: skip
def test_the_exact_cache_only(request_: Request, reason: str) -> None:
    found = cacheable(request_)
    assert (found.exact, found.semantic) == (True, False)
    assert reason in found.reason


def test_a_seed_makes_a_high_temperature_repeatable() -> None:
    assert cacheable(ask(temperature=1.4, seed=1)).exact


@pytest.mark.parametrize(
    "prompt",
    [
        "What does this video say?",
        "Summarize the text below",
        "Translate this",
        "Explain the attached document to me",
        "What is wrong with this Python code?",
        "Please answer the question in the following passage:",
        "Who wrote the article above?",
    ],
)
def test_prompts_that_point_outside(prompt: str) -> None:
    assert points_outside(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "How do I reset my password?",
        "Which commands that list files are there?",
        "What is the refund policy?",
        "How do I upload a file to my account?",
        "Summarize the text below:\nThe quick brown fox jumps over the lazy dog while the cat sleeps.",
        "What is wrong with this code?\n```\nprint(1\n```",
    ],
)
def test_prompts_that_stand_alone(prompt: str) -> None:
    assert not points_outside(prompt)


@pytest.mark.parametrize(
    ("answer", "exact", "semantic"),
    [
        (Answer("Paris", finish_reason="stop"), True, True),
        (Answer("Paris", finish_reason="end_turn"), True, True),
        (Answer("Par", finish_reason="length"), True, False),
        (Answer("", raw=b"{}", finish_reason="tool_calls"), True, False),
        (Answer("No.", raw=b"{}", finish_reason="content_filter"), False, False),
        (Answer("No.", finish_reason="refusal"), False, False),
        (Answer(""), False, False),
    ],
)
def test_which_answers_are_kept(answer: Answer, exact: bool, semantic: bool) -> None:
    found = storable(answer)
    assert (found.exact, found.semantic) == (exact, semantic)
    assert bool(found.reason) is not semantic
