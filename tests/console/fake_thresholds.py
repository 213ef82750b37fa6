"""A log of look-ups that never changes, labels of it, and thresholds that remember what was asked of them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from costconsole.cache.policy import Author
from costconsole.cache.ratchet import Mark
from costconsole.cache.thresholds import CacheThreshold
from costconsole.calibration.events import Event, Verdict
from costconsole.calibration.feedback import WrongHit
from costconsole.calibration.replay import Replayed
from costconsole.calibration.store import Label, label_of
from costconsole.console.threshold_figures import look
from costconsole.console.threshold_log import LookupLog
from costconsole.console.threshold_view import ALL, Change, Kept, Pairs, Scope, ThresholdView
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem
from costconsole.domain.figures import Policy
from costconsole.redis_store.keys import Keys
from tests.console import fakes

AUTHOR = Author("ada", "desk")
LAST = Change("namespace support: .93 -> .95; ada@desk had set it", "support", None, None, "5-0")
POLICY = Policy(version=3, threshold=0.95)
FOREIGN = (
    CacheThreshold(
        cache="llmcache",
        library="redisvl",
        similarity=None,
        default=0.9,
        takes_effect="code",
        line="SemanticCache(distance_threshold=0.1)",
        sentence="RedisVL keeps its threshold in the application",
    ),
    CacheThreshold(
        cache="betterdb",
        library="betterdb",
        part="faq",
        part_word="category",
        similarity=0.9,
        takes_effect="now",
        line="SET betterdb:threshold:faq 0.1",
        sentence="its applications read it every 30 seconds",
    ),
)


def entries(count: int = 2_000, *, threshold: float = 0.95, seed: int = 7, texts: Sequence[str] = ()) -> Any:
    """Calls of the ledger as its stream has them, oldest first."""
    dice = random.Random(seed)
    for i in range(count):
        similarity = min(0.9999, max(0.3, dice.gauss(0.86, 0.09)))
        days = 30 + i % 40
        query = texts[i % len(texts)] if texts else f"Can I get a refund after {days} days, please?"
        hit = similarity >= threshold
        yield {
            "id": f"call-{i:06}",
            "ts_ms": str(fakes.NOW_MS - (count - i) * 20_000),
            "outcome": "semantic" if hit else "miss",
            "model": fakes.MODELS[i % 3],
            "route": ("support", "billing")[i % 4 == 0],
            "threshold": f"{threshold:g}",
            "similarity": f"{similarity:.6f}",
            "policy_version": "3",
            "neighbor": f"costconsole:{{support}}:semantic:{i % 500:04}",
            "preview": query,
            "cost_status": "catalog",
            "saved_semantic_nano" if hit else "spend_nano": "4000000",
        }


def log_of(count: int = 2_000, **options: Any) -> LookupLog:
    """Those calls, read."""
    log = LookupLog(None, Keys("support"))
    for fields in entries(count, **options):
        log._take({name.encode(): value.encode("utf-8", "surrogatepass") for name, value in fields.items()})
    return log


def texts_of(wanted: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Prompts of the entries: their numbers differ from what was asked."""
    return {
        key: (f"Can I get a refund after {20 + int(key[-4:]) % 40} days?", "Yes, **within** that time.")
        for key in wanted
    }


def labels_of(log: LookupLog, count: int, wrong: Callable[[Event], bool]) -> dict[str, Label]:
    """Labels of the first `count` look-ups from .85 on, drawn uniformly from there."""
    found = {}
    for event in [event for event in log.events if event.similarity >= 0.85][:count]:
        drawn = replace(
            event, certified=True, drawn_from=0.85, cached=texts_of([event.neighbor])[event.neighbor][0]
        )
        # Each its own pair, whatever its words.
        label = label_of(
            replace(drawn, query=event.id), "different" if wrong(event) else "same", "operator", AUTHOR
        )
        found[label.field] = replace(label, ts_ms=event.ts_ms)
    return found


