"""The guard: with read_only no command that writes ever reaches a real server, by whatever way it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.errors import ExitCode, Refused
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.guard import reads_only
from costconsole.redis_store.target import parse_target


def test_the_guard_allows_nothing_that_this_server_calls_a_write(client: redis.Redis):
    allowed, total = [], 0
    for entry in client.execute_command("COMMAND").values():
        subcommands = [(sub[0].decode().split("|"), sub[2]) for sub in entry.get("subcommands") or ()]
        for name, flags in [([entry["name"]], entry["flags"]), *subcommands]:
            total += 1
            if {"write", b"write"} & set(flags) and reads_only(name):
                allowed.append(name)
    assert total > 300
    assert allowed == []


def commands(listed: str) -> list[str]:
    """The commands of a list that is separated by semicolons."""
    return [" ".join(command.split()) for command in listed.split(";")]


REFUSED = """
    SET k v; set k v; DEL k; UNLINK k; HSET k f v; HINCRBY k f 1; EXPIRE k 1; RENAME a b; COPY a b;
    RESTORE k 0 x; XADD s * f v; XTRIM s MAXLEN 0; XREADGROUP GROUP g c STREAMS s >; EVAL x 0;
    EVALSHA x 0; FCALL f 0; SCRIPT FLUSH; SCRIPT LOAD x; SCRIPT KILL; FUNCTION LOAD x; FUNCTION
    DELETE x; FT.CREATE i SCHEMA a TEXT; FT.ALTER i; FT.DROPINDEX i; FT.ADD i; FT.ALIASADD a i;
    FT.SYNUPDATE i; FT.CONFIG SET TIMEOUT 1; JSON.SET k $ 1; JSON.DEL k; VADD k; VREM k e; VSETATTR
    k e x; CLIENT KILL ID 1; CLIENT PAUSE 1; CLIENT UNBLOCK 1; CONFIG SET a b; CONFIG RESETSTAT;
    CONFIG REWRITE; ACL SETUSER x; ACL DELUSER x; ACL SAVE; MODULE LOAD x; FLUSHALL; FLUSHDB; SWAPDB
    0 1; SHUTDOWN; DEBUG SLEEP 1; MONITOR; KEYS *; SAVE; BGSAVE; REPLICAOF NO ONE; FAILOVER; CLUSTER
    FAILOVER; CLUSTER RESET; CLUSTER ADDSLOTS 1; MIGRATE h 1; PUBLISH c m; SPUBLISH c m; GETDEL k;
    GETEX k; GETSET k v; SORT k STORE d; BITFIELD k; SINTERSTORE d a; ZRANGESTORE d a 0 1;
    GEOSEARCHSTORE d a; PFADD k a; TOUCH k; LPOP k; BLPOP k 0; SPOP k; ZPOPMIN k; MEMORY PURGE;
    SLOWLOG RESET; LATENCY RESET; XGROUP CREATE s g 0; XACK s g 1; BF.ADD k x; TS.ADD k * 1;
    NO.SUCHCOMMAND x; CLIENT; CONFIG; OBJECT FREEZE k
"""


@pytest.mark.parametrize("command", commands(REFUSED))
def test_is_refused(command: str):
    assert not reads_only(command.split())
    assert not reads_only([word.encode() for word in command.split()])
    head, _, tail = command.partition(" ")
    assert not reads_only([f"{head} {tail}"])


ALLOWED = """
    GET k; hgetall k; HMGET k f; SCAN 0; TYPE k; PTTL k; DUMP k; OBJECT FREQ k; OBJECT IDLETIME k;
    MEMORY USAGE k; XRANGE s - +; XREVRANGE s + -; XREAD STREAMS s 0; XINFO STREAM s; ZREVRANGE z 0
    1; FT.SEARCH i *; FT.AGGREGATE i *; FT.INFO i; FT._LIST; FT.CURSOR READ i 1; JSON.GET k; VSIM k;
    VEMB k e; VINFO k; SUBSCRIBE c; CLIENT SETNAME x; CLIENT NO-TOUCH ON; CLIENT SETINFO LIB-NAME x;
    CLIENT LIST; ACL WHOAMI; ACL DRYRUN u GET k; INFO; MODULE LIST; CONFIG GET maxmemory-policy;
    EVAL_RO x 0; EVALSHA_RO x 0; FCALL_RO f 0; MULTI; EXEC; PING; DBSIZE; SLOWLOG GET 5; CLUSTER
    SLOTS
