"""What a prompt speaks of, where that makes a rule wrong: its own layout, comments, repetitions.

"Why is this JSON indented wrongly?" needs the indentation. Words of the prompt's beginning and end are
looked at (that is where instructions stand), in prose alone. Finding a topic only ever leaves a rule out.
"""

from __future__ import annotations

import re

from costconsole.prompt.document import Document

_TOPICS = {
    "layout": r"indent\w*|white ?-?spaces?\b|spaces\b|spacing\b|tabs\b|(?:blank|empty) lines?|line ?-?breaks?"
    r"|new ?lines?\b|align(?:ed|ment)\b|pretty[ -]?print\w*|prettif\w*|minif\w*|reformat\w*|verbatim"
    r"|exactly as|exact (?:same )?(?:format|formatting|layout)|(?:byte|character|letter)[ -](?:for"
    r"|by)[ -]|(?:number of|how many"
    r"|count\w*) (?:the )?characters"
    r"|layout|poems?\b|ascii[ -]art|typograph\w*|einrück\w*|leerzeichen|zeilenumbr\w*",
    "comments": r"comment(?:s|ed|ing)?\b|annotat\w*|docstrings?|todos?\b|fixmes?\b|licen[sc]e headers?"
    r"|document (?:the|this) (?:code|function)|kommentare?\b",
    "repetition": r"how (?:many|often)|duplicat\w*|repeated\b|repetit\w*|redundan\w*|compar(?:e|ing|ison)\b"
    r"|differ(?:s|ences?)?\b|identical|occurrences?|count the|most (?:often|frequent\w*)|wie (?:viele|oft)"
    r"|number of (?:times|passages|documents|paragraphs)|vergleich\w*|doppelt\w*",
    "html": r"html\w*|markup|css\b|xpath|selectors?\b|dom\b|attributes?\b|tags?\b|elements?\b|scrap(?:e"
    r"|er|ing)\b"
    r"|accessibility|aria\b|javascript|scripts?\b|stylesheets?\b|iframes?\b|href\b",
    "thread": r"threads?\b|conversations?\b|correspondence|mail chain|message history|timeline"
    r"|who (?:said|wrote)"
    r"|signatures?\b|disclaimers?\b|phone numbers?|contact (?:details|information|data)"
    r"|clauses?\b|enforceable|agreements?\b|quoted (?:text|reply|part|message)|verlauf\b",
    "escapes": r"escap(?:e|es|ed|ing)\b|unicode|code ?-?points?|encod(?:e|ed|ing)\b|ascii\b",
    "tables": r"padd(?:ing|ed)\b|column widths?|raw markdown|markdown (?:source|syntax|tables?)",
}
_SPEAKS = re.compile("|".join(rf"\b(?P<{name}>{words})" for name, words in _TOPICS.items()), re.IGNORECASE)
_LOOKED_AT = 4_000


def topics(document: Document) -> frozenset[str]:
    """The topics that a prompt speaks of: "layout", "comments", "repetition", "html", "thread", ..."""
    return topics_of(_ends([s.text for s in document if s.kind in ("prose", "marker", "comment")]))


def topics_of(text: str) -> frozenset[str]:
    """The topics of a text, all of which is looked at."""
    return frozenset(match.lastgroup for match in _SPEAKS.finditer(text) if match.lastgroup)


def _ends(texts: list[str]) -> str:
    """The beginning and the end of the texts together."""
    whole = "\n".join(texts)
    if len(whole) <= 2 * _LOOKED_AT:
        return whole
    return f"{whole[:_LOOKED_AT]}\n{whole[-_LOOKED_AT:]}"