@dataclass
class FakeThresholds:
    """Gives what `look` makes of the log; changes are kept in lists."""

    log: LookupLog = field(default_factory=log_of)
    labels: dict[str, Label] = field(default_factory=dict)
    policy: Policy = POLICY
    caches: tuple[CacheThreshold, ...] = FOREIGN
    cached: Callable[[Sequence[str]], dict[str, tuple[str, str]]] = texts_of
    problem: Problem | None = None
    applied: list[tuple[str, float]] = field(default_factory=list)
    changed: list[tuple[str, str, float]] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    switched: list[tuple[str, bool]] = field(default_factory=list)
    said: list[tuple[str, Verdict]] = field(default_factory=list)
    wrong: list[tuple[str, float, str, str]] = field(default_factory=list)
    last: Change | None = LAST
    viewed: int = 0
    replaying: threading.Event | None = None
    alarming: str = ""

    async def view(
        self,
        scope: Scope = ALL,
        max_error: float = 0.02,
        *,
        caches: Sequence[CacheInfo] = (),
        progress: Callable[[int], None] | None = None,
        now_ms: int = 0,
    ) -> ThresholdView:
        self.viewed += 1
        if self.problem is not None:
            raise self.problem
        return look(
            self.log,
            self.labels,
            self.policy,
            self.cached,
            scope=scope,
            max_error=max_error,
            caches=self.caches,
            read_ms=now_ms,
        )

    async def alarm(self, max_error: float = 0.02) -> str:
        return self.alarming

    async def apply(self, view: ThresholdView, threshold: float) -> Change:
        if self.problem is not None:
            raise self.problem
        self.applied.append((view.scope.field, threshold))
        self.policy = replace(self.policy, version=self.policy.version + 1, threshold=threshold)
        return Change(f"threshold of {view.scope.words}: {view.current:g} -> {threshold:g}", "", None, None)

    async def change_cache(
        self, caches: Sequence[CacheInfo], name: str, part: str, threshold: float
    ) -> Change:
        self.changed.append((name, part, threshold))
        return Change(f"{name}, {part}: 0.9 -> {threshold:g}", name, 0.9, threshold)

    async def last_change(self) -> Change | None:
        return self.last

    async def take_back(self, caches: Sequence[CacheInfo], undo_id: str) -> Change:
        self.taken_back.append(undo_id)
        return Change("support:semantic: 0.95 -> 0.93", "", None, None)

    async def switch_guard(self, view: ThresholdView, name: str, on: bool) -> Policy:
        self.switched.append((name, on))
        self.policy = replace(self.policy, version=self.policy.version + 1)
        return self.policy

    async def pairs(self, view: ThresholdView, count: int, seed: int | None = None) -> Pairs:
        chosen = []
        for event in self.log.events:
            cached, answer = self.cached([event.neighbor]).get(event.neighbor, ("", ""))
            if event.similarity >= 0.9 and len(chosen) < min(count, 4):
                chosen.append(replace(event, cached=cached, answer=answer, certified=True, drawn_from=0.9))
        return Pairs(tuple(chosen), 1, 0, 0.9)

    async def label(self, event: Event, verdict: Verdict) -> Kept:
        if self.problem is not None:
            raise self.problem
        self.said.append((event.id, verdict))
        label = label_of(event, verdict, "operator", AUTHOR)
        self.labels = {**self.labels, label.field: label}
        return Kept(label.field, None)

    async def unlabel(self, kept: Kept) -> None:
        self.said.pop()
        self.labels = {name: label for name, label in self.labels.items() if name != kept.field}

    async def mark_wrong(
        self, entry_key: str, similarity: float, *, query: str = "", cached: str = ""
    ) -> WrongHit:
        self.wrong.append((entry_key, similarity, query, cached))
        return WrongHit(Mark(entry_key, similarity, None, similarity + 0.01), "pair")

    async def take_back_wrong(self, done: WrongHit) -> bool:
        self.wrong.pop()
        return True

    async def entry_threshold(self, entry_key: str) -> float | None:
        return 0.983 if self.wrong else None

    async def replay(
        self,
        view: ThresholdView,
        thresholds: Sequence[float],
        *,
        progress: Callable[[str, int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Replayed, ...]:
        import asyncio

        if progress is not None:
            progress("embedding", 10, 2000)
        while self.replaying is not None and not self.replaying.is_set():
            if stop is not None and stop.is_set():
                return ()
            await asyncio.sleep(0)
        return tuple(Replayed(t, 2000, 0.21, 0.17, 40, 2, 300, 0) for t in thresholds)


@dataclass
class ThresholdSource(fakes.FakeSource):
    """A source with thresholds."""

    thresholds: FakeThresholds = field(default_factory=FakeThresholds)
