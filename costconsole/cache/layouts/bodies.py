"""A provider's JSON body, as caches keep it whole: its text, model, tokens and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costconsole.cache.layouts.values import from_json, mapping, number, shown, whole
from costconsole.domain.call import Usage


@dataclass(frozen=True, slots=True)
class Body:
    """`text` is None for a body of no known form; `usage` None where it doesn't tell (a streamed answer)."""

    text: str | None = None
    model: str = ""
    usage: Usage | None = None
    created_ms: int | None = None


def read_body(stored: bytes | str | None) -> Body:
    """What a body of OpenAI (chat or responses), Anthropic or Gemini says."""
    body = mapping(from_json(stored))
    if not body:
        return Body()
    created = number(body.get("created"))
    created = number(body.get("created_at")) if created is None else created
    return Body(
        text=_text(body),
        model=shown(body.get("model") or body.get("modelVersion")),
        usage=_usage(body),
        created_ms=None if created is None else round(created * 1000),
    )


def _text(body: Mapping[str, Any]) -> str | None:
    for name, read in (
        ("choices", _of_choice),
        ("content", _joined),
        ("output", _of_output),
        ("candidates", _of_candidate),
    ):
        if isinstance(body.get(name), list):
            return read(body[name])
    return None


def _of_choice(choices: list[Any]) -> str:
    first = mapping(choices[0]) if choices else {}
    message = mapping(first.get("message"))
    content = message.get("content", first.get("text"))
    if content is None and message.get("tool_calls"):
        return shown(message["tool_calls"])
    return _joined(content)


def _of_output(items: list[Any]) -> str:
    return "".join(_joined(mapping(item).get("content")) for item in items)


def _of_candidate(candidates: list[Any]) -> str:
    first = mapping(candidates[0]) if candidates else {}
    return _joined(mapping(first.get("content")).get("parts"))


def _joined(content: Any) -> str:
    """Text, or the texts of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part["text"] for part in content if isinstance(mapping(part).get("text"), str))


def _usage(body: Mapping[str, Any]) -> Usage | None:
    usage = mapping(body.get("usage") or body.get("usageMetadata"))
    if not usage:
        return None
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    details = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    # Anthropic alone leaves what came from its cache out of the total.
    total = _count(usage, "prompt_tokens", "input_tokens", "promptTokenCount") + read + written
    return Usage(
        input=total,
        output=_count(usage, "completion_tokens", "output_tokens", "candidatesTokenCount"),
        cached_input=read or _count(details, "cached_tokens") or _count(usage, "cachedContentTokenCount"),
        cache_write_5m=written,
    )


def _count(usage: Mapping[str, Any], *names: str) -> int:
    return next((max(0, whole(usage[name]) or 0) for name in names if usage.get(name) is not None), 0)
