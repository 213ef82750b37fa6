"""RedisVL's EmbeddingsCache and SemanticRouter, written by RedisVL itself in a process of its own."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from typing import Any

import pytest

from costconsole.cache.commands import arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.redisvl_router import route_vector
from costconsole.domain.errors import UsageProblem
from tests.cache.filling import redisvl_index, redisvl_store, searching
from tests.cache.vectors import DIMS, at_similarity, unit

EMBEDDINGS = """
import json, sys, redis
from redisvl.extensions.cache.embeddings import EmbeddingsCache
url, given = sys.argv[1], json.load(sys.stdin)
client = redis.Redis.from_url(url, protocol=2)
for name, ttl, entries in given:
    cache = EmbeddingsCache(name=name, redis_client=client, ttl=ttl)
    for content, model, vector in entries:
        cache.set(content=content, model_name=model, embedding=vector, metadata={"ü": "✓"})
    cache.set(content=b"\\xff\\x00 raw", model_name="binary", embedding=[0.0] * 7 + [1.0])
"""
ROUTER = """
import json, sys, redis
from redisvl.extensions.router import Route, SemanticRouter
from redisvl.extensions.router.schema import RoutingConfig
from redisvl.utils.vectorize import CustomVectorizer
url, name, given = sys.argv[1], sys.argv[2], json.load(sys.stdin)
vectors = given["vectors"]
def embed(content, **kwargs):
    return list(vectors.get(content, [0.0] * 7 + [1.0]))
def embed_many(contents, **kwargs):
    return [embed(content) for content in contents]
client = redis.Redis.from_url(url, protocol=2)
vectorizer = CustomVectorizer(embed=embed, embed_many=embed_many)
routes = [Route(**route) for route in given["routes"]]
router = SemanticRouter(name=name, routes=routes, vectorizer=vectorizer, redis_client=client,
    routing_config=RoutingConfig(max_k=2), overwrite=True)
