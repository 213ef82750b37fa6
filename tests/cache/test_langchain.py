"""LangChain's caches as langchain-redis wrote them: found, read and searched as their writer does."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.langchain import read_generations, unwrapped, wrapped
from costconsole.cache.search import EntrySearch
from costconsole.embedding.fingerprint import check_fingerprint
from tests.cache.filling import redisvl_index, redisvl_store, searching
from tests.cache.recording import dump, load, replay, run_writer
from tests.cache.vectors import unit
from tests.cache.writers.provider import ANSWERS, vector_of

FRANCE = "What is the capital of France?"
LONG = "long " * 4_000 + "end"
WRITERS = os.environ.get("WRITERS_PYTHON", sys.executable)
"""An interpreter that has the libraries, for the tests that let them write."""


def has(*modules: str) -> bool:
    found = subprocess.run(
        [WRITERS, "-c", f"import importlib.util as u; assert all(map(u.find_spec, {modules}))"]
    )
    return found.returncode == 0


def hashed(text: str) -> bytes:
    return struct.pack("<384f", *vector_of(text))


async def recorded(client: Any, aclient: Any, embed: Any = hashed) -> EntrySearch:
    replay(client, load("langchain"), embed)
    return await searching(aclient, budget_s=5)


def dumps_of(client: Any) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.scan_iter()}


def check_caches(search: EntrySearch) -> None:
    found = {cache.name: (cache.library, cache.kind, cache.prefix, cache.entries) for cache in search.caches}
    assert found == {
        "llmcache": ("langchain", "semantic", "llmcache:", 10),
        "stories:en": ("langchain", "semantic", "stories:en:", 1),
        "user_1": ("langchain", "semantic", "user_1:", 4),
        "user_10": ("langchain", "semantic", "user_10:", 2),
        "redis:exact": ("langchain", "exact", "redis:", 10),
        "redis:eu:exact": ("langchain", "exact", "redis:eu:", 2),
    }


ASKED = {*ANSWERS, LONG, "Who are you?", "What is in this picture?\n[image_url]", "Two answers, please.",
         "Will it rain in Köln?"}  # fmt: skip
SAID = {
    **ANSWERS,
    LONG: f"You said: {LONG}",
    "Who are you?": "You said: Who are you?",
    "What is in this picture?\n[image_url]": "You said: What is in this picture?",
    "Two answers, please.": "You said: Two answers, please.\n\nYou said: Two answers, please.",
    "Will it rain in Köln?": 'weather({"city": "Köln"})',
}


async def check_entries(search: EntrySearch) -> None:
    semantic = await search.newest("llmcache")
    assert {entry.prompt: entry.response for entry in semantic} == SAID
    exact = await search.newest("redis:exact")
    assert sorted(entry.response or "" for entry in exact) == sorted(SAID.values())
    assert all(entry.prompt is None and entry.created_ms is None for entry in exact)
    for entry in (*semantic, *exact):
        assert entry.usage is not None
        assert (entry.usage.input, entry.usage.output) == (14, 7)
        assert 3_500_000 < (entry.ttl_ms or 0) <= 3_600_000
    assert {entry.model for entry in semantic} == {"gpt-4o-mini", "gpt-4o"}
    assert [entry.created_ms for entry in semantic] == sorted(
        (entry.created_ms or 0 for entry in semantic), reverse=True
    )
    (story,) = await search.newest("stories:en")
    assert (story.prompt, story.response, story.usage) == (
        "Once upon a time",
        "You said: Once upon a time",
        None,
    )
    assert (story.model, story.ttl_ms) == ("gpt-3.5-turbo-instruct", None)


async def test_every_cache_and_entry_is_read_as_it_was_written(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    before = dumps_of(client)
    check_caches(search)
    await check_entries(search)
    listed = await search.newest(None, 100)
    for entry in listed:
        whole = await search.entry(entry.key)
        assert whole is not None
        assert (whole.prompt, whole.response, whole.model) == (entry.prompt, entry.response, entry.model)
        assert whole.fields
        assert "prompt_vector" not in dict(whole.fields)
    assert len(listed) == 27
    assert dumps_of(client) == before


async def test_a_page_follows_a_page_without_an_index(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    keys: list[str] = []
    page = await search.newest("redis:exact", 3)
    keys += [entry.key for entry in page]
    while page.next is not None:
        page = await search.newest("redis:exact", 3, page.next)
        keys += [entry.key for entry in page]
    assert len(keys) == len(set(keys)) == 10


async def test_a_prompt_is_wrapped_as_the_writer_wraps_it(client: Any, aclient: Any) -> None:
    """The envelope's text has the hash by which LangChain itself keyed the entry."""
    search = await recorded(client, aclient)
    cache = search.cache("llmcache")
    assert cache is not None
    layout = layout_of(cache)
    for prompt in (*ANSWERS, LONG, "Two answers, please.", "Will it rain in Köln?"):
        envelope = layout.wrap(cache, prompt)
        assert (
            client.hget(f"llmcache:{hashlib.sha256(envelope.encode()).hexdigest()}", "prompt")
            == envelope.encode()
        )
        assert unwrapped(envelope) == prompt
    stories = search.cache("stories:en")
    assert stories is not None
    assert layout.wrap(stories, "Once upon a time") == "Once upon a time"


