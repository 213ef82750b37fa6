"""What the console reads, as a protocol: the real one speaks to Redis, tests use frozen values."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from costconsole.cache.entryfilter import EntryFilter
    from costconsole.cache.eviction import Evicted, Preview, Progress, Restored, Selection, Undoable
    from costconsole.cache.page import EntryPage
    from costconsole.cache.reading import Weight
    from costconsole.calibration.events import Event, Verdict
    from costconsole.calibration.feedback import WrongHit
    from costconsole.calibration.replay import Replayed
    from costconsole.console.lab import Lab
    from costconsole.console.routing_values import RoutingSide
    from costconsole.console.threshold_view import Change, Kept, Pairs, Scope, ThresholdView
    from costconsole.domain.entry import CacheEntry, CacheInfo, Neighbor
    from costconsole.domain.figures import LedgerView, Policy
    from costconsole.domain.known import Known
    from costconsole.domain.window import Window
    from costconsole.embedding.embedder import Embedding
    from costconsole.health.finding import Finding
    from costconsole.redis_store.probe import ServerInfo

LinkState = Literal["connecting", "live", "stale", "down"]


@dataclass(frozen=True, slots=True)
class Link:
    """How the connection stands. Times are Unix milliseconds; nothing in it is secret.

    `stale`: connected, but an answer is overdue. `down`: not connected. `since_ms` is when this state began,
    `read_ms` when the figures on screen were read, `retry_at_ms` when the next attempt is due.
    """

    state: LinkState = "connecting"
    label: str = ""
    namespace: str = "default"
    writable: bool = False
    why_read_only: str = ""
    since_ms: int | None = None
    read_ms: int | None = None
    retry_at_ms: int | None = None
    reason: str = ""
    latency_ms: float | None = None
    server: ServerInfo | None = None

    @property
    def is_old(self) -> bool:
        """Whether what is on screen may no longer be true."""
        return self.state in ("stale", "down")


@dataclass(frozen=True, slots=True)
class Looked:
    """How far the look for caches without an index has come: `keys` were looked at so far.

    `left_out` is one sentence when it has ended before all were.
    """

    keys: int = 0
    running: bool = False
    left_out: str = ""

    @property
    def words(self) -> str:
        """`looking for caches without an index… 412,000 keys looked at`; "" when nothing is looked for."""
        if not self.running:
            return ""
        if not self.keys:
            return "looking for caches…"
        return f"looking for caches without an index… {self.keys:,} keys looked at"


class EntrySearch(Protocol):
    """Finding cached entries, as `costconsole.cache.search` does. Every method may raise a Problem."""

    async def newest(
        self,
        cache: CacheInfo | None = None,
        limit: int = 50,
        before: Any = None,
        *,
        where: EntryFilter = ...,
        oldest: bool = False,
    ) -> EntryPage: ...

    async def most_hit(
        self, caches: CacheInfo | None = None, limit: int = 50, *, where: EntryFilter = ...
    ) -> EntryPage: ...

    async def by_vector(
        self,
        vector: bytes,
        caches: Sequence[CacheInfo] | None = None,
        k: int = 20,
        *,
        where: EntryFilter = ...,
    ) -> EntryPage: ...

    async def by_text(
        self,
        query: str,
        caches: Sequence[CacheInfo] | None = None,
        limit: int = 50,
        before: Any = None,
        *,
        where: EntryFilter = ...,
    ) -> EntryPage: ...

    async def by_key(
        self, query: str, limit: int = 50, before: Any = None, *, where: EntryFilter = ...
    ) -> EntryPage: ...

    async def weights(self, keys: Sequence[str]) -> Mapping[str, Weight]: ...

    async def entry(self, key: str) -> CacheEntry | None: ...

    async def neighbors(self, entry: CacheEntry, k: int = 5) -> tuple[Neighbor, ...]: ...


class Eviction(Protocol):
    """Evicting entries and bringing them back, as `costconsole.cache.eviction` does. May raise a Problem."""

    async def preview(self, selection: Selection) -> Preview: ...

    async def evict(
        self,
        selection: Selection,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
        undoable: bool = True,
        total: int | None = None,
    ) -> Evicted: ...

    async def undo(
        self,
        undo_id: str | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: asyncio.Event | None = None,
    ) -> Restored: ...

    async def history(self, limit: int = 20) -> tuple[Undoable, ...]: ...

    async def set_ttl(self, key: str, seconds: float | None) -> int | None: ...


class QueryEmbedder(Protocol):
    """Turns a query into a vector, in another process."""

    @property
    def name(self) -> str: ...

    @property
    def status(self) -> str:
        """`off`, `starting`, `ready` or `failed: <sentence>`."""
        ...

    def start(self) -> None:
        """Begin to load in the background."""

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]: ...


class Thresholds(Protocol):
    """Thresholds with evidence, as `costconsole.console.threshold_source` has them. May raise a Problem."""

    async def view(
        self,
        scope: Scope = ...,
        max_error: float = ...,
        *,
        caches: Sequence[CacheInfo] = (),
        progress: Callable[[int], None] | None = None,
        now_ms: int = 0,
    ) -> ThresholdView: ...

    async def alarm(self, max_error: float = ...) -> str: ...

    async def apply(self, view: ThresholdView, threshold: float) -> Change: ...

    async def change_cache(
        self, caches: Sequence[CacheInfo], name: str, part: str, threshold: float
    ) -> Change: ...

    async def last_change(self) -> Change | None: ...

    async def take_back(self, caches: Sequence[CacheInfo], undo_id: str) -> Change: ...

    async def switch_guard(self, view: ThresholdView, name: str, on: bool) -> Policy: ...

    async def pairs(self, view: ThresholdView, count: int, seed: int | None = None) -> Pairs: ...

    async def label(self, event: Event, verdict: Verdict) -> Kept: ...

    async def unlabel(self, kept: Kept) -> None: ...

    async def mark_wrong(
        self, entry_key: str, similarity: float, *, query: str = "", cached: str = ""
    ) -> WrongHit: ...

    async def take_back_wrong(self, done: WrongHit) -> bool: ...

    async def entry_threshold(self, entry_key: str) -> float | None: ...

    async def replay(
        self,
        view: ThresholdView,
        thresholds: Sequence[float],
        *,
        progress: Callable[[str, int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Replayed, ...]: ...


class Source(Protocol):
    """Everything that the screens read. `view` is one round trip. Every method may raise a Problem."""

    @property
    def link(self) -> Link:
        """Who we are connected to; the state in it is kept by the poll loop, not here."""
        ...

    async def open(self) -> None:
        """Connect and find out what the server can do; called again after a failure."""
        ...

    async def close(self) -> None: ...

    async def view(self, window: Window) -> LedgerView: ...

    async def caches(self, refresh: bool = False) -> tuple[CacheInfo, ...]:
        """Those that are known by now: while `looked` is running, there may be others without an index."""
        ...

    @property
    def looked(self) -> Looked:
        """How far the look for caches has come; costs nothing."""
        ...

    async def caches_changed(self) -> bool:
        """Whether caches came or went since `caches` looked: cheap enough to ask every few seconds."""
        ...

    async def known(self) -> Known:
        """What can be known of the caches without a ledger, and whether all keys were looked at.

        Asked again after half a minute, estimates are of what happened since; not to be polled.
        """
        ...

    def examine(self, progress: Callable[[str], None]) -> AsyncIterator[Finding]:
        """Look at the server and at all caches once, in a few seconds; may be stopped at any moment.

        `progress` gets a few words on what is being looked at.
        """
        ...

    @property
    def search(self) -> EntrySearch: ...

    @property
    def eviction(self) -> Eviction:
        """Changes entries of the caches that `caches` found; refuses where nothing may be written."""
        ...

    @property
    def embedder(self) -> QueryEmbedder: ...

    @property
    def thresholds(self) -> Thresholds:
        """What thresholds would have done, and changing them; refuses where nothing may be written."""
        ...

    @property
    def lab(self) -> Lab:
        """Tries prompts against the caches, the router and the models."""
        ...

    @property
    def routing(self) -> RoutingSide:
        """The routing config and what hangs on it; its files can be read before there is a connection."""
        ...
