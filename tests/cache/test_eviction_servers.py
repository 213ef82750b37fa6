"""Eviction on servers of other kinds: a cluster, no modules, little memory, few rights; and shared pieces."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from costconsole.cache.answer import Answer
from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction, Listed, Progress, Selection
from costconsole.cache.exact import ExactCache
from costconsole.cache.search import EntrySearch
from costconsole.cache.trash import copy_key, slot
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Refused
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.probe import probe
from costconsole.redis_store.target import parse_target
from tests.cache.evicting import WHO, audit, evicting, stored
from tests.cache.filling import KEYS, NOW, redisvl_index, redisvl_store
from tests.cache.vectors import unit
from tests.redis_store.servers import make_cluster

ANSWER = Answer("an answer " * 20, "gpt-x")


def put_exact(client: Any, count: int) -> list[str]:
    exact = ExactCache(KEYS)
    digests = [f"{n:064x}" for n in range(count)]
    for digest in digests:
        exact.put(client, digest, ANSWER, now_ms=NOW, ttl_s=600)
    return [KEYS.exact(digest) for digest in digests]


@pytest.mark.parametrize(
    "key",
    [
        b"plain",
        b"a:{tag}:b",
        b"open{",
        b"close}",
        b"{}empty",
        b"{}{x}",
        b"}{x}",
        b"a{b{c}d}",
        b"\xff}\x00",
        b"",
    ],
)
def test_a_copy_lies_in_the_slot_of_its_original(key: bytes) -> None:
    copy = copy_key(key, "0123456789")
    assert key_slot(copy) == key_slot(key) == slot(key)
    assert key in copy


async def test_without_modules(fresh_server: Callable[..., EmbeddedRedis]) -> None:
    server = fresh_server(modules=False)
    client = redis.Redis.from_url(server.url, protocol=2)
    aclient = connect_async(parse_target(server.url))
    keys = put_exact(client, 30)
    before = [stored(client, key) for key in keys]
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("tests:exact",)))
    assert (preview.count, preview.impossible, preview.warning) == (30, "", "")
    done = await eviction.evict(preview.selection)
    assert done.evicted == 30
    assert client.exists(*keys) == 0
    back = await eviction.undo()
    assert (back.restored, back.note) == (30, "")
    assert [stored(client, key) for key in keys] == before
    await aclient.aclose()


async def test_on_a_cluster_each_key_stays_in_its_slot(fresh_server: Callable[..., EmbeddedRedis]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        bus = port.getsockname()[1]
    node = fresh_server(modules=False, port=0, args=("--cluster-enabled", "yes", "--cluster-port", bus))
    make_cluster(node)
    client = redis.Redis.from_url(node.url, protocol=2)
    url = node.url.replace("redis://", "redis+cluster://").removesuffix("/0")
    aclient = connect_async(parse_target(url))
    keys = put_exact(client, 20)
    spread = [f"{n:064x}" for n in range(40)]  # LiteLLM's keys have no tag: each is in a slot of its own
    for name in spread:
        client.set(name, json.dumps({"timestamp": 1.0, "response": '{"choices": []}'}), ex=600)
    names = [*keys, *spread]
    before = [stored(client, name) for name in names]
    caches = (
        CacheInfo("tests:exact", "costconsole", "exact", KEYS.exact_prefix),
        CacheInfo("litellm", "litellm", "exact", "", layout="litellm-exact"),
    )
    server = await probe(aclient, namespace=KEYS.namespace)
    eviction = Eviction(aclient, EntrySearch(aclient, caches, KEYS), KEYS, server, WHO)
    listed = [Listed(name) for name in names if eviction._search.cache_of(name) is not None]
    assert len(listed) == 60
    done = await eviction.evict(Selection(tuple(listed)))
    assert (done.evicted, done.skipped) == (60, ())
    assert sum(client.exists(name) for name in names) == 0
    back = await eviction.undo()
    assert (back.restored, back.remaining) == (60, 0)
    assert [stored(client, name) for name in names] == before
    assert [entry["what"] for entry in audit(client)] == ["evict", "undo"]
    await aclient.aclose()


async def test_a_full_server_stops_it_cleanly(fresh_server: Callable[..., EmbeddedRedis]) -> None:
    server = fresh_server(modules=False)
    client = redis.Redis.from_url(server.url, protocol=2)
    aclient = connect_async(parse_target(server.url))
    keys = put_exact(client, 200)
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 60_000)
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("tests:exact",)))
    assert "maxmemory" in preview.warning
    client.config_set("maxmemory", 0)

    def fills_up(progress: Progress) -> None:
        if progress.done >= 20:
            client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)

    done = await eviction.evict(preview.selection, on_progress=fills_up)
    assert done.stopped
    assert "memory is full" in done.reason
    assert 20 <= done.evicted < 200
    assert sum(client.exists(key) for key in keys) == 200 - done.evicted
    client.config_set("maxmemory", 0)
    assert (await eviction.undo()).restored == done.evicted
    assert client.exists(*keys) == 200
    await aclient.aclose()


@pytest.mark.parametrize("denied", ["dump", "restore"])
async def test_who_may_not_copy_is_told_before_anything_is_done(
    redis_url: str, client: Any, denied: str
) -> None:
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "prompt")
    client.execute_command(
        "ACL", "SETUSER", "bob", "reset", "on", ">secret", "~*", "&*", "+@all", f"-{denied}"
    )
    aclient = redis.asyncio.Redis.from_url(redis_url, protocol=2, username="bob", password="secret")
    try:
        eviction = await evicting(aclient)
        preview = await eviction.preview(Selection((Listed(key),)))
        assert f"bob may not run {denied.upper()}" in preview.impossible
        with pytest.raises(Refused, match=denied.upper()):
            await eviction.evict(preview.selection)
        assert client.exists(key) == 1
        assert client.keys("costconsole:*") == []
        done = await eviction.evict(preview.selection, undoable=False)
        assert (done.evicted, done.undo_id) == (1, "")
        assert client.exists(key) == 0
        assert [entry["what"] for entry in audit(client)] == ["evict"]
    finally:
        await aclient.aclose()
        client.execute_command("ACL", "DELUSER", "bob")


async def test_keys_that_the_user_may_not_touch_are_said_and_the_rest_goes(
    redis_url: str, client: Any
) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}") for n in range(4)]
    rules = [f"~{key}" for key in keys[:3]]
    client.execute_command(
        "ACL", "SETUSER", "carl", "reset", "on", ">secret", "~costconsole:*", f"%R~{keys[3]}", *rules, "&*",
        "+@all",
    )  # fmt: skip
    aclient = redis.asyncio.Redis.from_url(redis_url, protocol=2, username="carl", password="secret")
    try:
        eviction = await evicting(aclient)
        search = eviction._search
        search.caches = await find_caches(client_of(redis_url), None, KEYS)
        done = await eviction.evict(Selection(tuple(Listed(key) for key in keys)))
        assert (done.evicted, done.failed) == (3, 1) or done.stopped
        assert client.exists(keys[3]) == 1
    finally:
        await aclient.aclose()
        client.execute_command("ACL", "DELUSER", "carl")


def client_of(url: str) -> Any:
    return redis.asyncio.Redis.from_url(url, protocol=2)


async def test_a_routers_reference_leaves_the_list_and_comes_back(aclient: Any, client: Any) -> None:
    references = ["a", "b", 'quote " and \\', "d"]
    routes = [{"name": "r", "references": references, "metadata": {}, "distance_threshold": 0.5}]
    config = {"name": "router", "routes": routes, "vectorizer": {"type": "hf", "model": "m"},
              "routing_config": {"max_k": 1, "aggregation_method": "min"}}  # fmt: skip
    client.execute_command(
        "FT.CREATE", "router", "ON", "HASH", "PREFIX", 1, "router", "SCHEMA", "reference_id", "TAG",
        "route_name", "TAG", "reference", "TEXT", "vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32",
        "DIM", 8, "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip
    client.execute_command("JSON.SET", "router:route_config", "$", json.dumps(config))
    keys = []
    for reference in references:
        name = hashlib.sha256(reference.encode()).hexdigest()
        keys.append(f"router:r:{name}")
        client.hset(
            keys[-1],
            mapping={"reference_id": name, "route_name": "r", "reference": reference, "vector": unit(1)},
        )
    before = [stored(client, key) for key in keys], client.execute_command("JSON.GET", "router:route_config")
    eviction = await evicting(aclient)
    chosen = [keys[0], keys[2], keys[3]]
    done = await eviction.evict(Selection(tuple(Listed(key) for key in chosen)))
    assert (done.evicted, done.skipped) == (3, ())
    left = client.execute_command("JSON.GET", "router:route_config", "$.routes[0].references")
    assert json.loads(left) == [["b"]]
    back = await eviction.undo()
    assert (back.restored, back.remaining) == (3, 0)
    after = [stored(client, key) for key in keys], client.execute_command("JSON.GET", "router:route_config")
    assert after == before


async def test_khazads_vector_goes_with_its_body(aclient: Any, client: Any) -> None:
    elements = [f"{n:032x}" for n in range(3)]
    for n, element in enumerate(elements):
        client.execute_command(
            "VADD", "k:vset:api.openai.com/gpt", "VALUES", 4, *(float(x + n) for x in (1, 2, 0, n)), element
        )
        client.set(f"k:resp:{element}", json.dumps({"id": n, "model": "gpt", "choices": []}), ex=600)
    eviction = await evicting(aclient)
    (cache,) = [cache for cache in eviction._search.caches if cache.library == "khazad"]
    query = ("VSIM", "k:vset:api.openai.com/gpt", "ELE", elements[0], "WITHSCORES")
    before = client.execute_command(*query)
    body = stored(client, f"k:resp:{elements[1]}")
    done = await eviction.evict(Selection((Listed(f"k:resp:{elements[1]}"),)))
    assert done.evicted == 1
    assert client.execute_command("VCARD", "k:vset:api.openai.com/gpt") == 2
    back = await eviction.undo()
    assert back.restored == 1
    assert stored(client, f"k:resp:{elements[1]}") == body
    after = client.execute_command(*query)
    assert after[::2] == before[::2]
    assert [float(score) for score in after[1::2]] == pytest.approx(
        [float(s) for s in before[1::2]], abs=2e-3
    )
    assert cache.kind == "semantic"


async def test_an_eviction_made_elsewhere_is_undone_here(aclient: Any, client: Any, redis_url: str) -> None:
    """The trash lies in Redis, not in a process: another console on another machine brings it back."""
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "prompt")
    done = await (await evicting(aclient)).evict(Selection((Listed(key),)))
    other = client_of(redis_url)
    undone = await Eviction.undo(await evicting(other), done.undo_id)
    assert undone.restored == 1
    await other.aclose()
