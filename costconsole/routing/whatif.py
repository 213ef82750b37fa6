"""What calls that were made would have cost under another routing config, or at other prices. Pure.

Tokens count as they were used: another model's answer is taken to be as long. A hit is taken to stay one, and
costs nothing either way. What can't be known of a call (its prompt was not kept, a price) is never guessed:
such calls are counted apart, with what they cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from costconsole.domain.call import Call, Outcome, Processing, UnitPrices, Usage
from costconsole.ledger.costs import waterfall
from costconsole.routing.model import Model, RoutingConfig

Unknown = Literal["prompt", "other", "route", "name", "price"]
UNKNOWN: Final[Mapping[Unknown, str]] = {
    "prompt": "their prompt was not kept whole, and the routes decide by it",
    "other": "they were answered by another model than their route's: a conversation, a fallback, an outcome",
    "route": "their route is not one of the config",
    "name": "the other config doesn't know what they asked for",
    "price": "the price of their model is not known, before or after",
}
"""Why it isn't known what would have become of some calls."""
ASSUMPTIONS: Final = (
    "tokens as they were used: another model's answer is taken to be as long, and as much of its prompt to be"
    " in the provider's cache",
    "a hit stays a hit and costs nothing either way; a call that failed costs what it did",
    "the config that is in use now is taken for that under which these calls were made",
)
FAILED, HIT, KEPT, MOVED = "failed", "hit", "kept", "moved"
_CUT: Final = (120, 2_000)
"""Lengths that a prompt is cut to when it is kept: one that long may have been longer."""

Endpoint = tuple[str, str]
"""Provider and model, as a call names them."""
PricesOf = Callable[[str, str, int, int, Processing], UnitPrices | None]
"""Of provider, model, moment in Unix ms, input tokens, and processing."""
Decided = tuple[str, Model]
"""The name of a route, or "", and its model."""
Decide = Callable[[Call], tuple[Decided, Decided] | None]
"""What both configs would decide for the prompt that was kept with a call; None where that can't be told."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What would have become of one call. `unknown` is "" where it is known. `route` and `endpoint` are those
    after; money is in nano-dollars, `routing` what is saved against the baseline by the choice of the model.
    """

    kind: str
    unknown: Unknown | Literal[""] = ""
    route: str = ""
    endpoint: Endpoint = ("", "")
    spend_nano: int = 0
    routing_nano: int = 0