print(json.dumps({r.name: [r.distance_threshold, r.references] for r in router.routes}))
"""
# A config doesn't hold a vectorizer of one's own, so that RedisVL is given it when it asks.
READ_ROUTER = """
import json, sys, redis
from redisvl.extensions.router import SemanticRouter
from redisvl.utils.vectorize import CustomVectorizer
url, name = sys.argv[1], sys.argv[2]
import redisvl.utils.vectorize as vectorize
vectorize.vectorizer_from_dict = lambda *a, **k: CustomVectorizer(embed=lambda c, **k: [0.0] * 7 + [1.0])
router = SemanticRouter.from_existing(name, redis_client=redis.Redis.from_url(url, protocol=2))
print(json.dumps({r.name: [r.distance_threshold, r.references] for r in router.routes}))
"""
TEXTS = [
    "Wie spät ist es? 🕰",
    "日本の首都はどこですか",
    "كيف الحال",
    "\x1b[31mred\x07\nline",
    "",
    "a " * 9_000,
]


def run(script: str, *args: str, given: Any = None) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout) if done.stdout.strip() else None


def axis(number: int) -> list[float]:
    return [1.0 if at == number else 0.0 for at in range(DIMS)]


async def test_embeddings_of_every_content_are_found_and_searched(aclient: Any, redis_url: str) -> None:
    entries = [[content, "m1", axis(at)] for at, content in enumerate(TEXTS)]
    entries.append([TEXTS[0], "m2", [0.5] * 16])
    run(EMBEDDINGS, redis_url, given=[["embedcache", 500, entries], ["embedcache_v2", None, []]])
    search = await searching(aclient, budget_s=5)
    first, second = search.caches
    assert (first.name, first.library, first.kind, first.entries) == (
        "embedcache",
        "redisvl",
        "embeddings",
        8,
    )
    assert (second.name, second.entries) == ("embedcache_v2", 1)
    listed = await search.newest("embedcache")
    assert sorted(entry.prompt or "" for entry in listed) == sorted([*TEXTS, TEXTS[0], "\\xff\x00 raw"])
    assert all(entry.response is None and entry.model in ("m1", "m2", "binary") for entry in listed)
    assert all(400_000 < (entry.ttl_ms or 0) <= 500_000 for entry in listed)
    now = (await aclient.time())[0]
    assert all(abs((entry.created_ms or 0) / 1000 - now) < 60 for entry in listed)
    page = await search.by_vector(unit(0, 0.8, 0.6), "embedcache", k=2)
    assert [(entry.prompt, round(entry.similarity or 0, 6)) for entry in page] == [
        (TEXTS[1], 0.8),
        (TEXTS[2], 0.6),
    ]
    assert page.note == "1 vector of embedcache has other dimensions than the model in use"
    whole = await search.entry(page[0].key)
    assert whole is not None
    assert json.loads(dict(whole.fields)["metadata"]) == {"ü": "✓"}
    assert "embedding" not in dict(whole.fields)
    assert len(await search.neighbors(whole, 3)) == 3
    assert {entry.prompt for entry in await search.by_text("日本", "embedcache")} == {TEXTS[1]}


async def test_other_hashes_are_no_embeddings(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "p")
    client.hset("session:" + "a" * 64, mapping={"user": "x"})
    client.hset("broken:" + "a" * 64, mapping={"content": "c", "model_name": "m", "embedding": "{"})
    assert [cache.name for cache in (await searching(aclient)).caches] == ["llmcache"]


def routes(*more: str) -> dict[str, Any]:
    references = {"greeting": ["hi", TEXTS[0], *more], "re: fund": ['say "refund"', TEXTS[2]]}
    known = [
        {"name": name, "references": texts, "distance_threshold": 0.3 + 0.4 * at, "metadata": {"n": at}}
        for at, (name, texts) in enumerate(references.items())
    ]
    vectors = {text: axis(at) for at, text in enumerate(t for texts in references.values() for t in texts)}
    return {"routes": known, "vectors": vectors}


async def test_a_router_shows_its_references_and_thresholds(aclient: Any, redis_url: str) -> None:
    run(ROUTER, redis_url, "topic", given=routes())
    run(ROUTER, redis_url, "topic:more", given=routes("extra"))
    search = await searching(aclient)
    caches = {cache.name: cache for cache in search.caches}
    assert set(caches) == {"topic", "topic:more"}
    topic = caches["topic"]
    assert (topic.library, topic.kind, topic.dims, topic.metric) == ("redisvl", "router", DIMS, "COSINE")
    assert "also covers the entries of topic:more" in topic.problem
    listed = await search.newest("topic")
    assert sorted((entry.route, entry.prompt) for entry in listed) == sorted(
        [("greeting", "hi"), ("greeting", TEXTS[0]), ("re: fund", 'say "refund"'), ("re: fund", TEXTS[2])]
    )
    assert len(await search.newest("topic:more")) == 5
    page = await search.by_vector(at_similarity(0.9, 3), "topic", k=2)
    assert [(entry.prompt, round(entry.similarity or 0, 5)) for entry in page] == [
        ("hi", 0.9),
        (TEXTS[2], 0.43589),
    ]
    assert {entry.cache for entry in await search.by_vector(unit(1), "topic", k=9)} == {"topic"}
    found = layout_of(topic).thresholds(topic)
    assert [(t.part, round(t.similarity or 0, 6), t.changes) for t in found] == [
        ("greeting", 0.7, "next start"),
        ("re: fund", 0.3, "next start"),
    ]
    assert "from_existing" in found[0].sentence


@pytest.mark.parametrize("route", ["greeting", "re: fund"])
async def test_a_changed_route_threshold_is_what_a_router_starts_with(
    aclient: Any, redis_url: str, route: str
) -> None:
    run(ROUTER, redis_url, "topic", given=routes())
    (topic,) = (await searching(aclient)).caches
    layout = layout_of(topic)
    command = layout.change_threshold(topic, route, 0.9)
    assert command is not None
    await aclient.execute_command(*command)
    assert run(READ_ROUTER, redis_url, "topic")[route][0] == pytest.approx(0.1)
    assert layout.change_threshold(topic, route, 1.0) is None
    assert layout.change_threshold(topic, "no such route", 0.5) is None


@pytest.mark.parametrize("reference", ["hi", TEXTS[0], 'say "refund"'])
async def test_a_reference_leaves_the_config_with_its_hash_and_comes_back(
    aclient: Any, redis_url: str, reference: str
) -> None:
    before = run(ROUTER, redis_url, "topic", given=routes())
    search = await searching(aclient)
    (topic,) = search.caches
    (entry,) = [entry for entry in await search.newest("topic") if entry.prompt == reference]
    layout = layout_of(topic)
    assert layout.siblings(topic, entry.key.encode()) == (entry.key.encode(),)
    replies = await arun_all(aclient, layout.shared_reads(topic, entry))
    (piece,) = layout.shared_pieces(topic, entry, replies)
    await aclient.execute_command(*piece.remove)
    left = run(READ_ROUTER, redis_url, "topic")
    assert reference not in left[entry.route][1]
    assert sum(len(texts) for _, texts in left.values()) == 3
    assert await aclient.execute_command(*piece.check) == [-1]
    await aclient.execute_command(*piece.restore)
    assert run(READ_ROUTER, redis_url, "topic") == before


async def test_a_router_without_its_config_is_still_read(aclient: Any, redis_url: str) -> None:
    run(ROUTER, redis_url, "topic", given=routes())
    await aclient.delete("topic:route_config")
    search = await searching(aclient)
    (topic,) = search.caches
    assert "topic:route_config is missing" in topic.problem
    assert {entry.prompt for entry in await search.newest()} >= {"hi", TEXTS[0]}
    (entry,) = await search.by_vector(unit(1), k=1)
    assert layout_of(topic).shared_pieces(topic, entry, []) == ()


ASK_ROUTERS = """
import json, sys, redis
from redisvl.extensions.router import Route, SemanticRouter
from redisvl.extensions.router.schema import RoutingConfig
from redisvl.utils.vectorize import CustomVectorizer
url, given = sys.argv[1], json.load(sys.stdin)
vectors = given["references"]
def embed(content, **kwargs):
    return list(vectors.get(content, [0.0] * 7 + [1.0]))