async def test_the_envelope_of_most_entries_is_used_with_its_system_message(
    client: Any, aclient: Any
) -> None:
    redisvl_index(client, "pirates")
    entry = json.loads(wrapped("Ahoy?", SYSTEM))
    for number in range(3):
        entry[-1]["kwargs"]["content"] = f"question {number}"
        redisvl_store(client, "pirates", json.dumps(entry))
    search = await searching(aclient)
    (cache,) = search.caches
    assert cache.library == "langchain"
    assert layout_of(cache).wrap(cache, 'Say "hi" 🦜') == wrapped('Say "hi" 🦜', SYSTEM)
    assert {found.prompt for found in await search.newest()} == {f"question {number}" for number in range(3)}


HUMAN = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"]}
SYSTEM = json.dumps(
    [
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"],
         "kwargs": {"content": "Talk like a pirate.", "type": "system"}},
        {**HUMAN, "kwargs": {"content": "", "type": "human"}},
    ]
)  # fmt: skip


async def test_similarities_are_those_of_envelopes(client: Any, aclient: Any, embedder: Any) -> None:
    """Other cities are near in an envelope: that is what the writer compares, not the texts."""
    search = await recorded(client, aclient, lambda text: embedder.embed([text])[0].vector)
    cache = search.cache("llmcache")
    assert cache is not None

    async def nearest(prompt: str) -> tuple[str | None, float]:
        (asked,) = await embedder.aembed([layout_of(cache).wrap(cache, prompt)])
        (entry,) = await search.by_vector(asked.vector, cache, k=1)
        return entry.prompt, entry.similarity or 0.0

    assert await nearest(FRANCE) == (FRANCE, 1.0)
    prompt, wrapped_similarity = await nearest("What is the capital of Italy?")
    assert prompt == FRANCE
    assert wrapped_similarity > 0.95
    france, italy = (one.vector for one in await embedder.aembed([FRANCE, "What is the capital of Italy?"]))
    bare = sum(
        a * b for a, b in zip(struct.unpack("<384f", france), struct.unpack("<384f", italy), strict=True)
    )
    assert bare < 0.75


