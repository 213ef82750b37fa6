"""The ACL rule that a role needs: the commands that the console sends, on the keys that it reads or changes.

No category of commands is granted, for a category grows with each release of a server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from costconsole.redis_store.keys import Keys

Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "operator")

_LOOKING = """
    ping info time dbsize module|list acl|whoami acl|dryrun client|setname client|setinfo client|no-touch
    scan type exists pttl memory|usage object|idletime
    hget hmget hgetall hlen smembers zmscore zrevrange xrange xrevrange
"""
_SEARCHING = "ft._list ft.info ft.search ft.aggregate"
_CHANGING = """
    evalsha eval publish xadd
    hset hdel hincrby hkeys get set unlink rename dump restore pexpire pexpiretime persist
    sadd srem scard sscan zadd zrem zincrby zremrangebyscore
"""
_ALSO = {"get": "getrange", "json.": "json.arrindex", "v": "vinfo vrandmember vemb"}
"""By how the commands begin that read entries: what tells their library from another's."""
_CHANGING_SHARED = {"v": "vrem vadd vsetattr", "json.": "json.set json.del json.arrpop json.arrinsert"}
"""By how the commands begin that read such keys: entries that share a key leave it one by one."""
_NAMESPACES = "costconsole:namespaces"


def acl_rule(
    role: Role,
    keys: Keys,
    *,
    prefixes: Iterable[str] = (),
    of_modules: Iterable[str] = (),
    indexes: Iterable[str] = (),
    commands: Iterable[str] = (),
    search: bool = True,
) -> str:
    """`ACL SETUSER ...` for a role. The password is left for the operator to fill in.

    `prefixes` are those of the caches and of their indexes, `indexes` the names of these, `commands` what
    layouts read by. A server takes the name of an index for a key that a search reads and writes, and asks
    for both rights where a module's commands read a key (prefixes `of_modules`): a viewer may write those
    keys, but has no command to do it with.
    """
    reads = [f"%R~{_NAMESPACES}", f"%R~{_escaped(keys.root)}*"]
    whole = set(of_modules)
    wanted = set(prefixes) | whole
    reads += [
        f"{'~' if prefix in whole else '%R~'}{_escaped(prefix)}*"
        for prefix in sorted(wanted)
        if not any(
            prefix != wide and prefix.startswith(wide) and (prefix not in whole or wide in whole)
            for wide in (*wanted, keys.root)
        )
    ]
    reads += [f"~{_escaped(index)}" for index in sorted(set(indexes))]
    read_by = [command.lower() for command in commands]
    granted = [*_LOOKING.split(), *(_SEARCHING.split() if search else ()), *read_by]
    for start, also in _ALSO.items():
        granted += also.split() if any(name.startswith(start) for name in read_by) else ()
    words = ["ACL", "SETUSER", f"costconsole-{role}", "reset", "on", ">PASSWORD"]
    if role == "operator":
        reads = [pattern.replace("%R~", "~", 1) for pattern in reads]
        reads.append("~costconsole:trash:*")
        granted += _CHANGING.split()
        for start, changes in _CHANGING_SHARED.items():
            granted += changes.split() if any(name.startswith(start) for name in read_by) else ()
        words.append(f"&{_escaped(keys.root)}*")
    return " ".join([*words, *reads, *(f"+{name}" for name in dict.fromkeys(granted))])


def _escaped(prefix: str) -> str:
    r"""A prefix as a pattern: what means something in one stands for itself.

    No pattern may hold a space, and a control character would act on the terminal that shows it: each
    byte of such characters, and of those outside ASCII, is any byte.
    """
    return "".join(
        f"\\{sign}" if sign in "*?[]\\" else sign if "!" <= sign <= "~" else "?" * len(_bytes(sign))
        for sign in prefix
    )


def _bytes(sign: str) -> bytes:
    return sign.encode("utf-8", "surrogatepass")
