"""What a person types, as a query for TEXT fields, and as a test on plain text."""

from __future__ import annotations

import re

# RediSearch splits text at the first line of these. The others are quotes, dashes and the like of
# typography: to it they are letters, so words are asked for with them as well (`_DRESSED`).
_SEPARATORS = re.compile(
    r"[\s\x00-\x1f,.<>{}\[\]\"':;!@#$%^&*()\-+=~/\\|?`\x7f\ud800-\udfff"
    r"\u00a1\u00ab\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u205e\u3000-\u3003\u3008-\u301f\uff01\uff0c\uff1f]+"
)
_DRESSED = (
    "“{}”", "“{}", "{}”", "„{}“", "„{}”", "„{}", "{}“", "‘{}’", "‘{}", "{}’", "‚{}‘", "‚{}", "{}‘",
    "«{}»", "«{}", "{}»", "»{}«", "»{}", "{}«", "‹{}›", "›{}‹", "{}…", "…{}", "…{}…", "—{}", "–{}",
    "¿{}", "¡{}",
)  # fmt: skip
_GLUED = ("’", "—", "–", "…")
# Scripts written without spaces, and signs, that are often written without one: a term is more than the
# word there, so a word is looked for inside it.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2190-\u2bff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
# The index keeps 16 bits of a letter when it looks inside terms: beyond them lie emoji, and rare ideographs.
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
# With ’ the index has `carrier’s` as one word, with ' as two: it is asked for the first part alone.
_CONTRACTED = re.compile(r"(?<=\w)['’]\w{1,2}\b")
_JOINERS = dict.fromkeys((0x200D, 0xFE0E, 0xFE0F))
"""Tell how an emoji is drawn; the same emoji is stored with and without them."""
_SHORTEST_PREFIX = 2
_MOST_TERMS = 32


def terms_of(query: str) -> tuple[str, ...]:
    """The words of a query, as the index has them: lower case, split at punctuation."""
    return tuple(term for term in _SEPARATORS.split(_folded(query)) if term)[:_MOST_TERMS]


def is_loose(query: str) -> bool:
    """Whether `text_query` finds more than this, so that entries must be read: it has emoji, or a `’s`."""
    return _is_beyond(query) or _CONTRACTED.search(query) is not None


def text_query(query: str, fields: tuple[str, ...]) -> str | None:
    """A query for entries that hold every word in one of the fields; the last word may be unfinished.

    None when there is no word in it that an index knows. Nothing that is typed acts as an operator.
    Not found is a word right behind another one and a dash, or one with an emoji right behind it.
    """
    last = terms_of(query)[-1:]
    terms = [term for term in terms_of(_CONTRACTED.sub(" ", query)) if not _is_beyond(term)]
    if not terms:
        return None
    words = [_word(term, last=(term,) == last) for term in terms]
    return f"@{'|'.join(fields)}:({' '.join(words)})"


def inner_query(query: str, fields: tuple[str, ...]) -> str | None:
    """`text_query` that also finds a word inside a term, for fields whose text is JSON or has escapes.

    There a new line is written `\\n` and becomes part of the word after it. It finds more than was meant.
    """
    terms = terms_of(query)
    if not terms:
        return None
    words = []
    for term in terms:
        escaped = re.sub(r"([^\w]|_)", r"\\\1", term)
        words.append(f"({escaped}|*{escaped}*)" if len(term) >= _SHORTEST_PREFIX else escaped)
    return f"@{'|'.join(fields)}:({' '.join(words)})"


def holds(query: str, *texts: str | None) -> bool:
    """Whether the texts hold every word of the query: `text_query` without an index.

    The last word may be unfinished. A query without any word is looked for as it stands.
    """
    terms = terms_of(query)
    found = _folded(" ".join(text for text in texts if text))
    if not terms:
        return bool(query.strip()) and _folded(query.strip()) in found
    words = set(_SEPARATORS.split(found))
    *whole, last = terms
    return all(term in words or (_is_inside(term) and term in found) for term in whole) and (
        any(word.startswith(last) for word in words) or (_is_inside(last) and last in found)
    )


def glob_escaped(text: str) -> str:
    """A text as a pattern of SCAN that matches only itself."""
    return re.sub(r"([\\*?\[\]^])", r"\\\1", text)


def is_glob(text: str) -> bool:
    """Whether a person means a pattern of keys."""
    return any(sign in text for sign in "*?[")


def tag_escaped(value: str) -> str:
    """A value for a TAG filter, with everything that isn't a letter, digit or _ escaped."""
    return re.sub(r"([^\w])", r"\\\1", value)


def _is_beyond(term: str) -> bool:
    return _BEYOND.search(term) is not None


def _folded(text: str) -> str:
    return text.lower().translate(_JOINERS)


def _is_inside(term: str) -> bool:
    return _UNSPACED.search(term) is not None or _is_beyond(term)


def _word(term: str, *, last: bool) -> str:
    # An escaped sign that isn't ASCII is found nowhere.
    escaped = re.sub(r"([\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f])", r"\\\1", term)
    if _UNSPACED.search(term):
        return f"*{escaped}*"
    words = [escaped, *(dressed.format(escaped) for dressed in _DRESSED)]
    if not term.isascii():
        # Of most scripts an index keeps capital letters as they were written, and finds only the same.
        capital = {escaped.capitalize(), escaped.upper()} - {escaped}
        words += sorted(dressed.format(one) for one in capital for dressed in ("{}", "«{}»", "„{}“", "{}…"))
    if last and len(term) >= _SHORTEST_PREFIX:
        words += [f"{escaped}*", *(f"{opening}{escaped}*" for opening in "“„‘«»—–…")]
    else:
        words += [f"{escaped}{sign}*" for sign in _GLUED]
    return f"({'|'.join(words)})"
