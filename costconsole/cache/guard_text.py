"""A text as the guards read it: its words, numbers, names and negations."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from costconsole.cache.guard_numbers import Numbers, read_numbers
from costconsole.cache.guard_words import GERMAN, NEGATIONS, opposites

TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CAPITAL_ASCII = re.compile(r"(?<![^\W_])[a-z0-9]*[A-Z][^\W_]*(?:['’][^\W_]+)*")
_SENTENCE_ENDS = ".!?:;…。！？"
_OPENING = " \t\n\"'“”„«»‘’([-*"
_DOTTED = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_NOT_ALNUM = re.compile(r"[\W_]+")
_NOT_MEANT = re.compile(r"\bno\.?\s*(?=[#\d])|\bor (?:why |if )?not\b")
"""What negates nothing: "order no. 5", "or not"."""
_TITLE_WORDS = 4
_LONG_NAME = 6
_LONGEST_GAP = 12


class Text:
    """A text, taken apart as far as it is asked for. `words` are in lower case, each once."""

    __slots__ = ("_numbers", "_squeezed", "_tokens", "lower", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.lower()
        self.words = frozenset(TOKEN.findall(self.lower))
        self._tokens: list[str] | None = None
        self._numbers: Numbers | None = None
        self._squeezed: str | None = None

    @property
    def tokens(self) -> list[str]:
        if self._tokens is None:
            self._tokens = TOKEN.findall(self.text)
        return self._tokens

    @property
    def numbers(self) -> Numbers:
        if self._numbers is None:
            self._numbers = read_numbers(self.text, self.words)
        return self._numbers

    def names(self) -> list[str]:
        """Capitalized words within a sentence, and words with capitals inside, wherever they stand."""
        whole = self.text
        if whole[1:] == self.lower[1:] or (whole.isupper() and " " in whole):
            return []
        found, only_inner = [], None
        for match in (_CAPITAL_ASCII if whole.isascii() else TOKEN).finditer(whole):
            token = match[0]
            rest = token[1:]
            if token == "I" or token.startswith(("I'", "I’")):
                continue
            if rest != rest.lower():
                found.append(token)
            elif token != token.lower() and _within_sentence(whole, match.start()):
                if only_inner is None:
                    only_inner = self._capitals_mean_nothing()
                if not only_inner:
                    found.append(token)
        return found

    def negations(self) -> list[str]:
        """Its negating words in lower case, as often as they stand there."""
        if NEGATIONS.isdisjoint(self.words) and "n't" not in self.lower and "n’t" not in self.lower:
            return []
        return [word for word in TOKEN.findall(_NOT_MEANT.sub("", self.lower)) if _negates(word)]

    def has(self, name: str) -> bool:
        """Whether a name of another text occurs here, in any case, spelled as one word or several."""
        name = name.lower()
        if name in self.words:
            return True
        bare = _bare(name)
        if len(bare) > 3:
            squeezed = self._squeeze()
            return bare in squeezed or bare.removesuffix("s") in squeezed
        return bare in self.words or any(
            bare == _NOT_ALNUM.sub("", match[0]) for match in _DOTTED.finditer(self.lower)
        )

    def _squeeze(self) -> str:
        """Letters and digits alone, without accents."""
        if self._squeezed is None:
            self._squeezed = _plain(_NOT_ALNUM.sub("", self.lower))
        return self._squeezed

    def _capitals_mean_nothing(self) -> bool:
        """A title, with a capital in every word; or German, which capitalizes its nouns."""
        long = [token for token in self.tokens if len(token) > 3]
        titled = len(long) >= _TITLE_WORDS and all(token[0] != token[0].lower() for token in long)
        return titled or len(self.words & GERMAN) > 1


def foreign_names(one: Text, other: Text) -> list[str]:
    """Names in `one` that do not occur in `other`."""
    return [name for name in one.names() if not other.has(name)]


def unfamiliar(names: Sequence[str], theirs: Sequence[str], other: Text) -> list[str]:
    """Those that are no abbreviation of words in the other text, nor spelled out or misspelled there.

    `theirs` are the other text's names that do not occur in the one of `names`.
    """
    initials = "".join([token[0] for token in other.tokens]).lower()
    joined = "".join([name[0] for name in names]).lower()
    if any(token.isupper() and len(token) > 1 and token.lower() == joined for token in other.tokens):
        return []
    return [
        name
        for name in names
        if not (name.isupper() and len(name) > 1 and name.lower() in initials)
        and not any(_misspelled(_bare(name), _bare(their)) for their in theirs)
    ]


def opposed(one: Text, other: Text) -> set[str]:
    """Words of `one` whose opposite stands in `other`, where neither text has both."""
    known = opposites()
    mine = known.keys() & (one.words - other.words)
    if not mine:
        return set()
    theirs = known.keys() & (other.words - one.words)
    return {
        word
        for word in mine
        if one.words.isdisjoint(known[word])
        and any(opposite in known[word] and other.words.isdisjoint(known[opposite]) for opposite in theirs)
    }


def _within_sentence(text: str, at: int) -> bool:
    gap = text[max(0, at - _LONGEST_GAP) : at]
    before = gap.rstrip(_OPENING)
    return bool(before) and before[-1] not in _SENTENCE_ENDS and "\n" not in gap[len(before) :]


def _negates(word: str) -> bool:
    return word in NEGATIONS or word.endswith(("n't", "n’t"))


def _misspelled(one: str, other: str) -> bool:
    """Whether two long words differ in one letter only."""
    short, long = sorted((one, other), key=len)
    if len(short) < _LONG_NAME or len(long) - len(short) > 1 or not (one + other).isalpha():
        return False
    at = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _bare(name: str) -> str:
    """In lower case, without accents and a possessive ending."""
    return _plain(re.split("['’]", name.lower(), maxsplit=1)[0])


def _plain(text: str) -> str:
    """Without accents."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
