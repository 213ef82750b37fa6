"""Labels in Redis: one hash, a field for every pair of texts, people's and judges' apart. Changes are
audited.

A field is `query:cached`, digests of the two texts as the ledger keeps them; a judge's ends with `:judge`.
A value is JSON and holds no text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costconsole.cache.audit import audit_command, now_ms
from costconsole.cache.commands import Command
from costconsole.cache.policy import Author
from costconsole.calibration.events import FLOOR, Event, Source, Verdict
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

JUDGE = ":judge"
_AT_ONCE = 1_000
_VERDICTS: dict[str, Verdict] = {"same": "same", "different": "different", "unsure": "unsure"}
_SOURCES: dict[str, Source] = {
    "operator": "operator",
    "judge": "judge",
    "feedback": "feedback",
    "import": "import",
}


@dataclass(frozen=True, slots=True)
class Draw:
    """One look-up that the queue drew, from which similarity on, with which chance, under which policy."""

    event: str
    drawn_from: float
    inclusion: float | None
    threshold: float | None
    similarity: float


@dataclass(frozen=True, slots=True)
class Label:
    """What was said about a pair. `draws` is empty for what was marked without being drawn: it is a hint
    for the curve's reader, never evidence for a bound."""

    pair: str
    verdict: Verdict
    source: Source
    who: str
    ts_ms: int
    similarity: float
    draws: tuple[Draw, ...] = ()
    route: str = ""
    model: str = ""
    scope: str = ""
    guards: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        return self.pair + JUDGE if self.source == "judge" else self.pair

    @property
    def certified(self) -> bool:
        return bool(self.draws)


def pair_of(query: str, cached: str) -> str:
    """The name of a pair of texts: query against cached, in this order."""
    return f"{_digest(query)}:{_digest(cached)}"


def label_of(event: Event, verdict: Verdict, source: Source, author: Author) -> Label:
    """The label of an event; it counts as drawn if the event was (`certified`)."""
    drawn: tuple[Draw, ...] = ()
    if event.certified:
        drawn = (
            Draw(event.id, event.drawn_from, event.inclusion, event.threshold, round(event.similarity, 6)),
        )
    return Label(
        pair=pair_of(event.query, event.cached),
        verdict=verdict,
        source=source,
        who=author.who,
        ts_ms=now_ms(),
        similarity=round(event.similarity, 6),
        draws=drawn,
        route=event.route,
        model=event.model,
        scope=event.scope,
        guards=event.guards,
    )


def label_events(labels: Iterable[Label]) -> tuple[Event, ...]:
    """Labels as events, one for every draw; texts are not known. What was never drawn is one event that no
    bound rests on."""
    found = []
    for label in labels:
        common: dict[str, Any] = {
            "ts_ms": label.ts_ms,
            "route": label.route,
            "model": label.model,
            "scope": label.scope,
            "guards": label.guards,
            "verdict": label.verdict,
            "source": label.source,
        }
        if not label.draws:
            found.append(Event(id=label.field, similarity=label.similarity, **common))
        for draw in label.draws:
            found.append(
                Event(
                    id=draw.event,
                    similarity=draw.similarity,
                    threshold=draw.threshold,
                    certified=True,
                    drawn_from=draw.drawn_from,
                    inclusion=draw.inclusion,
                    **common,
                )
            )
    return tuple(found)


async def read_labels(client: Any, keys: Keys) -> dict[str, Label]:
    """Every label by its field. What isn't one is passed over."""
    return parse_labels(await client.execute_command("HGETALL", keys.labels))


def parse_labels(reply: Any) -> dict[str, Label]:
    """The labels in a reply to HGETALL."""
    found = {}
    for field, value in pairs(reply).items():
        label = _parse(field, text(value))
        if label is not None:
            found[field] = label
    return found


async def write_label(client: Any, keys: Keys, label: Label, author: Author) -> str | None:
    """Keep a label, and return what `undo_label` needs: the value before, None if there was none.

    Draws of the pair add up: it was met, and drawn, more than once.
    """
    stored = await client.execute_command("HGET", keys.labels, label.field)
    label, before = _merged(label, stored)
    await _change(client, keys, label.field, _stored(label), author, label.verdict, label.source)
    return before


def write_label_sync(client: Any, keys: Keys, label: Label, author: Author) -> str | None:
    """`write_label` for a sync client."""
    label, before = _merged(label, client.execute_command("HGET", keys.labels, label.field))
    _run(client, _changing(keys, label.field, _stored(label), author, label.verdict, label.source))
    return before


