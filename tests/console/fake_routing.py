"""A routing side of frozen values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from costconsole.cache.layouts.redisvl_router import Routed
from costconsole.cache.thresholds import ThresholdChange
from costconsole.console.routing_values import ConfigState, Learnt, RouterRoute, RouterState
from costconsole.domain.call import CostStatus, UnitPrices
from costconsole.domain.errors import Problem
from costconsole.domain.figures import Figures, LedgerView, Policy, Slice
from costconsole.domain.window import Window
from costconsole.routing.config import parse_config
from costconsole.routing.gain import Point, Quality
from costconsole.routing.model import ConfigFinding, RoutingConfig
from costconsole.routing.replay import Progress
from costconsole.routing.whatif import Change, WhatIf
from tests.console import fakes

CONFIG = """\
models:
  gpt-4o-mini: {provider: openai, tier: cheap, context: 128000, fallbacks: [gpt-4o]}
  claude-haiku-4-5: {provider: anthropic, tier: cheap}
  gpt-4o: {provider: openai, tier: strong}
  house-70b: {provider: acme, base_url: http://h/v1, tier: strong, key_env: HOUSE_KEY,
              prices: {input: 0.4, output: 0.8}}
tiers: {cheap: gpt-4o-mini, strong: gpt-4o}
default: strong
baseline: gpt-4o
aliases: {auto: auto}
routes:
- {name: answers, task: qa, use: cheap, fallbacks: [gpt-4o]}
- {name: legal, use: house-70b, references: [Read this contract, Is this clause valid?], threshold: 0.4,
   when: {tags: [legal], min_tokens: 200}}
- {name: code, task: coding, use: strong}
"""  # fmt: skip
ROUTES = (("answers", 6), ("code", 3), ("", 2), ("an old one", 1))
MODELS = (("gpt-4o", 5), ("gpt-4o-mini", 5), ("o4-mini", 1))


def config(source: str = "/etc/costconsole/routing.yaml", text: str = CONFIG) -> RoutingConfig:
    return parse_config(text, source)


def prices(into: int, out: int) -> UnitPrices:
    return UnitPrices(into, out, into // 2, into, into, "genai-prices 0.0.27", CostStatus.CATALOG)


def state(**changes: Any) -> ConfigState:
    base = ConfigState(
        config=config(),
        path="/etc/costconsole/routing.yaml",
        origin="--routing",
        keys={"OPENAI_API_KEY": True, "ANTHROPIC_API_KEY": False, "HOUSE_KEY": False},
        prices={
            "gpt-4o-mini": prices(150_000_000, 600_000_000),
            "claude-haiku-4-5": None,
            "gpt-4o": prices(2_500_000_000, 10_000_000_000),
            "house-70b": prices(400_000_000, 800_000_000),
        },
        overridden=frozenset({"house-70b"}),
        taken_ms=fakes.NOW_MS,
    )
    return replace(base, **changes)


def defaults() -> ConfigState:
    """Without a file."""
    from costconsole.routing.defaults import default_config

    found = default_config()
    return state(
        config=found, path=None, origin="", prices={m.name: None for m in found.models}, taken_ms=None
    )


def broken() -> ConfigState:
    """The newest content of the file can't be used."""
    file = "/etc/costconsole/routing.yaml"
    return state(
        problems=(
            ConfigFinding(
                "error", file, 12, "models.gpt-4o.tier", "found 'strnog'; expected cheap or strong"
            ),
            ConfigFinding("error", file, 14, "defualt", "this key is unknown; did you mean 'default'?"),
            ConfigFinding("warning", file, None, "aliases", "no alias lets the router decide"),
        )
    )


def slow(calls: int, errors: int = 0) -> Figures:
    """Figures of some calls."""
    return replace(fakes.figures(calls), errors=errors)


def routed_view(window: Window = fakes.HOUR, **changes: Any) -> LedgerView:
    """A window with routes and models, some of them not in the config."""
    view = fakes.view(window)
    by = {
        **view.by,
        "route": tuple(Slice(name, slow(100 * n, 90 if name == "code" else 1)) for name, n in ROUTES),
        "model": tuple(
            Slice(name, slow(100 * n, 60 * 100 if name == "o4-mini" else 0)) for name, n in MODELS
        ),
    }
    return replace(view, by=by, total=slow(1200), **changes)


def hostile_routing_view(window: Window = fakes.HOUR) -> LedgerView:
    """Names of routes and models that attack."""
    return fakes.hostile_view(window)


QUALITY = Quality(
    labels=1500,
    weak=0.62,
    strong=0.81,
    apgr=0.63,
    low=0.58,
    high=0.68,
    share_for={50: 0.31, 80: 0.62},
    curve=tuple(
        Point(
            n / 20,
            min(1.0, (n / 20) ** 0.6),
            max(0.0, (n / 20) ** 0.6 - 0.08),
            min(1.0, (n / 20) ** 0.6 + 0.08),
        )
        for n in range(21)
    ),
)
FEW = replace(QUALITY, labels=40, apgr=0.52, low=0.31, high=0.74)
LEARNT = Learnt(
    labels=412,
    accuracy=0.69,
    low=0.644,
    high=0.733,
    tier=0.871,
    quality=QUALITY,
    folders=("/etc/routing.trained",),
)

