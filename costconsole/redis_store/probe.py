"""What a server is, what it can do, and what this user may do there: asked once, in two round trips.

The logic is free of I/O: `_first`, `_rights` and `_tries` say what to ask, `_read` makes sense of the
answers; any of them may be an error, for an ACL may forbid every single question. Rights are found out by
trying, in a third round trip, only where the server can't be asked: it logs each refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costconsole.domain.errors import Refused
from costconsole.redis_store.connect import is_cluster, is_read_only
from costconsole.redis_store.guard import words
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import info, pairs, text

Command = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server and our rights on it. What it doesn't tell is empty or None, never guessed.

    `kind`: redis, valkey, dragonfly or unknown. `search`, `json`: version of that module, None without it;
    a search that is built in or can't be named by version is `built-in`. `maxmemory_bytes` 0 is no limit.
    `denied`: the commands the console uses that this user may not run. `why_read_only` is a sentence
    when `can_write` is False.
    """

    kind: str = "unknown"
    version: str = ""
    search: str | None = None
    json: str | None = None
    vectorset: bool = False
    modules: tuple[tuple[str, str], ...] = ()
    cluster: bool = False
    role: str = ""
    maxmemory_policy: str = ""
    maxmemory_bytes: int | None = None
    used_memory_bytes: int | None = None
    username: str = ""
    can_write: bool = False
    denied: tuple[str, ...] = ()
    db: int = 0
    why_read_only: str = ""
    run_id: str = ""
    """Another one after every start of the server."""
    uptime_ms: int | None = None

    @property
    def evicts(self) -> bool:
        """Whether this server may drop figures by itself when its memory is full."""
        return self.maxmemory_policy not in ("", "noeviction")


async def probe(client: Any, *, namespace: str = "default") -> ServerInfo:
    """Ask an asynchronous client's server. Raises what the connection raises; refusals are answers."""
    first = await _ask_async(client, _first())
    asked = _rights(namespace, _user(first[_WHOAMI], client))
    answers = list(zip(asked, await _ask_async(client, asked), strict=True))
    if _answered(answers):
        return _read(client, first, answers, [])
    tried = _tries(client, namespace)
    return _read(client, first, answers, list(zip(tried, await _ask_async(client, tried), strict=True)))


def probe_sync(client: Any, *, namespace: str = "default") -> ServerInfo:
    """Ask a synchronous client's server. Raises what the connection raises; refusals are answers."""
    first = _ask(client, _first())
    asked = _rights(namespace, _user(first[_WHOAMI], client))
    answers = list(zip(asked, _ask(client, asked), strict=True))
    if _answered(answers):
        return _read(client, first, answers, [])
    tried = _tries(client, namespace)
    return _read(client, first, answers, list(zip(tried, _ask(client, tried), strict=True)))


_HELLO, _INFO, _MODULES, _WHOAMI, _LIST = range(5)


def _first() -> list[Command]:
    # HELLO without arguments changes nothing, and tells much even where INFO is forbidden.
    return [("HELLO",), ("INFO",), ("MODULE", "LIST"), ("ACL", "WHOAMI"), ("FT._LIST",)]


_READ_RIGHTS: tuple[Command, ...] = (
    ("HGETALL", "{key}"),
    ("XREVRANGE", "{key}", "+", "-"),
    ("SCAN", "0"),
    ("INFO",),
)
_SEARCH_RIGHTS: tuple[Command, ...] = (("FT._LIST",), ("FT.INFO", "{index}"), ("FT.SEARCH", "{index}", "*"))
_WRITE_RIGHTS: tuple[Command, ...] = (
    ("HSET", "{key}", "f", "v"),
    ("XADD", "{key}", "*", "f", "v"),
    ("ZINCRBY", "{key}", "1", "m"),
    ("PEXPIRE", "{key}", "1"),
    ("RENAME", "{key}", "{key}"),
    ("UNLINK", "{key}"),
    ("EVALSHA", "0" * 40, "1", "{key}"),
    ("PUBLISH", "{channel}", "v"),
)
# The same rights where nobody may be asked for them: commands that are refused without the right, and
# change nothing with it, for the key doesn't exist.
_HARMLESS_WRITES: tuple[Command, ...] = (
    ("HDEL", "{key}", "f"),
    ("XADD", "{key}", "NOMKSTREAM", "*", "f", "v"),
    ("ZREM", "{key}", "m"),
    ("PEXPIRE", "{key}", "1"),
    ("RENAME", "{key}", "{key}"),
    ("UNLINK", "{key}"),
    ("EVALSHA", "0" * 40, "1", "{key}"),
)
_STANDS_FOR = {"HDEL": "HSET", "ZREM": "ZINCRBY"}

