"""What the page of thresholds reads and changes. Reading and counting happen in a thread with a connection of
its own, so that a hundred thousand look-ups don't stop the event loop.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costconsole.calibration.events import Event, Verdict
from costconsole.calibration.replay import Replayed
from costconsole.console.threshold_reader import ThresholdReader
from costconsole.console.threshold_view import ALL, Change, Kept, Pairs, Scope, ThresholdView
from costconsole.domain.errors import Problem, Refused
from costconsole.domain.figures import Policy
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.cache.policy import Author
    from costconsole.cache.thresholds import CacheThreshold
    from costconsole.calibration.feedback import WrongHit
    from costconsole.console.source import Link
    from costconsole.domain.entry import CacheInfo
    from costconsole.redis_store.probe import ServerInfo

LOWER_AT_MOST = 0.05
"""How far one change may lower a threshold."""
REPLAYED = 20_000


def why_not_step(current: float, wanted: float) -> str:
    """Why a threshold can't be set in one step, or ""."""
    if wanted >= current - LOWER_AT_MOST - 1e-9:
        return ""
    return (
        f"one step lowers it by {LOWER_AT_MOST:g} at most, to {current - LOWER_AT_MOST:g}: a lower threshold "
        "changes what is cached, so the log says little about those further below"
    )