async def undo_label(client: Any, keys: Keys, field: str, before: str | None, author: Author) -> None:
    """Put back what `write_label` returned."""
    await _change(client, keys, field, before, author, "undo", None)


def undo_label_sync(client: Any, keys: Keys, field: str, before: str | None, author: Author) -> None:
    """`undo_label` for a sync client."""
    _run(client, _changing(keys, field, before, author, "undo", None))


async def import_labels(client: Any, keys: Keys, events: Sequence[Event], author: Author, source: str) -> int:
    """Keep the labels of a file, and return how many of them were not there before; one audit entry says so.

    Lines without texts are told apart by their place in the file, so a file imported again adds nothing.
    """
    new = 0
    for start in range(0, len(events), _AT_ONCE):
        async with client.pipeline(transaction=False) as pipe:
            for event in events[start : start + _AT_ONCE]:
                if event.verdict is None:
                    continue
                named = event if event.query else replace(event, query=f"{source}\n{event.id}")
                label = label_of(replace(named, id=f"{source}:{event.id}"), event.verdict, "import", author)
                pipe.execute_command("HSET", keys.labels, label.field, _stored(label))
            new += sum(int(reply) for reply in await pipe.execute())
    await client.execute_command(
        *audit_command(keys, author, "labels", file=source, count=len(events), new=new)
    )
    return new


def agreement(labels: Mapping[str, Label]) -> tuple[int, int]:
    """On how many of the pairs that both a person and a judge labelled they agree, and how many these are."""
    both = [(label, labels.get(field + JUDGE)) for field, label in labels.items() if label.source != "judge"]
    known = [(person, judge) for person, judge in both if judge is not None]
    return sum((p.verdict == "same") == (j.verdict == "same") for p, j in known), len(known)


def _merged(label: Label, stored: Any) -> tuple[Label, str | None]:
    """The label with the draws that were kept before, and the value before."""
    before = None if stored is None else text(stored)
    known = None if before is None else _parse(label.field, before)
    if known is not None:
        fresh = {draw.event for draw in label.draws}
        kept = tuple(draw for draw in known.draws if draw.event not in fresh)
        label = replace(label, draws=(*kept, *label.draws))
    return label, before


def _changing(
    keys: Keys, field: str, value: str | None, author: Author, what: str, source: str | None
) -> tuple[Command, Command]:
    change: Command = ("HDEL", keys.labels, field) if value is None else ("HSET", keys.labels, field, value)
    return change, audit_command(keys, author, "label", pair=field, verdict=what, source=source)


async def _change(
    client: Any, keys: Keys, field: str, value: str | None, author: Author, what: str, source: str | None
) -> None:
    async with client.pipeline(transaction=True) as pipe:
        for command in _changing(keys, field, value, author, what, source):
            pipe.execute_command(*command)
        await pipe.execute()


def _run(client: Any, commands: Sequence[Command]) -> None:
    with client.pipeline(transaction=True) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        pipe.execute()


def _stored(label: Label) -> str:
    kept: dict[str, Any] = {
        "verdict": label.verdict,
        "source": label.source,
        "who": label.who,
        "ts_ms": label.ts_ms,
        "similarity": label.similarity,
        "certified": label.certified,
    }
    for name in ("route", "model", "scope"):
        if value := getattr(label, name):
            kept[name] = value
    if label.guards:
        kept["guards"] = label.guards
    if label.draws:
        kept["draws"] = [[d.event, d.drawn_from, d.inclusion, d.threshold, d.similarity] for d in label.draws]
    return json.dumps(kept, separators=(",", ":"))


def _parse(field: str, stored: str) -> Label | None:
    try:
        kept = json.loads(stored)
        return Label(
            pair=field.removesuffix(JUDGE),
            verdict=_VERDICTS[kept["verdict"]],
            source=_SOURCES[kept["source"]],
            who=str(kept.get("who", "")),
            ts_ms=int(kept.get("ts_ms", 0)),
            similarity=float(kept["similarity"]),
            draws=tuple(
                Draw(str(event), float(low), _number(chance), _number(threshold), float(similarity))
                for event, low, chance, threshold, similarity in kept.get("draws", ())
                if float(low) >= FLOOR
            ),
            route=str(kept.get("route", "")),
            model=str(kept.get("model", "")),
            scope=str(kept.get("scope", "")),
            guards=tuple(str(name) for name in kept.get("guards", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:24]
