"""Look-ups of the ledger as events, with what their neighbours say, and the labels that go with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costconsole.cache.policy import aread_policy
from costconsole.calibration.events import FLOOR, Event
from costconsole.calibration.store import Label, label_events, read_labels
from costconsole.domain.call import Call, Outcome
from costconsole.domain.figures import Policy
from costconsole.ledger.view import parse_call
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

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


async def with_texts(client: Any, events: Sequence[Event]) -> tuple[Event, ...]:
    """The same events with the prompts and answers of their neighbours; "" where these are gone."""
    wanted = list(dict.fromkeys(event.neighbor for event in events if event.neighbor))
    texts: dict[str, tuple[str, str]] = {}
    for start in range(0, len(wanted), _PAGE):
        some = wanted[start : start + _PAGE]
        async with client.pipeline(transaction=False) as pipe:
            for key in some:
                pipe.execute_command("HMGET", key, *_TEXT_FIELDS)
            replies = await pipe.execute(raise_on_error=False)
        for key, reply in zip(some, replies, strict=True):
            if not isinstance(reply, Exception) and reply[0] is not None:
                texts[key] = text(reply[0]), text(reply[1])
    found = []
    for event in events:
        cached, answer = texts.get(event.neighbor, ("", ""))
        found.append(replace(event, cached=cached, answer=answer))
    return tuple(found)


async def gather(
    client: Any, ledger: Any, keys: Keys, *, route: str = "", model: str = "", limit: int = MOST
) -> Evidence:
    """Everything that a proposal for a scope rests on. `client` has the policy and the labels, `ledger` the
    calls. Errors of the clients are the caller's to handle."""
    policy = await aread_policy(client, keys)
    every = await read_labels(client, keys)
    looked = [
        event
        for event in await read_events(ledger, keys, limit=limit)
        if (not route or event.route == route) and (not model or event.model == model)
    ]
    current = in_force(policy, looked, route=route, model=model)
    events = [event for event in looked if _same(event.threshold, current)]
    said = [
        label
        for label in label_events(every.values())
        if (not route or label.route == route) and (not model or label.model == model)
    ]
    labels = tuple(event for event in said if not event.certified or _same(event.threshold, current))
    return Evidence(
        current=current,
        policy=policy,
        scores=scores_of(events),
        events=tuple(event for event in events if event.similarity >= FLOOR),
        labels=labels,
        elsewhere=len(said) - len(labels),
        every_label=every,
        truncated=len(looked) >= limit,
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
