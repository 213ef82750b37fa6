"""Evictions that are cut off, disturbed or refused midway: nothing is lost, and what was done is said."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis

from costconsole.cache.entryfilter import EntryFilter
from costconsole.cache.eviction import Listed, Progress, Selection
from costconsole.demo.server import EmbeddedRedis
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.target import parse_target
from tests.cache.evicting import audit, evicting, stored
from tests.cache.filling import KEYS, redisvl_entry, redisvl_index, redisvl_store

DIES = """
import asyncio, os, signal, sys
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.target import parse_target
from costconsole.cache.eviction import Selection
from tests.cache.evicting import evicting

def dies(progress):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    eviction = await evicting(connect_async(parse_target(sys.argv[1])))
    await eviction.evict(Selection(caches=("llmcache",)), on_progress=dies)

asyncio.run(main())
"""


def fill(client: Any, count: int) -> list[str]:
    return [
        redisvl_store(client, "llmcache", f"prompt {n}", at=f"17953{n // 100 + 700:03}{n % 100:02}.5")
        for n in range(count)
    ]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    aclient = connect_async(parse_target(url))
    yield aclient
    await aclient.aclose()


async def test_a_console_that_is_killed_in_the_middle_loses_nothing(
    aclient: Any, client: Any, redis_url: str
) -> None:
    redisvl_index(client, "llmcache")
    keys = fill(client, 200)
    before = {key: stored(client, key) for key in keys}
    died = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, redis_url, env=os.environ)
    assert await asyncio.wait_for(died.wait(), 60) == -signal.SIGKILL
    gone = 200 - client.exists(*keys)
    assert 0 < gone < 200
    survivor = await evicting(aclient)
    (cut_off,) = await survivor.history()
    assert cut_off.evicted is None
    assert cut_off.remaining >= gone
    back = await survivor.undo()
    assert (back.restored, back.skipped) == (gone, ())
    assert {key: stored(client, key) for key in keys} == before


async def test_a_server_that_restarts_in_the_middle_has_every_entry_or_its_copy(
    fresh_server: Callable[..., EmbeddedRedis],
) -> None:
    server = fresh_server(port=0)
    client = redis.Redis.from_url(server.url, protocol=2)
    redisvl_index(client, "llmcache")
    keys = fill(client, 200)
    before = {key: stored(client, key) for key in keys}

    def stops(progress: Progress) -> None:
        if progress.done >= 20 and server.running:
            server.stop()

    async with connected(server.url) as aclient:
        done = await (await evicting(aclient)).evict(Selection(caches=("llmcache",)), on_progress=stops)
    assert done.stopped
    assert "connection" in done.reason or "answer" in done.reason
    assert done.evicted >= 20
    server.start()
    client = redis.Redis.from_url(server.url, protocol=2)
    gone = 200 - client.exists(*keys)
    assert done.evicted <= gone < 200
    async with connected(server.url) as aclient:
        back = await (await evicting(aclient)).undo(done.undo_id)
    assert (back.restored, back.skipped) == (gone, ())
    assert {key: stored(client, key) for key in keys} == before


async def test_a_primary_that_becomes_a_replica_keeps_the_rest_and_says_so(
    fresh_server: Callable[..., EmbeddedRedis],
) -> None:
    server = fresh_server(port=0)
    client = redis.Redis.from_url(server.url, protocol=2)
    redisvl_index(client, "llmcache")
    keys = fill(client, 200)
    before = {key: stored(client, key) for key in keys}

    def demoted(progress: Progress) -> None:
        if progress.done >= 20:
            client.replicaof("127.0.0.1", 1)

    async with connected(server.url) as aclient:
        eviction = await evicting(aclient)
        done = await eviction.evict(Selection(caches=("llmcache",)), on_progress=demoted)
        assert done.stopped
        assert "replica" in done.reason
        assert 20 <= done.evicted == 200 - client.exists(*keys) < 200
        refused = await (await evicting(aclient)).preview(Selection((Listed(keys[0]),)))
        assert "replica" in refused.impossible
        client.replicaof("NO", "ONE")
        back = await eviction.undo(done.undo_id)
    assert (back.restored, back.skipped) == (done.evicted, ())
    assert {key: stored(client, key) for key in keys} == before


async def test_an_undo_without_memory_keeps_the_copies(fresh_server: Callable[..., EmbeddedRedis]) -> None:
    server = fresh_server(port=0)
    client = redis.Redis.from_url(server.url, protocol=2)
    redisvl_index(client, "llmcache")
    keys = fill(client, 60)
    before = {key: stored(client, key) for key in keys}
    async with connected(server.url) as aclient:
        eviction = await evicting(aclient)
        done = await eviction.evict(Selection(caches=("llmcache",)))
        client.config_set("maxmemory", 1)
        back = await eviction.undo()
        assert (back.restored, back.stopped, back.remaining) == (0, True, 60)
        assert "memory is full" in back.reason
        client.config_set("maxmemory", 0)
        back = await eviction.undo(done.undo_id)
    assert (back.restored, back.remaining) == (60, 0)
    assert {key: stored(client, key) for key in keys} == before


async def test_without_memory_for_copies_nothing_goes(fresh_server: Callable[..., EmbeddedRedis]) -> None:
    server = fresh_server(port=0)
    client = redis.Redis.from_url(server.url, protocol=2)
    redisvl_index(client, "llmcache")
    keys = fill(client, 60)
    async with connected(server.url) as aclient:
        eviction = await evicting(aclient)
        client.config_set("maxmemory", 1)
        done = await eviction.evict(Selection(tuple(Listed(key) for key in keys)))
    assert (done.evicted, done.stopped) == (0, True)
    assert "memory is full" in done.reason
    assert client.exists(*keys) == 60


@pytest.mark.parametrize("by", ["keys", "filter"])
async def test_what_a_writer_changes_or_adds_meanwhile_stays(aclient: Any, client: Any, by: str) -> None:
    redisvl_index(client, "llmcache")
    keys = fill(client, 600)
    eviction = await evicting(aclient)
    # A preview that could not count all in time leaves the filter, and the time at which it was made.
    budget_s = 60 if by == "keys" else 0
    chosen = (await eviction.preview(Selection(caches=("llmcache",)), budget_s=budget_s)).selection
    assert len(chosen.keys) == (600 if by == "keys" else 0)
    written: dict[str, str] = {}
    alive = set(keys)

    def writes(progress: Progress) -> None:
        """One that is still there gets a new answer, one that is gone is stored anew, and one is added."""
        n = len(written)
        there = next((key for key in keys if key in alive and client.exists(key)), None)
        gone = next((key for key in keys if key in alive and not client.exists(key)), None)
        for key in (there, gone):
            if key is not None:
                alive.discard(key)
                _, fields = redisvl_entry("llmcache", f"prompt {keys.index(key)}")
                client.hset(key, mapping={**fields, "response": f"new {n}", "inserted_at": "1895376580.5"})
                written[key] = f"new {n}"
        added = redisvl_store(client, "llmcache", f"added {n}", at="1895376580.5")
        written[added] = f"answer to added {n}"

    done = await eviction.evict(chosen, on_progress=writes)
    assert len(written) > 6
    assert {key: client.hget(key, "response").decode() for key in written if client.exists(key)} == written
    assert done.evicted + len(written) >= 600
    left = {key.decode() for key in client.scan_iter("llmcache:*", count=1_000)}
    assert left == set(written)
    back = await eviction.undo(done.undo_id)
    assert {why for _, why in back.skipped} == {"it exists again, and is not overwritten"}
    assert {key: client.hget(key, "response").decode() for key in written} == written
    assert {key.decode() for key in client.scan_iter("llmcache:*", count=1_000)} == set(keys) | set(written)
    assert [entry["what"] for entry in audit(client)] == ["evict", "undo"]


async def test_a_preview_that_ran_out_of_time_says_about_how_many(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = fill(client, 700)
    eviction = await evicting(aclient)
    chosen = Selection(caches=("llmcache",))
    cut, whole = await eviction.preview(chosen, budget_s=0), await eviction.preview(chosen)
    assert (cut.count < 700, cut.complete, cut.about) == (True, False, 700)
    assert (whole.count, whole.complete, whole.about) == (700, True, 700)
    assert cut.bytes is not None
    assert cut.bytes == pytest.approx(whole.bytes, rel=0.05)
    some = Selection(caches=("llmcache",), where=EntryFilter(older_than_ms=1))
    assert (await eviction.preview(some, budget_s=0)).about is None
    # What was not counted in time goes as well.
    assert (await eviction.evict(cut.selection)).evicted == 700
    assert client.exists(*keys) == 0


async def test_a_large_eviction_is_named_in_parts_and_comes_back_from_all(
    aclient: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("costconsole.cache.manifest._PART", 200)
    redisvl_index(client, "llmcache")
    keys = fill(client, 900)
    before = {key: stored(client, key) for key in keys}
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("llmcache",)))
    for key in keys[100:110]:
        client.hset(key, "response", "changed since")
    done = await eviction.evict(preview.selection)
    assert (done.evicted, done.skipped_count) == (890, 10)
    (undoable,) = await eviction.history()
    assert (undoable.remaining, undoable.parts > 2) == (890, True)
    names = [KEYS.undo_entries(done.undo_id, part) for part in range(undoable.parts)]
    assert all(0 < client.scard(name) < 600 and client.pttl(name) > 0 for name in names)
    stop = asyncio.Event()
    half = await eviction.undo(stop=stop, on_progress=lambda p: p.done > 400 and stop.set())
    assert (half.stopped, half.restored + half.remaining) == (True, 890)
    rest = await eviction.undo()
    assert (half.restored + rest.restored, rest.remaining) == (890, 0)
    assert {k: stored(client, k) for k in keys[:100] + keys[110:]} == {
        k: before[k] for k in keys[:100] + keys[110:]
    }
