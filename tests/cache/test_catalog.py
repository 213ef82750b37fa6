"""Every cache in a Redis is found, each as what it is."""

from __future__ import annotations

import contextlib
from typing import Any

import redis
import redis.asyncio

from costconsole.cache.answer import Answer
from costconsole.cache.catalog import find_caches
from costconsole.cache.exact import ExactCache
from costconsole.cache.layouts import layout_of
from costconsole.cache.policy import Author, write_policy
from costconsole.cache.search import EntrySearch
from costconsole.demo.server import free_port
from costconsole.domain.entry import CacheInfo
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target
from tests.cache.filling import EXACT, KEYS, NOW, OWN, own_cache, redisvl_index, redisvl_store, store
from tests.cache.vectors import DIMS, unit
from tests.redis_store.servers import make_cluster


async def found(aclient: Any) -> dict[str, CacheInfo]:
    return {cache.name: cache for cache in await find_caches(aclient, None, KEYS)}


async def test_an_empty_redis_has_no_caches(aclient: Any) -> None:
    assert await found(aclient) == {}


async def test_own_caches_of_every_namespace_are_found(client: Any, aclient: Any) -> None:
    cache = own_cache(client)
    for number in range(3):
        store(client, cache, f"p{number}")
        ExactCache(KEYS).put(client, f"{number:064x}", Answer("a"), now_ms=NOW)
    own_cache(client, Keys("other"))
    write_policy(client, Keys("other"), {"threshold": 0.8}, Author("a", "b"))
    caches = await found(aclient)
    assert list(caches) == ["other:semantic", EXACT, OWN]
    own = caches[OWN]
    assert (own.library, own.kind, own.entries, own.dims) == ("costconsole", "semantic", 3, DIMS)
    assert (own.metric, own.algorithm, own.threshold, own.problem) == ("COSINE", "HNSW", 0.95, "")
    assert own.memory_bytes is not None
    assert own.memory_bytes > 0
    assert (caches[EXACT].kind, caches[EXACT].entries, caches[EXACT].index) == ("exact", 3, None)
    assert caches["other:semantic"].threshold == 0.8


async def test_a_redisvl_cache_is_found_whatever_fields_it_has_besides(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    client.execute_command("FT.ALTER", "llmcache", "SCHEMA", "ADD", "tenant", "TAG")
    redisvl_store(client, "llmcache", "hello")
    client.execute_command("FT.CREATE", "articles", "SCHEMA", "title", "TEXT")
    (cache,) = (await found(aclient)).values()
    assert (cache.name, cache.library, cache.kind, cache.prefix) == (
        "llmcache",
        "redisvl",
        "semantic",
        "llmcache:",
    )
    assert (cache.entries, cache.dims, cache.algorithm, cache.threshold) == (1, DIMS, "FLAT", None)


async def test_an_index_that_covers_another_cache_is_warned_of(client: Any, aclient: Any) -> None:
    for name in ("a", "a_v2", "b"):
        redisvl_index(client, name)
    caches = await found(aclient)
    assert "also covers the entries of a_v2" in caches["a"].problem
    assert caches["a_v2"].problem == caches["b"].problem == ""


async def test_hashes_that_are_not_indexed_are_counted(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "short", vector=b"1234")
    assert "1 hashes could not be indexed" in (await found(aclient))["llmcache"].problem


async def test_a_server_without_search_still_has_entries(fresh_server: Any) -> None:
    server = fresh_server(modules=False)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        ExactCache(KEYS).put(client, "0" * 64, Answer("Paris"), prompt="capital of France", now_ms=NOW)
        client.hset(KEYS.semantic("1" * 64), mapping={"prompt": "old", "response": "x", "inserted_at": "5"})
    async with redis.asyncio.Redis.from_url(server.url, protocol=2) as aclient:
        caches = await found(aclient)
        assert list(caches) == [EXACT, OWN]
        assert "no search module" in caches[OWN].problem
        search = EntrySearch(aclient, caches.values(), KEYS)
        assert [entry.prompt for entry in await search.newest()] == ["capital of France", "old"]
        assert [entry.prompt for entry in await search.by_text("franc")] == ["capital of France"]
        assert [entry.response for entry in await search.by_key("0" * 64)] == ["Paris"]
        page = await search.by_vector(unit(1))
        assert page.entries == ()
        assert "no search module" in page.note


async def test_a_user_without_search_rights_is_told(client: Any, redis_server: Any, aclient: Any) -> None:
    own_cache(client)
    ExactCache(KEYS).put(client, "0" * 64, Answer("Paris"), now_ms=NOW)
    store(client, own_cache(client), "p")
    rules = "on >pw ~* &* +@read +@connection -ft._list -ft.info -ft.search"
    client.execute_command("ACL", "SETUSER", "poor", *rules.split())
    try:
        async with redis.asyncio.Redis.from_url(
            redis_server.url, protocol=2, username="poor", password="pw"
        ) as poor:
            caches = await found(poor)
            assert "may not list search indexes" in caches[OWN].problem
            assert len(await EntrySearch(poor, caches.values(), KEYS).newest()) == 2
        client.execute_command("ACL", "SETUSER", "poor", "-scan", "-smembers", "-hgetall")
        async with redis.asyncio.Redis.from_url(
            redis_server.url, protocol=2, username="poor", password="pw"
        ) as poor:
            assert await found(poor) == {}
    finally:
        client.execute_command("ACL", "DELUSER", "poor")


async def test_discovery_asks_each_index_once(client: Any, aclient: Any) -> None:
    for name in ("a", "b"):
        redisvl_index(client, name)
    with contextlib.suppress(Exception):
        client.config_resetstat()
    await found(aclient)
    stats = client.info("commandstats")
    calls = {name.lower(): stat["calls"] for name, stat in stats.items()}
    assert calls["cmdstat_ft.info"] == 2
    assert "cmdstat_keys" not in calls


async def test_where_thresholds_are_kept_is_said(client: Any, aclient: Any) -> None:
    own_cache(client)
    redisvl_index(client, "llmcache")
    caches = await found(aclient)
    (own,) = layout_of(caches[OWN]).thresholds(caches[OWN])
    assert (own.similarity, own.changes) == (0.95, "now")
    assert "costconsole threshold" in own.sentence
    (other,) = layout_of(caches["llmcache"]).thresholds(caches["llmcache"])
    assert (other.similarity, other.changes) == (None, "no")
    assert "in its own process" in other.sentence


async def test_caches_of_a_cluster_are_found_by_an_untouched_connection(fresh_server: Any) -> None:
    # The nodes of a cluster talk on the port 10,000 above.
    port = next(port for port in iter(free_port, None) if port <= 55_535)
    node = fresh_server(port=port, args=("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"))
    make_cluster(node)
    with connect(parse_target(f"redis+cluster://127.0.0.1:{port}")) as client:
        own_cache(client)
    aclient = connect_async(parse_target(f"redis+cluster://127.0.0.1:{port}"))
    try:
        assert OWN in await found(aclient)
    finally:
        await aclient.aclose()
