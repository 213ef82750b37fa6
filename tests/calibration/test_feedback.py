"""Marking a hit as wrong, and taking it back."""

from __future__ import annotations

from typing import Any

from costconsole.cache import ratchet
from costconsole.cache.policy import Author
from costconsole.calibration.events import Event
from costconsole.calibration.feedback import mark_wrong, mark_wrong_sync, take_back, take_back_sync
from costconsole.calibration.store import pair_of, parse_labels, read_labels
from costconsole.redis_store.keys import Keys

KEYS = Keys()
ME = Author("ann", "laptop")
KEY = KEYS.semantic("a" * 64)


async def test_a_wrong_hit_raises_its_entry_and_labels_its_pair(aclient: Any) -> None:
    done = await mark_wrong(aclient, KEYS, KEY, 0.95, ME, query="Is it open?", cached="Is it closed?")
    assert done.sentence == "labelled as wrong, served from similarity 0.96 only"
    labels = await read_labels(aclient, KEYS)
    label = labels[pair_of("Is it open?", "Is it closed?")]
    assert (label.verdict, label.source, label.who, label.certified) == (
        "different",
        "feedback",
        "ann",
        False,
    )
    assert await _raised(aclient) == 0.96
    audit = await aclient.xrange(KEYS.audit)
    assert [fields[b"what"] for _, fields in audit] == [b"wrong_hit", b"label"]

    assert await take_back(aclient, KEYS, done, ME)
    assert await read_labels(aclient, KEYS) == {}
    assert await _raised(aclient) is None


async def test_without_texts_only_the_entry_is_raised(aclient: Any) -> None:
    done = await mark_wrong(aclient, KEYS, KEY, 1.0, ME)
    assert "evict it" in done.sentence
    assert await read_labels(aclient, KEYS) == {}
    assert await _raised(aclient) == ratchet.HIGHEST


async def test_an_entry_of_another_library_is_only_labelled(aclient: Any) -> None:
    event = Event(id="1", similarity=0.95, query="a b", cached="a c", route="help")
    done = await mark_wrong(aclient, KEYS, "llmcache:1", 0.95, ME, event=event, source="operator")
    assert done.mark is None
    (label,) = (await read_labels(aclient, KEYS)).values()
    assert (label.route, label.source) == ("help", "operator")
    assert not await aclient.exists(KEYS.ratchet)
    assert await take_back(aclient, KEYS, done, ME)
    assert await read_labels(aclient, KEYS) == {}


def test_the_same_without_an_event_loop(client: Any) -> None:
    done = mark_wrong_sync(client, KEYS, KEY, 0.95, ME, query="Is it open?", cached="Is it closed?")
    assert done.sentence == "labelled as wrong, served from similarity 0.96 only"
    (kept,) = parse_labels(client.hgetall(KEYS.labels)).values()
    assert (kept.pair, kept.verdict) == (pair_of("Is it open?", "Is it closed?"), "different")
    assert take_back_sync(client, KEYS, done, ME)
    assert not client.exists(KEYS.labels)
    assert [fields[b"what"] for _, fields in client.xrange(KEYS.audit)] == [
        b"wrong_hit",
        b"label",
        b"label",
        b"wrong_hit_undone",
    ]


async def _raised(client: Any) -> float | None:
    reply = await client.execute_command(*ratchet.read_command(KEYS, [KEY]))
    return ratchet.parse([KEY], reply).get(KEY)
