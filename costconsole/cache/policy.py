"""The live policy in Redis: read, checked, changed with an audit entry, and announced.

Running applications follow it within a second (see `costconsole.cache.follower`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costconsole.cache.commands import Command, Script
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.domain.figures import GUARDS, Policy
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

THRESHOLD, ROUTE, MODEL, TTL = "threshold", "threshold:route:", "threshold:model:", "ttl_s"
SWITCHES = ("exact", "semantic", "routing", "minimization")
GUARD = "guard:"
GUARD_SWITCHES = tuple(GUARD + name for name in GUARDS)
_KEPT_AUDITS = 20_000
_DEFAULT = Policy()
_NAMES = ", ".join((THRESHOLD, TTL, *SWITCHES, *GUARD_SWITCHES))
_CHANGED_MEANWHILE = "the policy was changed meanwhile"

_WRITE = Script("""
local expected = ARGV[7]
if expected ~= '' and (redis.call('HGET', KEYS[1], 'version') or '0') ~= expected then return false end
local before, after = {}, {}
for i = 8, #ARGV, 3 do
  local name = ARGV[i]
  local old = redis.call('HGET', KEYS[1], name)
  if old then before[name] = old end
  if ARGV[i + 1] == '1' then
    redis.call('HSET', KEYS[1], name, ARGV[i + 2])
    after[name] = ARGV[i + 2]
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[1], 'changed_by', ARGV[2], 'changed_ms', ARGV[4])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'what', 'policy', 'who', ARGV[2], 'host', ARGV[3],
  'ts_ms', ARGV[4], 'why', ARGV[5], 'version', version,
  'before', next(before) and cjson.encode(before) or '{}',
  'after', next(after) and cjson.encode(after) or '{}')
redis.call('PUBLISH', ARGV[1], version)
return redis.call('HGETALL', KEYS[1])
""")

Value = float | int | bool | None


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and from where: both stand in the audit."""

    who: str
    host: str


def read_command(keys: Keys) -> Command:
    """The command whose reply `parse_policy` reads."""
    return ("HGETALL", keys.policy)


def parse_policy(reply: Any) -> Policy:
    """The policy from its hash (a mapping or a flat list). What is malformed or missing has its default."""
    stored = {name: text(value) for name, value in pairs(reply).items()}
    ttl = _whole(stored.get(TTL))
    return Policy(
        version=_whole(stored.get("version")) or 0,
        threshold=_share(stored.get(THRESHOLD)) or _DEFAULT.threshold,
        thresholds_by_route=_thresholds(stored, ROUTE),
        thresholds_by_model=_thresholds(stored, MODEL),
        ttl_s=ttl if ttl and ttl > 0 else None,
        changed_by=stored.get("changed_by", ""),
        changed_ms=_whole(stored.get("changed_ms")),
        guards=tuple(name for name in GUARDS if stored.get(GUARD + name) != "0"),
        **{name: stored.get(name) != "0" for name in SWITCHES},
    )


def read_policy(client: Any, keys: Keys) -> Policy:
    """The policy in force. Errors of the client are the caller's to handle."""
    return parse_policy(client.execute_command(*read_command(keys)))


async def aread_policy(client: Any, keys: Keys) -> Policy:
    """`read_policy` for an async client."""
    return parse_policy(await client.execute_command(*read_command(keys)))


def write_policy(
    client: Any,
    keys: Keys,
    changes: Mapping[str, Value],
    author: Author,
    *,
    why: str = "",
    expected_version: int | None = None,
    now_ms: int | None = None,
) -> Policy:
    """Change the policy at once for all who follow it, and return what is in force now.

    `changes`: `threshold`, `threshold:route:NAME`, `threshold:model:NAME` (0 < similarity <= 1), `ttl_s`
    (whole seconds), and the switches `exact`, `semantic`, `routing`, `minimization` and `guard:NAME`; None
    goes back to the default. Raises UsageProblem for what is not possible, and Problem when
    `expected_version` is given and somebody was faster: nothing is changed then.
    """
    return _changed(_WRITE.run(client, *_call(keys, changes, author, why, expected_version, now_ms)))


async def awrite_policy(
    client: Any,
    keys: Keys,
    changes: Mapping[str, Value],
    author: Author,
    *,
    why: str = "",
    expected_version: int | None = None,
    now_ms: int | None = None,
) -> Policy:
    """`write_policy` for an async client."""
    return _changed(await _WRITE.arun(client, *_call(keys, changes, author, why, expected_version, now_ms)))


def check_threshold(value: object) -> float:
    """A similarity threshold, 0 < value <= 1. Raises UsageProblem that says what is possible."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not 0 < number <= 1:
        raise UsageProblem(f"threshold {value!r} is not possible: give a similarity above 0 and up to 1")
    return number


def _call(
    keys: Keys,
    changes: Mapping[str, Value],
    author: Author,
    why: str,
    expected_version: int | None,
    now_ms: int | None,
) -> tuple[list[str], list[Any]]:
    if not changes:
        raise UsageProblem("nothing to change: name a threshold, a time to live or a switch")
    words: list[Any] = []
    for name, value in changes.items():
        words += [name, 0, ""] if value is None else [name, 1, _stored(name, value)]
    at = int(time.time() * 1000) if now_ms is None else now_ms
    expected = "" if expected_version is None else expected_version
    head = [keys.policy_changed, author.who, author.host, at, why, _KEPT_AUDITS, expected]
    return [keys.policy, keys.audit], [*head, *words]


def _stored(name: str, value: Value) -> str:
    if name == THRESHOLD or (name.startswith((ROUTE, MODEL)) and name not in (ROUTE, MODEL)):
        return f"{check_threshold(value):g}"
    if name == TTL:
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise UsageProblem(f"time to live {value!r} is not possible: give whole seconds, or none at all")
        return str(value)
    if name in SWITCHES or name in GUARD_SWITCHES:
        if not isinstance(value, bool):
            raise UsageProblem(f"{name} is a switch: it is on or off, not {value!r}")
        return "1" if value else "0"
    raise UsageProblem(f"the policy has no {name!r}: it has {_NAMES}")


def _changed(reply: Any) -> Policy:
    if not reply:
        raise Problem(f"Nothing was changed: {_CHANGED_MEANWHILE}. Look at it again and repeat.")
    return parse_policy(reply)


def _thresholds(stored: Mapping[str, str], prefix: str) -> tuple[tuple[str, float], ...]:
    found = {
        name.removeprefix(prefix): _share(value) for name, value in stored.items() if name.startswith(prefix)
    }
    return tuple(sorted((name, value) for name, value in found.items() if name and value is not None))


def _share(stored: str | None) -> float | None:
    try:
        value = float(stored or "")
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


def _whole(stored: str | None) -> int | None:
    try:
        return int(stored or "")
    except ValueError:
        return None