@dataclass(slots=True)
class Change:
    """Calls and spend of one model or route, before and after."""

    name: str
    calls_before: int = 0
    calls_after: int = 0
    before_nano: int = 0
    after_nano: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What came of it: `calls == hits + failed + kept + moved + sum(unknown.values())`.

    `before_nano` and `after_nano` are of all calls whose fate is known, hits and failures among them; those
    of `models` and `routes` sum up to them. `moves` goes from one model to another. `complete` is False for
    a what-if that was stopped.
    """

    calls: int = 0
    hits: int = 0
    failed: int = 0
    kept: int = 0
    moved: int = 0
    unknown: Mapping[Unknown, int] = field(default_factory=dict)
    unknown_nano: int = 0
    before_nano: int = 0
    after_nano: int = 0
    routing_before_nano: int = 0
    routing_after_nano: int = 0
    models: tuple[Change, ...] = ()
    routes: tuple[Change, ...] = ()
    moves: tuple[tuple[str, str, Change], ...] = ()
    from_ms: int | None = None
    to_ms: int | None = None
    complete: bool = True

    @property
    def known(self) -> int:
        return self.calls - sum(self.unknown.values())


class Comparison:
    """Adds up what calls would have become under `new` instead of `old`, at the prices `after` instead of
    `before`. `decide` is asked for a call whose route hangs on its prompt, where the configs' routes differ.
    """

    def __init__(
        self,
        old: RoutingConfig,
        new: RoutingConfig,
        before: PricesOf,
        after: PricesOf,
        decide: Decide | None = None,
    ) -> None:
        self._old, self._new = old, new
        self._before, self._after = before, after
        self._decide = decide
        self._same_routes = deciding_parts(old) == deciding_parts(new)
        self._counts = {HIT: 0, FAILED: 0, KEPT: 0, MOVED: 0}
        self._unknown: dict[Unknown, int] = {}
        self._money = {"unknown": 0, "before": 0, "after": 0, "routing before": 0, "routing after": 0}
        self._models: dict[str, Change] = {}
        self._routes: dict[str, Change] = {}
        self._moves: dict[tuple[str, str], Change] = {}
        self._from_ms: int | None = None
        self._to_ms: int | None = None
        self._calls = 0

    def prompts(self, calls: Iterable[Call]) -> list[str]:
        """The prompts that `decide` will be asked about: those kept of calls whose fate hangs on them."""
        return [
            call.preview
            for call in calls
            if _settled(call) is None and self._by_prompt(call) and kept_whole(call.preview)
        ]

    def add(self, calls: Iterable[Call]) -> None:
        """Count these too."""
        for call in calls:
            self._count(call, self.fate(call))

    def fate(self, call: Call) -> Fate:
        """What would have become of this call."""
        if (kind := _settled(call)) is not None:
            if kind == FAILED and call.spend_nano is None:
                return Fate(KEPT, "price", call.route, _endpoint(call))
            return Fate(
                kind, "", call.route, _endpoint(call), call.spend_nano or 0, call.savings.routing
            )  # Unpriced hits saved an unknown amount, and cost nothing all the same.
        route, endpoint, unknown = self._destination(call)
        if unknown:
            return Fate(KEPT, unknown, call.route, _endpoint(call))
        moved = endpoint != _endpoint(call)
        costs = self._costs(call, endpoint, moved)
        if costs is None or call.spend_nano is None:
            return Fate(KEPT, "price", route, endpoint)
        return Fate(MOVED if moved else KEPT, "", route, endpoint, *costs)

    def result(self, *, complete: bool = True) -> WhatIf:
        """The sums so far."""

        def by_spend(found: dict[str, Change]) -> tuple[Change, ...]:
            return tuple(sorted(found.values(), key=lambda c: (-max(c.before_nano, c.after_nano), c.name)))

        moves = sorted(self._moves.items(), key=lambda item: (-item[1].calls_after, item[0]))
        return WhatIf(
            calls=self._calls,
            hits=self._counts[HIT],
            failed=self._counts[FAILED],
            kept=self._counts[KEPT],
            moved=self._counts[MOVED],
            unknown=dict(self._unknown),
            unknown_nano=self._money["unknown"],
            before_nano=self._money["before"],
            after_nano=self._money["after"],
            routing_before_nano=self._money["routing before"],
            routing_after_nano=self._money["routing after"],
            models=by_spend(self._models),
            routes=by_spend(self._routes),
            moves=tuple((*ends, change) for ends, change in moves),
            from_ms=self._from_ms,
            to_ms=self._to_ms,
            complete=complete,
        )

    def _count(self, call: Call, fate: Fate) -> None:
        self._calls += 1
        self._from_ms = min(call.ts_ms, self._from_ms or call.ts_ms)
        self._to_ms = max(call.ts_ms, self._to_ms or call.ts_ms)
        spent = call.spend_nano or 0
        if fate.unknown:
            self._unknown[fate.unknown] = self._unknown.get(fate.unknown, 0) + 1
            self._money["unknown"] += spent
            return
        self._counts[fate.kind] += 1
        self._money["before"] += spent
        self._money["after"] += fate.spend_nano
        if fate.kind in (KEPT, MOVED):
            self._money["routing before"] += call.savings.routing
            self._money["routing after"] += fate.routing_nano
        was, will = label(_endpoint(call)), label(fate.endpoint)
        for found, before, after in (
            (self._models, was, will),
            (self._routes, call.route, fate.route),
        ):
            first = found.setdefault(before, Change(before))
            first.calls_before += 1
            first.before_nano += spent
            second = found.setdefault(after, Change(after))
            second.calls_after += 1
            second.after_nano += fate.spend_nano
        if fate.kind == MOVED:
            move = self._moves.setdefault((was, will), Change(f"{was} → {will}"))
            move.calls_before += 1
            move.calls_after += 1
            move.before_nano += spent
            move.after_nano += fate.spend_nano

    # -- to which model

    def _by_prompt(self, call: Call) -> bool:
        """Whether the new config's router decides, and not as the old one's did."""
        name, old, new = call.requested_model, self._old, self._new
        routed = new.aliases.get(name) == ""
        return routed and not (old.aliases.get(name) == "" and self._same_routes)

    def _destination(self, call: Call) -> tuple[str, Endpoint, Unknown | Literal[""]]:
        """Route and model after, or why they can't be told."""
        name, old, new = call.requested_model, self._old, self._new
        stays = call.route, _endpoint(call)
        if not knows(new, name):
            return *stays, "name" if knows(old, name) else ""
        named = new.model(new.aliases.get(name, name))
        if named is not None:
            was = old.model(old.aliases.get(name, name))
            if was is not None and _place(was) == _place(named):
                return *stays, ""  # A fallback may have answered, as it would again.
            return call.route, _place(named), ""
        if self._by_prompt(call):
            return self._by_decision(call)
        return self._by_route(call)

    def _by_decision(self, call: Call) -> tuple[str, Endpoint, Unknown | Literal[""]]:
        stays = call.route, _endpoint(call)
        decided = self._decide(call) if self._decide is not None and kept_whole(call.preview) else None
        if decided is None:
            return *stays, "prompt"
        (before, was), (route, will) = decided
        if route == before:
            route = call.route  # Which the application may have named itself.
        if self._old.aliases.get(call.requested_model) != "":
            return route, _place(will), ""  # The router didn't decide before: nothing to compare with.
        if _place(was) == _place(will):
            return route, stays[1], ""
        return (route, _place(will), "") if _place(was) == stays[1] else (*stays, "other")

    def _by_route(self, call: Call) -> tuple[str, Endpoint, Unknown | Literal[""]]:
        """Where both configs take the same route: its model before, and after."""
        stays = call.route, _endpoint(call)
        pairs = self._pairs(call.route)
        if pairs is None:
            return *stays, "" if self._unchanged else "route"
        if all(_place(was) == _place(will) for was, will in pairs):
            return *stays, ""
        fitting = {_place(will) for was, will in pairs if _place(was) == stays[1]}
        if len(fitting) != 1:
            return *stays, "other"
        return call.route, fitting.pop(), ""

    def _pairs(self, name: str) -> list[tuple[Model, Model]] | None:
        """The models that a route may have meant before, each with what takes its place; None for a route
        that isn't one of the config's."""
        old, new = self._old, self._new
        if name:
            was = next((route for route in old.routes if route.name == name), None)
            will = next((route for route in new.routes if route.name == name), None)
            if was is None or will is None:
                return None
            return [(old.chosen(was.use), new.chosen(will.use))]
        # Without a route the default answered, or the strong model because the router was unsure.
        return [
            (old.chosen(old.default), new.chosen(new.default)),
            (old.chosen("strong"), new.chosen("strong")),
        ]

    @property
    def _unchanged(self) -> bool:
        """Whether no route, tier or default leads to another model than before."""
        old, new = self._old, self._new
        uses = [(a.use, b.use) for a, b in zip(old.routes, new.routes, strict=True)]
        uses += [(old.default, new.default), ("cheap", "cheap"), ("strong", "strong")]
        return all(_place(old.chosen(a)) == _place(new.chosen(b)) for a, b in uses)

    # -- at which price

    def _costs(self, call: Call, endpoint: Endpoint, moved: bool) -> tuple[int, int] | None:
        """Spend and what routing saves, after; None where a price isn't known."""
        was, will = self._baseline(self._old, call), self._baseline(self._new, call)
        same = not moved and was == will and self._same_price(call, endpoint)
        if same and (will is None or self._same_price(call, will)):
            # To the nano what the ledger has, fees and all.
            return None if call.spend_nano is None else (call.spend_nano, call.savings.routing)
        prices = self._after(*endpoint, call.ts_ms, call.input, Processing.LIVE)
        if prices is None:
            return None
        batch = call.processing is Processing.BATCH
        whole = call.input + call.input_saved
        costs = waterfall(
            Usage(call.input, call.output, call.cached_input, call.cache_write_5m, call.cache_write_1h),
            prices,
            baseline_prices=self._after(*will, call.ts_ms, whole, Processing.LIVE) if will else None,
            input_minimized=call.input_saved,
            processing=call.processing,
            batch_prices=self._after(*endpoint, call.ts_ms, call.input, Processing.BATCH) if batch else None,
        )
        return None if costs.spend_nano is None else (costs.spend_nano, costs.savings.routing)

    def _same_price(self, call: Call, endpoint: Endpoint) -> bool:
        asked = (*endpoint, call.ts_ms, call.input + call.input_saved, call.processing)
        before, after = self._before(*asked), self._after(*asked)
        return _numbers(before) == _numbers(after)

    def _baseline(self, config: RoutingConfig, call: Call) -> Endpoint | None:
        """The model that savings by routing count against, as the gateway takes it."""
        name = call.requested_model
        if not knows(config, name):
            return None
        named = config.model(config.aliases.get(name, name))
        return _place(named or config.chosen(config.baseline))


