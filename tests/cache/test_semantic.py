"""The semantic cache on a real server: what it serves, and above all what it must not serve."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.cache.answer import Answer
from costconsole.cache.canonical import prompt_text, scope_of
from costconsole.cache.request import Request
from costconsole.cache.semantic import IndexMissing, SearchUnavailable, SemanticCache, best_match
from costconsole.domain.call import Usage
from costconsole.domain.errors import Problem
from costconsole.redis_store.keys import Keys
from tests.cache.vectors import DIMS, at_similarity, unit

NOW = 1_795_376_580_413
KEYS = Keys("tests")
PARIS = Answer("Paris", "gpt-x", "openai", Usage(12, 3, 4), b'{"id":"\xff"}', "stop")


@pytest.fixture
def cache(client: Any) -> SemanticCache:
    cache = SemanticCache(KEYS, DIMS)
    cache.ensure_index(client)
    return cache


def test_a_stored_answer_comes_back_whole(cache: SemanticCache, client: Any) -> None:
    key = cache.store(client, "capital of France?", unit(1), "s", PARIS, now_ms=NOW)
    (match,) = cache.lookup(client, unit(1), "s")
    assert match.answer == PARIS
    assert match.similarity == 1.0
    assert (match.neighbor.key, match.neighbor.prompt) == (key, "capital of France?")
    assert best_match([match], 1.0) is match


def test_the_best_neighbor_is_known_on_a_miss(cache: SemanticCache, client: Any) -> None:
    cache.store(client, "far", at_similarity(0.2), "s", PARIS, now_ms=NOW)
    near = cache.store(client, "near", at_similarity(0.7, axis=2), "s", PARIS, now_ms=NOW)
    matches = cache.lookup(client, unit(1), "s")
    assert best_match(matches, 0.95) is None
    assert matches[0].neighbor.key == near
    assert matches[0].similarity == pytest.approx(0.7, abs=1e-5)


def test_an_empty_scope_has_no_neighbor(cache: SemanticCache, client: Any) -> None:
    cache.store(client, "x", unit(1), "one", PARIS, now_ms=NOW)
    assert cache.lookup(client, unit(1), "two") == ()


BASE: dict[str, Any] = {
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of France?"},
    ],
    "temperature": 0,
}


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"model": "gpt-y"}, {}),
        ({"temperature": 0.5}, {}),
        ({"max_tokens": 5}, {}),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {}),
        ({"messages": [{"role": "system", "content": "Be rude."}, BASE["messages"][1]]}, {}),
        ({"messages": [BASE["messages"][1]]}, {}),
        ({"messages": [*BASE["messages"][:1], {"role": "user", "content": "Hi"},
                       {"role": "assistant", "content": "Hi"}, BASE["messages"][1]]}, {}),
        ({}, {"tenant": "other"}),
        ({}, {"provider": "other"}),
    ],
)  # fmt: skip
def test_no_answer_crosses_a_scope(
    cache: SemanticCache, client: Any, change: dict[str, Any], options: dict[str, str]
) -> None:
    stored = Request.from_body(BASE, provider="openai", tenant="one")
    asked = Request.from_body({**BASE, **change}, **{"provider": "openai", "tenant": "one", **options})
    assert prompt_text(asked) == prompt_text(stored)
    cache.store(client, prompt_text(stored), unit(1), scope_of(stored), PARIS, now_ms=NOW)
    assert cache.lookup(client, unit(1), scope_of(stored))[0].similarity == 1.0
    assert cache.lookup(client, unit(1), scope_of(asked)) == ()


def test_one_scope_is_never_served_from_another_however_many_entries(
    cache: SemanticCache, client: Any
) -> None:
    """Both ways of searching (few entries compared, many walked) hold to the scope."""
    for number in range(2_050):
        vector = unit(1, number % 45, number // 45)
        cache.store(client, f"p{number}", vector, "large", PARIS, now_ms=NOW)
    cache.store(client, "mine", unit(0, 0, 0, 1), "small", PARIS, now_ms=NOW)
    assert [m.neighbor.prompt for m in cache.lookup(client, unit(1), "small", k=5)] == ["mine"]
    large = cache.lookup(client, unit(1, 7, 3), "large", k=3)
    assert large[0].neighbor.prompt == "p142"
    assert all(match.neighbor.prompt != "mine" for match in large)


def test_index_a_never_serves_entries_of_a_v2(client: Any) -> None:
    caches = [SemanticCache(Keys(name), DIMS) for name in ("a", "a_v2", "a-1")]
    for cache in caches:
        cache.ensure_index(client)
    caches[1].store(client, "theirs", unit(1), "s", PARIS, now_ms=NOW)
    assert caches[0].lookup(client, unit(1), "s") == ()
    assert caches[2].lookup(client, unit(1), "s") == ()


def test_a_foreign_key_under_the_prefix_is_not_served(cache: SemanticCache, client: Any) -> None:
    key = cache.store(client, "mine", at_similarity(0.9), "s", PARIS, now_ms=NOW)
    stored = client.hgetall(key)
    client.hset(KEYS.semantic_prefix + "copy:" + "0" * 64, mapping={**stored, "prompt_vector": unit(1)})
    matches = cache.lookup(client, unit(1), "s", k=5)
    assert [match.neighbor.key for match in matches] == [key]


def test_the_time_to_live_does_not_slide(cache: SemanticCache, client: Any) -> None:
    key = cache.store(client, "x", unit(1), "s", PARIS, ttl_s=100, now_ms=NOW)
    client.pexpire(key, 5_000)
    assert cache.lookup(client, unit(1), "s")
    assert client.pttl(key) <= 5_000
    client.execute_command(*cache.touch(key, 100))
    assert client.pttl(key) > 90_000


def test_an_equal_answer_is_not_written_again(cache: SemanticCache, client: Any) -> None:
    key = cache.store(client, "x", unit(1), "s", PARIS, ttl_s=100, now_ms=NOW)
    stored = client.hgetall(key)
    assert cache.store(client, "x", unit(1), "s", PARIS, ttl_s=100, now_ms=NOW + 9_000) == key
    assert client.hgetall(key) == stored
    other = Answer("Lyon", "gpt-x")
    cache.store(client, "x", unit(1), "s", other, now_ms=NOW + 9_000)
    assert cache.lookup(client, unit(1), "s")[0].answer == other
    assert client.pttl(key) == -1
    assert client.hgetall(key)[b"inserted_at"] == b"1795376589.413"


def test_a_new_models_vector_replaces_the_old_one(cache: SemanticCache, client: Any) -> None:
    cache.store(client, "x", unit(1), "s", PARIS, now_ms=NOW)
    cache.store(client, "x", unit(0, 1), "s", PARIS, now_ms=NOW + 1)
    assert cache.lookup(client, unit(0, 1), "s")[0].similarity == 1.0


def test_an_expired_neighbor_does_not_hide_a_living_one(fresh_server: Any) -> None:
    import redis

    server = fresh_server(args=("--enable-debug-command", "local"))
    with redis.Redis.from_url(server.url, protocol=2) as client:
        client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        cache = SemanticCache(KEYS, DIMS)
        cache.ensure_index(client)
        cache.store(client, "gone", unit(1), "s", PARIS, ttl_s=0.001, now_ms=NOW)
        stored = client.time()
        cache.store(client, "here", at_similarity(0.96), "s", PARIS, now_ms=NOW)
        while client.time() < (stored[0], stored[1] + 5_000):  # reading the key itself would remove it
            pass
        assert [m.neighbor.prompt for m in cache.lookup(client, unit(1), "s")] == ["here"]


def test_hostile_text_survives_as_text(cache: SemanticCache, client: Any) -> None:
    hostile = Answer("\x1b[2J\x00\ud800 \u202e€", "m,\x1f|{}", raw=bytes(range(256)))
    cache.store(client, "\x1b]0;x\x07\udfff", unit(1), "s", hostile, now_ms=NOW)
    (match,) = cache.lookup(client, unit(1), "s")
    assert match.answer.text == "\x1b[2J\x00\\ud800 \u202e€"
    assert match.answer.raw == bytes(range(256))


def test_another_models_index_is_named(cache: SemanticCache, client: Any) -> None:
    with pytest.raises(Problem, match=rf"{DIMS} dimensions.*vectors of 384"):
        SemanticCache(KEYS, 384).ensure_index(client)
    with pytest.raises(Problem, match="2 dimensions"):
        cache.store(client, "x", b"12345678", "s", PARIS, now_ms=NOW)


def test_a_foreign_index_of_that_name_is_named(client: Any) -> None:
    client.execute_command("FT.CREATE", KEYS.semantic_index, "SCHEMA", "title", "TEXT")
    with pytest.raises(Problem, match=r"costconsole:\{tests\}:semantic was not made by"):
        SemanticCache(KEYS, DIMS).ensure_index(client)


def test_a_server_without_search_gets_a_sentence(fresh_server: Any) -> None:
    import redis

    server = fresh_server(modules=False)
    with (
        redis.Redis.from_url(server.url, protocol=2) as client,
        pytest.raises(SearchUnavailable, match="no search module"),
    ):
        SemanticCache(KEYS, DIMS).ensure_index(client)


def test_a_dropped_index_is_told_apart(cache: SemanticCache, client: Any) -> None:
    cache.store(client, "x", unit(1), "s", PARIS, now_ms=NOW)
    client.execute_command("FT.DROPINDEX", KEYS.semantic_index)
    with pytest.raises(IndexMissing):
        cache.lookup(client, unit(1), "s")
    cache.ensure_index(client)
    for _ in range(200):
        if cache.lookup(client, unit(1), "s"):
            return
    raise AssertionError("the entries were not indexed again")


async def test_async_does_what_sync_does(aclient: Any, client: Any) -> None:
    cache = SemanticCache(KEYS, DIMS)
    await cache.aensure_index(aclient)
    await cache.aensure_index(aclient)
    key = await cache.astore(aclient, "x", unit(1), "s", PARIS, route="r", tag="t", ttl_s=9, now_ms=NOW)
    assert await cache.alookup(aclient, unit(1), "s", 3) == cache.lookup(client, unit(1), "s", 3)
    stored = client.hgetall(key)
    client.delete(key)
    cache.store(client, "x", unit(1), "s", PARIS, route="r", tag="t", ttl_s=9, now_ms=NOW)
    assert client.hgetall(key) == stored
    with pytest.raises(Problem, match="dimensions"):
        await SemanticCache(KEYS, 384).aensure_index(aclient)
    client.execute_command("FT.DROPINDEX", KEYS.semantic_index)
    with pytest.raises(IndexMissing):
        await cache.alookup(aclient, unit(1), "s")