_Answers = Sequence[tuple[Command, Any]]
"""Commands with what the server said to them."""


def _rights(namespace: str, user: str) -> list[Command]:
    """The questions of the second round trip: whether this user may run what the console runs."""
    keys = Keys(namespace)
    names = {"{key}": keys.root + "probe", "{channel}": keys.policy_changed, "{index}": keys.semantic_index}
    wanted = _filled(_READ_RIGHTS + _SEARCH_RIGHTS + _WRITE_RIGHTS, names)
    return [("ACL", "DRYRUN", user, *command) for command in wanted]


def _tries(client: Any, namespace: str) -> list[Command]:
    """What to try where `_rights` were not answered."""
    key = Keys(namespace).root + "probe"
    # An index that doesn't exist: FT.INFO stops a server with a large one for a moment.
    names = {"{key}": key, "{index}": key}
    tries = _filled(_READ_RIGHTS[:-1] + _SEARCH_RIGHTS, names)
    return tries if is_read_only(client) else tries + _filled(_HARMLESS_WRITES, names)


def _filled(commands: Sequence[Command], names: Mapping[str, str]) -> list[Command]:
    return [tuple(names.get(word, word) for word in command) for command in commands]


def _answered(asked: _Answers) -> bool:
    """Whether dry runs are possible here."""
    return all(not _failed(answer) or _unknown(answer) for _, answer in asked)


def _read(client: Any, first: Sequence[Any], asked: _Answers, tried: _Answers) -> ServerInfo:
    hello = {} if _failed(first[_HELLO]) else pairs(first[_HELLO])
    fields = {} if _failed(first[_INFO]) else info(first[_INFO])
    kind, version = _identity(hello, fields)
    modules = _modules(first[_MODULES] if not _failed(first[_MODULES]) else hello.get("modules"))
    versions = dict(modules)
    search = versions.get("search") or versions.get("searchlight")
    if search is None and not _failed(first[_LIST]):
        search = "built-in"
    vectorset = "vectorset" in versions or (kind == "redis" and not modules and _major(version) >= 8)
    role = fields.get("role") or text(hello.get("role"))
    role = {"master": "primary", "slave": "replica"}.get(role, role)
    user = _user(first[_WHOAMI], client)
    denied = _denied(asked, tried, search is not None)
    if _no_permission(first[_INFO]) and "INFO" not in denied:
        denied = (*denied, "INFO")
    why = _why_read_only(client, role, fields, user, denied, [answer for _, answer in tried])
    return ServerInfo(
        kind=kind,
        version=version,
        search=search,
        json=versions.get("ReJSON") or versions.get("json"),
        vectorset=vectorset,
        modules=modules,
        cluster=fields.get("cluster_enabled") == "1" or text(hello.get("mode")) == "cluster",
        role=role,
        maxmemory_policy=fields.get("maxmemory_policy", ""),
        maxmemory_bytes=_number(fields.get("maxmemory")),
        used_memory_bytes=_number(fields.get("used_memory")),
        username=user,
        can_write=not why,
        denied=denied,
        db=_db(client),
        why_read_only=why,
        run_id=fields.get("run_id", ""),
        uptime_ms=None if (up := _number(fields.get("uptime_in_seconds"))) is None else up * 1000,
    )


def _identity(hello: Mapping[str, Any], fields: Mapping[str, str]) -> tuple[str, str]:
    server = text(hello.get("server")) or fields.get("server_name", "")
    if "dragonfly_version" in fields:
        return "dragonfly", fields["dragonfly_version"].removeprefix("df-").lstrip("v")
    if "valkey_version" in fields or server == "valkey":
        return "valkey", fields.get("valkey_version") or text(hello.get("version"))
    version = fields.get("redis_version") or text(hello.get("version"))
    if server == "redis" or "redis_version" in fields:
        return "redis", version
    return "unknown", version


