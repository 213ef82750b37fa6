"""What the Routing page says of RedisVL's routers: rows of routes, verdicts on a phrase, changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costconsole.console.routing_values import RouterRoute, RouterState
from costconsole.console.safe import safe
from costconsole.console.widgets.bars import parts
from costconsole.console.widgets.columns import Column, Row
from costconsole.domain.format import similarity
from costconsole.domain.text import first_words

if TYPE_CHECKING:
    from costconsole.cache.layouts.redisvl_router import Routed
    from costconsole.cache.thresholds import ThresholdChange
    from costconsole.console.widgets.bars import Charset

COLUMNS = (
    Column("router", "router", 12, flex=True),
    Column("route", "route", 12, flex=True),
    Column("threshold", "> sim", 6, "right"),
    Column("score", "score", 6, "right"),
    Column("bar", "", 14, drop=1),
    Column("verdict", "verdict", 22),
)
_BAR = 14
EFFECTS = {
    "now": "running applications follow within a second",
    "next start": "in effect at the next start of what uses the router: one that runs keeps its own",
}


def router_rows(
    states: Sequence[RouterState], tried: Mapping[str, Routed | str], charset: Charset
) -> list[Row]:
    """A row a route; with a phrase tried, its score and what the router makes of it."""
    made: list[Row] = []
    for state in states:
        said = tried.get(state.name)
        if state.problem or not state.routes:
            words = state.problem or "it has no route"
            made.append(
                Row(f"{state.name}\0", (first_words(state.name, 60), "–", "–", "–", "", safe(words, "warn")))
            )
        for one in state.routes:
            made.append(_row(one, None if isinstance(said, str) else said, charset))
    return made


def _row(one: RouterRoute, routed: Routed | None, charset: Charset) -> Row:
    score = None if routed is None else routed.scores.get(one.route)
    threshold = one.threshold if routed is None else routed.thresholds.get(one.route, one.threshold)
    full, _ = parts(max(0.0, min(1.0, score or 0.0)), 0.0, _BAR, charset)
    words, ink = verdict(one.route, routed)
    passes = ink == "good"
    return Row(
        f"{one.router}\0{one.route}",
        (
            first_words(one.router, 60),
            first_words(one.route, 60),
            similarity(threshold),
            similarity(score),
            safe(full if score is not None else "", "good" if passes else "faint"),
            safe(words, ink),
        ),
    )


def verdict(route: str, routed: Routed | None) -> tuple[str, str]:
    """What the router makes of a route for the phrase that was tried, and the ink of it."""
    if routed is None:
        return "", ""
    if route == routed.route:
        return "✓ taken", "good"
    if route in routed.routes:
        return "passes (route_many)", "text"
    if route in routed.hidden:
        return f"beyond max_k {routed.max_k}", "warn"
    if routed.scores.get(route) is None:
        return "nothing that near", "muted"
    return "below its threshold", "muted"


def note_words(
    states: Sequence[RouterState], tried: Mapping[str, Routed | str], model: str, status: str
) -> tuple[str, str]:
    """What stands under the list, and its ink."""
    problems = [f"{name}: {said}" for name, said in tried.items() if isinstance(said, str)]
    if problems:
        return "; ".join(problems), "warn"
    others = [
        f"{state.name} was made with {_made_with(state.model)}"
        for state in states
        if state.model and _last(state.model) != _last(model)
    ]
    rules = {
        f"{routed.aggregation} of the references' distances, max_k {routed.max_k}"
        for routed in tried.values()
        if not isinstance(routed, str)
    }
    by_rule = f"by the rule in each router's own config ({'; '.join(sorted(rules))}), strictly above"
    if others:
        words = f"{'; '.join(others)}; phrases are embedded with {model} here: scores may mislead"
        return (f"{words} · {by_rule}" if rules else words), "warn"
    if rules:
        return by_rule, "muted"
    if not states:
        return "", "muted"
    asleep = "" if status == "ready" else f" (the embedding model is {status})"
    words = (
        f"/ tries a phrase on every router{asleep} · t sets the threshold of a route: {EFFECTS['next start']}"
    )
    return words, "muted"


def changed_words(change: ThresholdChange, undo_key: str) -> str:
    """What was changed, and when that takes effect."""
    before = "none" if change.before is None else f"{change.before:g}"
    after = "none" if change.after is None else f"{change.after:g}"
    effect = EFFECTS.get(change.takes_effect, "")
    return f"{change.cache}, {change.part}: {before} → {after} · {effect} · {undo_key} takes it back"


def _made_with(model: str) -> str:
    return "a vectorizer of its application's own" if model == "custom" else model


def _last(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()
