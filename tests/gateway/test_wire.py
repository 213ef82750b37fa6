"""What goes to a provider and what is read from it, without a network."""

from __future__ import annotations

import json
from typing import Any

import genai_prices
import pytest

from costconsole.domain.call import Usage
from costconsole.gateway.wire import BadAnswer, headers_of, read_error, read_reply, request_body

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is my parcel?"},
]


def openai_body(**choice: Any) -> bytes:
    message = {"role": "assistant", "content": "At the depot."} | choice.pop("message", {})
    first = {"index": 0, "message": message, "finish_reason": "stop"} | choice
    usage = {"prompt_tokens": 2000, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 1024}}
    return json.dumps({"model": "gpt-4o-mini", "choices": [first], "usage": usage}).encode()


def anthropic_body(**changes: Any) -> bytes:
    usage = {
        "input_tokens": 100,
        "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
        "output_tokens": 9,
    }
    body = {
        "model": "claude-3-5-haiku-latest",
        "content": [{"type": "text", "text": "At the "}, {"type": "text", "text": "depot."}],
        "stop_reason": "end_turn",
        "usage": usage,
    }
    return json.dumps(body | changes).encode()


def test_openai_gets_the_messages_as_they_are() -> None:
    body = json.loads(request_body("openai", "gpt-4o-mini", MESSAGES, {"temperature": 0}))
    assert body == {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0}


def test_anthropic_gets_system_turns_apart_and_a_token_limit() -> None:
    body = json.loads(request_body("anthropic", "claude-3-haiku", MESSAGES, {}))
    assert body["system"] == "Be brief."
    assert body["messages"] == MESSAGES[1:]
    assert body["max_tokens"] > 0
    assert json.loads(request_body("anthropic", "c", MESSAGES, {"max_tokens": 5}))["max_tokens"] == 5


def test_anthropic_keeps_the_blocks_of_a_system_turn() -> None:
    block = {"type": "text", "text": "Long rules.", "cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": [block]},
        {"role": "developer", "content": "Short."},
        MESSAGES[1],
    ]
    body = json.loads(request_body("anthropic", "claude-3-haiku", messages, {}))
    assert body["system"] == [block, {"type": "text", "text": "Short."}]


def test_a_lone_surrogate_in_a_prompt_can_be_sent() -> None:
    body = request_body("openai", "m", [{"role": "user", "content": "broken \ud83d"}], {})
    assert json.loads(body)["messages"][0]["content"] == "broken \ud83d"


def test_keys_travel_as_each_wire_wants() -> None:
    assert headers_of("openai", "k")["authorization"] == "Bearer k"
    assert headers_of("anthropic", "k")["x-api-key"] == "k"
    assert headers_of("anthropic", "k")["anthropic-version"] == "2023-06-01"
    assert "authorization" not in headers_of("openai", None)


def test_openai_answer() -> None:
    reply = read_reply("openai", openai_body())
    assert (reply.text, reply.finish, reply.finish_reason) == ("At the depot.", "stop", "stop")
    assert reply.usage == Usage(input=2000, output=7, cached_input=1024)
    assert json.loads(reply.raw)["choices"]


def test_anthropic_answer_counts_what_its_cache_held() -> None:
    reply = read_reply("anthropic", anthropic_body())
    assert reply.text == "At the depot."
    assert reply.usage == Usage(
        input=3100, output=9, cached_input=2000, cache_write_5m=600, cache_write_1h=400
    )


@pytest.mark.parametrize(
    ("wire", "body"),
    [("openai", openai_body()), ("anthropic", anthropic_body())],
    ids=["openai", "anthropic"],
)
def test_usage_is_what_the_price_catalogue_reads(wire: str, body: bytes) -> None:
    """genai-prices reads usage on its own; both must come to the same tokens."""
    flavor = "chat" if wire == "openai" else "default"
    theirs = genai_prices.extract_usage(json.loads(body), provider_id=wire, api_flavor=flavor).usage
    ours = read_reply("openai" if wire == "openai" else "anthropic", body).usage
    assert ours is not None
    assert (ours.input, ours.output) == (theirs.input_tokens, theirs.output_tokens)
    assert ours.cached_input == (theirs.cache_read_tokens or 0)
    assert ours.cache_write_5m + ours.cache_write_1h == (theirs.cache_write_tokens or 0)


@pytest.mark.parametrize(
    ("wire", "body", "finish"),
    [
        ("openai", openai_body(finish_reason="length"), "length"),
        ("openai", openai_body(finish_reason="content_filter"), "refused"),
        ("openai", openai_body(message={"content": None, "refusal": "No."}), "refused"),
        (
            "openai",
            openai_body(message={"content": None, "tool_calls": [{}]}, finish_reason="tool_calls"),
            "tool",
        ),
        ("anthropic", anthropic_body(stop_reason="max_tokens"), "length"),
        ("anthropic", anthropic_body(stop_reason="refusal"), "refused"),
        ("anthropic", anthropic_body(stop_reason="tool_use"), "tool"),
        ("anthropic", anthropic_body(stop_reason="stop_sequence"), "stop"),
        ("anthropic", anthropic_body(stop_reason="pause_turn"), "other"),
    ],
)
def test_how_an_answer_ended(wire: Any, body: bytes, finish: str) -> None:
    assert read_reply(wire, body).finish == finish


def test_the_providers_own_price_is_read_where_it_is_told() -> None:
    body = json.loads(openai_body())
    body["usage"]["cost"] = 0.00012345
    assert read_reply("openai", json.dumps(body).encode()).provider_cost_nano == 123_450
    assert read_reply("openai", openai_body()).provider_cost_nano is None


def test_an_answer_without_usage_has_none() -> None:
    body = json.loads(openai_body())
    del body["usage"]
    assert read_reply("openai", json.dumps(body).encode()).usage is None


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [1]}', b"[" * 100_000]
)
def test_what_is_not_an_answer_is_said_to_be_none(wire: Any, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_reply(wire, body)


def test_errors_are_read_from_both_wires_and_from_nonsense() -> None:
    told = read_error(b'{"error": {"type": "t", "code": "c", "param": null, "message": "m"}}')
    assert (told.type, told.code, told.param, told.message) == ("t", "c", "", "m")
    assert read_error(b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}').message == "m"
    assert read_error(b"<html>gateway").type == ""
    assert read_error(b'{"error": "plain"}').message == "plain"
