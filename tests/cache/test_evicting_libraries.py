"""Entries that other libraries wrote are evicted by their own rules and come back byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.cache.entryfilter import EntryFilter
from costconsole.cache.eviction import Selection
from tests.cache.evicting import evicting, stored
from tests.cache.recording import load, replay
from tests.cache.test_langchain import hashed


def everything(client: Any) -> dict[bytes, Any]:
    return {key: stored(client, key) for key in client.scan_iter() if not key.startswith(b"costconsole:")}


@pytest.mark.parametrize("drop", [False, True], ids=["with its index", "without its index"])
async def test_all_entries_of_two_libraries_go_and_come_back(client: Any, aclient: Any, drop: bool) -> None:
    for name in ("langchain", "litellm"):
        replay(client, load(name), hashed)
    before = everything(client)
    eviction = await evicting(aclient)
    listed = await eviction._search.newest(None, 200)
    assert len(listed) == len(before) == 83
    done = await eviction.evict(Selection.of(listed))
    assert (done.evicted, done.skipped) == (83, ())
    assert everything(client) == {}
    if drop:
        for index in client.execute_command("FT._LIST"):
            client.execute_command("FT.DROPINDEX", index)
    back = await eviction.undo(done.undo_id)
    assert (back.restored, back.skipped) == (83, ())
    assert everything(client) == before


async def test_one_tenant_is_evicted_and_the_one_whose_name_begins_alike_stays(
    client: Any, aclient: Any
) -> None:
    replay(client, load("langchain"), hashed)
    kept = {key for key in client.scan_iter() if not key.startswith(b"user_1:")}
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection(caches=("user_1",)))
    assert done.evicted == 2
    assert {key for key in client.scan_iter() if not key.startswith(b"costconsole:")} == kept


async def test_one_group_of_litellm_is_evicted_alone(client: Any, aclient: Any) -> None:
    replay(client, load("litellm"), hashed)
    eviction = await evicting(aclient)
    listed = await eviction._search.newest("litellm_semantic_cache_index", 100)
    scope = listed[0].scope
    group = {entry.key for entry in listed if entry.scope == scope}
    done = await eviction.evict(
        Selection(caches=("litellm_semantic_cache_index",), where=EntryFilter(scope=scope))
    )
    assert set(done.keys) == group
    left = await eviction._search.newest("litellm_semantic_cache_index", 100)
    assert {entry.key for entry in left} == {entry.key for entry in listed} - group
