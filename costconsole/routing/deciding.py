"""From what an instruction means to a route and its model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from costconsole.routing.choice import Kind
from costconsole.routing.gain import NEAR
from costconsole.routing.meaning import Meaning, Meant, by_wording, learnt_routes
from costconsole.routing.model import TASKS, TIERS, Model, Route, RoutingConfig
from costconsole.routing.rules import Reading

OWN_THRESHOLD: Final = 0.5
"""Similarity from which a route with examples of its own is taken, where it says nothing."""


DOUBTFUL: Final = 0.35
"""Probability of the likeliest task below which it is as good as unknown."""


@dataclass(frozen=True, slots=True)
class Found:
    """A choice before it is known whether the model can take the call."""

    route: str
    task: str
    model: Model
    kind: Kind
    reason: str
    scores: Mapping[str, float] | None = None
    similarity: float | None = None
    fallbacks: Sequence[str] = ()
    needs_vector: bool = False


def has_meaning(config: RoutingConfig) -> bool:
    """Whether any route of the config is found by what an instruction means."""
    return any(route.task or route.references for route in config.routes)


def by_meaning(
    config: RoutingConfig, reading: Reading, meaning: Meaning | None, vector: bytes | None
) -> Found:
    """The route of a task, or the one with examples like the instruction."""
    meant = by_wording(reading) if meaning is None or vector is None else meaning.read(vector, reading)
    routes = learnt_routes(config)
    scores = {routes[task].name: share for task, share in meant.tasks.items() if task in routes}
    scores |= {route.name: meant.routes[route.name] for route in config.routes if _stands_alone(route, meant)}
    needs = meant.nearest is None

    own = _own_route(config, meant)
    if own is not None:
        near = meant.routes[own.name]
        said = f"it is like the examples of {own.name} (similarity {near:.2f})"
        return _taken(config, own, "task", said, scores, near, needs)

    task = max(meant.tasks, key=lambda name: meant.tasks[name])
    share = meant.tasks[task]
    unsure = _why_unsure(config, meant)
    if unsure:
        model = config.chosen("strong")
        said = f"unsure ({unsure}; at best {share:.0%} {task}), so the strong model"
        route = routes.get(task)
        return Found(
            route.name if route else "", task, model, "unsure", said, scores, meant.nearest, (), needs
        )
    route = _passing(meant, routes)
    if route is None:
        said = f"it looks like {task} ({share:.0%}), for which there is no route, so the default answers"
        model = config.chosen(config.default)
        return Found("", task, model, "default", said, scores, meant.nearest, (), needs)
    label = route.task or route.name
    share = meant.tasks.get(route.task, meant.tasks.get(route.name, share))
    how = " by its wording alone" if needs else ""
    said = f"it looks like {label} ({share:.0%}){how}"
    by_outcome = _by_outcomes(config, route, reading, meaning, vector)
    if by_outcome is not None:
        use, because = by_outcome
        said = f"{said}; {because}"
        model = config.chosen(use)
        return Found(route.name, route.task, model, "gain", said, scores, meant.nearest, route.fallbacks)
    return _taken(config, route, "task", said, scores, meant.nearest, needs)


def by_distance(
    config: RoutingConfig, reading: Reading, meaning: Meaning | None, vector: bytes | None
) -> Found:
    """As a router of RedisVL's decides: the nearest route, if it is nearer than its own threshold.

    Of a route's examples count those within the widest of all thresholds; their least, mean or summed cosine
    distance is the route's.
    """
    rule = config.semantic
    assert rule is not None
    default = config.chosen(config.default)
    if meaning is None or vector is None:
        said = "there is no embedding to compare with the routes, so the default answers"
        return Found("", "", default, "default", said, needs_vector=True)
    meant = meaning.read(vector, reading)
    reach = max(rule.distances.values())
    found: dict[str, float] = {}
    for name in rule.distances:
        within = [distance for distance in meant.distances[name] if distance <= reach]
        if within:
            total = math.fsum(within)
            found[name] = {"min": min(within), "sum": total, "avg": total / len(within)}[rule.aggregation]
    scores = {name: 1.0 - distance for name, distance in found.items()}
    if found:
        name = min(found, key=lambda route: found[route])
        route = next(route for route in config.routes if route.name == name)
        distance = found[name]
        if distance < rule.distances[name]:
            said = f"route {name} is nearest (distance {distance:.3f} < {rule.distances[name]:.3f})"
            return _taken(config, route, "task", said, scores, 1.0 - distance, False)
        said = (
            f"the nearest route, {name}, is too far (distance {distance:.3f}, "
            f"threshold {rule.distances[name]:.3f}), so the default answers"
        )
        return Found("", "", default, "default", said, scores, 1.0 - distance)
    said = f"no example is within a distance of {reach:.3f}, so the default answers"
    return Found("", "", default, "default", said, scores, meant.nearest)


def _stands_alone(route: Route, meant: Meant) -> bool:
    return route.task not in TASKS and route.name in meant.routes


def _own_route(config: RoutingConfig, meant: Meant) -> Route | None:
    """The route with examples of its own, and no task, that the instruction passes by most."""
    passing = [
        (meant.routes[route.name] - (route.threshold or OWN_THRESHOLD), route)
        for route in config.routes
        if _stands_alone(route, meant) and _passes(route, meant.routes[route.name])
    ]
    return max(passing, key=lambda item: item[0])[1] if passing else None


def _passes(route: Route, similarity: float) -> bool:
    threshold = OWN_THRESHOLD if route.threshold is None else route.threshold
    return similarity > threshold if route.strict else similarity >= threshold


def _why_unsure(config: RoutingConfig, meant: Meant) -> str:
    if meant.sure:
        return ""
    if meant.nearest is None:
        return "the wording alone doesn't tell, and there is no embedding"
    if meant.nearest < config.unsure_below:
        return f"no example is like it, the nearest has similarity {meant.nearest:.2f}"
    if max(meant.tasks.values()) < DOUBTFUL:
        return "nothing stands out"
    return ""


def _passing(meant: Meant, routes: Mapping[str, Route]) -> Route | None:
    """The route of the likeliest task; where its threshold isn't reached, that of the next one."""
    for task in sorted(meant.tasks, key=lambda name: -meant.tasks[name]):
        route = routes.get(task)
        if route is None:
            return None
        near = meant.routes.get(route.name, meant.nearest)
        if route.threshold is None or near is None or _passes(route, near):
            return route
    return None


def _by_outcomes(
    config: RoutingConfig, route: Route, reading: Reading, meaning: Meaning | None, vector: bytes | None
) -> tuple[str, str] | None:
    """Tier and reason by logged outcomes: where they tell more than chance, of prompts like this one, and
    the route names a tier and no model."""
    gain = meaning.trained.gain if meaning is not None else None
    if gain is None or vector is None or route.use not in TIERS or not gain.quality.informative:
        return None
    from costconsole.routing.centroids import as_row

    score, closest = gain.score(as_row(vector), reading.features, len(reading.text))
    if closest < NEAR:
        return None
    if score >= gain.threshold:
        return (
            "strong",
            f"by the outcomes of prompts like it the strong model is worth it (score {score:+.2f})",
        )
    return "cheap", f"by the outcomes of prompts like it the cheap model is good enough (score {score:+.2f})"


def _taken(
    config: RoutingConfig,
    route: Route,
    kind: Kind,
    said: str,
    scores: Mapping[str, float],
    similarity: float | None,
    needs: bool,
) -> Found:
    model = config.chosen(route.use)
    return Found(
        route.name,
        route.task,
        model,
        kind,
        f"{said}: {model.tier} model",
        scores,
        similarity,
        route.fallbacks,
        needs,
    )