class Thresholds:
    """Reads with sync clients in threads, changes with the console's own. `client` is that of the caches,
    the policy and the labels, `ledger` that of the calls; `make_client` and `make_ledger` make sync ones.

    Errors of the clients are the caller's; whatever may not be done raises a Problem.
    """

    def __init__(
        self,
        client: Any,
        make_client: Callable[[], Any],
        make_ledger: Callable[[], Any] | None,
        keys: Keys,
        author: Author,
        *,
        link: Callable[[], Link],
        embedder: Callable[[], Any] | None = None,
    ) -> None:
        self._client = client
        self._read = ThresholdReader(make_client, make_ledger, keys)
        self._keys = keys
        self._author = author
        self._link = link
        self._embedder = embedder
        self._lock = threading.Lock()

    # -- reading

    def close(self) -> None:
        """Cut the connections of the threads."""
        self._read.close()

    async def view(
        self,
        scope: Scope = ALL,
        max_error: float = 0.02,
        *,
        caches: Sequence[CacheInfo] = (),
        progress: Callable[[int], None] | None = None,
        now_ms: int = 0,
    ) -> ThresholdView:
        """Everything about a scope's threshold. `progress` hears how many look-ups were read, in a thread."""
        from costconsole.cache.thresholds import read_thresholds

        foreign: tuple[CacheThreshold, ...] = ()
        if caches:
            own = self._keys.semantic_prefix
            foreign = tuple(
                one
                for one in await read_thresholds(self._client, caches)
                if not any(cache.name == one.cache and cache.prefix == own for cache in caches)
            )
        return await asyncio.to_thread(self._view, scope, max_error, foreign, progress, now_ms)

    def _view(
        self,
        scope: Scope,
        max_error: float,
        caches: tuple[CacheThreshold, ...],
        progress: Callable[[int], None] | None,
        now_ms: int,
    ) -> ThresholdView:
        from costconsole.console.threshold_figures import look

        with self._lock:
            log = self._read.log(progress)
            policy, labels = self._read.policy(), self._read.labels()
            return look(
                log,
                labels,
                policy,
                self._read.texts_of,
                scope=scope,
                max_error=max_error,
                caches=caches,
                read_ms=now_ms,
            )

    async def alarm(self, max_error: float = 0.02) -> str:
        """A sentence when labels refute a threshold that is in force, or "". Cheap while nothing changes."""
        return await asyncio.to_thread(self._alarm, max_error)

    def _alarm(self, max_error: float) -> str:
        from costconsole.console.threshold_figures import alarm_of

        with self._lock:
            return alarm_of(self._read.labels(), self._read.policy(), max_error)

    # -- changing the threshold

    def _check_writable(self) -> ServerInfo:
        link = self._link()
        if not link.writable or link.server is None:
            raise Refused(f"nothing can be changed here: {link.why_read_only or 'read-only'}")
        return link.server

    async def apply(self, view: ThresholdView, threshold: float) -> Change:
        """Set the threshold of the view's scope, if nobody was faster. Refuses to lower it too far."""
        from costconsole.cache.policy import awrite_policy

        self._check_writable()
        if why := why_not_step(view.current, threshold):
            raise Refused(why)
        policy = await awrite_policy(
            self._client,
            self._keys,
            {view.scope.field: threshold},
            self._author,
            why=f"thresholds page: {self._state(view, threshold)}",
            expected_version=view.policy.version,
        )
        words = f"threshold of {view.scope.words}: {view.current:g} -> {threshold:g}"
        return Change(f"{words}, version {policy.version}", view.scope.words, view.current, threshold)

    @staticmethod
    def _state(view: ThresholdView, threshold: float) -> str:
        at = view.steps[view.index_of(threshold)].point if view.steps else None
        return "no log" if at is None else f"{at.state}, {at.wrong} of {at.labels} labels wrong"

    async def change_cache(
        self, caches: Sequence[CacheInfo], name: str, part: str, threshold: float
    ) -> Change:
        """Set the threshold of another library's cache, where that can be done from here."""
        from costconsole.cache.thresholds import change_threshold

        server = self._check_writable()
        done = await change_threshold(
            self._client, server, self._keys, self._author, caches, name, threshold, part=part
        )
        return _change_of(done)

    async def last_change(self) -> Change | None:
        """The newest change of a threshold that wasn't taken back yet; None when there is none."""
        from costconsole.cache.thresholds import newest_change

        found = await newest_change(self._client, self._keys)
        if found is None:
            return None
        undo_id, fields = found
        what = fields.get("cache") or f"namespace {self._keys.namespace}"
        before, after = stored_words(fields, "before"), stored_words(fields, "after")
        who = f"{fields.get('who', '?')}@{fields.get('host', '?')}"
        return Change(f"{what}: {after} -> {before}; {who} had set it", what, None, None, undo_id)

    async def take_back(self, caches: Sequence[CacheInfo], undo_id: str) -> Change:
        """Put the value before a change in force again. Raises Problem when it was changed since."""
        from costconsole.cache.thresholds import own_cache, undo_threshold

        server = self._check_writable()
        done = await undo_threshold(
            self._client,
            server,
            self._keys,
            self._author,
            [*caches] or [own_cache(self._keys)],
            undo_id,
        )
        return _change_of(done)

    async def switch_guard(self, view: ThresholdView, name: str, on: bool) -> Policy:
        """Switch a guard for all applications, if nobody changed the policy since."""
        from costconsole.cache.policy import GUARD, awrite_policy

        self._check_writable()
        return await awrite_policy(
            self._client,
            self._keys,
            {GUARD + name: on},
            self._author,
            why="thresholds page",
            expected_version=view.policy.version,
        )

    # -- labels

    async def pairs(self, view: ThresholdView, count: int, seed: int | None = None) -> Pairs:
        """At most `count` pairs to label, drawn by design from the look-ups of the view's scope."""
        return await asyncio.to_thread(self._pairs, view, count, seed)

    def _pairs(self, view: ThresholdView, count: int, seed: int | None) -> Pairs:
        import numpy as np

        from costconsole.calibration.events import FLOOR, evidence
        from costconsole.calibration.evidence import Evidence
        from costconsole.calibration.queue import draw, share_left
        from costconsole.calibration.queueing import start_of
        from costconsole.calibration.store import label_events
        from costconsole.console.threshold_figures import is_of, mask_of, near

        with self._lock:
            log, every = self._read.log(), self._read.labels()
            rows = np.flatnonzero(mask_of(log, view.scope)).tolist()
            events = [log.events[i] for i in rows if near(log.events[i].threshold, view.current)]
            labels = tuple(
                event
                for event in label_events(every.values())
                if is_of(event, view.scope) and (not event.certified or near(event.threshold, view.current))
            )
            scores = tuple(-1.0 if event.guards else event.similarity for event in events)
            looked = Evidence(
                current=view.current,
                policy=view.policy,
                scores=scores,
                events=tuple(event for event in events if event.similarity >= FLOOR),
                labels=labels,
                elsewhere=view.elsewhere,
                every_label=every,
            )
            low = start_of(looked, view.max_error)
            drawn = draw(
                looked.events,
                {event.id for event in evidence(labels)},
                low,
                4 * count,
                secrets.randbits(32) if seed is None else seed,
                share=share_left(evidence(labels), count),
            )
            texts = self._read.texts_of([event.neighbor for event in drawn])
        chosen: list[Event] = []
        gone = wide = 0
        for event in drawn:
            if len(chosen) == count:
                break
            cached, answer = texts.get(event.neighbor, ("", ""))
            if event.query and cached:
                chosen.append(replace(event, cached=cached, answer=answer))
                wide += event.drawn_from <= FLOOR
            else:
                gone += 1
        return Pairs(tuple(chosen), wide, gone, low)

    async def label(self, event: Event, verdict: Verdict) -> Kept:
        """Keep what a person says of a pair, at once."""
        from costconsole.calibration.store import label_of, write_label

        self._check_writable()
        label = label_of(event, verdict, "operator", self._author)
        return Kept(label.field, await write_label(self._client, self._keys, label, self._author))

    async def unlabel(self, kept: Kept) -> None:
        """Take a label back."""
        from costconsole.calibration.store import undo_label

        self._check_writable()
        await undo_label(self._client, self._keys, kept.field, kept.before, self._author)

    # -- wrong hits

    async def mark_wrong(
        self, entry_key: str, similarity: float, *, query: str = "", cached: str = ""
    ) -> WrongHit:
        """Say that a hit was wrong: see `costconsole.calibration.feedback.mark_wrong`."""
        from costconsole.calibration.feedback import mark_wrong

        self._check_writable()
        return await mark_wrong(
            self._client, self._keys, entry_key, similarity, self._author, query=query, cached=cached
        )

    async def take_back_wrong(self, done: WrongHit) -> bool:
        """Undo it; False when the entry was marked further since."""
        from costconsole.calibration.feedback import take_back

        self._check_writable()
        return await take_back(self._client, self._keys, done, self._author)

    async def entry_threshold(self, entry_key: str) -> float | None:
        """The threshold that an entry has of its own after a wrong hit."""
        from costconsole.cache import ratchet

        if not entry_key.startswith(self._keys.semantic_prefix):
            return None
        reply = await self._client.execute_command(*ratchet.read_command(self._keys, [entry_key]))
        return ratchet.parse([entry_key], reply).get(entry_key)

    # -- replaying

    async def replay(
        self,
        view: ThresholdView,
        thresholds: Sequence[float],
        *,
        progress: Callable[[str, int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Replayed, ...]:
        """What each threshold would have done to the newest logged prompts, with a cache that grows anew.

        `progress` is called in a thread. Empty when it was stopped.
        """
        return await asyncio.to_thread(self._replay, view, thresholds, progress, stop)

    def _replay(
        self,
        view: ThresholdView,
        thresholds: Sequence[float],
        progress: Callable[[str, int, int], None] | None,
        stop: threading.Event | None,
    ) -> tuple[Replayed, ...]:
        from costconsole.calibration.replay import Stopped, embed_prompts
        from costconsole.calibration.replay_log import replay_log
        from costconsole.console.threshold_figures import mask_of

        if self._embedder is None:
            raise Problem("there is no embedding model here to replay prompts with")
        with self._lock:
            log, labels = self._read.log(), self._read.labels()
            kept = mask_of(log, view.scope)
            events = [
                event for event, mine in zip(log.events, kept.tolist(), strict=True) if mine and event.query
            ]
        events = events[-REPLAYED:]
        if not events:
            raise Problem("the ledger keeps no prompts: there is nothing to replay")
        tell = progress or (lambda _what, _done, _all: None)
        stopped = stop.is_set if stop is not None else None
        try:
            vectors = embed_prompts(
                events,
                self._embedder(),
                progress=lambda done, every: tell("embedding", done, every),
                stop=stopped,
            )
            return tuple(
                replay_log(
                    events,
                    vectors,
                    threshold,
                    labels,
                    progress=lambda done, every, t=threshold: tell(f"replaying {t:g}", done, every),  # type: ignore[misc]
                    stop=stopped,
                )
                for threshold in thresholds
            )
        except Stopped:
            return ()


def stored_words(fields: Mapping[str, str], which: str) -> str:
    """What an audit entry says was stored before or after a change of a threshold."""
    if fields.get("what") == "threshold":
        return fields.get(f"similarity_{which}", "the library's default")
    try:
        stored = json.loads(fields.get(which, "{}"))
        return (
            ", ".join(f"{key.partition(':')[2]} {value}".strip() for key, value in stored.items()) or "none"
        )
    except (ValueError, AttributeError):
        return "?"


def _change_of(done: Any) -> Change:
    before, after = (
        "that of its code" if value is None else f"{value:g}" for value in (done.before, done.after)
    )
    part = f", {done.part}" if done.part else ""
    when = "running applications follow" if done.takes_effect == "now" else "from its next start"
    return Change(
        f"{done.cache}{part}: {before} -> {after}; {when}", done.cache, done.before, done.after, done.undo_id
    )
