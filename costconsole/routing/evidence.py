"""What the surface of an instruction says for and against each task, weighed by hand.

For as long as nobody has labelled prompts, these weights stand in for learnt ones: natural logarithms of
odds, rounded to halves, from what the words mean and not from any collection of prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from costconsole.routing.model import TASKS
from costconsole.routing.surface import FEATURES

_WEIGHTS: Final[Mapping[str, Mapping[str, float]]] = {
    "begins:summarize": {"summarization": 3.0},
    "begins:extract": {"extraction": 1.5},
    "begins:classify": {"classification": 2.0},
    "begins:write": {"creative": 1.5, "coding": 0.5},
    "begins:list": {"brainstorming": 1.0, "extraction": 0.5},
    "begins:build": {"coding": 1.0},
    "begins:solve": {"reasoning": 1.5},
    "begins:wh": {"qa": 0.5, "creative": -0.5},
    "begins:what_are": {"brainstorming": 1.0},
    "begins:what_is": {"qa": 0.5, "brainstorming": -0.5},
    "begins:why_how": {"qa": 0.5},
    "begins:if": {"reasoning": 1.0},
    "begins:should": {"creative": 0.5, "brainstorming": 0.5},
    "has:summary": {"summarization": 2.0},
    "has:passage": {
        "extraction": 1.0,
        "summarization": 1.0,
        "qa": 0.5,
        "brainstorming": -1.0,
        "creative": -0.5,
    },
    "has:extracting": {"extraction": 2.5},
    "has:classifying": {"classification": 2.0},
    "has:or": {"classification": 0.5},
    "has:from": {"extraction": 0.5},
    "has:ideas": {"brainstorming": 1.5},
    "has:genre": {"creative": 2.0},
    "has:programming": {"coding": 1.5},
    "has:surely_programming": {"coding": 2.0},
    "has:quantity": {"reasoning": 0.5, "qa": 0.5},
    "has:arithmetic": {"reasoning": 0.5},
    "has:logic": {"reasoning": 2.0},
    "has:about": {"summarization": 1.0, "qa": 0.5},
    "choice": {"classification": 1.5},
    "enumeration": {"classification": 0.5},
    "code": {"coding": 2.0},
    "question": {"creative": -0.5, "coding": -0.5},
    "ends:question": {"qa": 0.5},
    "colon": {"classification": 0.5},
    "several_numbers": {"reasoning": 1.5},
    "long": {"reasoning": 0.5},
    "story": {"reasoning": 1.0},
}
_COLUMNS: Final = tuple(
    (FEATURES.index(feature), tuple((tuple(TASKS).index(task), weight) for task, weight in weights.items()))
    for feature, weights in _WEIGHTS.items()
)


def evidence(features: Sequence[float]) -> list[float]:
    """The log-odds of each of `TASKS`, in their order, by the surface features alone."""
    found = [0.0] * len(TASKS)
    for feature, weights in _COLUMNS:
        value = features[feature]
        if value:
            for task, weight in weights:
                found[task] += value * weight
    return found
