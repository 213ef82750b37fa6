"""The two wire formats, without any I/O: build a request's body, read an answer's.

OpenAI: https://platform.openai.com/docs/api-reference/chat/create, also spoken by most local servers.
Anthropic: https://docs.anthropic.com/en/api/messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from costconsole.domain.call import Usage
from costconsole.domain.money import usd_to_nano

Wire = Literal["openai", "anthropic"]
Finish = Literal["stop", "length", "tool", "refused", "other"]
WireMessage = Mapping[str, Any]

ANTHROPIC_VERSION = "2023-06-01"
ANTHROPIC_MAX_TOKENS = 4096
"""Anthropic demands `max_tokens`; this is sent when the caller names none."""

_OPENAI_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool",
    "function_call": "tool",
    "content_filter": "refused",
}
_ANTHROPIC_FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "refusal": "refused",
}


class BadAnswer(ValueError):
    """A body with status 200 that is not an answer of this wire format."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer. `finish` is normalized, `finish_reason` the provider's own word.

    `usage` is None when the provider told none. `text` of a refused reply is the refusal. `raw` is the body.
    """

    text: str
    finish: Finish
    finish_reason: str
    usage: Usage | None
    raw: bytes
    provider_cost_nano: int | None = None


def path_of(wire: Wire) -> str:
    """What follows the base URL. OpenAI's base ends in `/v1`, Anthropic's does not, as in their own SDKs."""
    return "/chat/completions" if wire == "openai" else "/v1/messages"


def headers_of(wire: Wire, api_key: str | None) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if wire == "anthropic":
        headers["anthropic-version"] = ANTHROPIC_VERSION
        if api_key:
            headers["x-api-key"] = api_key
    elif api_key:
        headers["authorization"] = f"Bearer {api_key}"
    return headers


def request_body(wire: Wire, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any]) -> bytes:
    """The JSON body. `messages` are in OpenAI's form, system turns included; `params` go through as they are.

    Raises TypeError or ValueError for what JSON can't say.
    """
    body: dict[str, Any] = {"model": model}
    if wire == "anthropic":
        body["max_tokens"] = ANTHROPIC_MAX_TOKENS
        system = _anthropic_system(messages)
        if system:
            body["system"] = system
        body["messages"] = [dict(m) for m in messages if m.get("role") not in _SYSTEM_ROLES]
    else:
        body["messages"] = [dict(m) for m in messages]
    body.update(params)
    # ASCII, so that a lone surrogate in a prompt can't break the encoding.
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


_SYSTEM_ROLES = ("system", "developer")


def _anthropic_system(messages: Sequence[WireMessage]) -> str | list[Any]:
    parts = [m.get("content") for m in messages if m.get("role") in _SYSTEM_ROLES]
    if all(isinstance(part, str) for part in parts):
        return "\n\n".join(str(part) for part in parts)
    blocks: list[Any] = []
    for part in parts:
        blocks.extend([{"type": "text", "text": part}] if isinstance(part, str) else part or [])
    return blocks


def read_reply(wire: Wire, body: bytes) -> Reply:
    """Read an answer with status 200. Raises BadAnswer for what is not one."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("the body is not JSON") from None
    if not isinstance(found, dict):
        raise BadAnswer("the body is not a JSON object")
    return _read_openai(found, body) if wire == "openai" else _read_anthropic(found, body)


def _read_openai(found: Mapping[str, Any], body: bytes) -> Reply:
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadAnswer("there is no choice in the body")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise BadAnswer("the first choice has no message")
    reason = str(choices[0].get("finish_reason") or "")
    finish = _OPENAI_FINISH.get(reason, "other")
    text = _joined(message.get("content"))
    if message.get("refusal"):
        finish, text = "refused", str(message["refusal"])
    elif not text and message.get("tool_calls"):
        finish = "tool"
    usage = found.get("usage")
    cost = usage.get("cost") if isinstance(usage, dict) else None
    return Reply(
        text=text,
        finish=finish,
        finish_reason=reason,
        usage=openai_usage(usage) if isinstance(usage, dict) else None,
        raw=body,
        provider_cost_nano=_nano(cost),
    )


def _read_anthropic(found: Mapping[str, Any], body: bytes) -> Reply:
    content = found.get("content")
    if not isinstance(content, list):
        raise BadAnswer("there is no content in the body")
    reason = str(found.get("stop_reason") or "")
    usage = found.get("usage")
    return Reply(
        text=_joined(content),
        finish=_ANTHROPIC_FINISH.get(reason, "other"),
        finish_reason=reason,
        usage=anthropic_usage(usage) if isinstance(usage, dict) else None,
        raw=body,
    )


def _joined(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (p.get("text") for p in content if isinstance(p, dict) and p.get("type", "text") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def openai_usage(usage: Mapping[str, Any]) -> Usage:
    """`prompt_tokens` is the total already. A cache write tells no lifetime and is kept as the short one."""
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        input=_count(usage.get("prompt_tokens")),
        output=_count(usage.get("completion_tokens")),
        cached_input=_count(details.get("cached_tokens")),
        cache_write_5m=_count(details.get("cache_write_tokens")),
    )


def anthropic_usage(usage: Mapping[str, Any]) -> Usage:
    """Anthropic's `input_tokens` leaves the cache out; reads and writes are added to make the total."""
    read = _count(usage.get("cache_read_input_tokens"))
    written = _count(usage.get("cache_creation_input_tokens"))
    split = usage.get("cache_creation")
    hour = _count(split.get("ephemeral_1h_input_tokens")) if isinstance(split, dict) else 0
    hour = min(hour, written)
    return Usage(
        input=_count(usage.get("input_tokens")) + read + written,
        output=_count(usage.get("output_tokens")),
        cached_input=read,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _nano(cost: object) -> int | None:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or cost < 0:
        return None
    try:
        return usd_to_nano(Decimal(str(cost)))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error's body says: its `type`, `code` and `param` are names, `message` is free text."""

    type: str = ""
    code: str = ""
    param: str = ""
    message: str = ""


def read_error(body: bytes) -> ErrorBody:
    """Both wires wrap an error as `{"error": {...}}`. Anything else is an empty ErrorBody; never raises."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody()
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):
        return ErrorBody(message=error)
    if not isinstance(error, dict):
        return ErrorBody()
    told = (error.get(name) for name in ("type", "code", "param", "message"))
    return ErrorBody(*("" if value is None else str(value) for value in told))
