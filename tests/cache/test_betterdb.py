"""BetterDB's two caches, as recorded from its own libraries."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from costconsole.cache.layouts import layout_of
from tests.cache.filling import searching
from tests.cache.recording import load, replay
from tests.cache.writers.provider import ANSWERS, small_vector

FRANCE = "What is the capital of France?"
ENTRIES = "betterdb_scache"


def embed(text: str) -> bytes:
    return struct.pack("<8f", *small_vector(text))


@pytest.fixture
def written(client: Any) -> Any:
    replay(client, load("betterdb"), embed)
    return client


async def test_both_caches_are_found_with_their_live_thresholds(written: Any, aclient: Any) -> None:
    caches = {cache.name: cache for cache in (await searching(aclient)).caches}
    assert list(caches) == [ENTRIES, "betterdb_scache_v2", "agents:llm", "agents:tool"]
    cache = caches[ENTRIES]
    assert (cache.library, cache.kind, cache.entries, cache.dims) == ("betterdb", "semantic", 6, 8)
    assert (cache.algorithm, cache.metric, cache.problem) == ("HNSW", "COSINE", "")
    assert cache.threshold == pytest.approx(0.88)
    assert {t.part: round(t.similarity or 0, 6) for t in layout_of(cache).thresholds(cache)} == {
        "": 0.88,
        "faq": 0.8,
    }
    assert (caches["agents:llm"].kind, caches["agents:llm"].entries) == ("exact", 5)
    assert caches["agents:tool"].entries == 1
    assert cache.detail("stats_key") == "betterdb_scache:__stats"


async def test_a_threshold_is_changed_where_its_writers_read_it(written: Any, aclient: Any) -> None:
    cache = (await searching(aclient)).caches[0]
    layout = layout_of(cache)
    for part, similarity in (("", 0.95), ("faq", 0.9), ("new", 1.0)):
        command = layout.change_threshold(cache, part, similarity)
        assert command is not None
        await aclient.execute_command(*command)
    assert layout.change_threshold(cache, "", 1.1) is None
    assert written.hgetall("betterdb_scache:__config") == {
        b"threshold": b"0.05",
        b"threshold:faq": b"0.1",
        b"threshold:new": b"0.0",
    }
    written.hset("betterdb_scache:__config", mapping={"threshold:bad": "x", "threshold:": "0.7", "ttl": "60"})
    again = (await searching(aclient)).caches[0]
    found = layout.thresholds(again)
    assert {t.part: round(t.similarity or 0, 6) for t in found} == {"": 0.95, "faq": 0.9, "new": 1.0}
    assert {t.changes for t in found} == {"now"}
    assert "every 30 seconds" in found[0].sentence
    assert again.threshold == pytest.approx(0.95)


async def test_entries_of_every_content_are_listed_newest_first(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    listed = list(await search.newest(ENTRIES))
    assert [entry.prompt for entry in listed] == ["long " * 4_000 + "end", *reversed(ANSWERS)]
    assert {entry.prompt: entry.response for entry in listed[1:]} == ANSWERS
    times = [entry.created_ms or 0 for entry in listed]
    assert times == sorted(times, reverse=True)
    assert times[0] == int(written.hget(listed[0].key, "inserted_at"))
    assert {(entry.model, entry.route, entry.cost_nano) for entry in listed[1:]} == {
        ("gpt-4o-mini", "faq", 450_000)
    }
    assert (listed[0].model, listed[0].cost_nano) == ("", None)
    assert 3_000_000 < (listed[1].ttl_ms or 0) <= 3_600_000
    assert len(await search.newest("betterdb_scache_v2")) == 2
    paged = await search.newest(ENTRIES, 2)
    rest = await search.newest(ENTRIES, 10, paged.next)
    assert [entry.key for entry in (*paged, *rest)] == [entry.key for entry in listed]


async def test_caches_of_second_and_millisecond_times_merge_by_age(written: Any, aclient: Any) -> None:
    listed = list(await (await searching(aclient)).newest())
    times = [entry.created_ms or 0 for entry in listed]
    assert times == sorted(times, reverse=True)
    assert {entry.cache for entry in listed} == {ENTRIES, "betterdb_scache_v2", "agents:llm", "agents:tool"}


async def test_search_finds_by_meaning_and_text(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    page = await search.by_vector(embed(FRANCE), ENTRIES, k=1)
    assert [(entry.prompt, entry.similarity) for entry in page] == [(FRANCE, pytest.approx(1.0))]
    assert [entry.prompt for entry in await search.by_text("hauptstadt", ENTRIES)] == [
        "Wie heißt die Hauptstadt von Österreich?"
    ]
    whole = await search.entry(page[0].key)
    assert whole is not None
    fields = dict(whole.fields)
    assert json.loads(fields["metadata"]) == {"clé": "é ✓"}
    assert "embedding" not in fields
    assert len(await search.neighbors(whole, 3)) == 3


async def test_answers_of_an_agent_are_read(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    answers = list(await search.newest("agents:llm"))
    assert sorted(entry.response or "" for entry in answers) == sorted(ANSWERS.values())
    for entry in answers:
        assert (entry.prompt, entry.model, entry.cost_nano) == (None, "gpt-4o-mini", 22_200)
        assert entry.usage is not None
        assert (entry.usage.input, entry.usage.output) == (12, 34)
        assert entry.created_ms is not None
    (tool,) = await search.newest("agents:tool")
    assert (tool.prompt, tool.response, tool.route) == (
        'weather {"city": "Köln", "days": 2}',
        "15 °C 🌧",
        "weather",
    )
    assert tool.cost_nano == 2_500_000
    whole = await search.entry(tool.key)
    assert whole is not None
    assert dict(whole.fields)["args"] == '{"city": "Köln", "days": 2}'
    assert search.cache_of("agents:session:thread-1:last_topic") is None
    assert search.cache_of("betterdb_scache:embed:" + "0" * 64) is None


async def test_the_registry_tells_of_a_cache_whose_index_is_gone(written: Any, aclient: Any) -> None:
    written.execute_command("FT.DROPINDEX", "betterdb_scache:idx")
    search = await searching(aclient, budget_s=2)
    cache = search.caches[0]
    assert (cache.name, cache.index, cache.threshold) == (ENTRIES, None, pytest.approx(0.88))
    assert "its index is gone" in cache.problem
    page = await search.by_vector(embed(FRANCE), ENTRIES, k=1)
    assert [entry.prompt for entry in page] == [FRANCE]
    assert "its index is gone" in page.note


async def test_without_the_registry_the_caches_are_known_by_their_form(written: Any, aclient: Any) -> None:
    written.delete("__betterdb:caches")
    written.set("shop:llm:" + "a" * 64, "not an answer")
    caches = {cache.name: cache for cache in (await searching(aclient)).caches}
    assert set(caches) == {ENTRIES, "betterdb_scache_v2", "agents:llm", "agents:tool"}
    assert caches[ENTRIES].threshold is None


async def test_a_malformed_registry_or_answer_is_no_obstacle(written: Any, aclient: Any) -> None:
    written.hset(
        "__betterdb:caches", mapping={"odd": b"\xff{", "list": "[1]", "agents2": '{"type":"agent_cache"}'}
    )
    key = "agents2:llm:" + "b" * 64
    written.set(key, b"\xff\x00 no JSON")
    search = await searching(aclient)
    (entry,) = await search.newest("agents2:llm")
    assert (entry.response, entry.created_ms) == ("\\xff\x00 no JSON", None)
    whole = await search.entry(key)
    assert whole is not None
    assert whole.fields == (("value", "\\xff\x00 no JSON"),)
