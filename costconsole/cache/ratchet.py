"""The ratchet: an entry that was a wrong hit is served only to nearer prompts from then on.

The similarity from which such an entry is served lies in one hash beside the cache (`Keys.ratchet`), never in
the entry: every write to an indexed hash indexes it anew. A hit reads the field of its entry alone.

What is raised for entries that are gone goes away by itself: every mark looks at a few fields, notes which
entries are missing, and drops those that have been missing for a day; till then an eviction can be undone.
A mark adds one field and looks at SWEPT, so the hash stays about as large as the entries that are there and
were marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from costconsole.cache.audit import now_ms
from costconsole.cache.commands import Command, Script
from costconsole.cache.policy import Author
from costconsole.domain.errors import UsageProblem
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text

STEP: Final = 0.01
"""An entry is served again from the similarity of the wrong hit plus this."""
HIGHEST: Final = 0.9999
"""The same words are served whatever was marked: an answer that is wrong for them is to be evicted."""
SWEPT: Final = 16
_KEPT_MS: Final = 24 * 3_600_000
_KEPT_AUDITS: Final = 20_000

# KEYS  ratchet, audit
# ARGV  entry key, wanted threshold ('' takes it away), only if it is this now ('' for any), now in ms,
#       and for the audit: what, who, host, similarity
# Answers {threshold before, after}, either ''; false when it isn't what was expected.
_MARK = Script(f"""
local function threshold(stored) return stored and string.match(stored, '^[^|]+') or '' end
local now = tonumber(ARGV[4])
local before = threshold(redis.call('HGET', KEYS[1], ARGV[1]))
if ARGV[3] ~= '' and before ~= ARGV[3] then return false end
local after = ARGV[2]
if ARGV[3] == '' and before ~= '' and tonumber(before) > tonumber(after) then after = before end
if after == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], after)
end
for _, key in ipairs(redis.call('HRANDFIELD', KEYS[1], {SWEPT})) do
  local stored = redis.call('HGET', KEYS[1], key)
  local missing_since = string.match(stored, '|(%d+)$')
  if redis.call('EXISTS', key) == 1 then
    if missing_since then redis.call('HSET', KEYS[1], key, threshold(stored)) end
  elseif not missing_since then
    redis.call('HSET', KEYS[1], key, stored .. '|' .. ARGV[4])
  elseif now - tonumber(missing_since) > {_KEPT_MS} then
    redis.call('HDEL', KEYS[1], key)
  end
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', {_KEPT_AUDITS}, '*', 'what', ARGV[5], 'who', ARGV[6],
  'host', ARGV[7], 'ts_ms', ARGV[4], 'key', ARGV[1], 'similarity', ARGV[8], 'before', before, 'after', after)
return {{before, after}}
""")


@dataclass(frozen=True, slots=True)
class Mark:
    """A wrong hit that was marked. `before` and `after` are its entry's thresholds; None: the policy's."""

    entry_key: str
    similarity: float
    before: float | None
    after: float


def raised_threshold(similarity: float, before: float | None = None) -> float:
    """The threshold of an entry after a wrong hit at `similarity`."""
    return min(HIGHEST, max(before or 0.0, similarity + STEP))


def mark_wrong(client: Any, keys: Keys, entry_key: str, similarity: float, author: Author) -> Mark:
    """Serve an entry only to prompts nearer than one that it answered wrongly, and put that into the audit.

    `client` is that of the cache. Gateways heed it with their next look-up. Raises UsageProblem for an entry
    of another cache, whose writer would not heed it, and for an impossible similarity.
    """
    arguments = _marking(keys, entry_key, similarity, author)
    return _marked(entry_key, similarity, _MARK.run(client, [keys.ratchet, keys.audit], arguments))


async def amark_wrong(client: Any, keys: Keys, entry_key: str, similarity: float, author: Author) -> Mark:
    """`mark_wrong` for an async client."""
    arguments = _marking(keys, entry_key, similarity, author)
    return _marked(entry_key, similarity, await _MARK.arun(client, [keys.ratchet, keys.audit], arguments))


def take_back(client: Any, keys: Keys, mark: Mark, author: Author) -> bool:
    """Undo a mark; False when another one has raised the entry further since, which stays in force."""
    return bool(_MARK.run(client, [keys.ratchet, keys.audit], _taking_back(mark, author)))


async def atake_back(client: Any, keys: Keys, mark: Mark, author: Author) -> bool:
    """`take_back` for an async client."""
    return bool(await _MARK.arun(client, [keys.ratchet, keys.audit], _taking_back(mark, author)))


def read_command(keys: Keys, entry_keys: Sequence[str]) -> Command:
    """The command whose reply `parse` reads; at least one key."""
    return ("HMGET", keys.ratchet, *entry_keys)


def parse(entry_keys: Sequence[str], reply: Sequence[Any]) -> Mapping[str, float]:
    """The raised thresholds by entry key, of those that have one."""
    found = {}
    for key, stored in zip(entry_keys, reply, strict=True):
        if stored is not None:
            try:
                found[key] = float(text(stored).partition("|")[0])
            except ValueError:
                continue
    return found


def _marking(keys: Keys, entry_key: str, similarity: float, author: Author) -> list[Any]:
    if not entry_key.startswith(keys.semantic_prefix):
        raise UsageProblem(
            f"{entry_key!r} is no entry of the semantic cache of namespace {keys.namespace}: only those have "
            "a threshold of their own"
        )
    if not 0 < similarity <= 1:
        raise UsageProblem(f"similarity {similarity!r} is not possible: it is above 0 and up to 1")
    wanted = f"{raised_threshold(similarity):.6g}"
    return [entry_key, wanted, "", now_ms(), "wrong_hit", author.who, author.host, f"{similarity:.6g}"]


def _taking_back(mark: Mark, author: Author) -> list[Any]:
    before = "" if mark.before is None else f"{mark.before:.6g}"
    who = ("wrong_hit_undone", author.who, author.host, f"{mark.similarity:.6g}")
    return [mark.entry_key, before, f"{mark.after:.6g}", now_ms(), *who]


def _marked(entry_key: str, similarity: float, reply: Sequence[Any]) -> Mark:
    before, after = (text(value) for value in reply)
    return Mark(entry_key, similarity, float(before) if before else None, float(after))
