"""Reading what Redis answered: replies are bytes here, for a vector is not text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def text(reply: bytes | bytearray | memoryview | str | float | None) -> str:
    r"""A reply as text. None is empty; bytes that are not UTF-8 show as `\xNN` instead of failing."""
    if reply is None:
        return ""
    if isinstance(reply, str):
        return reply
    if isinstance(reply, bytes | bytearray | memoryview):
        return bytes(reply).decode("utf-8", "backslashreplace")
    return str(reply)


def pairs(reply: Any) -> dict[str, Any]:
    """A flat name-value list (or a mapping) as a dictionary with text names; anything else is empty."""
    if isinstance(reply, Mapping):
        return {text(name): value for name, value in reply.items()}
    if isinstance(reply, Sequence) and not isinstance(reply, str | bytes) and len(reply) % 2 == 0:
        return {text(name): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
    return {}


def info(reply: Any) -> dict[str, str]:
    """The fields of INFO, as text, whether or not the client has parsed it; anything else is empty."""
    if isinstance(reply, Mapping):
        return {
            text(name): text(value) if not isinstance(value, Mapping) else "" for name, value in reply.items()
        }
    if not isinstance(reply, str | bytes):
        return {}
    fields = {}
    for line in text(reply).splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            fields[name] = value
    return fields
