"""The probe: what a server is and what this user may do, even where asking is forbidden."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from costconsole.demo.server import EmbeddedRedis, free_port
from costconsole.redis_store import probe as module
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.probe import ServerInfo, probe, probe_sync
from costconsole.redis_store.target import RedisTarget, parse_target

Fresh = Callable[..., EmbeddedRedis]


def look_sync(target: RedisTarget, **options: Any) -> ServerInfo:
    client = connect(target, **options)
    try:
        return probe_sync(client)
    finally:
        client.close()


def look_async(target: RedisTarget, **options: Any) -> ServerInfo:
    async def run() -> ServerInfo:
        client = connect_async(target, **options)
        try:
            return await probe(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


ASKING = ("+@connection", "+module|list", "+acl|whoami", "+acl|dryrun")
both = pytest.mark.parametrize("look", [look_sync, look_async], ids=["sync", "async"])


@pytest.fixture
def user(client: redis.Redis, redis_url: str):
    """Makes a user with these rights; gives the target to connect as that user."""
    made: list[str] = []

    def make(name: str, *rights: str) -> RedisTarget:
        client.execute_command("ACL", "SETUSER", name, "reset", "on", ">pw", *rights)
        made.append(name)
        return parse_target(redis_url, username=name, password="pw")

    yield make
    for name in made:
        client.execute_command("ACL", "DELUSER", name)


@both
def test_a_whole_server(look: Any, client: redis.Redis, redis_url: str):
    server = look(parse_target(redis_url))
    fields = client.info()
    assert (server.kind, server.version) == ("redis", fields["redis_version"])
    assert server.search is not None
    assert server.search[0] == "2"
    assert server.json is not None
    assert server.vectorset
    assert dict(server.modules)["search"] == server.search
    assert (server.cluster, server.role, server.username, server.db) == (False, "primary", "default", 0)
    assert (server.maxmemory_policy, server.maxmemory_bytes) == ("noeviction", 0)
    assert server.used_memory_bytes is not None
    assert server.used_memory_bytes > 100_000
    assert server.can_write
    assert server.denied == ()
    assert server.why_read_only == ""
    assert not server.evicts
    assert client.dbsize() == 0


@both
def test_a_server_without_search(look: Any, fresh_server: Fresh):
    server = look(
        parse_target(fresh_server(modules=False, args=["--maxmemory-policy", "allkeys-lru"]).url + "?db=2")
    )
    assert (server.search, server.json, server.can_write, server.db) == (None, None, True, 2)
    assert server.denied == ()
    assert server.evicts


@both
def test_a_viewer_may_read_and_not_write(look: Any, user: Any):
    target = user(
        "viewer", "~*", "&*", "+@read", "+@connection", "+ft.search", "+ft._list", "+ft.info", "+info"
    )
    server = look(target)
    assert server.username == "viewer"
    assert not server.can_write
    assert server.why_read_only.startswith("user viewer may not run HSET, XADD")
    assert {"HSET", "XADD", "UNLINK", "EVALSHA"} <= set(server.denied)
    assert not {"HGETALL", "SCAN", "FT.SEARCH", "INFO", "XREVRANGE"} & set(server.denied)
    assert server.maxmemory_policy == "noeviction"


@both
def test_an_auditor_who_may_ask_is_answered_exactly(look: Any, user: Any):
    rights = ["~*", "&*", "+@all", "-hset", "-publish"]
    assert look(user("auditor", *rights)).denied == ("HSET", "PUBLISH")
    server = look(user("auditor", *rights, "-info"))
    assert server.denied == ("INFO", "HSET", "PUBLISH")
    assert server.why_read_only == "user auditor may not run HSET, PUBLISH"


@both
def test_who_may_be_asked_tries_nothing(look: Any, user: Any, client: redis.Redis):
    viewer = user("viewer", "~*", "+@read", "+info", "+ft._list", "+ft.info", "+ft.search", *ASKING)
    client.execute_command("ACL", "LOG", "RESET")
    assert "HSET" in look(viewer).denied
    assert client.acl_log() == []


@both
def test_an_application_that_may_not_ask_for_its_rights_can_still_write(
    look: Any, user: Any, client: redis.Redis
):
    target = user("app", "~costconsole:*", "&costconsole:*", "+@all", "-@admin", "-@dangerous")
    server = look(target)
    assert server.can_write
    assert server.why_read_only == ""
    # Finding that out has changed nothing.
    assert client.dbsize() == 0


@both
def test_rights_on_other_keys_only_are_no_rights(look: Any, user: Any):
    server = look(user("stranger", "~other:*", "&other:*", "+@all", "-@dangerous"))
    assert not server.can_write
    assert "HGETALL" in server.denied


@both
def test_where_everything_is_forbidden_the_probe_still_answers(look: Any, user: Any):
    server = look(user("nobody", "+ping"))
    # HELLO can't be forbidden.
    assert (server.kind, server.version[0]) == ("redis", "8")
    assert server.username == "nobody"
    assert not server.can_write
    assert server.maxmemory_policy == ""
    assert server.used_memory_bytes is None
    assert {"INFO", "HGETALL", "SCAN", "FT.SEARCH", "HSET"} <= set(server.denied)


@both
def test_read_only_asks_nothing_that_writes(look: Any, client: redis.Redis, redis_url: str):
    client.config_resetstat()
    server = look(parse_target(redis_url), read_only=True)
    assert not server.can_write
    assert server.why_read_only == "--read-only was given"
    assert server.denied == ()
    sent = set(client.info("commandstats"))
    assert not sent & {
        f"cmdstat_{name}" for name in ("unlink", "xadd", "hdel", "zrem", "rename", "pexpire", "evalsha")
    }


@both
def test_a_replica_is_read_only(look: Any, fresh_server: Fresh):
    server = fresh_server(modules=False, keep=False)
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
    seen = look(parse_target(server.url))
    assert (seen.role, seen.can_write) == ("replica", False)
    assert seen.why_read_only == "this server is a read-only replica"


@both
def test_a_cluster(look: Any, cluster: EmbeddedRedis):
    target = parse_target(f"redis+cluster://127.0.0.1:{cluster.port}")
    server = look(target)
    assert (server.cluster, server.can_write, server.kind, server.db) == (True, True, "redis", 0)
    assert server.search is None
    assert not look(target, read_only=True).can_write


@both
def test_it_takes_two_round_trips(
    look: Any, client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    trips: list[int] = []
    for name in ("_ask", "_ask_async"):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda c, commands, real=real: trips.append(1) or real(c, commands))
    look(parse_target(redis_url))
    assert len(trips) == 2


# Servers that aren't at hand: their answers, as they give them.


def read(first: list[Any]) -> ServerInfo:
    client = redis.Redis(db=1, username="u")
    refused = [
        (asked, redis.ResponseError("unknown command 'ACL'")) for asked in module._rights("default", "u")
    ]
    return module._read(client, first, refused, [(tried, None) for tried in module._tries(client, "default")])


NO = redis.ResponseError("unknown command")


VALKEY = [b"server", b"valkey", b"version", b"8.1.1"]


@pytest.mark.parametrize(
    ("hello", "info", "kind", "version"),
    [
        (VALKEY, {"redis_version": "7.2.4", "valkey_version": "8.1.1"}, "valkey", "8.1.1"),
        (VALKEY, NO, "valkey", "8.1.1"),
        ([], {"redis_version": "7.2.0", "dragonfly_version": "df-v1.27.1"}, "dragonfly", "1.27.1"),
        (NO, {"redis_version": "5.0.14"}, "redis", "5.0.14"),
        (NO, NO, "unknown", ""),
    ],
)
def test_other_servers(hello: Any, info: Any, kind: str, version: str):
    server = read([hello, info, NO, NO, NO])
    assert (server.kind, server.version) == (kind, version)
    assert (server.search, server.username, server.db, server.can_write) == (None, "u", 1, True)


def test_redis_8_has_search_built_in_even_if_modules_may_not_be_listed():
    hello = [b"server", b"redis", b"version", b"8.0.2", b"modules", []]
    server = read([hello, NO, redis.exceptions.NoPermissionError("NOPERM"), b"u", []])
    assert (server.search, server.vectorset) == ("built-in", True)
    listed = [[b"name", b"search", b"ver", 80002], [b"name", b"vectorset", b"ver", 1]]
    server = read([hello, NO, listed, b"u", []])
    assert (server.search, server.vectorset) == ("8.0.2", True)
