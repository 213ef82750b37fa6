"""One look-up in a semantic cache, and what people said about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["same", "different", "unsure"]
"""Would the cached answer have been right for this prompt? `unsure` counts as `different` in every bound."""

Source = Literal["operator", "judge", "feedback", "import"]
"""Who said so: a person at the labelling queue, a judge model, a hit that was marked wrong, or a file."""

FLOOR = 0.70
"""Similarity below which a nearest entry is no evidence: nobody would serve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A request and its nearest cached entry. Similarities are cosines, 1 = same.

    `neighbor` is the entry's key, `cached` its prompt ("" when it is gone), `guards` what refused it.
    `certified` says that a design drew the label, not its content; `drawn_from` is then the similarity from
    which it was drawn uniformly, and `inclusion` the chance with which it was.
    """

    id: str
    ts_ms: int = 0
    similarity: float
    threshold: float | None = None
    policy_version: int = 0
    hit: bool = False
    query: str = ""
    cached: str = ""
    neighbor: str = ""
    answer: str = ""
    scope: str = ""
    route: str = ""
    model: str = ""
    guards: tuple[str, ...] = ()
    verdict: Verdict | None = None
    source: Source | None = None
    certified: bool = False
    drawn_from: float = FLOOR
    inclusion: float | None = None

    @property
    def wrong(self) -> bool:
        """Labelled, and not as right."""
        return self.verdict is not None and self.verdict != "same"


def evidence(events: Iterable[Event], *, judge: bool = False) -> tuple[Event, ...]:
    """The labels that a bound may rest on: drawn by design, by people; by a judge only if asked for.

    What a guard refused is left out: no threshold would have served it.
    """
    return tuple(
        event
        for event in events
        if event.verdict is not None
        and event.certified
        and not event.guards
        and (judge or event.source != "judge")
    )