ROUTERS = (
    RouterState(
        name="topic-router",
        references=12,
        model="sentence-transformers/all-MiniLM-L6-v2",
        problem="",
        routes=tuple(
            RouterRoute(
                router="topic-router",
                route=name,
                threshold=threshold,
                sentence="its config key is read when a router is next made",
                line=f'Route(name="{name}", distance_threshold={1 - threshold:g})',
            )
            for name, threshold in (("refunds", 0.7), ("delivery", 0.65))
        ),
    ),
    RouterState(name="lost", references=3, model="", problem="its config key is missing", routes=()),
)
ROUTED = Routed(
    route="refunds",
    routes=("refunds",),
    hidden=(),
    scores={"refunds": 0.83, "delivery": None},
    thresholds={"refunds": 0.7, "delivery": 0.65},
    aggregation="avg",
    max_k=1,
)
FOUND = WhatIf(
    calls=10_000,
    hits=6_000,
    failed=40,
    kept=3_000,
    moved=900,
    unknown={"prompt": 50, "price": 10},
    unknown_nano=120_000_000,
    before_nano=4_200_000_000,
    after_nano=3_100_000_000,
    routing_before_nano=800_000_000,
    routing_after_nano=1_900_000_000,
    models=(
        Change("openai/gpt-4o", 4_000, 3_100, 3_900_000_000, 2_700_000_000),
        Change("openai/gpt-4o-mini", 5_940, 6_840, 300_000_000, 400_000_000),
    ),
    routes=(Change("answers", 9_940, 9_940, 4_200_000_000, 3_100_000_000),),
    moves=(
        (
            "openai/gpt-4o",
            "openai/gpt-4o-mini",
            Change("openai/gpt-4o → openai/gpt-4o-mini", 900, 900, 1_200_000_000, 100_000_000),
        ),
    ),
    from_ms=fakes.NOW_MS - 3_600_000,
    to_ms=fakes.NOW_MS,
)


@dataclass
class FakeRouting:
    """Answers with what it is given, and remembers what it was told to change."""

    now: ConfigState = field(default_factory=state)
    known: Learnt = LEARNT
    found: tuple[RouterState, ...] = ROUTERS
    tried: Any = ROUTED
    outcome: WhatIf = FOUND
    gate: asyncio.Event | None = None
    problem: Problem | None = None
    apart: Policy | None = None
    changed: list[tuple[Any, ...]] = field(default_factory=list)
    looked: int = 0

    async def state(self) -> ConfigState:
        self.looked += 1
        return self.now

    async def policy(self) -> Policy | None:
        return self.apart

    async def learnt(self, config: RoutingConfig) -> Learnt:
        return self.known

    async def routers(self) -> tuple[RouterState, ...]:
        return self.found

    async def try_phrase(self, router: str, phrase: str) -> Routed:
        if isinstance(self.tried, Problem):
            raise self.tried
        found: Routed = self.tried
        return found

    async def set_threshold(self, router: str, route: str, similarity: float) -> ThresholdChange:
        if self.problem is not None:
            raise self.problem
        self.changed.append(("threshold", router, route, similarity))
        return self._change(router, route, 0.7, similarity)

    async def undo_threshold(self, undo_id: str) -> ThresholdChange:
        self.changed.append(("undo", undo_id))
        return self._change("topic-router", "refunds", 0.8, 0.7)

    def _change(self, router: str, route: str, before: float, after: float) -> ThresholdChange:
        return ThresholdChange(
            cache=router,
            part=route,
            before=before,
            after=after,
            takes_effect="next start",
            sentence="",
            undo_id=f"17-{len(self.changed)}",
            namespace="support",
        )

    async def switch(self, name: str, on: bool) -> Policy:
        if self.problem is not None:
            raise self.problem
        self.changed.append((name, on))
        return Policy(version=4, routing=on)

    async def what_if(
        self,
        old: RoutingConfig,
        new: RoutingConfig | str,
        prices: str,
        last: int,
        on_progress: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> WhatIf:
        if self.problem is not None:
            raise self.problem
        self.changed.append(("what if", old, new, prices, last))
        on_progress(Progress(1_000, 10_000, 12))
        if self.gate is not None:
            waiting = [asyncio.ensure_future(event.wait()) for event in (self.gate, stop)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        return replace(self.outcome, complete=not stop.is_set())


@dataclass
class RoutingSource(fakes.FakeSource):
    """A source with a routing side."""

    views: list[Any] = field(default_factory=lambda: [routed_view])
    routing: FakeRouting = field(default_factory=FakeRouting)
