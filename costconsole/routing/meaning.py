"""The task of an instruction, from its vector and wording: by examples, or as learnt from labels.

Everything with vectors in it is made in the background and replaced as a whole; deciding only reads it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from costconsole.routing.centroids import (
    PROBE,
    Centroids,
    TaskCentroids,
    as_row,
    embed_groups,
    log_odds,
    shipped_examples,
)
from costconsole.routing.evidence import evidence
from costconsole.routing.model import TASKS, Route, RoutingConfig
from costconsole.routing.trained import Trained, load_trained

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder
    from costconsole.routing.rules import Reading

SURE: Final = 0.8
"""Probability of a tier from which the wording alone is enough, however far the examples are."""
LIKELY: Final = 0.65
"""The same for where one task stands out, at `CLEAR` or more."""
CLEAR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Meant:
    """What an instruction was found to be.

    `tasks`: the probability of each task or learnt label. `nearest`: similarity of the nearest example of all
    tasks, None without a vector. `routes`: the similarity to each route with examples of its own.
    `distances`: those of its examples, for a router of RedisVL's.
    """

    tasks: Mapping[str, float]
    nearest: float | None
    routes: Mapping[str, float]
    distances: Mapping[str, Sequence[float]]

    @property
    def certainty(self) -> float:
        """The probability of the likelier tier."""
        strong = sum(share for task, share in self.tasks.items() if TASKS.get(task) == "strong")
        cheap = sum(share for task, share in self.tasks.items() if TASKS.get(task) == "cheap")
        return max(strong, cheap, 1.0 - strong - cheap)

    @property
    def sure(self) -> bool:
        """Whether the tier is known however far the examples are."""
        return self.certainty >= (LIKELY if max(self.tasks.values()) >= CLEAR else SURE)


class Meaning:
    """The vectors of one config's examples, and what was learnt for it."""

    def __init__(self, config: RoutingConfig, embedder: Embedder, trained: Trained | None = None) -> None:
        """Blocks while the examples are embedded; raises a Problem as the embedder does."""
        self.key = examples_of(config)
        self._shipped = TaskCentroids(embed_groups(shipped_examples(), embedder))
        examples = {route.name: route.references for route in config.routes if route.references}
        # Apart from the shipped ones, whose vectors serve every config.
        self._rows = embed_groups(examples, embedder) if examples else {}
        self._own = Centroids(self._rows) if self._rows else None
        # A task's route with examples of its own is known by these instead of ours.
        self._instead = {
            route.task: route.name for route in config.routes if route.task in TASKS and route.references
        }
        if trained is None:
            trained = load_trained(config.source, embedder, as_row(embedder.embed([PROBE])[0].vector))
        self.trained = trained

    @property
    def dims(self) -> int:
        return int(self._shipped.centroids.shape[1])

    def read(self, vector: bytes, reading: Reading) -> Meant:
        """What the instruction means; `vector` is its embedding."""
        row = as_row(vector)
        centroids, nearest = self._shipped.compare(row)
        similarities = dict(zip(TASKS, map(float, centroids), strict=True))
        near = dict(zip(TASKS, map(float, nearest), strict=True))
        routes: dict[str, float] = {}
        if self._own is not None:
            own, own_nearest = self._own.compare(row)
            for name, middle, closest in zip(self._own.names, own, own_nearest, strict=True):
                routes[name] = max(float(middle), float(closest))
            by_route = dict(zip(self._own.names, map(float, own), strict=True))
            for task, name in self._instead.items():
                similarities[task], near[task] = by_route[name], routes[name]
        features = reading.features
        head = self.trained.head
        if head is not None:
            odds = log_odds([float(value) for value in centroids], features)
            tasks = dict(zip(head.labels, head.probabilities(row, features, odds), strict=True))
        else:
            tasks = _softmax(log_odds(list(similarities.values()), features))
        return Meant(tasks, max(near.values()), routes, _Distances(self._rows, row))


def by_wording(reading: Reading) -> Meant:
    """What the wording alone says, for when there is no vector."""
    return Meant(_softmax(evidence(reading.features)), None, {}, {})


def examples_of(config: RoutingConfig) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """What of a config has to be embedded anew when it changes."""
    own = tuple((route.name, route.task, route.references) for route in config.routes if route.references)
    return (("", config.source, ()), *own)


def learnt_routes(config: RoutingConfig) -> dict[str, Route]:
    """The route of each task, and of each label that is a route's name; the first of a task counts."""
    found: dict[str, Route] = {}
    for route in config.routes:
        found.setdefault(route.name, route)
        if route.task:
            found.setdefault(route.task, route)
    return found


class _Distances(dict[str, Sequence[float]]):
    """Cosine distances of a route's examples, computed when they are asked for."""

    def __init__(self, rows: Mapping[str, object], vector: object) -> None:
        super().__init__()
        self._rows, self._vector = rows, vector

    def __missing__(self, route: str) -> Sequence[float]:
        rows = self._rows.get(route)
        found = [] if rows is None else [1.0 - float(value) for value in rows @ self._vector]  # type: ignore[operator]
        self[route] = found
        return found


def _softmax(odds: Sequence[float]) -> dict[str, float]:
    most = max(odds)
    powers = [math.exp(value - most) for value in odds]
    total = sum(powers)
    return {task: power / total for task, power in zip(TASKS, powers, strict=True)}
