"""Regular expressions out of a config: compiled once, and only where they can't run for ages.

Python's matcher tries again: a repeat inside a repeat, such as `(a+)+`, takes time exponential in the
text, and each further `.*` one power more. Such patterns are refused before a prompt meets them.
"""

from __future__ import annotations

import re
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

MAX_LENGTH: Final = 1_000
_MAX_WIDE: Final = 3
_MANY: Final = 32
"""A repeat that may go on for so long counts as endless."""


class BadPattern(ValueError):
    """Why a text is no pattern that can be used, with the position where that is known."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """`text` compiled, upper and lower case alike. Raises BadPattern."""
    if len(text) > MAX_LENGTH:
        raise BadPattern(f"a pattern of {len(text):,} characters; expected at most {MAX_LENGTH:,}")
    try:
        compiled = re.compile(text, re.IGNORECASE)
        tree = _parser.parse(text, re.IGNORECASE)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise BadPattern(f"not a regular expression: {error.msg}{where}") from None
    except (OverflowError, RecursionError):
        raise BadPattern("not a regular expression: it repeats or nests too much") from None
    wide = _check(tree, inside=False)
    if wide > _MAX_WIDE:
        raise BadPattern(
            f"{wide} endless repeats of almost any character (.* and the like) can take ages; "
            f"expected at most {_MAX_WIDE}: use [^.]{{0,80}} or keywords"
        )
    if compiled.match("") is not None:
        raise BadPattern("it matches the empty text, and so every prompt; expected something to look for")
    return compiled


def _check(tree: Any, *, inside: bool) -> int:
    """The endless repeats of wide character sets. Raises BadPattern for a repeat inside an endless one."""
    wide = 0
    for code, argument in tree:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, body = argument
            endless = high is op.MAXREPEAT or high >= _MANY
            if inside and high != low and code is not op.POSSESSIVE_REPEAT and not _delimited(body, tree):
                raise BadPattern(
                    "a repeat inside a repeat, such as (a+)+, can take ages; expected one repeat, or keywords"
                )
            wide += (high is op.MAXREPEAT) and _is_wide(body)
            wide += _check(body, inside=inside or endless)
        elif code is op.BRANCH:
            branches = argument[1]
            if inside and _overlap(branches):
                raise BadPattern(
                    "alternatives that begin alike inside a repeat, such as (a|ab)+, can take ages on a long "
                    "prompt; expected alternatives that begin differently"
                )
            wide += max(_check(branch, inside=inside) for branch in branches)
        else:
            for part in _parts(argument):
                wide += _check(part, inside=inside)
    return wide


def _parts(argument: Any) -> list[Any]:
    """The patterns within an operator's argument (groups, look-arounds, conditions)."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, list | tuple):
        return [
            part for item in argument if isinstance(item, _parser.SubPattern | tuple) for part in _parts(item)
        ]
    return []


def _delimited(body: Any, around: Any) -> bool:
    """Whether the inner repeat can't run into its own next round: a literal outside its set stands beside it,
    as in `(\\w+,)*`."""
    mine = _members(body)
    beside = [item for item in around if item[0] in (op.LITERAL, op.IN, op.CATEGORY)]
    return mine is not None and any(
        (theirs := _members([item])) is not None and not (mine & theirs) for item in beside
    )


def _members(body: Any) -> frozenset[int] | None:
    """The ASCII characters that one item can be, or None where that isn't told by a simple set."""
    if len(body) != 1:
        return None
    code, argument = body[0]
    if code is op.LITERAL:
        return frozenset(range(128)) & _both_cases(argument) if argument < 128 else frozenset()
    if code not in (op.IN, op.CATEGORY, op.NOT_LITERAL, op.ANY):
        return None
    try:
        simple = re.compile(_set_text(code, argument), re.IGNORECASE | re.DOTALL)
    except (re.error, ValueError):
        return None
    return frozenset(c for c in range(128) if simple.fullmatch(chr(c)))


def _both_cases(code: int) -> frozenset[int]:
    return frozenset({ord(chr(code).lower()), ord(chr(code).upper())})


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _set_text(code: Any, argument: Any) -> str:
    if code is op.ANY:
        return "."
    if code is op.NOT_LITERAL:
        return f"[^{re.escape(chr(argument))}]"
    if code is op.CATEGORY:
        return _CATEGORIES[argument]
    text = ""
    for kind, inner in argument:
        if kind is op.NEGATE:
            text = "^" + text
        elif kind is op.LITERAL:
            text += re.escape(chr(inner))
        elif kind is op.RANGE:
            text += f"{re.escape(chr(inner[0]))}-{re.escape(chr(inner[1]))}"
        elif kind is op.CATEGORY:
            text += _CATEGORIES[inner]
    return f"[{text}]"


def _is_wide(body: Any) -> bool:
    members = _members(body)
    return members is not None and len(members) > 90


def _overlap(branches: Any) -> bool:
    """Whether two alternatives may begin with the same character, or one of them with none that is told."""
    seen: frozenset[int] = frozenset()
    for branch in branches:
        first = _members(branch[:1]) if len(branch) else None
        if first is None or first & seen:
            return True
        seen |= first
    return False
