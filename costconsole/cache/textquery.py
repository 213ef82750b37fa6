"""What a person types, as a query for TEXT fields, and as a test on plain text."""

from __future__ import annotations

import re

# RediSearch splits text at these; none of them is ever part of a term.
_SEPARATORS = re.compile(r"[\s\x00-\x1f,.<>{}\[\]\"':;!@#$%^&*()\-+=~/\\|?`\x7f\ud800-\udfff]+")
# Scripts written without spaces: a term is a whole clause there, so a word is looked for inside it.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_SHORTEST_PREFIX = 2
_MOST_TERMS = 32


def terms_of(query: str) -> tuple[str, ...]:
    """The words of a query, as the index has them: lower case, split at punctuation."""
    return tuple(term for term in _SEPARATORS.split(query.lower()) if term)[:_MOST_TERMS]


def text_query(query: str, fields: tuple[str, ...]) -> str | None:
    """A query for entries that hold every word in one of the fields; the last word may be unfinished.

    None when there is no word in it. Nothing that is typed acts as an operator.
    """
    terms = terms_of(query)
    if not terms:
        return None
    words = [_word(term, last=term is terms[-1]) for term in terms]
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
    found = " ".join(text.lower() for text in texts if text)
    if not terms:
        return bool(query.strip()) and query.strip().lower() in found
    words = set(_SEPARATORS.split(found))
    *whole, last = terms
    return (
        all(term in words or (_UNSPACED.search(term) and term in found) for term in whole)
        and any(word.startswith(last) for word in words)
    ) or bool(_UNSPACED.search(last) and last in found)


def glob_escaped(text: str) -> str:
    """A text as a pattern of SCAN that matches only itself."""
    return re.sub(r"([\\*?\[\]^])", r"\\\1", text)


def is_glob(text: str) -> bool:
    """Whether a person means a pattern of keys."""
    return any(sign in text for sign in "*?[")


def tag_escaped(value: str) -> str:
    """A value for a TAG filter, with everything that isn't a letter, digit or _ escaped."""
    return re.sub(r"([^\w])", r"\\\1", value)


def _word(term: str, *, last: bool) -> str:
    escaped = re.sub(r"([^\w]|_)", r"\\\1", term)
    if _UNSPACED.search(term):
        return f"*{escaped}*"
    return f"({escaped}|{escaped}*)" if last and len(term) >= _SHORTEST_PREFIX else escaped