async def test_tenants_whose_names_begin_alike_stay_apart(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    one, ten = search.cache("user_1"), search.cache("user_10")
    assert one is not None
    assert ten is not None
    assert "also covers the entries of user_10" in one.problem
    assert ten.problem == ""
    for cache in (one, ten):
        listed = await search.newest(cache)
        assert {entry.prompt for entry in listed} == {FRANCE, f"What does {cache.name} owe?"}
        for entry in listed:
            assert entry.key.startswith(f"{cache.name}:")
            near = await search.neighbors(entry, 5)
            assert [other.key.partition(":")[0] for other in near] == [cache.name]
        found = await search.by_vector(hashed(layout_of(cache).wrap(cache, FRANCE)), cache, k=3)
        assert [entry.prompt for entry in found] == [FRANCE, f"What does {cache.name} owe?"]
        assert {entry.cache for entry in found} == {cache.name}


@pytest.mark.parametrize(
    ("words", "prompts"),
    [
        ("hauptstadt", {"Wie heißt die Hauptstadt von Österreich?"}),
        ("an der donau", {"Wie heißt die Hauptstadt von Österreich?"}),
        ("österreich", {"Wie heißt die Hauptstadt von Österreich?"}),
        ("東京", {"日本の首都はどこですか？"}),
        ("long end", {LONG}),
        ("weather Köln", {"Will it rain in Köln?"}),
        ("HumanMessage", set()),
        ("finish_reason", set()),
        ("constructor", set()),
    ],
)
async def test_words_are_those_of_people_not_of_the_envelope(
    client: Any, aclient: Any, words: str, prompts: set[str]
) -> None:
    search = await recorded(client, aclient)
    assert {entry.prompt for entry in await search.by_text(words, "llmcache")} == prompts


async def test_answers_are_searched_where_no_prompt_is_stored(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    for words, answer in (
        ("donau", SAID["Wie heißt die Hauptstadt von Österreich?"]),
        ("東京", "日本の首都は東京です。🗼"),
    ):
        assert [entry.response for entry in await search.by_text(words, "redis:exact")] == [answer]
    assert len(await search.by_text("AIMessage", "redis:exact")) == 0


async def test_an_index_with_an_llm_string_tag_is_langchains_even_when_empty(
    client: Any, aclient: Any
) -> None:
    redisvl_index(client, "moved")
    client.execute_command("FT.ALTER", "moved", "SCHEMA", "ADD", "llm_string", "TAG")
    redisvl_index(client, "plain")
    redisvl_store(client, "plain", '["a", "list"]')
    redisvl_store(client, "plain", '[{"lc": 1}]')
    libraries = {cache.name: cache.library for cache in (await searching(aclient)).caches}
    assert libraries == {"moved": "langchain", "plain": "redisvl"}


async def test_a_neighbours_entries_do_not_decide_whose_cache_it_is(client: Any, aclient: Any) -> None:
    """An index that covers a LangChain cache's entries by its name alone stays RedisVL's."""
    redisvl_index(client, "app")
    redisvl_index(client, "app_lc")
    redisvl_store(client, "app", "plain words", at="1795376999")
    for number in range(40):
        envelope = json.dumps([{**HUMAN, "kwargs": {"content": f"q {number}", "type": "human"}}])
        redisvl_store(client, "app_lc", envelope, at=str(1795376000 + number))
    libraries = {cache.name: cache.library for cache in (await searching(aclient)).caches}
    assert libraries == {"app": "redisvl", "app_lc": "langchain"}


async def test_older_and_broken_values_are_shown_as_they_are(client: Any, aclient: Any) -> None:
    generation = {"lc": 1, "type": "constructor", "id": ["Generation"], "kwargs": {"text": "alone"}}
    key = "old:" + "0" * 32 + ":" + "1" * 32
    client.execute_command("JSON.SET", key, "$", json.dumps(generation))
    client.execute_command("JSON.SET", "old:" + "0" * 32 + ":" + "2" * 32, "$", '[{"lc":1,"kwargs":3}]')
    client.hset("a" * 32, mapping={"0": json.dumps(generation), "1": json.dumps(generation)})
    client.execute_command("JSON.SET", "mine:" + "0" * 32 + ":" + "2" * 32, "$", '{"lc": 7}')
    redisvl_index(client, "sem")
    envelope = json.dumps([{**HUMAN, "kwargs": {"content": "x", "type": "human"}}])
    broken = redisvl_store(client, "sem", envelope, vector=unit(1))
    client.hset(broken, mapping={"response": '["{\\"lc\\": 1', "metadata": "\xff"})
    search = await searching(aclient)
    assert {cache.name: cache.entries for cache in search.caches} == {
        "sem": 1, "old:exact": 2, "langchain-community:exact": 1
    }  # fmt: skip
    said = {entry.key: entry.response for entry in await search.newest(None, 10)}
    assert said[key] == "alone"
    assert said["a" * 32] == "alone\n\nalone"
    assert said[broken] == '["{\\"lc\\": 1'
    assert '"kwargs":3' in said["old:" + "0" * 32 + ":" + "2" * 32]


def test_what_is_no_generation_is_not_taken_for_one() -> None:
    for stored in ("", "null", "[]", "{}", '"text"', "[1]", '{"lc": 1}', "[" * 100_000):
        assert read_generations(stored) is None
    assert unwrapped("[not json") == "[not json"
    assert wrapped("p", "") == wrapped("p", "[]") == wrapped("p", "[3]") == "p"


async def test_where_the_threshold_is_kept_is_said(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    cache = search.cache("llmcache")
    assert cache is not None
    (threshold,) = layout_of(cache).thresholds(cache)
    assert (threshold.similarity, threshold.changes) == (None, "no")
    assert "RedisSemanticCache(distance_threshold=...)" in threshold.sentence
    assert layout_of(cache).change_threshold(cache, "", 0.9) is None


@pytest.mark.skipif(not has("langchain_redis", "langchain_openai"), reason="langchain-redis is not installed")
async def test_the_library_of_today_writes_what_was_recorded(
    fresh_server: Any, client: Any, aclient: Any, tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    run_writer("langchain", WRITERS, server.url)
    import redis

    with redis.Redis.from_url(server.url, protocol=2) as writer:
        replay(client, dump(writer), hashed)
    search = await searching(aclient, budget_s=5)
    check_caches(search)
    await check_entries(search)


async def test_the_model_that_wrote_envelopes_of_all_kinds_is_recognised(
    client: Any, aclient: Any, embedder: Any
) -> None:
    """System messages and pictures are in the envelope that was embedded, not in the prompt as shown."""
    search = await recorded(client, aclient, lambda text: embedder.embed([text])[0].vector)
    for entry in await search.newest("llmcache"):
        assert entry.embedded is not None
        assert hashlib.sha256(entry.embedded.encode()).hexdigest() == entry.key.partition(":")[2]
    cache = search.cache("llmcache")
    assert cache is not None
    samples = []
    for entry in await search.newest(cache):
        stored = layout_of(cache).parse_vector(cache, client.hget(entry.key, "prompt_vector"))
        assert stored is not None
        samples.append((entry.embedded or "", stored))
    assert check_fingerprint(embedder, samples).verdict == "same"
