"""Labels in Redis, and what a proposal gathers from there."""

from __future__ import annotations

import struct
from typing import Any

from costconsole.cache.policy import Author
from costconsole.calibration.evidence import as_event, betterdb_scores, gather, with_texts
from costconsole.calibration.store import (
    agreement,
    import_labels,
    label_events,
    label_of,
    pair_of,
    read_labels,
    undo_label,
    write_label,
)
from costconsole.domain.call import Call, Outcome
from costconsole.redis_store.keys import Keys
from tests.cache.filling import searching
from tests.cache.recording import load, replay
from tests.cache.writers.provider import ANSWERS, small_vector
from tests.calibration.worlds import event

KEYS = Keys("default")
ANN = Author("ann", "host")


async def test_a_label_is_kept_without_texts_audited_and_taken_back(aclient: Any) -> None:
    pair = event("e1", 0.93, None, query="the secret question", cached="another one", threshold=0.95)
    label = label_of(pair, "different", "operator", ANN)
    before = await write_label(aclient, KEYS, label, ANN)
    assert before is None
    raw = await aclient.hgetall(KEYS.labels)
    assert b"secret" not in b"".join([*raw.keys(), *raw.values()])
    kept = (await read_labels(aclient, KEYS))[label.field]
    assert (kept.verdict, kept.source, kept.who, kept.similarity) == ("different", "operator", "ann", 0.93)
    (back,) = label_events([kept])
    assert (back.id, back.certified, back.threshold, back.wrong) == ("e1", True, 0.95, True)
    await undo_label(aclient, KEYS, label.field, before, ANN)
    assert await read_labels(aclient, KEYS) == {}
    audits = [fields[b"verdict"] for _id, fields in await aclient.xrange(KEYS.audit)]
    assert audits == [b"different", b"undo"]


async def test_a_pair_that_is_drawn_twice_counts_twice(aclient: Any) -> None:
    for name in ("e1", "e2", "e2"):
        pair = event(name, 0.93, None, query="q", cached="c", threshold=0.95)
        await write_label(aclient, KEYS, label_of(pair, "same", "operator", ANN), ANN)
    (label,) = (await read_labels(aclient, KEYS)).values()
    assert [e.id for e in label_events([label])] == ["e1", "e2"]


async def test_a_judge_never_overwrites_a_person(aclient: Any) -> None:
    pair = event("e1", 0.93, None, query="q", cached="c")
    await write_label(aclient, KEYS, label_of(pair, "same", "operator", ANN), ANN)
    await write_label(aclient, KEYS, label_of(pair, "different", "judge", ANN), ANN)
    labels = await read_labels(aclient, KEYS)
    assert labels[pair_of("q", "c")].verdict == "same"
    assert agreement(labels) == (0, 1)


async def test_an_import_again_adds_nothing(aclient: Any) -> None:
    events = [event(f"import:{i}", 0.9, "same", certified=False) for i in range(5)]
    assert await import_labels(aclient, KEYS, events, ANN, "a.jsonl") == 5
    assert await import_labels(aclient, KEYS, events, ANN, "a.jsonl") == 0
    assert await import_labels(aclient, KEYS, events, ANN, "b.jsonl") == 5


def call(name: str, **more: Any) -> Call:
    return Call(**({"id": name, "ts_ms": 1_000, "outcome": Outcome.MISS, "model": "m"} | more))


def test_a_look_up_is_a_call_that_searched() -> None:
    assert as_event(call("a", outcome=Outcome.EXACT, threshold=0.9)) is None
    assert as_event(call("b", outcome=Outcome.BYPASS)) is None
    none = as_event(call("c", threshold=0.9))
    assert none is not None
    assert none.similarity == -1.0
    refused = as_event(call("d", threshold=0.9, similarity=0.95, guard="numbers,entities"))
    assert refused is not None
    assert refused.guards == ("numbers", "entities")


async def test_evidence_is_that_of_the_threshold_in_force(aclient: Any) -> None:
    await aclient.hset(KEYS.policy, mapping={"version": "3", "threshold": "0.9"})
    calls = [
        call("old", threshold=0.95, similarity=0.96),
        call("low", threshold=0.9, similarity=0.5),
        call("near", threshold=0.9, similarity=0.89, neighbor="entry", preview="q"),
        call("veto", threshold=0.9, similarity=0.97, guard="numbers"),
        call("none", threshold=0.9),
    ]
    for one in calls:
        await aclient.xadd(KEYS.calls, one.to_fields())
    for name, threshold in (("old", 0.95), ("near", 0.9)):
        pair = event(name, 0.93, None, query=name, cached="c", threshold=threshold)
        await write_label(aclient, KEYS, label_of(pair, "same", "operator", ANN), ANN)
    found = await gather(aclient, aclient, KEYS)
    assert found.current == 0.9
    assert sorted(found.scores) == [-1.0, -1.0, 0.5, 0.89]
    assert {e.id for e in found.events} == {"near", "veto"}
    assert [e.id for e in found.labels] == ["near"]
    assert found.elsewhere == 1


async def test_texts_come_from_the_entry_and_are_empty_when_it_is_gone(aclient: Any) -> None:
    await aclient.hset("entry", mapping={"prompt": "cached?", "response": "yes"})
    here, gone = await with_texts(
        aclient, [event("a", 0.9, None, neighbor="entry"), event("b", 0.9, None, neighbor="no")]
    )
    assert (here.cached, here.answer) == ("cached?", "yes")
    assert (gone.cached, gone.answer) == ("", "")


async def test_texts_are_read_as_each_library_keeps_them(client: Any, aclient: Any) -> None:
    # GPTCache keeps its questions as JSON.
    replay(client, load("gptcache"), lambda text: struct.pack("<8f", *small_vector(text)))
    await aclient.hset("entry", mapping={"prompt": "cached?", "response": "yes"})
    caches = (await searching(aclient)).caches
    asked = [
        event("a", 0.9, None, neighbor="gptcache:questions:1"),
        event("b", 0.9, None, neighbor="gptcache:questions:999"),
        event("c", 0.9, None, neighbor="entry"),
    ]
    found = await with_texts(aclient, asked, caches=caches)
    france = "What is the capital of France?"
    assert [(one.cached, one.answer) for one in found] == [
        (france, ANSWERS[france]),
        ("", ""),
        ("cached?", "yes"),
    ]
    # Read as our own form, they would look as if they were gone.
    assert (await with_texts(aclient, asked[:1]))[0].cached == ""


async def test_betterdb_remembers_similarities(aclient: Any) -> None:
    await aclient.zadd("w", {'{"score": 0.04, "result": "hit", "category": "faq", "_n": 1}': 1, "broken": 2})
    assert await betterdb_scores(aclient, "w") == ((0.96, True, "faq"),)
