"""Guards: what says that two near prompts ask for different things, where their vectors can't tell.

Embeddings hardly see a changed number, name, negation or opposite. A guard that fires on a prompt and a
cached one keeps its answer from being served, however near it is. Pure, and quick enough for every hit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from costconsole.cache.guard_numbers import unmatched
from costconsole.cache.guard_text import TOKEN, Text, foreign_names, opposed, unfamiliar
from costconsole.domain.figures import GUARDS

STRICT_FROM = 0.90
"""Similarity from which negations and opposites refuse: below it they say little."""

Kind = Literal["number", "entity", "negation", "antonym", "word"]
Side = Literal["query", "cached"]


def fired(query: str, cached: str, similarity: float, switches: Collection[str] = GUARDS) -> tuple[str, ...]:
    """The guards among `switches` that refuse to answer `query` with the answer to `cached`.

    `numbers`: a number in one text that the other has in no way of writing. `entities`: each text names
    something that does not occur in the other. `negation`: one is negated, the other not. `antonyms`: a word
    stands against its opposite. The last two only from a similarity of STRICT_FROM.
    """
    if query == cached or not switches:
        return ()
    one, other = Text(query), Text(cached)
    checks = _CHECKS if similarity >= STRICT_FROM else _ALWAYS
    return tuple([name for name, differ in checks if name in switches and differ(one, other)])


@dataclass(frozen=True, slots=True)
class Span:
    """A place where one of two texts differs from the other. `start` and `end` count characters."""

    side: Side
    start: int
    end: int
    kind: Kind
    text: str


def differences(query: str, cached: str) -> tuple[Span, ...]:
    """Where the texts differ, first in the query, then in the cached one, each in its order.

    Numbers, names, negations and opposites have their kind, whatever guard looks at them; other words that
    only one text has are of the kind `word`. Spans of a text do not overlap.
    """
    one, other = Text(query), Text(cached)
    return (*_spans("query", one, other), *_spans("cached", other, one))


def explain(query: str, cached: str, guards: Iterable[str]) -> str:
    """Why guards refused, in words: "numbers differ: 30 / 60", the query's first."""
    spans = differences(query, cached)
    said = []
    for name in guards:
        if name in _SAID:
            title, kind = _SAID[name]
            sides = [
                ", ".join(span.text for span in spans if span.kind == kind and span.side == side) or "none"
                for side in ("query", "cached")
            ]
            said.append(f"{title}: {sides[0]} / {sides[1]}")
    return "; ".join(said)


class Labelled(Protocol):
    """What `guard_effects` needs of an event."""

    @property
    def query(self) -> str: ...
    @property
    def cached(self) -> str: ...
    @property
    def similarity(self) -> float: ...
    @property
    def guards(self) -> Sequence[str]: ...
    @property
    def verdict(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class GuardEffect:
    """How often a guard fires on labelled pairs; "unsure" is among the different ones."""

    same: int = 0
    different: int = 0
    fires_same: int = 0
    fires_different: int = 0

    @property
    def n(self) -> int:
        """Labelled pairs."""
        return self.same + self.different

    @property
    def ratio(self) -> float | None:
        """Its rate of firing on different pairs over that on same ones; None where it can't be told."""
        if not self.different or not self.fires_same:
            return None
        return (self.fires_different / self.different) / (self.fires_same / self.same)


def guard_effects(events: Iterable[Labelled]) -> dict[str, GuardEffect]:
    """What each guard does on the labelled pairs of an application, switched on or not.

    Where the texts of a pair weren't kept, the guards that fired when it was met count.
    """
    counts = {name: [0, 0, 0, 0] for name in GUARDS}
    for event in events:
        if event.verdict is None:
            continue
        different = event.verdict != "same"
        known = event.query and event.cached
        found = fired(event.query, event.cached, event.similarity) if known else event.guards
        for name, count in counts.items():
            count[different] += 1
            count[2 + different] += name in found
    return {name: GuardEffect(*count) for name, count in counts.items()}


def _numbers(one: Text, other: Text) -> bool:
    mine, theirs = one.numbers, other.numbers
    if not mine.stated and not theirs.stated:
        return False
    return bool(unmatched(mine, theirs) or unmatched(theirs, mine))


def _entities(one: Text, other: Text) -> bool:
    mine = foreign_names(one, other)
    theirs = foreign_names(other, one) if mine else []
    if not theirs:
        return False
    return bool(unfamiliar(mine, theirs, other)) and bool(unfamiliar(theirs, mine, one))


def _negation(one: Text, other: Text) -> bool:
    return len(one.negations()) % 2 != len(other.negations()) % 2


def _antonyms(one: Text, other: Text) -> bool:
    return bool(opposed(one, other))


_Check = tuple[str, Callable[[Text, Text], bool]]
_ALWAYS: tuple[_Check, ...] = (("numbers", _numbers), ("entities", _entities))
_CHECKS: tuple[_Check, ...] = (*_ALWAYS, ("negation", _negation), ("antonyms", _antonyms))
_SAID: Mapping[str, tuple[str, Kind]] = {
    "numbers": ("numbers differ", "number"),
    "entities": ("names differ", "entity"),
    "negation": ("only one is negated", "negation"),
    "antonyms": ("opposites", "antonym"),
}


def _spans(side: Side, one: Text, other: Text) -> list[Span]:
    marked: list[tuple[int, int, Kind]] = [
        (mention.start, mention.end, "number") for mention in unmatched(one.numbers, other.numbers)
    ]
    numbers = {(mention.start, mention.end) for mention in one.numbers.stated}
    names = set(foreign_names(one, other))
    # By how often, for parity counts: a second "not" is a difference though the other text has one.
    negations = one.negations() if len(one.negations()) != len(other.negations()) else []
    opposites = opposed(one, other)
    for match in TOKEN.finditer(one.text):
        token, word = match[0], match[0].lower()
        start, end = match.span()
        if any(start < after and before < end for before, after in numbers):
            continue
        if word in negations:
            marked.append((start, end, "negation"))
        elif token in names:
            marked.append((start, end, "entity"))
        elif word in opposites:
            marked.append((start, end, "antonym"))
        elif word not in other.words:
            marked.append((start, end, "word"))
    marked.sort()
    return [Span(side, start, end, kind, one.text[start:end]) for start, end, kind in marked]
