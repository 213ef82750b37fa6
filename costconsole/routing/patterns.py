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
SEARCHED_CHARS: Final = 4_000
"""How much of a prompt patterns may be tried on: the worst accepted one then takes a third of a second."""
_MAX_TRIES: Final = 10_000
"""How many ways to match from one place of the text are allowed."""
_AGAIN: Final = 4
"""From so many rounds on, what is inside a repeat counts as repeated for good."""


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
    if _tries(tree, inside=False, last=True) > _MAX_TRIES:
        raise BadPattern(
            "several long repeats that can stand for the same characters (.* and the like) can take ages "
            "on a long prompt; expected one of them, the others bounded, such as .{0,80}, or keywords"
        )
    if compiled.match("") is not None:
        raise BadPattern("it matches the empty text, and so every prompt; expected something to look for")
    return compiled


def _tries(tree: Any, *, inside: bool, last: bool) -> int:
    """About how many ways there are to match from one place. Raises BadPattern for a repeat inside one.

    `inside`: within a repeat of several rounds; `last`: nothing follows, so that nothing is tried again.
    """
    tries = 1
    items = list(tree)
    for i, (code, argument) in enumerate(items):
        at_end = last and i == len(items) - 1
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, body = argument
            rounds = SEARCHED_CHARS if high is op.MAXREPEAT else min(int(high), SEARCHED_CHARS)
            held = code is op.POSSESSIVE_REPEAT or high == low
            if inside and not held and not _delimited(body, items):
                raise BadPattern(
                    "a repeat inside a repeat, such as (a+)+, can take ages on a long prompt; "
                    "expected one repeat, or keywords"
                )
            # What ends a group is followed by its own beginning, or by what the group is followed by.
            stopped = _stopped(body, items[i + 1 :]) or (i == len(items) - 1 and _delimited(body, items))
            if not held and not at_end and len(body) == 1 and not stopped:
                tries *= max(rounds, 1)
            within = _tries(body, inside=inside or rounds >= _AGAIN, last=at_end and rounds == 1)
            tries *= within ** min(rounds, _AGAIN)
        elif code is op.BRANCH:
            branches = argument[1]
            if inside and _overlap(branches):
                raise BadPattern(
                    "alternatives that begin alike inside a repeat, such as (a|ab)+, can take ages on a long "
                    "prompt; expected alternatives that begin differently"
                )
            tries *= max(_tries(branch, inside=inside, last=at_end) for branch in branches)
        else:
            for part in _parts(argument):
                tries *= _tries(part, inside=inside, last=at_end)
        tries = min(tries, _MAX_TRIES + 1)
    return tries


def _stopped(body: Any, following: list[Any]) -> bool:
    """Whether what must come next is nothing that the repeat could have taken, as in `\\w+@`."""
    mine = _members(body)
    if mine is None:
        return len(body) == 1 and body[0][0] in (op.SUBPATTERN, op.BRANCH)
    for code, argument in following:
        if code is op.AT:
            continue
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT) and argument[0] > 0:
            theirs = _first(argument[2])
        else:
            theirs = _first([(code, argument)])
        return theirs is not None and not mine & theirs
    return False


def _parts(argument: Any) -> list[Any]:
    """The patterns within an operator's argument (groups, look-arounds, conditions)."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, list | tuple):
        return [
            part for item in argument if isinstance(item, _parser.SubPattern | tuple) for part in _parts(item)
        ]
    return []


def _first(items: Any) -> frozenset[int] | None:
    """The characters with which `items` must begin, where that is told by a simple set."""
    if not len(items):
        return None
    code, argument = items[0]
    return _first(argument[-1]) if code is op.SUBPATTERN else _members(items[:1])


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


def _overlap(branches: Any) -> bool:
    """Whether two alternatives may begin with the same character, or one of them with none that is told."""
    seen: frozenset[int] = frozenset()
    for branch in branches:
        first = _members(branch[:1]) if len(branch) else None
        if first is None or first & seen:
            return True
        seen |= first
    return False