def embed_many(contents, **kwargs):
    return [embed(content) for content in contents]
client = redis.Redis.from_url(url, protocol=2)
vectorizer = CustomVectorizer(embed=embed, embed_many=embed_many)
said = {}
for name, (routes, config) in given["routers"].items():
    SemanticRouter(name=name, routes=[Route(**route) for route in routes], vectorizer=vectorizer,
        redis_client=client, routing_config=RoutingConfig(**config), overwrite=True)
for name, (routes, config) in given["routers"].items():
    router = SemanticRouter(name=name, routes=[Route(**route) for route in routes], vectorizer=vectorizer,
        redis_client=client, routing_config=RoutingConfig(**config))
    said[name] = [
        [router(vector=v).name, [m.name for m in router.route_many(vector=v)]] for v in given["asked"]
    ]
print(json.dumps(said))
"""


async def test_a_vector_is_routed_as_the_library_routes_it(aclient: Any, redis_url: str) -> None:
    """By every way of putting distances together; one index also covers another router's references."""
    chance = random.Random(3)
    references = {f"t{at}": [chance.gauss(0, 1) for _ in range(3)] + [0.0] * 5 for at in range(12)}

    def router(method: str, max_k: int, *thresholds: float) -> list[Any]:
        named = zip(("one", "two", "three"), thresholds, strict=True)
        known = [
            {
                "name": name,
                "references": [f"t{4 * at + n}" for n in range(4)],
                "distance_threshold": threshold,
            }
            for at, (name, threshold) in enumerate(named)
        ]
        return [known, {"aggregation_method": method, "max_k": max_k}]

    routers = {
        "a": router("avg", 1, 0.2, 0.8, 0.5),
        "b": router("min", 2, 0.05, 0.4, 0.9),
        "c": router("sum", 3, 1.5, 0.3, 0.7),
        "a_more": router("min", 1, 0.01, 0.6, 0.3),
    }
    asked = [[chance.gauss(0, 1) for _ in range(3)] + [0.0] * 5 for _ in range(40)]
    said = run(ASK_ROUTERS, redis_url, given={"references": references, "routers": routers, "asked": asked})
    caches = {cache.name: cache for cache in (await searching(aclient)).caches}
    answers: set[str | None] = set()
    hidden = 0
    for name, expected in said.items():
        for vector, (route, routes) in zip(asked, expected, strict=True):
            found = await route_vector(aclient, caches[name], struct.pack("<8f", *vector))
            assert (found.route, list(found.routes)) == (route, routes), name
            assert set(found.scores) == {"one", "two", "three"}
            assert all(found.scores[one] > found.thresholds[one] for one in (*found.routes, *found.hidden))
            answers.add(found.route)
            hidden += len(found.hidden)
    assert answers == {None, "one", "two", "three"}
    assert hidden, "a route that passes and isn't among the nearest"
    assert (found.aggregation, found.max_k) == ("min", 1)


async def test_what_can_not_be_routed_is_said(aclient: Any, redis_url: str) -> None:
    run(ROUTER, redis_url, "topic", given=routes())
    (topic,) = (await searching(aclient)).caches
    with pytest.raises(UsageProblem, match="vectors of 8 numbers, this one has 2"):
        await route_vector(aclient, topic, struct.pack("<2f", 1, 0))
    await aclient.delete("topic:route_config")
    with pytest.raises(UsageProblem, match="no route in topic:route_config"):
        await route_vector(aclient, topic, unit(1))
