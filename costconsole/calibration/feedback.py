"""A hit that somebody says was wrong: its entry gets a threshold of its own, its pair of texts a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costconsole.cache import ratchet
from costconsole.cache.policy import Author
from costconsole.calibration.events import Event, Source
from costconsole.calibration.store import label_of, undo_label, write_label
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
    labels: Any = None,
) -> WrongHit:
    """Mark a semantic hit as wrong: its entry is passed over below a little more than this similarity from
    the next look-up on, and the pair is labelled as different. Both stand in the audit.

    `query` and `cached` are the two texts, or `event` brings them and all that is known beside. A label by
    hand proves nothing about a threshold (it was not drawn), but belongs to the curve. `client` is that of
    the cache, `labels` that of the ledger where it is another. Raises UsageProblem for an impossible
    similarity.
    """
    mark = None
    if entry_key.startswith(keys.semantic_prefix):
        mark = await ratchet.amark_wrong(client, keys, entry_key, similarity, author)
    if event is None:
        event = Event(id="", similarity=similarity, hit=True, query=query, cached=cached, neighbor=entry_key)
    if not event.query or not event.cached:
        return WrongHit(mark)
    label = label_of(event, "different", source, author)
    before = await write_label(labels or client, keys, label, author)
    return WrongHit(mark, label.field, before)


async def take_back(client: Any, keys: Keys, done: WrongHit, author: Author, *, labels: Any = None) -> bool:
    """Undo `mark_wrong`; False when the entry was marked further since: that stays in force."""
    if done.label:
        await undo_label(labels or client, keys, done.label, done.label_before, author)
    return done.mark is None or await ratchet.atake_back(client, keys, done.mark, author)
