"""What rules work on: a text in segments, and what is known about the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["safe", "strong"]
Kind = Literal["prose", "marker", "blank", "table", "json", "fence", "comment", "quote", "html", "layout"]
"""`marker`: a heading or a line that is one tag. `layout`: text whose spaces or lines may mean something:
indented lines, code, YAML, diffs, quoted passages, and whatever can't be told apart from them."""

SOFT: frozenset[Kind] = frozenset({"prose", "marker", "table", "json", "fence", "comment"})
"""Kinds around which one blank line says as much as several."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Whole lines of one kind, with their line ends. `language` is that of a fence, in lower case."""

    kind: Kind
    text: str
    language: str = ""


Document = Sequence[Segment]

PIECES = 30_000
"""Pieces of a text beyond which it is no prompt that rules could help: a megabyte of prose has 10,000."""


class TooFine(Exception):
    """The text falls into more pieces than are worth looking at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How rules are to work. `topics` is what the prompt itself speaks of (see `topics`)."""

    level: Level = "safe"
    topics: frozenset[str] = frozenset()
    boilerplate: Any = None
    """A compiled RE2 expression, or None."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One idea. `apply` gives the changed document, or None where there is nothing to change."""

    name: str
    apply: Callable[[Document, Context], Document | None]
    levels: frozenset[Level] = frozenset({"safe", "strong"})
    unless: frozenset[str] = frozenset()
    """Topics of a prompt for which the rule is left out."""
    tidies: bool = False
    """Worth doing even where it saves characters alone."""


def joined(document: Iterable[Segment]) -> str:
    return "".join(segment.text for segment in document)


def each(document: Document, kind: Kind, change: Callable[[Segment], str]) -> Document | None:
    """The document with every segment of a kind through `change`; None when none changed."""
    changed = False
    found: list[Segment] = []
    for segment in document:
        if segment.kind == kind:
            text = change(segment)
            if text != segment.text:
                changed = True
                segment = Segment(kind, text, segment.language)
        found.append(segment)
    return found if changed else None


def without(document: Document, gone: set[int]) -> Document:
    """The document without the segments at some places, nor the blank lines that followed each."""
    found: list[Segment] = []
    dropped = False
    for at, segment in enumerate(document):
        if at in gone:
            dropped = True
            continue
        if dropped and segment.kind == "blank" and (not found or found[-1].kind == "blank"):
            continue
        dropped = False
        found.append(segment)
    return found
