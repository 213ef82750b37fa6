"""GPTCache's pairs of keys, as recorded from GPTCache itself."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from costconsole.cache.layouts import layout_of
from tests.cache.filling import searching
from tests.cache.recording import load, replay
from tests.cache.writers.provider import ANSWERS, small_vector

FRANCE = "What is the capital of France?"
NAME = "gptcache"


def embed(text: str) -> bytes:
    return struct.pack("<8f", *small_vector(text))


@pytest.fixture
def written(client: Any) -> Any:
    replay(client, load("gptcache"), embed)
    return client


async def test_questions_of_every_content_are_found(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    (cache,) = search.caches
    assert (cache.name, cache.library, cache.kind, cache.entries) == (NAME, "gptcache", "semantic", 6)
    assert (cache.index, cache.dims, cache.metric, cache.problem) == ("gptcache", 8, "COSINE", "")
    listed = list(await search.newest())
    assert [entry.prompt for entry in listed] == ["long " * 4_000 + "end", *reversed(ANSWERS)]
    assert {entry.prompt: entry.response for entry in listed[1:]} == ANSWERS
    stored = written.json().get(listed[1].key)
    at = datetime.fromisoformat(stored["create_on"]).replace(tzinfo=UTC).timestamp() * 1_000
    assert abs((listed[1].created_ms or 0) - at) <= 1
    assert {(entry.ttl_ms, entry.last_hit_ms, entry.model) for entry in listed} == {(None, None, "")}


async def test_vectors_lead_to_their_questions(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    page = await search.by_vector(embed(FRANCE), k=2)
    assert (page[0].key, page[0].prompt) == ("gptcache:questions:1", FRANCE)
    assert page[0].similarity == pytest.approx(1.0)
    assert [entry.response for entry in await search.by_text("首都")] == [ANSWERS["日本の首都はどこですか？"]]
    whole = await search.entry(page[0].key)
    assert whole is not None
    assert json.loads(dict(whole.fields)["answers"])[0]["answer"] == ANSWERS[FRANCE]
    assert "embedding" not in dict(whole.fields)
    assert len(await search.neighbors(whole, 3)) == 3


async def test_both_keys_of_an_entry_go_together(written: Any, aclient: Any) -> None:
    (cache,) = (await searching(aclient)).caches
    assert layout_of(cache).siblings(cache, b"gptcache:questions:4") == (b"gptcache:questions:4", b"doc:4")
    assert not layout_of(cache).owns(cache, b"gptcache:questions:index:hash")


async def test_a_vector_that_outlives_its_question_takes_no_place(written: Any, aclient: Any) -> None:
    written.delete("gptcache:questions:1")
    search = await searching(aclient)
    (cache,) = search.caches
    assert cache.entries == 5
    assert cache.problem.startswith("1 vectors have outlived their answers")
    page = await search.by_vector(embed(FRANCE), k=2)
    assert len(page) == 2
    assert FRANCE not in {entry.prompt for entry in page}


async def test_a_hit_shows_and_what_is_marked_deleted_does_not(written: Any, aclient: Any) -> None:
    written.json().set("gptcache:questions:1", "$.last_access", "2026-11-23T09:00:00.500000")
    written.json().set("gptcache:questions:2", "$.deleted", -1)
    listed = {entry.key: entry for entry in await (await searching(aclient)).newest()}
    assert listed["gptcache:questions:1"].last_hit_ms == 1_795_424_400_500
    assert "gptcache:questions:2" not in listed
    assert len(listed) == 5


async def test_two_caches_keep_their_vectors_apart(written: Any, aclient: Any) -> None:
    """The vector store's prefix says nothing of the questions': the vectors themselves tell the pairs."""
    written.execute_command(
        "FT.CREATE", "other", "ON", "HASH", "PREFIX", 1, "team:doc:", "SCHEMA", "tag", "TAG",
        "vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 8, "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip
    question = {**written.json().get("gptcache:questions:1"), "embedding": embed("x").decode("latin-1")}
    written.json().set("team:questions:1", "$", question)
    written.hset("team:doc:1", "vector", embed("x"))
    caches = {cache.name: cache for cache in (await searching(aclient)).caches}
    assert {name: cache.index for name, cache in caches.items()} == {
        NAME: "gptcache",
        "team": "other",
    }
    team = caches["team"]
    assert layout_of(team).siblings(team, b"team:questions:1") == (b"team:questions:1", b"team:doc:1")


async def test_vectors_kept_elsewhere_are_read_from_the_question(written: Any, aclient: Any) -> None:
    written.execute_command("FT.DROPINDEX", "gptcache", "DD")
    search = await searching(aclient, budget_s=5)
    (cache,) = search.caches
    assert cache.index is None
    page = await search.by_vector(embed(FRANCE), k=1)
    assert [(entry.prompt, entry.similarity) for entry in page] == [(FRANCE, pytest.approx(1.0))]
    assert layout_of(cache).siblings(cache, b"gptcache:questions:1") == (b"gptcache:questions:1",)


async def test_other_json_under_questions_is_left_alone(client: Any, aclient: Any) -> None:
    client.json().set("forum:questions:1", "$", {"title": "x", "answers": 3})
    client.json().set("list:questions:1", "$", [1])
    assert (await searching(aclient)).caches == ()
