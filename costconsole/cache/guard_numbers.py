"""The numbers of a text, written in whatever way: digits, words, amounts, times of day, identifiers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from costconsole.cache.guard_words import SCALES, TEENS, TENS, UNITS, WEAK

_DIGIT = re.compile(r"\d")
_WRITTEN = re.compile(
    r"""
    (?P<version>(?<![\w.])v?\d+(?:\.\d+){2,}(?![\w]))
  | (?P<id>(?<![^\W_])(?=[^\W_]*\d)(?:[^\W\d_]+\d+[^\W\d_]|\d+[^\W\d_]+\d)[^\W_]*)
  | (?P<short>(?<![^\W_])[a-uwyzA-UWYZ]-?\d+(?![^\W_]))
  | (?P<hour>\d{1,2}) (?: [:.] (?P<minute>[0-5]\d) )? (?!\d) \s? (?P<half>[ap])\.?m\b\.?
  | (?P<clock>(?<!\d)[012]?\d:[0-5]\d)(?!\d)
  | (?: (?P<before>[$€£¥₹]) \s? )? (?P<number>
        \d{1,3} (?: (?:,\d{2,3}){0,8} ,\d{3} (?:\.\d+)? | (?:\.\d{3}){1,8},\d{1,2}
                 | (?:['’\u00a0\u2009\u202f]\d{3}){1,8} ) (?!\d)
      | \d+ ,\d{1,2} (?! [,\d] )
      | \d+ (?:\.\d+)?
    )
    (?: \s? (?P<scale> hundred|thousand|lakhs?|millions?|crores?|billions?|trillion ) \b
      | (?P<unit> k|mn|mio|bn|m|b ) (?![^\W_]) )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_SHORT_SCALES = {"k": 1_000, "m": 10**6, "mn": 10**6, "mio": 10**6, "b": 10**9, "bn": 10**9}
_LONGEST_SCALED = 40
_PLAIN = UNITS | TEENS | TENS
_NUMBER_WORDS = frozenset((*_PLAIN, *WEAK))
_NO_CLOCK: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Mention:
    """A number in a text. `value` is how it is compared; `clock` the times of day that it may mean."""

    value: str
    start: int
    end: int
    clock: frozenset[str] = _NO_CLOCK


@dataclass(frozen=True, slots=True)
class Numbers:
    """Those that a text states, and the values of the words in it that may stand for one."""

    stated: tuple[Mention, ...] = ()
    possible: frozenset[str] = frozenset()


_NONE = Numbers()


def read_numbers(text: str, words: frozenset[str]) -> Numbers:
    """The numbers of a text; `words` are its words in lower case."""
    found: list[Mention] = []
    if _DIGIT.search(text):
        flat = text if text.isascii() else _with_ascii_digits(text)
        found = [mention for match in _matches(flat) for mention in _mentions(match)]
    known = _NUMBER_WORDS & words
    if not known:
        return Numbers(tuple(found)) if found else _NONE
    if not known.isdisjoint(_PLAIN):
        found += _spelled(text)
    return Numbers(tuple(found), frozenset(str(WEAK[word]) for word in known if word in WEAK))


def unmatched(of: Numbers, other: Numbers) -> tuple[Mention, ...]:
    """The numbers of `of` that the other text does not have in any way of writing."""
    if not of.stated:
        return ()
    values = {mention.value for mention in other.stated} | other.possible
    clocks = {time for mention in other.stated for time in mention.clock}
    return tuple(
        mention
        for mention in of.stated
        if mention.value not in values and mention.value not in clocks and values.isdisjoint(mention.clock)
    )


def _matches(text: str) -> Iterator[re.Match[str]]:
    """Numbers in their order; stretches without a digit are skipped, for they take most of the time."""
    at = 0
    while (digit := _DIGIT.search(text, at)) is not None:
        from_word = text.rfind(" ", at, max(at, digit.start() - 1)) + 1 or at
        match = _WRITTEN.search(text, from_word)
        if match is None:
            return
        yield match
        at = match.end()


def _mentions(match: re.Match[str]) -> Sequence[Mention]:
    start, end = match.span()
    if (version := match["version"]) is not None:
        parts = version.lstrip("vV").split(".")
        if len(parts) == 3 and (len(parts[2]) == 4 or len(parts[0]) == 4):  # A date.
            return [Mention(_whole(part), start, end) for part in parts]
        return (Mention(".".join(map(_whole, parts)), start, end),)
    if (name := match["id"] or match["short"]) is not None:
        return (Mention(name.lower().replace("-", ""), start, end),)
    if match["half"] is not None:
        hour = int(match["hour"]) % 12 + (12 if match["half"] in "pP" else 0)
        return (Mention(f"{hour}:{match['minute'] or '00'}", start, end),)
    if (clock := match["clock"]) is not None:
        at, minute = clock.split(":")
        hour = int(at)
        either = {f"{hour % 12}:{minute}", f"{hour % 12 + 12}:{minute}"} if hour <= 12 else ()
        return (Mention(f"{hour}:{minute}", start, end, frozenset(either)),)
    written, scale = match["number"], 1
    if match["scale"]:
        scale = SCALES[match["scale"].lower()]
    elif match["unit"] and (match["unit"] in "kK" or match["before"]):
        scale = _SHORT_SCALES[match["unit"].lower()]
    value = _value(written, scale, money=match["before"] is not None)
    return (Mention(value, match.start("number"), end if scale > 1 else match.end("number"), _hours(value)),)


def _value(written: str, scale: int, *, money: bool) -> str:
    """A number as it is compared: without separators, and as many decimals as it was given."""
    whole, point, decimals = written, "", ""
    for mark in ("'", "’", "\u00a0", "\u2009", "\u202f"):
        whole = whole.replace(mark, "")
    comma, dot = whole.rfind(","), whole.rfind(".")
    if comma >= 0 and (dot > comma or len(whole) - comma == 4):
        whole = whole.replace(",", "")
    elif comma >= 0:
        whole = whole.replace(".", "").replace(",", ".")
    whole, point, decimals = whole.partition(".")
    if scale > 1 and len(written) <= _LONGEST_SCALED:
        product, unit = int(whole + decimals) * scale, 10 ** len(decimals)
        whole, decimals = str(product // unit), str(product % unit + unit)[1:].rstrip("0")
    if point and (money or not decimals.strip("0")):
        decimals = decimals.rstrip("0")
    return f"{_whole(whole)}.{decimals}" if decimals else _whole(whole)


def _whole(digits: str) -> str:
    """Leading zeros count in an identifier, not in a day, an hour or a price."""
    return digits.lstrip("0") or "0" if len(digits) <= 2 else digits


@lru_cache(maxsize=64)
def _clock_of(hour: int) -> frozenset[str]:
    return frozenset((f"{hour % 12}:00", f"{hour % 12 + 12}:00") if hour <= 12 else (f"{hour % 24}:00",))


def _hours(value: str) -> frozenset[str]:
    return _clock_of(int(value)) if len(value) <= 2 and value.isdecimal() and int(value) <= 24 else _NO_CLOCK


def _spelled(text: str) -> list[Mention]:
    """Numbers in words, such as "twenty-five" and "two hundred"."""
    words = [(match[0].lower(), match.start(), match.end()) for match in _WORD.finditer(text)]
    found, at = [], 0
    while at < len(words):
        word, start, end = words[at]
        at += 1
        number = _PLAIN.get(word)
        if number is None:
            continue
        if word in TENS and at < len(words) and (unit := _unit(words[at][0])) and words[at][1] - end == 1:
            number, end, at = number + unit, words[at][2], at + 1
        if at < len(words) and words[at][0] in SCALES and words[at][1] - end == 1:
            number, end, at = number * SCALES[words[at][0]], words[at][2], at + 1
        found.append(Mention(str(number), start, end, _hours(str(number))))
    return found


def _unit(word: str) -> int:
    number = 1 if word == "one" else UNITS.get(word, 0)
    return number if number < 10 else 0


def _with_ascii_digits(text: str) -> str:
    """Each digit of any script as 0 to 9, in its place."""
    return "".join(_ascii(char) for char in text)


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    digit: int = unicodedata.decimal(char, -1)
    return str(digit) if digit >= 0 else char
