"""Look-ups of the ledger as events, with what their neighbours say, and the labels that go with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from costconsole.cache.commands import Command
from costconsole.cache.policy import aread_policy
from costconsole.calibration.events import FLOOR, Event
from costconsole.calibration.store import Label, label_events, read_labels
from costconsole.domain.call import Call, Outcome
from costconsole.domain.figures import Policy
from costconsole.ledger.view import parse_call
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

if TYPE_CHECKING:
    from costconsole.cache.layouts.base import Layout
    from costconsole.domain.entry import CacheInfo

MOST = 100_000
_PAGE = 2_000
_TEXT_FIELDS = ("prompt", "response")
_NEVER = -1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a scope. `scores` has the similarity of every look-up under the threshold in force,
    -1 for one that nothing could have served; `events` those with a neighbour worth looking at; `labels`
    those drawn under this threshold. `elsewhere` counts the labels of other thresholds: what a threshold does
    changes what is cached, so these are of another cache.
    """

    current: float
    policy: Policy
    scores: tuple[float, ...]
    events: tuple[Event, ...]
    labels: tuple[Event, ...]
    elsewhere: int
    every_label: Mapping[str, Label]
    truncated: bool = False


def as_event(call: Call) -> Event | None:
    """The look-up that a call made in the semantic cache; None where it made none."""
    if call.threshold is None or call.outcome is Outcome.EXACT:
        return None
    return Event(
        id=call.id,
        ts_ms=call.ts_ms,
        similarity=_NEVER if call.similarity is None else call.similarity,
        threshold=call.threshold,
        policy_version=call.policy_version,
        hit=call.outcome is Outcome.SEMANTIC,
        query=call.preview,
        neighbor=call.neighbor,
        scope=call.scope,
        route=call.route,
        model=call.requested_model or call.model,
        guards=tuple(name for name in call.guard.split(",") if name),
    )


def scores_of(events: Iterable[Event]) -> tuple[float, ...]:
    """The similarity of every look-up; what a guard refused can't be served at any threshold."""
    return tuple(_NEVER if event.guards else event.similarity for event in events)


async def read_events(
    client: Any, keys: Keys, *, limit: int = MOST, since_ms: int | None = None
) -> tuple[Event, ...]:
    """The newest look-ups of the ledger, newest first, `limit` at most."""
    found: list[Event] = []
    end, start = "+", "-" if since_ms is None else str(since_ms)
    while len(found) < limit:
        page = await client.execute_command("XREVRANGE", keys.calls, end, start, "COUNT", _PAGE)
        for _name, fields in page:
            call = parse_call(fields if isinstance(fields, Mapping) else _flat(fields))
            event = None if call is None else as_event(call)
            if event is not None:
                found.append(event)
        if len(page) < _PAGE:
            break
        end = f"({text(page[-1][0])}"
    return tuple(found[:limit])


async def with_texts(
    client: Any, events: Sequence[Event], *, caches: Sequence[CacheInfo] = ()
) -> tuple[Event, ...]:
    """The same events with the prompts and answers of their neighbours; "" where these are gone.

    A neighbour in one of `caches` is read as its library keeps it, any other as a hash of our own form.
    """
    reads = {event.neighbor: _reading(event.neighbor, caches) for event in events if event.neighbor}
    wanted = list(reads.items())
    texts: dict[str, tuple[str, str]] = {}
    for start in range(0, len(wanted), _PAGE):
        some = wanted[start : start + _PAGE]
        async with client.pipeline(transaction=False) as pipe:
            for _key, (command, _parse) in some:
                pipe.execute_command(*command)
            replies = await pipe.execute(raise_on_error=False)
        for (key, (_command, parse)), reply in zip(some, replies, strict=True):
            if not isinstance(reply, Exception):
                texts[key] = parse(reply)
    found = []
    for event in events:
        cached, answer = texts.get(event.neighbor, ("", ""))
        found.append(replace(event, cached=cached, answer=answer))
    return tuple(found)


