"""The real source: one asynchronous connection to Redis, the ledger's reader, the caches, the embedder.

Nothing of it is imported before the first paint: that of redis-py alone takes as long as the paint.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costconsole.console.discovery import Discovery
from costconsole.console.source import EntrySearch, Eviction, Link, Looked, QueryEmbedder, Thresholds
from costconsole.domain.errors import Problem
from costconsole.redis_store.explain import explain
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import RedisTarget, parse_target
from costconsole.settings import Settings, lookups_file

if TYPE_CHECKING:
    from costconsole.cache.catalog import Survey
    from costconsole.cache.earlier import EarlierLookups
    from costconsole.cache.estimates import UseMeter
    from costconsole.cache.search import EntrySearch as Search
    from costconsole.console.lab import Lab
    from costconsole.console.lab_source import LabSource
    from costconsole.console.routing_source import RedisRouting
    from costconsole.console.routing_values import RoutingSide
    from costconsole.domain.entry import CacheInfo
    from costconsole.domain.figures import LedgerView
    from costconsole.domain.known import Known
    from costconsole.domain.window import Window
    from costconsole.embedding.embedder import Embedder
    from costconsole.health.finding import Finding
    from costconsole.ledger.reader import LedgerReader

_RECENT = 50
_FEW_KEYS = 100
_WARM_UP_S = 0.5
_READ_AGAIN_S = 30.0
_WALK_S = 120.0
"""So long the keys are walked over, behind what is on screen, to find caches without an index."""


class RedisSource:
    """A `Source` on Redis. The ledger may live on a server of its own (`ledger_url`)."""

    def __init__(self, settings: Settings, target: RedisTarget) -> None:
        self._settings = settings
        self._target = target
        self._ledger_target = (
            parse_target(settings.ledger_url, origin=settings.origins.get("ledger_url", ""))
            if settings.ledger_url
            else target
        )
        self._keys = Keys(settings.namespace)
        self._client: Any = None
        self._ledger_client: Any = None
        self._reader: LedgerReader | None = None
        self._discovery = Discovery(self._look, self._told)
        self._read_s = 0.0
        self._earlier: EarlierLookups | None = None
        self._indexes: frozenset[bytes] = frozenset()
        self._keys_then = 0
        self._search: Search | None = None
        self._uses: UseMeter | None = None
        self._embedder: Embedder | None = None
        self._lab: LabSource | None = None
        self._thresholds: Any = None
        self._routing: RedisRouting | None = None
        self._warming = False
        self._link = Link(
            label=target.label,
            namespace=settings.namespace,
            writable=False,
            why_read_only="not connected yet",
        )

    @property
    def link(self) -> Link:
        return self._link

    async def open(self) -> None:
        """Connect and probe. Raises a Problem; may be called again."""
        await asyncio.to_thread(_imports)
        from costconsole.cache.earlier import EarlierLookups
        from costconsole.ledger.reader import LedgerReader
        from costconsole.redis_store.connect import connect_async
        from costconsole.redis_store.probe import probe

        if self._client is None:
            self._client = connect_async(self._target, read_only=self._settings.read_only)
            self._ledger_client = self._client
            if self._ledger_target is not self._target:
                # The console only ever reads the ledger.
                self._ledger_client = connect_async(self._ledger_target, read_only=True)
        server = await self._asked(probe(self._client, namespace=self._settings.namespace))
        why = "--read-only" if self._settings.read_only else server.why_read_only
        self._link = replace(
            self._link, writable=not why and server.can_write, why_read_only=why, server=server
        )
        await self._discovery.forget()
        self._earlier = EarlierLookups(lookups_file(), server.run_id)
        self._reader = LedgerReader(self._ledger_client, self._keys, tz=self._settings.tz)

    async def close(self) -> None:
        await self._discovery.forget()
        if self._lab is not None:
            await self._lab.close()
        if self._thresholds is not None:
            self._thresholds.close()
        if self._embedder is not None:
            self._embedder.close()
        if self._earlier is not None:
            self._earlier.keep()
        for client in {id(c): c for c in (self._client, self._ledger_client) if c is not None}.values():
            await client.aclose()

    async def view(self, window: Window) -> LedgerView:
        """One round trip; afterwards the embedder is told to load, which is not on the way to the figures."""
        assert self._reader is not None, "open() comes first"
        view: LedgerView = await self._asked(self._reader.view(window, recent=_RECENT), self._ledger_target)
        if not self._warming:
            self._warming = True
            # Its process would take the processor from the first figures.
            asyncio.get_running_loop().call_later(_WARM_UP_S, lambda: self.embedder.start())
        return view

    async def caches(self, refresh: bool = False) -> tuple[CacheInfo, ...]:
        """Every cache; looked for once, and again when asked to, for FT.INFO blocks a server with HNSW."""
        return (await self._survey(refresh)).caches

    @property
    def looked(self) -> Looked:
        return self._discovery.looked

    async def _survey(self, refresh: bool = False) -> Survey:
        if self._client is None:
            raise Problem(f"{self._link.label} is not connected yet: wait for its state to be live")
        seen: Survey = await self._asked(self._discovery.survey(again=refresh))
        return seen

    async def _look(self, on_indexed: Callable[[Survey], None], on_progress: Callable[[int], None]) -> Survey:
        from costconsole.cache.catalog import survey

        def indexed(seen: Survey) -> None:
            self._meter.note(seen.indexes)
            self._read_s = time.monotonic()
            on_indexed(seen)

        # Asked first: an index that is made meanwhile is then seen as a change.
        self._indexes = await _index_names(self._client)
        self._keys_then = int(await self._client.dbsize())
        return await survey(
            self._client,
            self._link.server,
            self._keys,
            mappings=self._settings.caches,
            budget_s=_WALK_S,
            on_indexed=indexed,
            on_progress=on_progress,
        )

    def _told(self, _seen: Survey) -> None:
        """The caches are others, or have other counts."""
        self._search = None
        if self._earlier is not None:
            self._earlier.keep()

    async def known(self) -> Known:
        """What can be known without a ledger; each index is asked anew at most twice a minute."""
        from costconsole.cache.catalog import read_indexes
        from costconsole.cache.known import read_known

        seen = await self._survey()
        server = self._link.server
        if time.monotonic() - self._read_s > _READ_AGAIN_S:
            self._read_s = time.monotonic()
            names = [index.name for index in seen.indexes]
            seen = replace(seen, indexes=await self._asked(read_indexes(self._client, names)))
            self._meter.note(seen.indexes)
        known: Known = await self._asked(
            read_known(
                self._client,
                seen,
                meter=self._meter,
                earlier=self._earlier,
                uptime_ms=server.uptime_ms if server else None,
            )
        )
        return known

    async def caches_changed(self) -> bool:
        """Whether an index came or went since `caches` looked, or the keys have become so many more or fewer
        that its counts mislead. Names and DBSIZE cost nothing.

        On a server where a look takes seconds, what changes meanwhile waits, so that looks stay rare.
        """
        if self._client is None or self._discovery.seen is None or self._discovery.rests:
            return False
        names: frozenset[bytes] = await self._asked(_index_names(self._client))
        if names != self._indexes:
            return True
        moved = abs(int(await self._asked(self._client.dbsize())) - self._keys_then)
        return moved > max(_FEW_KEYS, self._keys_then // 5)

    async def examine(self, progress: Callable[[str], None]) -> AsyncIterator[Finding]:
        """Look at everything once; takes a few seconds a cache, and may be stopped between two findings."""
        from costconsole.doctor import examine
        from costconsole.redis_store.connect import redis_errors

        if self._client is None or self._link.server is None:
            raise Problem(f"{self._link.label} is not connected yet: wait for its state to be live")
        ledger = self._ledger_client if self._ledger_client is not self._client else None
        try:
            async for finding in examine(
                self._client,
                self._link.server,
                self._keys,
                self.embedder,
                deep=True,
                ledger_client=ledger,
                meter=self._meter,
                earlier=self._earlier,
                progress=progress,
                mappings=self._settings.caches,
            ):
                yield finding
        except redis_errors() as error:
            raise explain(error, self._target) from None

    @property
    def _meter(self) -> UseMeter:
        """Remembers what indexes had counted when the console first saw them."""
        if self._uses is None:
            from costconsole.cache.estimates import UseMeter

            self._uses = UseMeter()
        return self._uses

    @property
    def search(self) -> EntrySearch:
        """Searches the caches that `caches` found."""
        explained: Any = _Explained(self._plain_search, self._asked)
        search: EntrySearch = explained
        return search

    @property
    def _plain_search(self) -> Search:
        if self._search is None:
            from costconsole.cache.search import EntrySearch as Search

            if self._client is None:
                raise Problem(f"{self._link.label} is not connected yet: wait for its state to be live")
            hits = self._ledger_client if self._ledger_client is not self._client else None
            seen = self._discovery.seen
            self._search = Search(self._client, seen.caches if seen else (), self._keys, hits_client=hits)
        return self._search

    @property
    def eviction(self) -> Eviction:
        """Changes what `search` finds, in the name of who runs the console."""
        from costconsole.cache.author import this_author
        from costconsole.cache.eviction import Eviction as Changes

        search, server = self._plain_search, self._link.server
        if server is None:
            raise Problem(f"{self._link.label} is not connected yet: wait for its state to be live")
        explained: Any = _Explained(
            Changes(self._client, search, self._keys, server, this_author()), self._asked
        )
        changes: Eviction = explained
        return changes

    @property
    def embedder(self) -> QueryEmbedder:
        if self._embedder is None:
            from costconsole.embedding.factory import make_embedder

            self._embedder = make_embedder(
                self._settings.embedding_model,
                base_url=self._settings.embedding_url,
                api_key=os.environ.get(self._settings.embedding_key_env),
                remember=256,
            )
        return self._embedder

    @property
    def thresholds(self) -> Thresholds:
        """Reads what look-ups and labels say, with connections of its own, and changes the live policy."""
        if self._thresholds is None:
            from costconsole.cache.author import this_author
            from costconsole.console.threshold_source import Thresholds as Known
            from costconsole.redis_store.connect import connect

            if self._client is None or self._link.server is None:
                raise Problem(f"{self._link.label} is not connected yet: wait for its state to be live")
            apart = self._ledger_target is not self._target
            known: Any = Known(
                self._client,
                lambda: connect(self._target, read_only=True),
                (lambda: connect(self._ledger_target, read_only=True)) if apart else None,
                self._keys,
                this_author(),
                link=lambda: self._link,
                embedder=lambda: self.embedder,
            )
            self._thresholds = known
        explained: Any = _Explained(self._thresholds, self._asked)
        found: Thresholds = explained
        return found

    @property
    def lab(self) -> Lab:
        """Tries prompts; what it needs is made when it is first asked."""
        if self._lab is None:
            from costconsole.console.lab_source import LabSource

            def embedder() -> Any:
                return self.embedder

            self._lab = LabSource(
                self._settings,
                self._keys,
                lambda: self._client,
                embedder,
                self.caches,
                self._asked,
                lambda: self._link,
                self._ledger_target,
            )
        return self._lab

    @property
    def routing(self) -> RoutingSide:
        """The config that is followed, RedisVL's routers, the policy's switches, and what-ifs."""
        if self._routing is None:
            from costconsole.console.routing_source import RedisRouting

            self._routing = RedisRouting(
                self,
                self._settings,
                self._keys,
                lambda: (self._client, self._ledger_client),
                lambda question: self._asked(question, self._ledger_target),
            )
        explained: Any = _Explained(self._routing, self._asked)
        side: RoutingSide = explained
        return side

    async def _asked(self, question: Awaitable[Any], target: RedisTarget | None = None) -> Any:
        """The answer; whatever the client raises becomes a Problem."""
        from costconsole.redis_store.connect import redis_errors

        try:
            return await question
        except redis_errors() as error:
            raise explain(error, target or self._target) from None


class _Explained:
    """Another object's coroutine methods, with errors as Problems."""

    def __init__(self, inner: object, asked: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        self._inner = inner
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **options: Any) -> Any:
            return await self._asked(method(*args, **options))

        return call


async def _index_names(client: Any) -> frozenset[bytes]:
    """Names of all search indexes; none where there is no search, or no right to list them."""
    from redis.exceptions import ResponseError

    from costconsole.cache.commands import index_names

    try:
        return await index_names(client)
    except ResponseError:
        return frozenset()


def _imports() -> None:
    """In a thread, so that the event loop stays free for the first page and for keys."""
    for name in ("redis.asyncio", "costconsole.ledger.reader", "costconsole.redis_store.probe"):
        import_module(name)
