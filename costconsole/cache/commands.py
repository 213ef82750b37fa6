"""Commands are built as values and sent by a sync or an async client, so that both sides share them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from redis.exceptions import NoScriptError

from costconsole.redis_store.connect import is_cluster

Command = tuple[Any, ...]
"""A command's words: bytes, str, int or float."""

_FIELDS_WEIGHED = 50


def memory_of(key: Any) -> Command:
    """How many bytes a key takes. By itself the server weighs five fields and takes the others to be alike,
    which an answer of 10 kB among short fields is not."""
    return ("MEMORY", "USAGE", key, "SAMPLES", _FIELDS_WEIGHED)


class Script:
    """A Lua script. It is called by its hash, and sent in full only to a server that doesn't know it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)

    def run(self, client: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return client.execute_command(*self.call(keys, arguments))
        except NoScriptError:
            return client.execute_command("EVAL", self.source, len(keys), *keys, *arguments)

    async def arun(self, client: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return await client.execute_command(*self.call(keys, arguments))
        except NoScriptError:
            return await client.execute_command("EVAL", self.source, len(keys), *keys, *arguments)


Result = TypeVar("Result")
Steps = Generator[Command, Any, Result]
"""Work that needs replies on its way: it yields commands, and is sent the reply to each."""


def driven(client: Any, steps: Steps[Result]) -> Result:
    """The result of steps; what a command raises is raised in them."""
    try:
        command = next(steps)
        while True:
            try:
                reply = client.execute_command(*command)
            except Exception as error:
                command = steps.throw(error)
            else:
                command = steps.send(reply)
    except StopIteration as done:
        result: Result = done.value
        return result


async def adriven(client: Any, steps: Steps[Result]) -> Result:
    """`driven` for an async client."""
    try:
        command = next(steps)
        while True:
            try:
                reply = await client.execute_command(*command)
            except Exception as error:
                command = steps.throw(error)
            else:
                command = steps.send(reply)
    except StopIteration as done:
        result: Result = done.value
        return result


def run_all(client: Any, commands: Sequence[Command]) -> list[Any]:
    """One round trip. A command that fails gives its exception as its reply."""
    if not commands:
        return []
    pipe = client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    return list(pipe.execute(raise_on_error=False))


def anywhere(client: Any) -> dict[str, Any]:
    """The option that lets a cluster's client send a command without a key: any node may answer it.

    An asynchronous client must have been initialized, as its first command does.
    """
    return {"target_nodes": client.get_default_node()} if is_cluster(client) else {}


async def index_names(client: Any) -> frozenset[bytes]:
    """Names of all search indexes. Raises ResponseError without search, or without the right to list them."""
    if is_cluster(client):
        await client.initialize()
    return frozenset(await client.execute_command("FT._LIST", **anywhere(client)))


async def arun_all(client: Any, commands: Sequence[Command]) -> list[Any]:
    """`run_all` for an async client."""
    if not commands:
        return []
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies = list(await pipe.execute(raise_on_error=False))
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # redis-py's pipeline may finish as if nothing had happened; who cancelled wants no result any more.
        raise asyncio.CancelledError
    return replies


STORE = Script("""
local ttl = tonumber(ARGV[1])
local stored = redis.call('HMGET', KEYS[1], 'response', 'metadata', 'raw', 'prompt_vector')
local new = {}
for i = 2, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end
local written = 0
if stored[1] ~= new.response or stored[2] ~= new.metadata or (stored[3] or '') ~= (new.raw or '')
  or (stored[4] or '') ~= (new.prompt_vector or '') then
  local stale = redis.call('HKEYS', KEYS[1])
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
  for _, name in ipairs(stale) do
    if new[name] == nil then redis.call('HDEL', KEYS[1], name) end
  end
  written = 1
end
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) elseif ttl == 0 then redis.call('PERSIST', KEYS[1]) end
return written
""")
"""Keep an answer: KEYS[1] its key; ARGV[1] milliseconds to live (0: for ever); then fields and values.

An equal answer with an equal vector is not written again, for every write to an indexed hash indexes it
anew (1.4 ms at 20,000 entries); only its time to live starts afresh, as a provider has just given it again.
"""