"""


@pytest.mark.parametrize("command", commands(ALLOWED))
def test_is_allowed(command: str):
    assert reads_only(command.split())
    assert reads_only([word.encode() for word in command.split()])
    assert reads_only([command])


@given(st.lists(st.one_of(st.text(), st.binary(), st.integers()), max_size=4))
def test_nonsense_is_never_an_error_and_nothing_is_refused(args: list[Any]):
    assert isinstance(reads_only(args), bool)
    assert not reads_only([])


# Every way by which redis-py sends something, on a real connection.

WAYS: dict[str, Callable[[redis.Redis], Any]] = {
    "method": lambda c: c.set("k", "new"),
    "raw": lambda c: c.execute_command("SET", "k", "new"),
    "joined": lambda c: c.execute_command("CONFIG SET", "maxmemory", "1"),
    "pipeline": lambda c: c.pipeline(transaction=False).get("k").set("k", "new").execute(),
    "transaction": lambda c: c.pipeline(transaction=True).get("k").delete("k").execute(),
    "script": lambda c: c.eval("return redis.call('set', 'k', 'new')", 0),
    "registered script": lambda c: c.register_script("return redis.call('del', KEYS[1])")(keys=["k"]),
    "function": lambda c: c.fcall("f", 0),
    "flush": lambda c: c.flushall(),
    "single connection": lambda c: c.client().set("k", "new"),
    "search": lambda c: c.execute_command("FT.CREATE", "i", "SCHEMA", "a", "TEXT"),
    "publish": lambda c: c.publish("c", "m"),
    "from the pool": lambda c: c.connection_pool.get_connection().send_command("SET", "k", "new"),
    "empty head": lambda c: c.execute_command("", "FLUSHALL"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around_it(way: str, client: redis.Redis, redis_url: str):
    client.set("k", "old")
    guarded = connect(parse_target(redis_url), read_only=True)
    with pytest.raises(Refused) as caught:
        WAYS[way](guarded)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "read-only" in str(caught.value)
    assert client.get("k") == b"old"
    assert client.execute_command("FT._LIST") == []
    # A refused command leaves the connection in order.
    assert guarded.get("k") == b"old"
    guarded.close()


def test_a_refusal_never_shows_values(redis_url: str):
    guarded = connect(parse_target(redis_url), read_only=True)
    with pytest.raises(Refused) as caught:
        guarded.set("secret-key", "secret-value")
    assert "secret" not in str(caught.value)
    assert "SET" in str(caught.value)


ASYNC_WAYS: dict[str, Callable[[Any], Any]] = {
    "method": lambda c: c.set("k", "new"),
    "raw": lambda c: c.execute_command("SET", "k", "new"),
    "pipeline": lambda c: c.pipeline(transaction=False).get("k").set("k", "new").execute(),
    "transaction": lambda c: c.pipeline(transaction=True).get("k").delete("k").execute(),
    "script": lambda c: c.eval("return redis.call('set', 'k', 'new')", 0),
    "flush": lambda c: c.flushdb(),
}


@pytest.mark.parametrize("way", ASYNC_WAYS)
async def test_no_way_around_it_asynchronously(way: str, aclient: redis.asyncio.Redis, redis_url: str):
    await aclient.set("k", "old")
    guarded = connect_async(parse_target(redis_url), read_only=True)
    with pytest.raises(Refused):
        await ASYNC_WAYS[way](guarded)
    assert await aclient.get("k") == b"old"
    assert await guarded.get("k") == b"old"
    await guarded.aclose()


async def test_reading_works_as_ever(
    aclient: redis.asyncio.Redis, redis_server: EmbeddedRedis, redis_url: str
):
    await aclient.execute_command("FT.CREATE", "i", "SCHEMA", "a", "TEXT")
    await aclient.hset("h", mapping={"a": "refund"})
    guarded = connect_async(parse_target(redis_url), read_only=True)
    async with guarded.pipeline(transaction=True) as pipeline:
        pipeline.hgetall("h")
        pipeline.execute_command("FT.SEARCH", "i", "refund", "LIMIT", 0, 1)
        fields, found = await pipeline.execute()
    assert fields == {b"a": b"refund"}
    assert found[0] == 1
    subscription = guarded.pubsub()
    await subscription.subscribe("c")
    assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
    await aclient.publish("c", "m")
    assert (await subscription.get_message(timeout=5))["data"] == b"m"
    await subscription.aclose()
    await guarded.aclose()
