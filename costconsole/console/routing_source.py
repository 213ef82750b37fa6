"""The routing side of the real source: config, prices, what was learnt, RedisVL's routers, what-ifs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from costconsole.console.routing_values import (
    SWITCHES,
    ConfigState,
    Learnt,
    RouterRoute,
    RouterState,
)
from costconsole.domain.errors import Problem, Refused, UsageProblem
from costconsole.redis_store.keys import Keys
from costconsole.settings import Settings

if TYPE_CHECKING:
    from costconsole.cache.layouts.redisvl_router import Routed
    from costconsole.cache.thresholds import ThresholdChange
    from costconsole.console.redis_source import RedisSource
    from costconsole.domain.call import UnitPrices
    from costconsole.domain.entry import CacheInfo
    from costconsole.domain.figures import Policy
    from costconsole.redis_store.probe import ServerInfo
    from costconsole.routing.model import RoutingConfig
    from costconsole.routing.replay import Progress
    from costconsole.routing.watch import ConfigFollower
    from costconsole.routing.whatif import WhatIf

_PRICES_KEPT_S = 600.0
"""Prices of the catalogue may change with time; they are looked up again so often."""
_Z = 1.959964


class RedisRouting:
    """The `RoutingSide` of a `RedisSource`. Files are read in threads.

    `clients` gives the connections of caches and ledger, None each before there is one; `asked_ledger`
    answers a question with what goes wrong at the ledger's server as a Problem.
    """

    def __init__(
        self,
        source: RedisSource,
        settings: Settings,
        keys: Keys,
        clients: Callable[[], tuple[Any, Any]],
        asked_ledger: Callable[[Awaitable[Any]], Awaitable[Any]],
    ) -> None:
        self._source = source
        self._settings = settings
        self._keys = keys
        self._clients = clients
        self._asked_ledger = asked_ledger
        self._follower: ConfigFollower | None = None
        self._state: ConfigState | None = None
        self._previous: RoutingConfig | None = None
        self._prices: tuple[RoutingConfig, float, dict[str, UnitPrices | None]] | None = None
        self._looking = asyncio.Lock()

    # -- the config

    async def state(self) -> ConfigState:
        async with self._looking:
            return await asyncio.to_thread(self._look)

    def _look(self) -> ConfigState:
        from costconsole.routing.watch import ConfigFollower

        settings = self._settings
        if self._follower is None:
            self._follower = ConfigFollower(settings.routing)
        else:
            before = self._follower.current
            self._follower.check()
            if self._follower.current is not before and before.format != "default":
                self._previous = before
        follower, was = self._follower, self._state
        config = follower.current
        same = was is not None and was.config is config
        made = ConfigState(
            config=config,
            path=settings.routing,
            origin=settings.origins.get("routing", ""),
            problems=follower.problem.findings if follower.problem is not None else (),
            previous=self._previous,
            keys={
                name: bool(os.environ.get(name, "").strip())
                for name in sorted({model.key_env for model in config.models if model.key_env})
            },
            prices=self._prices_of(config),
            overridden=_overridden(config, settings),
            taken_ms=was.taken_ms if same and was is not None else int(time.time() * 1000),
        )
        if was is None or made != was:
            self._state = made
        assert self._state is not None
        return self._state

    def _prices_of(self, config: RoutingConfig) -> dict[str, UnitPrices | None]:
        now = time.monotonic()
        if self._prices is not None:
            of, at, known = self._prices
            if of is config and now - at < _PRICES_KEPT_S:
                return known
        from costconsole.ledger.prices import PriceBook
        from costconsole.routing.endpoints import prices_of

        book = PriceBook(prices_of(config, self._settings.prices))
        now_ms = int(time.time() * 1000)
        known = {m.name: book.prices(m.provider, m.model, at_ms=now_ms) for m in config.models}
        self._prices = config, now, known
        return known

    async def learnt(self, config: RoutingConfig) -> Learnt:
        return await asyncio.to_thread(self._learnt, config)

    def _learnt(self, config: RoutingConfig) -> Learnt:
        """Read like the router does; that it is of this embedding model only the embedder can tell."""
        from costconsole.routing.centroids import PROBE, as_row
        from costconsole.routing.trained import folders, load_trained

        where = tuple(str(folder) for folder in folders(config.source))
        if not any(os.path.isdir(folder) for folder in where):
            return Learnt(folders=where)
        embedder: Any = self._source.embedder
        probe = as_row(embedder.embed([PROBE])[0].vector)
        found = load_trained(config.source, embedder, probe)
        note = dict(found.head.note) if found.head is not None else {}
        labels = note.get("labels_used") or 0
        accuracy, tier = note.get("accuracy"), note.get("tier")
        low, high = interval(accuracy, labels) if isinstance(accuracy, float) and labels else (None, None)
        return Learnt(
            labels=labels,
            accuracy=accuracy,
            low=low,
            high=high,
            tier=tier,
            quality=found.gain.quality if found.gain is not None else None,
            findings=found.findings,
            folders=where,
        )

    # -- routers of RedisVL

    async def routers(self) -> tuple[RouterState, ...]:
        from costconsole.cache.thresholds import list_thresholds

        caches = await self._routers()
        known = list_thresholds(caches)
        return tuple(
            RouterState(
                name=cache.name,
                references=cache.entries,
                model=cache.detail("embedding_model"),
                problem=cache.problem,
                routes=tuple(
                    RouterRoute(
                        router=cache.name,
                        route=one.part,
                        threshold=one.similarity,
                        sentence=one.sentence,
                        line=one.line,
                    )
                    for one in known
                    if one.cache == cache.name and one.similarity is not None
                ),
            )
            for cache in caches
        )

    async def try_phrase(self, router: str, phrase: str) -> Routed:
        from costconsole.cache.layouts.redisvl_router import route_vector

        cache = await self._named(router)
        (made,) = await self._source.embedder.aembed([phrase])
        return await route_vector(self._client, cache, made.vector)

    async def set_threshold(self, router: str, route: str, similarity: float) -> ThresholdChange:
        from costconsole.cache.author import this_author
        from costconsole.cache.thresholds import change_threshold

        caches = await self._routers()
        server = self._must_write()
        changed = await change_threshold(
            self._client, server, self._keys, this_author(), caches, router, similarity, part=route
        )
        await self._source.caches(refresh=True)
        return changed

    async def undo_threshold(self, undo_id: str) -> ThresholdChange:
        from costconsole.cache.author import this_author
        from costconsole.cache.thresholds import undo_threshold

        caches = await self._source.caches()
        server = self._must_write()
        changed = await undo_threshold(self._client, server, self._keys, this_author(), caches, undo_id)
        await self._source.caches(refresh=True)
        return changed

    async def _routers(self) -> list[CacheInfo]:
        return [cache for cache in await self._source.caches() if cache.kind == "router"]

    async def _named(self, name: str) -> CacheInfo:
        for cache in await self._routers():
            if cache.name == name:
                return cache
        raise UsageProblem(f"there is no router {name!r} here any more: look again with ctrl+r")

    # -- switches

    async def policy(self) -> Policy | None:
        from costconsole.cache.policy import aread_policy

        caches, ledger = self._clients()
        return None if caches is ledger else await aread_policy(caches, self._keys)

    async def switch(self, name: str, on: bool) -> Policy:
        from costconsole.cache.author import this_author
        from costconsole.cache.policy import awrite_policy

        if name not in SWITCHES:
            raise UsageProblem(f"there is no switch {name!r} here: {', '.join(SWITCHES)}")
        self._must_write()
        return await awrite_policy(self._client, self._keys, {name: on}, this_author(), why="console")

    @property
    def _client(self) -> Any:
        client = self._clients()[0]
        if client is None:
            raise Problem(f"{self._source.link.label} is not connected yet: wait for its state to be live")
        return client

    def _must_write(self) -> ServerInfo:
        link = self._source.link
        if not link.writable or link.server is None:
            raise Refused(f"nothing can be changed here: {link.why_read_only or 'not connected yet'}")
        return link.server

    # -- what-if

    async def what_if(
        self,
        old: RoutingConfig,
        new: RoutingConfig | str,
        prices: str,
        last: int,
        on_progress: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> WhatIf:
        from costconsole.routing.config import load_config
        from costconsole.routing.replay import Question, read_prices, replay

        own = self._settings.prices
        if isinstance(new, str):
            new = await asyncio.to_thread(load_config, new)
        other = {**own, **await asyncio.to_thread(read_prices, prices)} if prices else None
        question = Question(old=old, new=new, last=last, prices=own, other_prices=other)
        client = self._clients()[1]
        if client is None:
            raise Problem("the ledger is not connected yet: wait for the state to be live")
        found: WhatIf = await self._asked_ledger(
            replay(client, self._keys, question, self._source.embedder, on_progress=on_progress, stop=stop)
        )
        return found


def interval(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count`."""
    spread = _Z * _Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * (share * (1 - share) / count + spread / (4 * count)) ** 0.5 / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _overridden(config: RoutingConfig, settings: Settings) -> frozenset[str]:
    """The models whose price the config or the settings give."""
    given = {name.lower() for name in settings.prices}
    return frozenset(
        model.name
        for model in config.models
        if model.prices or f"{model.provider}/{model.model}".lower() in given
    )
