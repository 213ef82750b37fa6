"""Under the rules that `doctor --acl` prints, the console reads everything, and an operator may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio

from costconsole.cache.catalog import find_caches, survey
from costconsole.cache.eviction import Eviction, Selection
from costconsole.cache.known import read_known
from costconsole.cache.policy import Author, aread_policy, awrite_policy
from costconsole.cache.search import EntrySearch
from costconsole.cache.thresholds import read_thresholds
from costconsole.cli import main
from costconsole.console.redis_source import RedisSource
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.window import WINDOWS
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.probe import probe
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.cache.filling import KEYS, own_cache, redisvl_index, store
from tests.cache.recording import load, replay
from tests.cache.vectors import unit
from tests.console.test_redis_source import fill
from tests.health.broken import AxisModel, put, vector_of

PASSWORD = "s3cret"


@pytest.fixture
def url(fresh_server: Callable[..., Any]) -> str:
    """A server with a ledger, our own caches and another library's, one of which covers the other's keys."""
    server: EmbeddedRedis = fresh_server(port=0)
    fill(server.url)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        cache = own_cache(client, Keys())
        store(client, cache, "apples?", vector=unit(1))
        redisvl_index(client, "faq")
        redisvl_index(client, "faq_v2")
        put(client, "faq", "bananas?")
        put(client, "faq_v2", "cherries?")
    return server.url


async def rule(url: str, role: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["--redis", url, "doctor", "--acl", role]) == 0
    return capsys.readouterr().out.strip()


def become(url: str, printed: str) -> str:
    """Follow the printed rule to the letter; the URL of that user."""
    words = printed.replace(">PASSWORD", f">{PASSWORD}").split()
    with redis.Redis.from_url(url, protocol=2) as client:
        client.execute_command(*words)
        client.execute_command("ACL", "LOG", "RESET")
    return url.replace("redis://", f"redis://{words[2]}:{PASSWORD}@")


def refused(url: str) -> set[str]:
    """What was refused since `become`, as the server logs it."""
    with redis.Redis.from_url(url, protocol=2, decode_responses=True) as client:
        return {f"{entry['reason']} {entry['object']}" for entry in client.acl_log()}


async def read_all(source: RedisSource) -> None:
    """Everything that the console's pages read."""
    view = await source.view(WINDOWS[2])
    assert view.total.calls == 30
    caches = await source.caches()
    assert {cache.name for cache in caches} == {"default:semantic", "faq", "faq_v2"}
    search = source.search
    listed = await search.newest()
    assert {entry.prompt for entry in listed} == {"apples?", "bananas?", "cherries?"}
    assert len(await search.by_vector(unit(1), k=3)) == 3
    assert [entry.prompt for entry in await search.by_text("bananas")] == ["bananas?"]
    assert [entry.prompt for entry in await search.by_key("faq_v2:")] == ["cherries?"]
    for entry in listed:
        whole = await search.entry(entry.key)
        assert whole is not None
        assert whole.size_bytes
        await search.neighbors(whole)
    assert not await source.caches_changed()
    findings = [finding async for finding in source.examine(lambda _words: None)]
    assert not [finding.what for finding in findings if finding.check == "not looked at"]
    assert {"prefix bleed", "memory", "looked at"} <= {finding.check for finding in findings}


async def test_a_viewer_reads_everything_and_changes_nothing(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = await rule(url, "viewer", capsys)
    viewer = become(url, printed)
    source = RedisSource(Settings(), parse_target(viewer))
    source._embedder = AxisModel()  # type: ignore[assignment]
    await source.open()
    assert not source.link.writable
    assert "may not run" in source.link.why_read_only
    await read_all(source)
    await source.close()
    # It asks which writes it may do and tries none. The registry of a library that isn't here is looked for.
    assert refused(url) <= {"key __betterdb:caches"}
    async with redis.asyncio.Redis.from_url(viewer, protocol=2) as client:
        for command in (
            ("HSET", "faq:x", "a", "b"),
            ("UNLINK", "faq:x"),
            ("SET", "x", "y"),
            ("GET", "elsewhere"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("KEYS", "*"),
            ("PUBLISH", KEYS.policy_changed, "1"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await client.execute_command(*command)


async def test_an_operator_reads_and_changes_the_policy(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    operator = become(url, await rule(url, "operator", capsys))
    source = RedisSource(Settings(), parse_target(operator))
    source._embedder = AxisModel()  # type: ignore[assignment]
    await source.open()
    assert source.link.writable
    await read_all(source)
    await source.close()
    async with redis.asyncio.Redis.from_url(operator, protocol=2) as client:
        await awrite_policy(client, Keys(), {"threshold": 0.91}, Author("ann", "here"))
        assert (await aread_policy(client, Keys())).threshold == 0.91
        server = await probe(client)
        search = EntrySearch(client, await find_caches(client, server, Keys()), Keys())
        eviction = Eviction(client, search, Keys(), server, Author("ann", "here"))
        for entry in await search.newest():
            done = await eviction.evict(Selection.of([entry]))
            assert done.evicted == 1, done.skipped
            assert (await eviction.undo(done.undo_id)).restored == 1
            assert await eviction.set_ttl(entry.key, 600)
            assert await eviction.set_ttl(entry.key, None) is None
        assert refused(url) <= {"key __betterdb:caches"}
        for command in (("SET", "elsewhere", "y"), ("FLUSHDB",), ("CONFIG", "SET", "save", "")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                await client.execute_command(*command)


@pytest.mark.parametrize("library", ["khazad", "gptcache", "betterdb", "litellm", "langchain"])
async def test_every_library_is_read_under_a_viewers_rights(
    library: str, fresh_server: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server: EmbeddedRedis = fresh_server(port=0)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        replay(client, load(library), lambda _text: vector_of("a"))
    viewer = become(server.url, await rule(server.url, "viewer", capsys))
    everything: dict[str, set[str]] = {}
    known: dict[str, set[Any]] = {}
    for who in (server.url, viewer):
        async with redis.asyncio.Redis.from_url(who, protocol=2) as client:
            search = EntrySearch(client, await find_caches(client, None, Keys()), Keys())
            everything[who] = {entry.key for entry in await search.newest(limit=500)}
            everything[who] |= {cache.name for cache in search.caches}
            for key in sorted(everything[who]):
                await search.entry(key)
            told = await read_known(client, await survey(client, None, Keys()))
            known[who] = {(one.cache, one.hits, one.counted, one.near, one.sampled) for one in told.figures}
            await read_thresholds(client, search.caches)
    assert len(everything[viewer]) > 1
    assert everything[viewer] == everything[server.url]
    assert known[viewer] == known[server.url]


def test_prefixes_stand_for_themselves() -> None:
    from costconsole.redis_store.acl import acl_rule

    printed = acl_rule("viewer", Keys(), prefixes=["a*b[c]:"], search=False)
    assert r" %R~a\*b\[c\]:* " in printed
    assert " %R~a?b??\\\\* " in acl_rule("viewer", Keys(), prefixes=["a bé\\"])
    assert "ft." not in printed
    assert "+@" not in printed
