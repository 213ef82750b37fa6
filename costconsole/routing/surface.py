"""What an instruction looks like, beside what it means: its first verb, question words, digits, code.

A vector says what a sentence is about; whether it asks for a list, a story or a number shows in a few words
at its surface. Each feature is 0, 1 or a small number, so that a regression can weigh it beside the vector.
"""

from __future__ import annotations

import math
import re
from typing import Final

from costconsole.routing.vocabulary import ANYWHERE, LEADS, ORDERS, POLITE, UNSPACED

READ: Final = 2_000
"""Characters that are looked at: an instruction is shorter."""
_LONGEST_LEAD = 80
_WORD = re.compile(r"[\w'’+#;-]+(?:\.\w+)?")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_SENTENCES = re.compile(r"[.!?:;]\s+|\n")
_LATER = 400
_NAME = re.compile(r"[a-z,] [A-Z][a-z]")
_ENUMERATION = re.compile(
    r"(?:[:?.]|\blist|\bfollowing|\bthese)\s*\W?\w[^,.?:;\n]{0,30}"
    r",\s?[^,.?:;\n]{1,30}(?:,|$|\?|\.| or | and )"
)
_CHOICE = re.compile(r"\b(?:either|as|are|is|or) [^,.:?]{1,40}? or [^.?,:]{1,40}(?:[:?.]|$)")
_CODE_LINE = re.compile(
    r"^\s*(?:def|class|import|from|public|private|function|var|let|const|#include|SELECT|int|for|while|if|return)\b.*[({;:=]"
    r"|[;{]\s*$|\)\s*[{;]|=>|==|!=|</\w|\w\(\)|\w\.\w+\(|\w\[\w+\]|\[\d+(?:,\s?-?\d+)+\]",
    re.MULTILINE,
)
_CODE_SIGNS = frozenset("{}()[];=<`")

_NAMES: Final = (*(f"begins:{name}" for name in LEADS), *(f"has:{name}" for name in ANYWHERE))
FEATURES: Final = (
    *_NAMES,
    *("choice", "enumeration", "code", "question", "ends:question", "colon", "numbers", "several_numbers"),
    *("length", "long", "sentences", "commas", "names", "lines", "begins:other", "story"),
)
"""The names of the features, in the order of `features`."""


_Entry = tuple[int, tuple[tuple[str, int], ...]]


def _index(table: dict[str, str], first: int) -> dict[str, _Entry]:
    """Word -> the bits of the features it sets, and the phrases that begin with it, with theirs."""
    words: dict[str, int] = {}
    phrases: dict[str, dict[str, int]] = {}
    for bit, listed in enumerate(table.values(), start=first):
        for text in listed.split("|"):
            head, _, rest = text.partition(" ")
            if rest:
                of_head = phrases.setdefault(head, {})
                of_head[f" {text} "] = of_head.get(f" {text} ", 0) | 1 << bit
            else:
                words[text] = words.get(text, 0) | 1 << bit
    return {
        word: (words.get(word, 0), tuple(phrases.get(word, {}).items()))
        for word in words.keys() | phrases.keys()
    }


_LEADS = _index(LEADS, 0)
_WORDS = _index(ANYWHERE, len(LEADS))
_POLITE = _index({"polite": POLITE}, 0)
_NOTHING: _Entry = (0, ())
_BITS = tuple(1 << bit for bit in range(len(_NAMES)))
_ORDERS = sum(1 << bit for bit, name in enumerate(LEADS) if name in ORDERS)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UNSPACED_WORDS = tuple((1 << _NAMES.index(name), re.compile(words)) for name, words in UNSPACED.items())
_FULL_WIDTH = str.maketrans("？：，。！；", "?:,.!;")
_ANY_LEAD = (1 << len(LEADS)) - 1


def features(instruction: str, *, code: bool = False) -> list[float]:
    """The surface features of an instruction, one for each of `FEATURES`, each from 0 to 6.

    `code`: there is code beside the instruction.
    """
    text = instruction[:READ]
    unspaced = not text.isascii() and _UNSPACED.search(text) is not None
    if unspaced:
        text = text.translate(_FULL_WIDTH)
    words = _WORD.findall(text.lower().replace("’", "'"))
    spaced = f" {' '.join(words)} "
    bits = _lead(spaced) or _later_order(text)
    for word in _WORDS.keys() & words:
        own, phrases = _WORDS[word]
        bits |= own
        for phrase, bit in phrases:
            if phrase in spaced:
                bits |= bit
    if unspaced:
        for bit, pattern in _UNSPACED_WORDS:
            if pattern.search(text):
                bits |= bit
    sentences = len(_SENTENCE.findall(text))
    numbers = len(_NUMBER.findall(text))
    return [
        *[1.0 if bits & bit else 0.0 for bit in _BITS],
        1.0 if " or " in text and _CHOICE.search(text) else 0.0,
        1.0 if "," in text and _ENUMERATION.search(text) else 0.0,
        1.0 if code or looks_like_code(text) else 0.0,
        1.0 if "?" in text else 0.0,
        1.0 if text.rstrip().endswith("?") else 0.0,
        1.0 if ":" in text else 0.0,
        _few(numbers),
        1.0 if numbers >= 3 else 0.0,
        _few(len(words)) / 2,
        1.0 if len(words) > 30 else 0.0,
        _few(sentences),
        _few(text.count(",")),
        _few(len(_NAME.findall(text))),
        _few(text.count("\n")),
        0.0 if bits & _ANY_LEAD else 1.0,
        1.0 if numbers >= 2 and sentences >= 2 else 0.0,
    ]


def looks_like_code(text: str) -> bool:
    """Whether a line of the text is written in a programming language, fenced or not."""
    return not _CODE_SIGNS.isdisjoint(text) and ("```" in text or _CODE_LINE.search(text) is not None)


def begins_with_order(text: str) -> bool:
    """Whether the text begins with a verb of doing, "please" and its like aside."""
    words = _WORD.findall(text[:READ].lower().replace("’", "'"))
    return bool(_lead(f" {' '.join(words)} ") & _ORDERS)


def _later_order(text: str) -> int:
    """The bits of the first sentence after the first that tells someone to do something, or follows a few
    words that ask nothing ("Sorry to bother you. Where is ...")."""
    for number, sentence in enumerate(_SENTENCES.split(text[:_LATER], maxsplit=3)[:3]):
        if number:
            words = _WORD.findall(sentence.lower().replace("’", "'"))
            bits = _lead(f" {' '.join(words)} ") & _ORDERS
            if bits:
                return bits
    return 0


def _lead(spaced: str) -> int:
    """The bits of what the text begins with, politeness aside."""
    start = spaced[:_LONGEST_LEAD]
    while polite := _beginnings(start, _POLITE):
        start = start[max(len(words) for words, _ in polite) - 1 :]
    bits = 0
    for _, bit in _beginnings(start, _LEADS):
        bits |= bit
    return bits


def _beginnings(start: str, index: dict[str, _Entry]) -> list[tuple[str, int]]:
    """The words and phrases of the index that the text begins with; it begins with a blank."""
    word = start[1 : start.find(" ", 1)]
    own, phrases = index.get(word, _NOTHING)
    found = [(f" {word} ", own)] if own else []
    return found + [(phrase, bit) for phrase, bit in phrases if start.startswith(phrase)]


def _few(count: int) -> float:
    """A count on a scale where the first ones matter most, up to 3 or so."""
    return min(6.0, math.log1p(count))
