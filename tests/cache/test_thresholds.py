"""The thresholds of every library's caches: what they are, changing those in Redis, and taking it back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from costconsole.cache.catalog import find_caches
from costconsole.cache.policy import Author, read_policy, write_policy
from costconsole.cache.thresholds import change_threshold, read_thresholds, undo_threshold
from costconsole.domain.errors import Problem, Refused, UsageProblem
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import ServerInfo
from tests.cache.filling import own_cache, redisvl_index
from tests.cache.recording import load, replay
from tests.cache.vectors import unit

KEYS = Keys()
ANN = Author("ann", "here")
WRITER = ServerInfo(can_write=True)
CONFIG = "betterdb_scache:__config"


def router(client: Any, name: str = "topic") -> None:
    client.execute_command(
        "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, name, "SCHEMA", "reference_id", "TAG", "route_name",
        "TAG", "reference", "TEXT", "vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 8,
        "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip
    routes = [
        {"name": route, "references": ["r"], "metadata": {}, "distance_threshold": distance}
        for route, distance in (("greeting", 0.3), ("it's: fund", 0.7))
    ]
    config = {
        "name": name,
        "routes": routes,
        "vectorizer": {"type": "hf", "model": "m"},
        "routing_config": {},
    }
    client.execute_command("JSON.SET", f"{name}:route_config", "$", json.dumps(config))


def distance(client: Any, route: int) -> float:
    found = client.execute_command("JSON.GET", "topic:route_config", f"$.routes[{route}].distance_threshold")
    return float(json.loads(found)[0])


async def change(
    aclient: Any, name: str, similarity: float, part: str = "", server: ServerInfo = WRITER
) -> Any:
    caches = await find_caches(aclient, server, KEYS)
    return await change_threshold(aclient, server, KEYS, ANN, caches, name, similarity, part=part)


async def undo(aclient: Any, undo_id: str = "", server: ServerInfo = WRITER) -> Any:
    return await undo_threshold(aclient, server, KEYS, ANN, await find_caches(aclient, server, KEYS), undo_id)


def audited(client: Any) -> list[dict[str, str]]:
    return [
        {name.decode(): value.decode() for name, value in fields.items()}
        for _, fields in client.xrange(KEYS.audit)
    ]


async def test_every_librarys_threshold_is_listed_in_both_terms(client: Any, aclient: Any) -> None:
    for library in ("betterdb", "gptcache", "khazad", "litellm", "langchain"):
        dims = 384 if library in ("litellm", "langchain") else 8
        replay(client, load(library), lambda _text, dims=dims: unit(1).ljust(4 * dims, b"\0"))
    own_cache(client, KEYS)
    redisvl_index(client, "llmcache_plain")
    router(client)
    write_policy(client, KEYS, {"threshold:route:faq": 0.8, "threshold:model:gpt-x": 0.7}, ANN)
    found = await read_thresholds(aclient, await find_caches(aclient, None, KEYS))
    told = {(one.cache, one.part): (one.similarity, one.default, one.takes_effect, one.line) for one in found}
    assert told["default:semantic", ""] == (
        0.95, None, "now", "costconsole threshold set 0.95 --cache default:semantic"
    )  # fmt: skip
    assert told["default:semantic", "faq"][:3] == (0.8, None, "now")
    assert told["default:semantic", "gpt-x"][:3] == (0.7, None, "now")
    assert told["topic", "greeting"] == (
        0.7, None, "next start", 'Route(name="greeting", distance_threshold=0.3)'
    )  # fmt: skip
    assert told["betterdb_scache", ""] == (0.88, None, "now", f"HSET {CONFIG} threshold 0.12")
    assert told["llmcache_plain", ""] == (
        None, 0.9, "code", 'SemanticCache(name="llmcache_plain", distance_threshold=0.1)'
    )  # fmt: skip
    lines = {
        one.library: one.line for one in found if one.takes_effect == "code" and one.library != "redisvl"
    }
    assert "RedisSemanticCache(name=" in lines["langchain"]
    assert "distance_threshold=0.2)" in lines["langchain"]
    assert lines["litellm"] == "litellm_settings: {cache_params: {similarity_threshold: …}}"
    assert lines["gptcache"] == "Config(similarity_threshold=0.8)"
    assert lines["khazad"].endswith("threshold=0.9)")
    assert all(one.sentence for one in found)


async def test_what_writers_follow_is_changed_audited_and_taken_back(client: Any, aclient: Any) -> None:
    replay(client, load("betterdb"), lambda _text: unit(1))
    done = await change(aclient, "betterdb_scache", 0.95)
    assert (done.before, done.after, done.takes_effect) == (0.88, 0.95, "now")
    assert client.hgetall(CONFIG) == {b"threshold": b"0.05"}
    await change(aclient, "betterdb_scache", 0.9, "faq")
    first, second = audited(client)
    assert (first["what"], first["who"], first["host"], first["cache"]) == (
        "threshold", "ann", "here", "betterdb_scache",
    )  # fmt: skip
    assert (first.get("before"), first["after"], first["similarity_after"]) == (None, "0.05", "0.95")
    assert second["part"] == "faq"
    back = await undo(aclient)
    assert (back.part, back.before) == ("faq", 0.9)
    back = await undo(aclient)
    assert (back.part, back.before, back.after) == ("", 0.95, 0.88)
    assert client.hgetall(CONFIG) == {}, "what wasn't stored is not stored again"
    assert audited(client)[-1]["why"] == f"undo of {done.undo_id}"
    with pytest.raises(UsageProblem, match="no change of a threshold to take back"):
        await undo(aclient)


async def test_taking_back_is_a_change_that_can_be_taken_back(client: Any, aclient: Any) -> None:
    replay(client, load("betterdb"), lambda _text: unit(1))
    await change(aclient, "betterdb_scache", 0.95)
    back = await undo(aclient)
    again = await undo(aclient, back.undo_id)
    assert again.after == 0.95
    assert client.hgetall(CONFIG) == {b"threshold": b"0.05"}


@pytest.mark.parametrize(("route", "at"), [("greeting", 0), ("it's: fund", 1)])
async def test_a_routes_threshold_acts_at_the_next_start(
    client: Any, aclient: Any, route: str, at: int
) -> None:
    router(client)
    was = distance(client, at)
    done = await change(aclient, "topic", 0.75, route)
    assert (done.takes_effect, done.after) == ("next start", 0.75)
    assert distance(client, at) == 0.25
    assert "from_existing" in done.sentence
    assert (await undo(aclient, done.undo_id)).after == pytest.approx(1 - was)
    assert distance(client, at) == was


async def test_our_own_is_the_policy_of_its_namespace(client: Any, aclient: Any) -> None:
    own_cache(client, KEYS)
    write_policy(client, KEYS, {"ttl_s": 60}, ANN)
    await change(aclient, "default:semantic", 0.9)
    done = await change(aclient, "default:semantic", 0.8, "faq")
    policy = read_policy(client, KEYS)
    assert (policy.threshold, policy.threshold_for(route="faq"), policy.ttl_s) == (0.9, 0.8, 60)
    back = await undo(aclient, done.undo_id)
    assert (back.part, back.before, back.after) == ("faq", 0.8, 0.9)
    await undo(aclient)
    policy = read_policy(client, KEYS)
    assert (policy.threshold, policy.thresholds_by_route, policy.ttl_s) == (0.95, (), 60)
    with pytest.raises(UsageProblem, match="no change of a threshold"):
        await undo(aclient)


async def test_what_was_changed_again_since_stays(client: Any, aclient: Any) -> None:
    replay(client, load("betterdb"), lambda _text: unit(1))
    own_cache(client, KEYS)
    first = await change(aclient, "betterdb_scache", 0.95)
    client.hset(CONFIG, "threshold", "0.2")
    with pytest.raises(Problem, match="changed again since"):
        await undo(aclient, first.undo_id)
    assert client.hget(CONFIG, "threshold") == b"0.2"
    second = await change(aclient, "default:semantic", 0.9)
    write_policy(client, KEYS, {"threshold": 0.85}, ANN)
    with pytest.raises(Problem, match="changed again since"):
        await undo(aclient, second.undo_id)
    assert read_policy(client, KEYS).threshold == 0.85


async def test_what_is_in_code_is_refused_with_the_line_to_change(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    with pytest.raises(Refused) as refused:
        await change(aclient, "llmcache", 0.93)
    assert 'SemanticCache(name="llmcache", distance_threshold=0.07)' in str(refused.value)
    replay(client, load("khazad"), lambda _text: b"")
    with pytest.raises(Refused, match=r"threshold=0\.965"):
        await change(aclient, "khazad", 0.93)
    assert audited(client) == []


async def test_what_does_not_exist_or_is_not_possible_changes_nothing(client: Any, aclient: Any) -> None:
    router(client)
    replay(client, load("betterdb"), lambda _text: unit(1))
    for name, similarity, part, words in (
        ("nope", 0.9, "", "there is no cache 'nope'"),
        ("topic", 0.9, "", "give --route, one of greeting, it's: fund"),
        ("topic", 0.9, "other", "give --route"),
        ("topic", 1.0, "greeting", "takes no similarity of 1"),
        ("agents:llm", 0.9, "", "it has no threshold"),
        ("topic", 1.5, "greeting", "1.5 is not possible"),
    ):
        with pytest.raises(UsageProblem, match=words):
            await change(aclient, name, similarity, part)
    with pytest.raises(Refused, match="--read-only was given"):
        await change(aclient, "topic", 0.9, "greeting", ServerInfo(why_read_only="--read-only was given"))
    with pytest.raises(Refused, match="--read-only was given"):
        await undo(aclient, "", ServerInfo(why_read_only="--read-only was given"))
    assert distance(client, 0) == 0.3
    assert audited(client) == []


async def test_a_route_that_went_meanwhile_is_not_audited(client: Any, aclient: Any) -> None:
    router(client)
    caches = await find_caches(aclient, WRITER, KEYS)
    client.execute_command("JSON.DEL", "topic:route_config", "$.routes[0].distance_threshold")
    with pytest.raises(Problem, match="no such threshold any more"):
        await change_threshold(aclient, WRITER, KEYS, ANN, caches, "topic", 0.9, part="greeting")
    assert audited(client) == []
