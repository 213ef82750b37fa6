"""Streamed answers: the same Reply as a whole one, and clear errors when a stream breaks off."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.demo.provider import StandInProvider
from costconsole.demo.wire import events_of, reply_of
from costconsole.gateway.errors import ProviderError
from costconsole.gateway.provider import Provider, Streamed
from costconsole.gateway.retry import RetryPolicy
from costconsole.gateway.stream_wire import Events, StreamFailed, stream_reader
from costconsole.gateway.wire import BadAnswer, read_reply

QUESTION = [{"role": "user", "content": "Where are the parcels?"}]
ANSWER = "At the depot. 你好 😀 — they are\nsorted\x00 there by hand, every night."
WIRES: tuple[Literal["openai", "anthropic"], ...] = ("openai", "anthropic")


@pytest.fixture
def stand_in() -> Iterator[StandInProvider]:
    with StandInProvider(lambda model, messages: ANSWER, speedup=0) as server:
        yield server


def provider(server: StandInProvider, wire: Literal["openai", "anthropic"], **more: object) -> Provider:
    base = server.openai_url if wire == "openai" else server.url
    options = {"retry": RetryPolicy(first_s=0.001, cap_s=0.002), "api_key": "sk-verysecret", **more}
    return Provider(wire, wire, base_url=base, **options)  # type: ignore[arg-type]


async def streamed(asked: Provider) -> tuple[list[str], Streamed]:
    texts: list[str] = []
    async for part in asked.astream("gpt-4o-mini", QUESTION):
        if isinstance(part, Streamed):
            return texts, part
        texts.append(part)
    raise AssertionError("the stream had no end")


@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_is_the_answer_in_pieces(
    stand_in: StandInProvider, wire: Literal["openai", "anthropic"]
) -> None:
    asked = provider(stand_in, wire)
    texts, end = await streamed(asked)
    whole, _attempts = await asked.aask("gpt-4o-mini", QUESTION)
    await asked.aclose()
    assert len(texts) > 3
    assert "".join(texts) == end.reply.text == whole.text == ANSWER
    assert (end.reply.usage, end.reply.finish) == (whole.usage, "stop")
    assert end.first_ms is not None
    assert [attempt.kind for attempt in end.attempts] == [""]
    assert read_reply(wire, end.reply.raw).text == ANSWER


@pytest.mark.parametrize("wire", WIRES)
@given(data=st.data())
def test_pieces_may_be_cut_anywhere(wire: Literal["openai", "anthropic"], data: st.DataObject) -> None:
    said = reply_of(wire, "gpt-4o-mini", {"messages": QUESTION}, ANSWER, True, None)
    stream = b"".join(events_of(wire, said.body))
    if data.draw(st.booleans()):
        stream = stream.replace(b"\n", b"\r\n")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=30)) | {0, len(stream)})
    reader = stream_reader(wire)
    pieces = [reader.feed(stream[a:b]) for a, b in itertools.pairwise(cuts)]
    assert "".join(pieces) == reader.text == ANSWER
    assert reader.reply().usage == said.usage


@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_that_breaks_off_keeps_what_came(
    stand_in: StandInProvider, wire: Literal["openai", "anthropic"]
) -> None:
    asked = provider(stand_in, wire)
    stand_in.drop_next()
    with pytest.raises(ProviderError, match="dropped its answer in the middle") as caught:
        await streamed(asked)
    await asked.aclose()
    assert caught.value.text
    assert ANSWER.startswith(caught.value.text)
    assert caught.value.kind == "connection"
    assert stand_in.arrived == 1, "an answer that began must not be asked for again"


@pytest.mark.parametrize("wire", WIRES)
async def test_before_the_answer_begins_it_is_asked_again(
    stand_in: StandInProvider, wire: Literal["openai", "anthropic"]
) -> None:
    asked = provider(stand_in, wire)
    stand_in.fail_next(500)
    _texts, end = await streamed(asked)
    await asked.aclose()
    assert [attempt.kind for attempt in end.attempts] == ["server", ""]


async def test_refusals_and_wrong_keys_are_errors(stand_in: StandInProvider) -> None:
    asked = provider(stand_in, "openai")
    stand_in.fail_next("refusal")
    with pytest.raises(ProviderError, match="refused") as refused:
        await streamed(asked)
    stand_in.fail_next(401)
    with pytest.raises(ProviderError, match="API key") as denied:
        await streamed(asked)
    await asked.aclose()
    assert refused.value.usage is not None
    assert "verysecret" not in str(denied.value)


async def test_silence_is_a_time_out(stand_in: StandInProvider) -> None:
    asked = provider(stand_in, "openai", timeout_s=0.2)
    stand_in.fail_next("timeout")
    with pytest.raises(ProviderError, match="in time"):
        await streamed(asked)
    await asked.aclose()


def test_the_real_clients_read_the_stand_ins_streams(stand_in: StandInProvider) -> None:
    asked = openai.OpenAI(base_url=stand_in.openai_url, api_key="k")
    chunks: Any = asked.chat.completions.create(
        model="gpt-4o-mini",
        messages=QUESTION,  # type: ignore[arg-type]
        stream=True,
    )
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == ANSWER
    with anthropic.Anthropic(base_url=stand_in.url, api_key="k").messages.stream(
        model="claude-3-haiku-20240307",
        max_tokens=100,
        messages=QUESTION,  # type: ignore[arg-type]
    ) as stream:
        assert "".join(stream.text_stream) == ANSWER


def test_tool_calls_are_put_together() -> None:
    reader = stream_reader("openai")
    for part in (
        {"index": 0, "id": "c1", "function": {"name": "find", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
    ):
        delta = {"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]}
        reader.feed(f"data: {json.dumps(delta)}\n\n".encode())
    reader.feed(
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    )
    reply = reader.reply()
    assert reply.finish == "tool"
    call = json.loads(reply.raw)["choices"][0]["message"]["tool_calls"][0]
    assert call == {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a":1}'}}


def test_an_anthropic_tool_call_and_thinking_are_put_together() -> None:
    reader = stream_reader("anthropic")
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "input": {}}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{"},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "}"},
        },
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    for event in events:
        reader.feed(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    reply = reader.reply()
    assert (reply.finish, reply.usage and reply.usage.output, reply.text) == ("tool", 9, "")
    assert json.loads(reply.raw)["content"][0] == {"type": "thinking", "thinking": "Hm"}


def test_what_is_no_stream_is_said() -> None:
    with pytest.raises(BadAnswer, match="not JSON"):
        stream_reader("openai").feed(b"data: {nonsense\n\n")
    with pytest.raises(BadAnswer, match="broke off"):
        stream_reader("anthropic").reply()
    with pytest.raises(StreamFailed):
        stream_reader("anthropic").feed(b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n')
    assert Events().feed(b": a comment\nevent: x\n\n") == []
