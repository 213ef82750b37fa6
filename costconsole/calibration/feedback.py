"""A hit that somebody says was wrong: its entry gets a threshold of its own, its pair of texts a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costconsole.cache import ratchet
from costconsole.cache.policy import Author
from costconsole.calibration.events import Event, Source
from costconsole.calibration.store import (
    Label,
    label_of,
    undo_label,
    undo_label_sync,
    write_label,
    write_label_sync,
)
from costconsole.redis_store.keys import Keys


@dataclass(frozen=True, slots=True)
class WrongHit:
    """What was done about a wrong hit, for `take_back`. `mark` is None for an entry of another library,
    whose writer knows no threshold of an entry; `label` is "" where the texts weren't kept."""

    mark: ratchet.Mark | None
    label: str = ""
    label_before: str | None = None

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        if self.mark is None:
            return "labelled as wrong" if self.label else "nothing to do: the texts weren't kept"
        served = f"served from similarity {self.mark.after:.4g} only"
        if self.mark.after >= ratchet.HIGHEST:
            served = "served for its own words only: evict it if it is wrong for them too"
        return f"{'labelled as wrong, ' if self.label else ''}{served}"


async def mark_wrong(
    client: Any,
    keys: Keys,
    entry_key: str,
    similarity: float,
    author: Author,
    *,
    query: str = "",
    cached: str = "",
    event: Event | None = None,
    source: Source = "feedback",
) -> WrongHit:
    """Mark a semantic hit as wrong: its entry is passed over below a little more than this similarity from
    the next look-up on, and the pair is labelled as different. Both stand in the audit.

    `query` and `cached` are the two texts, or `event` brings them and all that is known beside. A label by
    hand proves nothing about a threshold (it was not drawn), but belongs to the curve. `client` is that of
    the cache: policy, labels and audit lie beside it, also where the ledger has a Redis of its own. Raises
    UsageProblem for an impossible similarity.
    """
    mark = None
    if entry_key.startswith(keys.semantic_prefix):
        mark = await ratchet.amark_wrong(client, keys, entry_key, similarity, author)
    label = _label(event, entry_key, similarity, query, cached, source, author)
    if label is None:
        return WrongHit(mark)
    before = await write_label(client, keys, label, author)
    return WrongHit(mark, label.field, before)


async def take_back(client: Any, keys: Keys, done: WrongHit, author: Author) -> bool:
    """Undo `mark_wrong`; False when the entry was marked further since: that stays in force."""
    if done.label:
        await undo_label(client, keys, done.label, done.label_before, author)
    return done.mark is None or await ratchet.atake_back(client, keys, done.mark, author)


def mark_wrong_sync(
    client: Any,
    keys: Keys,
    entry_key: str,
    similarity: float,
    author: Author,
    *,
    query: str = "",
    cached: str = "",
    event: Event | None = None,
    source: Source = "feedback",
) -> WrongHit:
    """`mark_wrong` for a sync client."""
    mark = None
    if entry_key.startswith(keys.semantic_prefix):
        mark = ratchet.mark_wrong(client, keys, entry_key, similarity, author)
    label = _label(event, entry_key, similarity, query, cached, source, author)
    if label is None:
        return WrongHit(mark)
    return WrongHit(mark, label.field, write_label_sync(client, keys, label, author))


def take_back_sync(client: Any, keys: Keys, done: WrongHit, author: Author) -> bool:
    """`take_back` for a sync client."""
    if done.label:
        undo_label_sync(client, keys, done.label, done.label_before, author)
    return done.mark is None or ratchet.take_back(client, keys, done.mark, author)


def _label(
    event: Event | None,
    entry_key: str,
    similarity: float,
    query: str,
    cached: str,
    source: Source,
    author: Author,
) -> Label | None:
    """The label of a wrong hit; None where the texts weren't kept."""
    if event is None:
        event = Event(id="", similarity=similarity, hit=True, query=query, cached=cached, neighbor=entry_key)
    return label_of(event, "different", source, author) if event.query and event.cached else None