def knows(config: RoutingConfig, name: str) -> bool:
    """Whether what this name means is the config's affair."""
    return bool(name) and (name in config.aliases or config.model(name) is not None)


def kept_whole(preview: str) -> str:
    """The prompt, if what was kept of it is all of it, else ""."""
    return "" if len(preview) in _CUT else preview


def deciding_parts(config: RoutingConfig) -> tuple[object, ...]:
    """What decides the route of a prompt; the model that a route leads to is no part of it."""
    routes = tuple(
        (route.name, route.task, route.references, route.threshold, route.strict, route.rule)
        for route in config.routes
    )
    semantic = config.semantic
    rule = (
        None
        if semantic is None
        else (semantic.aggregation, semantic.max_k, tuple(semantic.distances.items()))
    )
    return routes, config.unsure_below, rule


def label(endpoint: Endpoint) -> str:
    """`openai/gpt-4o`."""
    provider, model = endpoint
    return f"{provider}/{model}" if provider else model


def _settled(call: Call) -> str | None:
    """What no config changes: a hit, or a failure."""
    if call.error:
        return FAILED
    return HIT if call.outcome in (Outcome.EXACT, Outcome.SEMANTIC) else None


def _endpoint(call: Call) -> Endpoint:
    return call.provider, call.model


def _place(model: Model) -> Endpoint:
    return model.provider, model.model


def _numbers(prices: UnitPrices | None) -> tuple[int, ...] | None:
    if prices is None:
        return None
    return (
        prices.input,
        prices.output,
        prices.cached_input,
        prices.cache_write_5m,
        prices.cache_write_1h,
        prices.per_request,
    )
