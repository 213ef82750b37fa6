"""An answer as the caches keep it, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

from costconsole.domain.call import Usage

_NO_USAGE = Usage()
_USAGE_FIELDS = tuple(f.name for f in fields(Usage))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered: the text, what it cost in tokens, and the body as it came.

    `raw` is the provider's JSON body, byte for byte, so that a hit can be replayed to any client;
    None when only the text is known.
    """

    text: str
    model: str = ""
    provider: str = ""
    usage: Usage = _NO_USAGE
    raw: bytes | None = None
    finish_reason: str = ""
    route: str = ""
    """The route that chose the model, where one did."""


def encode_usage(usage: Usage) -> dict[str, int | bool]:
    """The figures that are not zero, by name."""
    return {name: value for name in _USAGE_FIELDS if (value := getattr(usage, name))}


def decode_usage(stored: object) -> Usage:
    """The inverse of `encode_usage`; what is not a count is left out."""
    if not isinstance(stored, Mapping):
        return Usage()
    counts = {
        name: stored[name]
        for name in _USAGE_FIELDS
        if name != "estimated" and isinstance(stored.get(name), int) and not isinstance(stored[name], bool)
    }
    return Usage(**counts, estimated=stored.get("estimated") is True)


def encode_metadata(answer: Answer) -> str:
    """All of an answer but its text and body, as JSON text."""
    found: dict[str, object] = {"usage": encode_usage(answer.usage)}
    for name in ("model", "provider", "finish_reason", "route"):
        if value := getattr(answer, name):
            found[name] = value
    return json.dumps(found, separators=(",", ":"), sort_keys=True)


def decode_answer(response: bytes, metadata: bytes | None, raw: bytes | None) -> Answer:
    """An answer from its stored fields. Metadata that is missing or malformed counts as none."""
    usage, model, provider, finish_reason, route = _read_metadata(metadata)
    text = response.decode("utf-8", "backslashreplace")
    return Answer(text, model, provider, usage, raw or None, finish_reason, route)


@lru_cache(maxsize=4096)
def _read_metadata(metadata: bytes | None) -> tuple[Usage, str, str, str, str]:
    """Usage, model, provider, finish reason, route. Remembered, for entries that are hit are hit often."""
    try:
        known = json.loads(metadata) if metadata else {}
    except ValueError:
        known = {}
    if not isinstance(known, dict):
        known = {}
    return (
        decode_usage(known.get("usage")),
        str(known.get("model", "")),
        str(known.get("provider", "")),
        str(known.get("finish_reason", "")),
        str(known.get("route", "")),
    )
