"""Each library's entries, evicted by its own rule and brought back, while everything else stays."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest

from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction, Selection
from costconsole.cache.search import EntrySearch
from costconsole.redis_store.probe import probe
from tests.cache.evicting import WHO, evicting
from tests.cache.filling import KEYS
from tests.cache.recording import load, replay
from tests.cache.writers.provider import small_vector


def embed(text: str) -> bytes:
    return struct.pack("<8f", *small_vector(text))


def values(client: Any) -> dict[bytes, Any]:
    """Everything that isn't ours, as its libraries would read it."""
    found: dict[bytes, Any] = {}
    for key in client.scan_iter(count=1_000):
        if key.startswith(b"costconsole:"):
            continue
        if client.type(key) == b"vectorset":
            elements = sorted(client.execute_command("VRANDMEMBER", key, 100))
            found[key] = {
                element: [round(float(n), 3) for n in client.execute_command("VEMB", key, element)]
                for element in elements
            }
        elif client.type(key) == b"ReJSON-RL":
            found[key] = json.loads(client.execute_command("JSON.GET", key))
        elif client.type(key) == b"hash":
            found[key] = client.hgetall(key)
        else:
            found[key] = client.dump(key)
    return found


async def entries(search: EntrySearch, cache: str) -> list[Any]:
    return list(await search.newest(cache, 100))


@pytest.mark.parametrize(
    ("library", "cache", "goes"),
    [
        ("betterdb", "betterdb_scache", []),
        ("betterdb", "agents:llm", []),
        ("betterdb", "agents:tool", []),
        ("gptcache", "gptcache", ["doc:"]),
        ("khazad", "khazad", []),
    ],
)
async def test_entries_of_every_library_go_and_come_back(
    client: Any, aclient: Any, library: str, cache: str, goes: list[str]
) -> None:
    replay(client, load(library), embed)
    before = values(client)
    eviction = await evicting(aclient)
    search = eviction._search
    for entry in await entries(search, cache):
        done = await eviction.evict(Selection.of([entry]))
        assert (done.evicted, done.skipped) == (1, ())
        left = values(client)
        removed = {key.decode() for key in before.keys() - left.keys()}
        assert entry.key in removed
        number = entry.key.rpartition(":")[2]
        assert removed - {entry.key} <= {prefix + number for prefix in goes} | set(before_sets(before))
        assert not any(number.encode() in left[key] for key in left if b":vset:" in key)
        back = await eviction.undo(done.undo_id)
        assert (back.restored, back.skipped) == (1, ())
        assert values(client) == before


def before_sets(before: dict[bytes, Any]) -> list[str]:
    """Vector sets of one element, which go with it."""
    return [key.decode() for key, value in before.items() if b":vset:" in key and len(value) == 1]


async def test_all_entries_of_a_cache_go_without_its_neighbor(client: Any, aclient: Any) -> None:
    replay(client, load("khazad"), embed)
    before = values(client)
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("khazad",)))
    assert (preview.count, preview.complete, preview.impossible) == (7, True, "")
    done = await eviction.evict(Selection(caches=("khazad",)))
    assert done.evicted == 7
    assert {key.split(b":")[0] for key in values(client)} == {b"khazad_v2"}
    back = await eviction.undo(done.undo_id)
    assert back.restored == 7
    assert values(client) == before


async def test_a_reference_leaves_its_router_and_comes_back(client: Any, aclient: Any) -> None:
    """Laid down as RedisVL's router does: a hash a reference, and all of them in one config."""
    references = ["hi", 'say "hello" ✓']
    client.execute_command(
        "FT.CREATE", "topic", "ON", "HASH", "PREFIX", 1, "topic", "SCHEMA", "reference_id", "TAG",
        "route_name", "TAG", "reference", "TEXT", "vector", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 8,
        "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip
    config = {"name": "topic", "routes": [{"name": "greeting", "references": references}], "vectorizer": {}}
    client.execute_command("JSON.SET", "topic:route_config", "$", json.dumps(config))
    for text in references:
        name = hashlib.sha256(text.encode()).hexdigest()
        fields = {"reference_id": name, "route_name": "greeting", "reference": text, "vector": embed(text)}
        client.hset(f"topic:greeting:{name}", mapping=fields)
    before = values(client)
    eviction = await evicting(aclient)
    for entry in await entries(eviction._search, "topic"):
        done = await eviction.evict(Selection.of([entry]))
        assert (done.evicted, done.skipped) == (1, ())
        left = json.loads(client.execute_command("JSON.GET", "topic:route_config"))
        assert left["routes"][0]["references"] == [text for text in references if text != entry.prompt]
        assert (await eviction.undo(done.undo_id)).restored == 1
        assert values(client) == before


async def test_mapped_json_keys_go_and_come_back(client: Any, aclient: Any) -> None:
    for at in range(3):
        value = {"q": f"p{at} ✓", "a": "b", "v": small_vector("x")}
        client.execute_command("JSON.SET", f"doc:{at}", "$", json.dumps(value))
    before = values(client)
    mapped = {"docs": {"prefix": "doc:", "type": "json", "prompt": "q", "response": "a", "vector": "v"}}
    server = await probe(aclient, namespace=KEYS.namespace)
    search = EntrySearch(aclient, await find_caches(aclient, server, KEYS, mappings=mapped), KEYS)
    eviction = Eviction(aclient, search, KEYS, server, WHO)
    for entry in await entries(search, "docs"):
        done = await eviction.evict(Selection.of([entry]))
        assert (done.evicted, done.skipped) == (1, ())
        assert entry.key not in {key.decode() for key in values(client)}
        assert (await eviction.undo(done.undo_id)).restored == 1
    assert values(client) == before
