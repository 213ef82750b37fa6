"""Caches without an index are found by their keys, however many others there are."""

from __future__ import annotations

from typing import Any

from costconsole.cache.catalog import find_caches, survey
from tests.cache.filling import KEYS, redisvl_index

MANY = 40_000
FILL = f"for i = 1, {MANY} do redis.call('HSET', KEYS[1] .. i, 'a', 1) end"
STRINGS = f"for i = 1, {MANY} do redis.call('SET', KEYS[1] .. i, 1) end"
VALUE = "{'timestamp': 1.5, 'response': 'x'}"


def sparse(client: Any) -> None:
    for number in range(3):
        client.set(f"{number:064x}", VALUE)
        client.set(f"team:{number:064x}", VALUE)
    client.execute_command("JSON.SET", "redis:" + "0" * 32 + ":" + "1" * 32, "$", '[{"lc":1,"kwargs":{}}]')


async def test_a_few_entries_among_many_other_keys_are_found_in_few_steps(client: Any, aclient: Any) -> None:
    client.eval(FILL, 1, "other:")
    sparse(client)
    client.config_resetstat()
    caches = await find_caches(aclient, None, KEYS, budget_s=30)
    assert {cache.name: cache.entries for cache in caches} == {
        "redis:exact": 1, "litellm:exact": 3, "team:exact": 3
    }  # fmt: skip
    stats = {name.lower(): stat["calls"] for name, stat in client.info("commandstats").items()}
    assert stats["cmdstat_scan"] < MANY / 1_000


async def test_a_walk_that_stops_early_leaves_the_count_open(client: Any, aclient: Any) -> None:
    """Most keys are of the type that is looked for: what was seen of a family is there, its count isn't."""
    client.eval(STRINGS.replace(".. i", ".. string.format('%064x', i)"), 1, "other:")
    client.eval(f"for i = 1, {MANY} do redis.call('SET', string.format('%064x', i), ARGV[1]) end", 0, VALUE)
    seen = await survey(aclient, None, KEYS, budget_s=0)
    assert {cache.name: cache.entries for cache in seen.caches} == {"litellm:exact": None}
    assert 0 < seen.looked_at < 2 * MANY
    assert f"Only {seen.looked_at:,} of the keys of this Redis were looked at" in seen.left_out
    assert "caches --deep" in seen.left_out
    seen = await survey(aclient, None, KEYS, budget_s=30)
    assert {cache.name: cache.entries for cache in seen.caches} == {"litellm:exact": MANY}
    assert seen.left_out == ""


async def test_keys_of_one_prefix_and_two_types_are_counted_type_by_type(client: Any, aclient: Any) -> None:
    """A cache of answers and one of embeddings, by the same name: the one has strings, the other hashes."""
    for number in range(70):
        client.set(f"shop:{number:064x}", VALUE)
    for number in range(100, 130):
        client.hset(f"shop:{number:064x}", mapping={"content": "x", "model_name": "m", "embedding": "[1.0]"})
    client.set(b"\xff\xfe[shop]:" + b"%064x" % 7, VALUE)
    caches = await find_caches(aclient, None, KEYS)
    assert {(cache.library, cache.entries) for cache in caches if cache.prefix == "shop:"} == {
        ("litellm", 70), ("redisvl", 30)
    }  # fmt: skip


async def test_caches_with_an_index_are_known_before_all_keys_were_looked_at(
    client: Any, aclient: Any
) -> None:
    client.eval(FILL, 1, "other:")
    sparse(client)
    redisvl_index(client, "known")
    told: list[Any] = []
    seen = await survey(aclient, None, KEYS, on_indexed=told.append, on_progress=told.append)
    first, *counts = told
    assert [cache.name for cache in first.caches] == ["known"]
    assert not first.complete
    assert counts == sorted(counts)
    assert counts[-1] == seen.looked_at == client.dbsize()
    assert {cache.name for cache in seen.caches} == {"known", "redis:exact", "litellm:exact", "team:exact"}