def _modules(reply: Any) -> tuple[tuple[str, str], ...]:
    """(name, version) of each module; its number 20811 is version 2.8.11."""
    found = []
    for module in reply if isinstance(reply, Sequence) and not isinstance(reply, str | bytes) else ():
        fields = pairs(module)
        number = _number(text(fields.get("ver"))) or 0
        major, minor, patch = number // 10_000, number // 100 % 100, number % 100
        found.append((text(fields.get("name")), f"{major}.{minor}.{patch}" if major else str(number)))
    return tuple(sorted(found))


def _denied(asked: _Answers, tried: _Answers, search: bool) -> tuple[str, ...]:
    """The wanted commands that are refused, in the order they were asked; a dry run knows best."""
    if _answered(asked):
        refused = [str(command[3]) for command, said in asked if not _failed(said) and text(said) != "OK"]
    else:
        names = [str(command[0]) for command, answer in tried if _no_permission(answer)]
        refused = [_STANDS_FOR.get(name, name) for name in names]
    return tuple(name for name in dict.fromkeys(refused) if search or not name.startswith("FT."))


_WRITES = frozenset(command[0] for command in _WRITE_RIGHTS)


def _why_read_only(
    client: Any,
    role: str,
    fields: Mapping[str, str],
    user: str,
    denied: Sequence[str],
    answers: Sequence[Any],
) -> str:
    if is_read_only(client):
        return "--read-only was given"
    if role == "replica" and fields.get("slave_read_only", "1") == "1":
        return "this server is a read-only replica"
    if any(
        "READONLY" in str(answer) or "read only replica" in str(answer)
        for answer in answers
        if _failed(answer)
    ):
        return "this server is a read-only replica"
    missing = [name for name in denied if name in _WRITES]
    if missing:
        return f"user {user} may not run {', '.join(missing)}"
    return ""


def _user(reply: Any, client: Any) -> str:
    if not _failed(reply):
        return text(reply)
    return text(_connection_options(client).get("username")) or "default"


def _db(client: Any) -> int:
    return int(_connection_options(client).get("db") or 0)


def _connection_options(client: Any) -> Mapping[str, Any]:
    pool = getattr(client, "connection_pool", None)
    options = getattr(pool, "connection_kwargs", None) or getattr(client, "connection_kwargs", None)
    if options is None and hasattr(client, "get_connection_kwargs"):
        options = client.get_connection_kwargs()
    return options if isinstance(options, Mapping) else {}


def _failed(answer: Any) -> bool:
    return isinstance(answer, BaseException)


def _no_permission(answer: Any) -> bool:
    return _failed(answer) and ("NOPERM" in str(answer) or "permissions" in str(answer))


def _unknown(answer: Any) -> bool:
    """A dry run of a command that the server hasn't got, such as a search on a server without one."""
    return _failed(answer) and str(answer).startswith("Command '") and "not found" in str(answer)


def _number(value: str | None) -> int | None:
    try:
        return int(value) if value else None
    except ValueError:
        return None


def _major(version: str) -> int:
    return _number(version.partition(".")[0]) or 0


def _ask(client: Any, commands: Sequence[Command]) -> list[Any]:
    """The answers, errors among them, in one round trip (on a cluster: one each, of one node)."""
    from redis.exceptions import ResponseError

    if not is_cluster(client):
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(pipeline.execute(raise_on_error=False))
    answers: list[Any] = []
    for command in commands:
        try:
            answers.append(client.execute_command(*command, **_cluster_route(client, command)))
        except (ResponseError, Refused) as error:
            answers.append(error)
    return answers


async def _ask_async(client: Any, commands: Sequence[Command]) -> list[Any]:
    """As `_ask`, for an asynchronous client."""
    from redis.exceptions import ResponseError

    if not is_cluster(client):
        async with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute(raise_on_error=False))
    await client.initialize()
    answers: list[Any] = []
    for command in commands:
        try:
            answers.append(await client.execute_command(*command, **_cluster_route(client, command)))
        except (ResponseError, Refused) as error:
            answers.append(error)
    return answers


_KEYLESS = frozenset(("HELLO", "INFO", "MODULE", "ACL", "FT._LIST", "SCAN"))


def _cluster_route(client: Any, command: Command) -> dict[str, Any]:
    return {"target_nodes": client.get_default_node()} if words(command)[0] in _KEYLESS else {}
