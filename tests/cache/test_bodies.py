"""What a provider's stored body says, in each of the known forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from costconsole.cache.layouts.bodies import Body, read_body
from costconsole.domain.call import Usage


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {
                "output": [{"type": "reasoning"}, {"content": [{"text": "Wien "}, {"text": "✓"}]}],
                "model": "gpt-r",
                "created_at": 5,
                "usage": {
                    "input_tokens": 9,
                    "output_tokens": 2,
                    "input_tokens_details": {"cached_tokens": 4},
                },
            },
            Body("Wien ✓", "gpt-r", Usage(9, 2, 4), 5_000),
        ),
        (
            {
                "candidates": [{"content": {"parts": [{"text": "東"}, {"text": "京"}]}}],
                "modelVersion": "gemini-x",
                "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1},
            },
            Body("東京", "gemini-x", Usage(3, 1)),
        ),
        (
            {"choices": [{"message": {"content": None, "tool_calls": [{"id": "a"}]}}]},
            Body('[{"id": "a"}]'),
        ),
        ({"choices": [{"text": "once"}], "usage": {"prompt_tokens": -1}}, Body("once", usage=Usage())),
        ({"choices": []}, Body("")),
        ({"content": [3, {"text": 4}], "model": 7}, Body("", "7")),
        ({"error": {"message": "no"}}, Body(None)),
        ([1], Body()),
        ("text", Body()),
    ],
)
def test_a_body_is_read(body: Any, expected: Body) -> None:
    assert read_body(json.dumps(body)) == expected


@pytest.mark.parametrize("stored", [None, b"", b"\xff{", b"[" * 100_000])
def test_what_is_no_body_says_nothing(stored: bytes | None) -> None:
    assert read_body(stored) == Body()
