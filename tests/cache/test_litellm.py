"""LiteLLM's caches as LiteLLM wrote them: both spellings, scope groups, and the keys that aren't entries."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.litellm import read_value
from costconsole.cache.scopes import scope_groups
from costconsole.cache.search import EntrySearch
from tests.cache.filling import redisvl_index, redisvl_store, searching
from tests.cache.recording import dump, load, replay, run_writer
from tests.cache.test_langchain import FRANCE, LONG, WRITERS, dumps_of, has, hashed
from tests.cache.writers.provider import ANSWERS, answer_to

STREAM = "Stream it, please."
VECTORS = "[2 embeddings of 384 dimensions]"
SYNC = [*ANSWERS, LONG, "How warm is it?", STREAM]
ASYNC = [*ANSWERS, 'It\'s "quoted" & async', STREAM]


async def recorded(client: Any, aclient: Any, embed: Any = hashed) -> EntrySearch:
    replay(client, load("litellm"), embed)
    return await searching(aclient, budget_s=5)


def check_caches(search: EntrySearch) -> None:
    found = {cache.name: (cache.library, cache.kind, cache.prefix) for cache in search.caches}
    assert found == {
        "litellm_semantic_cache_index": ("litellm", "semantic", "litellm_semantic_cache_index:"),
        "valkey_llm": ("litellm", "semantic", "valkey_llm:"),
        "litellm:exact": ("litellm", "exact", ""),
        "team:a:exact": ("litellm", "exact", "team:a:"),
    }


async def check_entries(search: EntrySearch) -> None:
    """`litellm:exact` holds Python's spelling, `team:a:exact` JSON's: both read alike."""
    exact = await search.newest("litellm:exact")
    assert sorted(entry.response or "" for entry in exact) == sorted([*map(answer_to, SYNC), VECTORS])
    team = await search.newest("team:a:exact")
    one = "[1 embedding of 384 dimensions]"
    said = [*map(answer_to, ASYNC), answer_to("one two"), one, one]
    assert sorted(entry.response or "" for entry in team) == sorted(said)
    for name in ("litellm_semantic_cache_index", "valkey_llm"):
        for entry in await search.newest(name, 100):
            assert entry.prompt is not None
            if "embedding" in entry.model:
                assert (entry.response or "").endswith("of 384 dimensions]")
            else:
                assert entry.response == answer_to(entry.prompt.removeprefix("Be brief. "))
            assert entry.scope
    for entry in await search.newest(None, 100):
        assert entry.model in ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
        assert entry.created_ms is not None
        assert entry.usage is not None
        assert entry.usage.input > 0
        streamed = entry.response == answer_to(STREAM)
        assert entry.cost_nano == (6_600 if streamed else None)
    assert all(3_000_000 < (entry.ttl_ms or 0) <= 3_600_000 for entry in exact)


async def test_every_cache_and_entry_is_read_as_it_was_written(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    before = dumps_of(client)
    check_caches(search)
    await check_entries(search)
    listed = await search.newest(None, 100)
    assert len(listed) == 9 + 10 + 18 + 19
    ages = [entry.created_ms or 0 for entry in listed]
    assert ages == sorted(ages, reverse=True)
    for entry in listed:
        whole = await search.entry(entry.key)
        assert whole is not None
        assert (whole.prompt, whole.response, whole.model) == (entry.prompt, entry.response, entry.model)
        assert whole.fields
        assert not {"prompt_vector", "embedding"} & set(dict(whole.fields))
    assert dumps_of(client) == before


async def test_a_scope_group_is_searched_alone(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    for name in ("litellm_semantic_cache_index", "valkey_llm"):
        cache = search.cache(name)
        assert cache is not None
        vector = hashed(layout_of(cache).wrap(cache, FRANCE))
        everywhere = await search.by_vector(vector, cache, k=2)
        assert [entry.prompt for entry in everywhere] == [FRANCE, FRANCE]
        assert everywhere[0].scope != everywhere[1].scope
        for entry in everywhere:
            found = await search.by_vector(vector, cache, k=20, scope=entry.scope)
            assert found[0].key == entry.key
            assert found[0].similarity == 1.0
            assert {other.scope for other in found} == {entry.scope}
            assert len(found) > 3
        (near, *_) = await search.neighbors(everywhere[0], 1)
        assert near.key == everywhere[1].key


async def test_groups_are_counted_and_labelled_by_their_model(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    for cache in search.caches:
        listed = await search.newest(cache, 100)
        groups = await scope_groups(aclient, cache)
        if cache.kind == "exact":
            assert groups == ()
            continue
        assert {group.scope: group.entries for group in groups} == Counter(entry.scope for entry in listed)
        assert [group.entries for group in groups] == sorted((g.entries for g in groups), reverse=True)
        for group in groups:
            assert group.label in {entry.model for entry in listed if entry.scope == group.scope}
        assert {group.label for group in groups} == {"gpt-4o-mini", "gpt-4o", "text-embedding-3-small"}


async def test_a_group_in_a_namespace_keeps_its_spelling(client: Any, aclient: Any) -> None:
    replay(client, {"indexes": load("litellm")["indexes"][:1], "entries": []}, hashed)
    scope = "Team:A-1 b:" + "0" * 64
    key = f"litellm_semantic_cache_index:{1:064x}"
    client.hset(key, mapping={"prompt": "p", "response": "{}", "litellm_cache_key": scope, "inserted_at": 5,
                              "prompt_vector": hashed("p")})  # fmt: skip
    (cache,) = (await searching(aclient)).caches
    (group,) = await scope_groups(aclient, cache)
    assert (group.scope, group.entries, group.sample.key) == (scope, 1, key)


async def test_keys_are_those_that_litellm_computes(client: Any, aclient: Any) -> None:
    """RedisVL's hash of prompt and filter: an entry's key follows from what is shown of it."""
    search = await recorded(client, aclient)
    for entry in await search.newest("litellm_semantic_cache_index", 100):
        material = f"{entry.prompt}litellm_cache_key{entry.scope}"
        assert entry.key.rpartition(":")[2] == hashlib.sha256(material.encode()).hexdigest()


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("Vienna", 0),
        ("Donau", 2),
        ("東京", 2),
        ("quoted async", 1),
        ("zweitens", 1),
        ("timestamp", 0),
        ("assistant", 0),
    ],
)
async def test_words_are_looked_for_in_what_was_said(
    client: Any, aclient: Any, words: str, count: int
) -> None:
    search = await recorded(client, aclient)
    for name in ("litellm_semantic_cache_index", "valkey_llm"):
        assert len(await search.by_text(words, name)) == count


async def test_namespaces_and_other_keys_of_litellm_are_no_entries(client: Any, aclient: Any) -> None:
    value = repr({"timestamp": 1795398998.5, "response": json.dumps({"model": "m", "choices": []})})
    digests = [f"{number:064x}" for number in range(4)]
    for namespace in ("", "user_1:", "user_10:", "user_1:deep:"):
        client.set(namespace + digests[0], value)
    client.set("spend:key:" + digests[1], "0.25")
    client.set("deployment:x:cooldown", "{'exception': 'x', 'timestamp': 1.0}")
    client.set("session:" + digests[1], '{"user": 1}')
    client.hset("hash:" + digests[1], mapping={"timestamp": 1})
    search = await searching(aclient, budget_s=5)
    assert {cache.name: (cache.prefix, cache.entries) for cache in search.caches} == {
        "litellm:exact": ("", 1),
        "user_1:exact": ("user_1:", 1),
        "user_10:exact": ("user_10:", 1),
        "user_1:deep:exact": ("user_1:deep:", 1),
    }
    for cache in search.caches:
        assert [entry.key for entry in await search.newest(cache)] == [cache.prefix + digests[0]]
    assert {entry.key for entry in await search.by_key(digests[0][-20:])} == {
        cache.prefix + digests[0] for cache in search.caches
    }
    (entry,) = await search.newest("user_1:exact")
    assert (entry.created_ms, entry.response, entry.usage) == (1795398998500, "", None)


async def test_an_index_whose_name_goes_on_is_warned_of(client: Any, aclient: Any) -> None:
    for name in ("litellm_semantic_cache_index", "litellm_semantic_cache_index_isolated"):
        redisvl_index(client, name)
        client.execute_command("FT.ALTER", name, "SCHEMA", "ADD", "litellm_cache_key", "TAG")
        redisvl_store(client, name, f"entry of {name}")
    search = await searching(aclient)
    first, second = search.caches
    assert "also covers the entries of litellm_semantic_cache_index_isolated" in first.problem
    assert [entry.prompt for entry in await search.newest(first)] == [f"entry of {first.name}"]
    assert [entry.prompt for entry in await search.newest(second)] == [f"entry of {second.name}"]


def stored(body: Any, spell: Any = repr) -> str:
    return str(spell({"timestamp": 5.5, "response": body}))


@pytest.mark.parametrize("spell", [repr, json.dumps])
@pytest.mark.parametrize(
    ("body", "said", "tokens"),
    [
        (json.dumps({"model": "m", "choices": [{"message": {"content": None}}]}), "", None),
        (
            json.dumps({"model": "m", "choices": [{"text": "plain"}], "usage": {"prompt_tokens": 3}}),
            "plain",
            3,
        ),
        (
            json.dumps(
                {
                    "model": "m",
                    "output": [{"type": "reasoning"}, {"content": [{"type": "output_text", "text": "r"}]}],
                    "usage": {"input_tokens": 4, "output_tokens": 1},
                }
            ),
            "r",
            4,
        ),
        (
            json.dumps(
                {
                    "choices": [
                        {"message": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}]}},
                        {"message": {"content": [{"type": "text", "text": "part"}]}},
                    ]
                }
            ),
            'f({"a": 1})\n\npart',
            None,
        ),
        ({"choices": [{"message": {"content": "a dict, not its text"}}]}, "a dict, not its text", None),
        ("no JSON at all", "no JSON at all", None),
        ("'\"\\' \ud83d 🗼 \x00", "'\"\\' \\ud83d 🗼 \x00", None),
    ],
)
async def test_answers_of_every_shape_are_read(
    client: Any, aclient: Any, spell: Any, body: Any, said: str, tokens: int | None
) -> None:
    client.set("0" * 64, stored(body, spell).encode("utf-8", "backslashreplace"))
    (entry,) = await (await searching(aclient)).newest()
    if "\ud83d" not in body:
        assert entry.response == said
    assert entry.created_ms == 5_500
    assert (entry.usage.input if entry.usage else None) == tokens


@pytest.mark.parametrize(
    "value",
    [
        "__import__('os').getpid()",
        "{'timestamp': 1.0, 'response': open('/etc/passwd')}",
        "{'timestamp': 1.0, 'response': 'a' * 10}",
        "{'timestamp': 1.0, 'response': " + "[" * 100_000,
        "{'timestamp': 1.0, 'response': " + "-" * 100_000 + "1}",
        "{'timestamp': 1.0, 'response': " + "1" * 200_000 + "}",
        "{'timestamp': 1.0, 'response': f'{1}'}",
        "{'timestamp': 1.0, 'response': '" + "\\'" * 100_000,
        "{'timestamp': 1.0, " + "1" * 100_000 + "!}",
        "{'timestamp': 1.0, 'response': {[]: 1}}",
        "{'timestamp': 1.0, 'response': '" + "x" * 5_000_000 + "'}",
        "{'timestamp': 1.0, 'response': '" + "\\'" * 1_000_000 + "\\",
        "",
    ],
    ids=range(13),
)
async def test_hostile_values_are_shown_and_never_evaluated(client: Any, aclient: Any, value: str) -> None:
    client.set("f" * 64, "{'timestamp': 9.0, 'response': 'good'}")
    search = await searching(aclient)
    client.set("f" * 64, value)
    (entry,) = await search.newest()
    assert entry.response == value


def test_plain_literals_are_read_and_nothing_else() -> None:
    for plain in ({"a": [1, -2.5e-6, True, None, 'it\'s "x"']}, ("t", {}), {"deep": [[[[1]]]]}):
        assert read_value(repr(plain)) == plain
    assert read_value("a") is None
    assert read_value("{'a': b'x'}") is None


async def test_where_the_threshold_is_kept_is_said(client: Any, aclient: Any) -> None:
    search = await recorded(client, aclient)
    for name in ("litellm_semantic_cache_index", "valkey_llm"):
        cache = search.cache(name)
        assert cache is not None
        (threshold,) = layout_of(cache).thresholds(cache)
        assert (threshold.similarity, threshold.changes) == (None, "no")
        assert "similarity_threshold" in threshold.sentence


async def test_two_libraries_in_one_redis_keep_to_their_own(client: Any, aclient: Any) -> None:
    replay(client, load("langchain"), hashed)
    search = await recorded(client, aclient)
    assert len(search.caches) == 10
    for entry in await search.newest(None, 100):
        cache = search.cache(entry.cache)
        assert cache is not None
        assert entry.library == cache.library
        assert entry.key.startswith(cache.prefix)
        assert (await search.entry(entry.key)) is not None
        assert layout_of(cache).siblings(cache, entry.key.encode()) == (entry.key.encode(),)
        client.unlink(entry.key)
        assert await search.entry(entry.key) is None
    assert len(await search.newest(None, 100)) == 0


@pytest.mark.skipif(not has("litellm", "redisvl"), reason="litellm is not installed")
async def test_the_library_of_today_writes_what_was_recorded(
    fresh_server: Any, client: Any, aclient: Any
) -> None:
    import redis

    server = fresh_server(port=0)
    run_writer("litellm", WRITERS, server.url)
    with redis.Redis.from_url(server.url, protocol=2) as writer:
        replay(client, dump(writer), hashed)
    search = await searching(aclient, budget_s=5)
    check_caches(search)
    await check_entries(search)
