"""JSON without the white space between its parts, and `\\u00fc` written as ü.

Only what stands between strings goes, so numbers keep their spelling, keys their order and duplicates. The
result must parse to the same values, or the original stays. Fenced JSON is code, which `safe` leaves alone.
"""

from __future__ import annotations

import json
import re
from typing import Any

from costconsole.prompt.document import Context, Document, Rule, Segment, each

_PARTS = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|\s+')
_ESCAPES = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)"
)


def _apply(document: Document, context: Context) -> Document | None:
    escapes = "escapes" not in context.topics
    return each(document, "json", lambda segment: _compact(segment.text, escapes))


def _apply_fences(document: Document, context: Context) -> Document | None:
    escapes = "escapes" not in context.topics

    def change(segment: Segment) -> str:
        if segment.language not in ("json", "jsonl", "ndjson", "geojson"):
            return segment.text
        opening, _, rest = segment.text.partition("\n")
        close = rest.rstrip().rfind("\n") + 1
        inside = rest[:close]
        if opening[:1] not in "`~" or not inside.strip():
            return segment.text
        if segment.language in ("jsonl", "ndjson"):
            lines = [_compact(line + "\n", escapes) for line in inside.split("\n")[:-1]]
            return f"{opening}\n{''.join(lines)}{rest[close:]}"
        return f"{opening}\n{_compact(inside, escapes)}{rest[close:]}"

    return each(document, "fence", change)


def _compact(text: str, escapes: bool) -> str:
    def part(found: re.Match[str]) -> str:
        kept: str | None = found[1]
        if kept is None:
            return ""
        return _ESCAPES.sub(_unescape, kept) if escapes and "\\u" in kept else kept

    compact = _PARTS.sub(part, text) + ("\n" if text.endswith("\n") else "")
    try:
        return compact if compact != text and _parsed(compact) == _parsed(text) else text
    except (ValueError, RecursionError):
        return text


def _unescape(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    if high:
        letter = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
    elif single:
        letter = chr(int(single, 16))
    else:
        return found.group()
    # What can't be seen is told apart only by its escape.
    return letter if letter.isprintable() and letter not in '"\\ ' else found.group()


def _parsed(text: str) -> Any:
    """The values, with every number as it is spelled and every key that is there."""
    return json.loads(
        text,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_no_constant,
        object_pairs_hook=_Pairs,
    )


class _Number(str):
    """A number as it is spelled; never equal to a string."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number) and str.__eq__(self, other)


class _Pairs(tuple[tuple[str, Any], ...]):
    """An object's pairs in order; never equal to an array."""

    __slots__ = ()

    def __new__(cls, pairs: list[tuple[str, Any]]) -> _Pairs:
        return super().__new__(cls, pairs)

    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pairs) and tuple.__eq__(self, other)


def _no_constant(name: str) -> None:
    raise ValueError(name)


RULE = Rule("json", _apply, unless=frozenset({"layout"}))
FENCES = Rule("json in fences", _apply_fences, frozenset({"strong"}), unless=frozenset({"layout"}))
