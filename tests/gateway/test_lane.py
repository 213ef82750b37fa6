"""The short way to Redis gives the client's replies and survives what a client survives."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from costconsole.gateway.lane import alane, lane
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.target import parse_target


async def test_replies_are_those_of_the_client(redis_url: str, client: redis.Redis) -> None:
    client.hset("h", mapping={"a": "1", "b": b"\x00\xff"})
    target = parse_target(redis_url)
    short, ashort = lane(connect(target)), alane(connect_async(target))
    for words in (("HMGET", "h", "a", "b", "c"), ("GET", "nothing"), ("CLIENT", "GETNAME"), ("DBSIZE",)):
        wanted = connect(target).execute_command(*words)
        assert short.execute_command(*words) == wanted
        assert await ashort.execute_command(*words) == wanted
    for _ in range(2):
        with pytest.raises(redis.ResponseError):
            short.execute_command("HGET", "h")
        with pytest.raises(redis.ResponseError):
            await ashort.execute_command("HGET", "h")
    short.close()
    await ashort.aclose()


async def test_a_connection_that_the_server_closed_is_opened_again(
    redis_url: str, client: redis.Redis
) -> None:
    target = parse_target(redis_url)
    short, ashort = lane(connect(target)), alane(connect_async(target))
    for _ in range(2):
        assert short.execute_command("PING") == b"PONG"
        assert await ashort.execute_command("PING") == b"PONG"
        for connection in client.client_list():
            if connection["name"] == "costconsole":
                client.client_kill_filter(_id=connection["id"])


def test_threads_never_get_each_others_answers(redis_url: str, client: redis.Redis) -> None:
    for at in range(40):
        client.set(f"k{at}", at)
    short = lane(connect(parse_target(redis_url)))

    def read(at: int) -> bool:
        return all(int(short.execute_command("GET", f"k{at}")) == at for _ in range(50))

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(read, range(40)))


async def test_an_interrupted_command_leaves_no_answer_behind(redis_url: str) -> None:
    short = alane(connect_async(parse_target(redis_url)))
    waiting = asyncio.create_task(short.execute_command("BLPOP", "never", 0))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await short.execute_command("ECHO", "mine") == b"mine"


def test_a_forked_child_talks_over_its_own_connection(redis_url: str) -> None:
    short = lane(connect(parse_target(redis_url)))
    mine: Any = short.execute_command("CLIENT", "ID")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(short.execute_command("CLIENT", "ID")).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 100)) != mine == short.execute_command("CLIENT", "ID")
