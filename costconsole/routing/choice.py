"""What the router is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from costconsole.cache.request import Message
from costconsole.routing.model import Model

Kind = Literal[
    "explicit",
    "sticky",
    "tag",
    "tools",
    "code",
    "length",
    "keywords",
    "pattern",
    "task",
    "unsure",
    "gain",
    "default",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One call before its model is known.

    `requested` is a model's name or an alias ("" leaves the choice to the router). `conversation` names what
    the call belongs to, where the caller knows; else its first turns do. `input_tokens` is 0 if not counted.
    `vector` is the embedding of `instruction_of(messages)`, where there is one (see `asks_the_same`).
    """

    messages: tuple[Message, ...]
    requested: str = ""
    tag: str = ""
    tools: bool = False
    conversation: str = ""
    input_tokens: int = 0
    vector: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The model, and why.

    `route` and `task` are "" where none was found. `reason` is one sentence for people. `scores` has a number
    for every route that was weighed: a probability for a task, a similarity for one with examples of its own.
    `similarity` is that of the nearest example. `fallbacks` are never less capable than `model`.
    `needs_vector`: the decision was made without the embedding that it should have had.
    """

    route: str
    task: str
    model: Model
    kind: Kind
    reason: str
    scores: Mapping[str, float]
    similarity: float | None
    fallbacks: tuple[Model, ...]
    needs_vector: bool = False
