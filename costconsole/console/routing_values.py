"""What the Routing page shows, as values: the config, what was learnt, RedisVL's routers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from costconsole.domain.call import UnitPrices
from costconsole.routing.model import ConfigFinding, RoutingConfig

if TYPE_CHECKING:
    from costconsole.cache.layouts.redisvl_router import Routed
    from costconsole.cache.thresholds import ThresholdChange
    from costconsole.domain.figures import Policy
    from costconsole.routing.gain import Quality
    from costconsole.routing.replay import Progress
    from costconsole.routing.whatif import WhatIf

SWITCHES = ("routing", "minimization")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigState:
    """The config in use, and how its file stands. Made anew when something of it changed.

    `path` is None without a file: then the defaults count. `problems` are the findings of the file's newest
    content, where that can't be used: `config` is then the last good one. `previous` is the one before it,
    if the console saw it change. `keys` says of each variable that holds a key whether it is set in the
    console's own environment. `prices` by model name; None where unknown; `overridden` names those of the
    config or the settings. `taken_ms`: when the console took the config.
    """

    config: RoutingConfig
    path: str | None = None
    origin: str = ""
    problems: tuple[ConfigFinding, ...] = ()
    previous: RoutingConfig | None = None
    keys: Mapping[str, bool] = field(default_factory=dict)
    prices: Mapping[str, UnitPrices | None] = field(default_factory=dict)
    overridden: frozenset[str] = frozenset()
    taken_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What was learnt for a config from labels and outcomes. `labels` 0: none was; `accuracy` is the share
    of right labels on prompts that were not learnt from, `low` to `high` its 95 % interval; `tier` the same
    for cheap or strong. `quality` is None without outcomes. `findings`: files that are of no use.
    """

    labels: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    tier: float | None = None
    quality: Quality | None = None
    findings: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterRoute:
    """One route of a RedisVL router, with its threshold as a similarity."""

    router: str
    route: str
    threshold: float
    sentence: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterState:
    """A RedisVL SemanticRouter in this Redis."""

    name: str
    references: int | None
    model: str
    problem: str
    routes: tuple[RouterRoute, ...]


class RoutingSide(Protocol):
    """What the Routing page reads and changes. Every method may raise a Problem."""

    async def state(self) -> ConfigState:
        """How the config stands now: the same object while nothing has changed. Cheap, once a second."""
        ...

    async def policy(self) -> Policy | None:
        """The policy that applications follow, where it isn't on the ledger's server; else None: the view
        has it."""
        ...

    async def learnt(self, config: RoutingConfig) -> Learnt: ...

    async def routers(self) -> Sequence[RouterState]: ...

    async def try_phrase(self, router: str, phrase: str) -> Routed:
        """What the router would decide, by its own rule and the console's embedding model."""
        ...

    async def set_threshold(self, router: str, route: str, similarity: float) -> ThresholdChange: ...

    async def undo_threshold(self, undo_id: str) -> ThresholdChange:
        """Take that change back."""
        ...

    async def switch(self, name: str, on: bool) -> Policy:
        """Turn `routing` or `minimization` on or off, for all who follow the policy."""
        ...

    async def what_if(
        self,
        old: RoutingConfig,
        new: RoutingConfig | str,
        prices: str,
        last: int,
        on_progress: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> WhatIf:
        """The last calls, made under `old`, under another config or that of a file, at the prices of another
        file ("": the same)."""
        ...
