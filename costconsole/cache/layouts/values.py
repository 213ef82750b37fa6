"""Stored values as numbers, JSON and vectors; what is malformed counts as missing."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def from_json(stored: Any) -> Any:
    """What JSON text says; None when it isn't JSON."""
    if not isinstance(stored, bytes | str) or not stored:
        return None
    try:
        return json.loads(stored)
    except (ValueError, RecursionError):
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object; anything else is empty."""
    return value if isinstance(value, dict) else {}


def number(stored: Any) -> float | None:
    """A finite number from a number or its text."""
    if isinstance(stored, bool) or stored is None:
        return None
    try:
        found = float(stored)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def whole(stored: Any) -> int | None:
    """A number rounded to a whole one."""
    found = number(stored)
    return None if found is None else round(found)


def shown(value: Any) -> str:
    """A JSON value as text: a string as it is, anything else as JSON; None is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def packed(numbers: Any) -> bytes | None:
    """A list of numbers (or of their texts) as a little-endian float32 vector."""
    if not isinstance(numbers, Sequence) or isinstance(numbers, str | bytes) or not numbers:
        return None
    try:
        return struct.pack(f"<{len(numbers)}f", *map(float, numbers))
    except (TypeError, ValueError, OverflowError, struct.error):
        return None


def iso_ms(stored: Any) -> int | None:
    """Unix milliseconds of an ISO 8601 time; one that names no zone is in UTC."""
    if not isinstance(stored, str):
        return None
    try:
        at = datetime.fromisoformat(stored)
    except ValueError:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
