"""The bodies a provider sends, in both wire formats."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from costconsole.domain.call import Usage
from costconsole.ledger.tokens import count, count_messages

DEFAULT_LIMIT = 4_096
"""Tokens of an answer at most, where the request sets no limit."""

Fault = int | Literal["timeout", "refusal"]
"""An HTTP status, silence, or a refusal with status 200."""

REFUSAL = "I can't help with that."
_IDS = itertools.count(1)
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One HTTP answer, and what it billed."""

    status: int
    headers: dict[str, str]
    body: bytes
    usage: Usage | None = None
    finish: str = field(default="")


def reply_of(
    wire: Literal["openai", "anthropic"],
    model: str,
    asked: Mapping[str, Any],
    text: str,
    cached: bool,
    fault: Fault | None,
) -> Said:
    """An answer with status 200 to the request body `asked`, cut at the tokens it allows.

    Tokens are counted by length until a vocabulary is there (`ledger.tokens.warm`).
    """
    messages = [m for m in asked["messages"] if isinstance(m, dict)]
    if wire == "anthropic" and asked.get("system"):
        messages = [{"role": "system", "content": asked["system"]}, *messages]
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens") or DEFAULT_LIMIT
    output, _estimated = count(text, model, wait=False)
    cut = isinstance(limit, int) and output > limit
    if cut and isinstance(limit, int):
        text, output = text[: max(1, len(text) * limit // output)], limit
    total, _estimated = count_messages(messages, model, wait=False)
    usage = Usage(input=total, output=output, cached_input=total // 2 if cached else 0)
    said = (_openai if wire == "openai" else _anthropic)(model, text, usage, cut, fault == "refusal")
    finish = said["choices"][0]["finish_reason"] if wire == "openai" else said["stop_reason"]
    return Said(200, {}, json.dumps(said).encode(), usage, finish)


def _openai(model: str, text: str, usage: Usage, cut: bool, refused: bool) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": text if refused else None,
    }
    return {
        "id": f"chatcmpl-{next(_IDS):012d}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "length" if cut else "stop"}
        ],
        "usage": {
            "prompt_tokens": usage.input,
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cached_input, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def _anthropic(model: str, text: str, usage: Usage, cut: bool, refused: bool) -> dict[str, Any]:
    return {
        "id": f"msg_{next(_IDS):012d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "refusal" if refused else "max_tokens" if cut else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input - usage.cached_input,
            "cache_read_input_tokens": usage.cached_input,
            "cache_creation_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": usage.output,
            "service_tier": "standard",
        },
    }


def events_of(wire: Literal["openai", "anthropic"], body: bytes) -> list[bytes]:
    """The same answer as the server-sent events of a stream, a few words each."""
    said = json.loads(body)
    if wire == "openai":
        message, finish = said["choices"][0]["message"], said["choices"][0]["finish_reason"]
        head = {name: said[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
        name = "refusal" if message["refusal"] else "content"
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{name: piece} for piece in _pieces(message[name])]
        chunks = [
            head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        chunks.append(head | {"choices": [], "usage": said["usage"]})
        return [_event(chunk) for chunk in chunks] + [b"data: [DONE]\n\n"]
    usage = said["usage"]
    start = said | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    block = {"type": "text", "text": ""}
    texts = [{"type": "text_delta", "text": piece} for piece in _pieces(said["content"][0]["text"])]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": text} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": said["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\n".encode() + _event(event) for event in events]


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    parts = [" ".join(words[at : at + 3]) for at in range(0, len(words), 3)]
    return [part + " " for part in parts[:-1]] + parts[-1:]


def error_of(wire: Literal["openai", "anthropic"], status: int, message: str) -> bytes:
    """The body of an error."""
    kind = _ERROR_TYPES.get(status, "server_error" if wire == "openai" else "api_error")
    message = message or f"the stand-in provider was told to answer {status}"
    error: dict[str, Any] = {"type": kind, "message": message}
    if wire == "openai":
        return json.dumps({"error": error | {"param": None, "code": None}}).encode()
    return json.dumps({"type": "error", "error": error}).encode()