def _reading(neighbor: str, caches: Sequence[CacheInfo]) -> tuple[Command, Callable[[Any], tuple[str, str]]]:
    """The command that reads an entry's texts, and what makes them of the reply."""
    from costconsole.cache.layouts import layout_of

    key = neighbor.encode("utf-8", "surrogateescape")
    for cache in caches:
        layout = layout_of(cache)
        if layout.owns(cache, key):

            def parse(reply: Any, layout: Layout = layout, cache: CacheInfo = cache) -> tuple[str, str]:
                entry = layout.parse(cache, key, reply)
                return ("", "") if entry is None else (entry.prompt or "", entry.response or "")

            return layout.read(cache, key), parse
    return ("HMGET", neighbor, *_TEXT_FIELDS), _hash_texts


def _hash_texts(reply: Any) -> tuple[str, str]:
    return ("", "") if reply[0] is None else (text(reply[0]), text(reply[1]))


async def gather(
    client: Any, ledger: Any, keys: Keys, *, route: str = "", model: str = "", limit: int = MOST
) -> Evidence:
    """Everything that a proposal for a scope rests on. `client` has the policy and the labels, `ledger` the
    calls. Errors of the clients are the caller's to handle."""
    return (await gather_log(client, ledger, keys, limit=limit)).of(route=route, model=model)


async def gather_log(client: Any, ledger: Any, keys: Keys, *, limit: int = MOST) -> Log:
    """What all scopes rest on, read once."""
    policy = await aread_policy(client, keys)
    every = await read_labels(client, keys)
    looked = await read_events(ledger, keys, limit=limit)
    return Log(policy, every, looked, len(looked) >= limit)


@dataclass(frozen=True, slots=True)
class Log:
    """Policy, labels and every logged look-up, newest first, of whichever threshold."""

    policy: Policy
    every_label: Mapping[str, Label]
    events: tuple[Event, ...]
    truncated: bool = False

    @property
    def label_events(self) -> tuple[Event, ...]:
        return label_events(self.every_label.values())

    def of(self, *, route: str = "", model: str = "") -> Evidence:
        """The evidence of one scope under its threshold in force."""
        looked = [
            event
            for event in self.events
            if (not route or event.route == route) and (not model or event.model == model)
        ]
        current = in_force(self.policy, looked, route=route, model=model)
        events = [event for event in looked if _same(event.threshold, current)]
        said = [
            label
            for label in self.label_events
            if (not route or label.route == route) and (not model or label.model == model)
        ]
        labels = tuple(event for event in said if not event.certified or _same(event.threshold, current))
        return Evidence(
            current=current,
            policy=self.policy,
            scores=scores_of(events),
            events=tuple(event for event in events if event.similarity >= FLOOR),
            labels=labels,
            elsewhere=len(said) - len(labels),
            every_label=self.every_label,
            truncated=self.truncated,
        )


def in_force(policy: Policy, events: Sequence[Event], *, route: str = "", model: str = "") -> float:
    """The threshold of a scope: the policy's; while nobody has set one, that of the newest look-ups."""
    if policy.version:
        return policy.threshold_for(route=route, model=model)
    used = Counter(event.threshold for event in events[:200] if event.threshold is not None)
    return used.most_common(1)[0][0] if used else policy.threshold


async def betterdb_scores(client: Any, window_key: str) -> tuple[tuple[float, bool, str], ...]:
    """What BetterDB's library remembers of its look-ups: similarity, whether it was a hit, category.

    It keeps no texts: a log to read hit rates off, and nothing to label.
    """
    members = await client.execute_command("ZRANGE", window_key, 0, -1)
    found = []
    for member in members:
        try:
            kept = json.loads(text(member))
            found.append(
                (1.0 - float(kept["score"]), kept.get("result") == "hit", str(kept.get("category") or ""))
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(found)


def _same(one: float | None, other: float) -> bool:
    return one is not None and abs(one - other) < 1e-6


def _flat(fields: Any) -> dict[bytes, bytes]:
    return {name.encode(): value for name, value in pairs(fields).items()}
