"""The thresholds of all caches, whoever wrote them: what they are, and changing those that can be changed.

Some are kept in Redis and followed within seconds, some are read when their writer starts, and most are in
an application's code: for those there is the line to change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from costconsole.cache.audit import audit_command
from costconsole.cache.commands import Command, Script, arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.own import OwnLayout
from costconsole.cache.policy import (
    MODEL,
    ROUTE,
    THRESHOLD,
    Author,
    aread_policy,
    awrite_policy,
    check_threshold,
    parse_policy,
    read_command,
)
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem, Refused, UsageProblem
from costconsole.domain.figures import Policy
from costconsole.redis_store.connect import is_cluster
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import pairs, text

if TYPE_CHECKING:
    from costconsole.redis_store.probe import ServerInfo

Effect = Literal["now", "next start", "code"]
AUDITED = "threshold"
_LOOKED_AT = 1_000
_UNDOES = "undo of "

_CHANGE = Script("""
local at = 0
local function take() at = at + 1 return ARGV[at] end
local function takes()
  local words = {}
  for i = 1, tonumber(take()) do words[i] = take() end
  return words
end
local stored, before = take(), take()
local read, write, audit = takes(), takes(), takes()
local found = redis.call(unpack(read))
if (found and '1' or '0') ~= stored or (found or '') ~= before then return 'changed' end
local done = redis.pcall(unpack(write))
if type(done) == 'table' and done.err and string.find(done.err, 'permission') then return done end
if not done or (type(done) == 'table' and done.err) then return 'missing' end
return #audit > 0 and redis.call(unpack(audit)) or ''
""")
"""KEYS[1] what is changed, KEYS[2] the audit (not on a cluster, where they lie apart)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheThreshold:
    """One threshold of a cache. `similarity` None: Redis doesn't tell, and `default` is the library's.

    `part` is the route, category or model (`part_word`) that it is for; "": all that have none of their own.
    `line` is what sets it, in the library's own terms, with the value that is in force or the default.
    """

    cache: str
    library: str
    part: str = ""
    part_word: str = ""
    similarity: float | None = None
    default: float | None = None
    takes_effect: Effect = "code"
    line: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChange:
    """What was changed. `before` None: none was stored. `undo_id` takes it back in `namespace`."""

    cache: str
    part: str
    before: float | None
    after: float | None
    takes_effect: Effect
    sentence: str
    undo_id: str
    namespace: str


async def read_thresholds(client: Any, caches: Sequence[CacheInfo]) -> tuple[CacheThreshold, ...]:
    """The thresholds of all these caches, in their order. Errors of the connection are the caller's."""
    names = list(dict.fromkeys(name for cache in caches if (name := _namespace(cache))))
    replies = await arun_all(client, [read_command(Keys(name)) for name in names])
    policies = {
        name: parse_policy(reply)
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, Exception)
    }
    return list_thresholds(caches, policies)


def list_thresholds(
    caches: Sequence[CacheInfo], policies: Mapping[str, Policy] | None = None
) -> tuple[CacheThreshold, ...]:
    """The same from what is known already; `policies` by namespace are those of our own caches."""
    found: list[CacheThreshold] = []
    for cache in caches:
        layout = layout_of(cache)
        for one in layout.thresholds(cache):
            shown = one.similarity if one.similarity is not None else one.default
            found.append(
                CacheThreshold(
                    cache=cache.name,
                    library=cache.library,
                    part=one.part,
                    part_word=layout.part_word if one.part else "",
                    similarity=_clean(one.similarity),
                    default=one.default if one.similarity is None else None,
                    takes_effect="code" if one.changes == "no" else one.changes,
                    line=layout.threshold_line(cache, one.part, float("nan") if shown is None else shown),
                    sentence=one.sentence,
                )
            )
        if found and (policy := (policies or {}).get(_namespace(cache))) and cache.kind == "semantic":
            found += _of_policy(cache, policy, found[-1])
    return tuple(found)


async def change_threshold(
    client: Any,
    server: ServerInfo,
    keys: Keys,
    author: Author,
    caches: Sequence[CacheInfo],
    name: str,
    similarity: float,
    *,
    part: str = "",
) -> ThresholdChange:
    """Set the threshold of the cache `name`, or of its route or category `part`; audited in `keys`.

    Raises UsageProblem for what doesn't exist or is no similarity there, Refused where nothing may be
    written, or where only its application's code can change it (with the line), and Problem when somebody
    was faster.
    """
    similarity = check_threshold(similarity)
    cache = _named(caches, name)
    if not server.can_write:
        raise Refused(f"the threshold can't be changed: {server.why_read_only}")
    if namespace := _namespace(cache):
        field = ROUTE + part if part else THRESHOLD
        return await _change_policy(client, Keys(namespace), author, cache, {field: similarity}, part)
    layout = layout_of(cache)
    known = layout.thresholds(cache)
    if not known:
        raise UsageProblem(f"{name} is looked up by an exact key: it has no threshold")
    one = next((each for each in known if each.part == part), known[0])
    read = layout.stored_threshold(cache, part)
    if read is None:
        line = layout.threshold_line(cache, part, similarity)
        if one.changes == "no":
            raise Refused(f"{name} ({cache.library}) can't be told from here: set {line}; {one.sentence}")
        names = ", ".join(each.part for each in known if each.part)
        raise UsageProblem(
            f"{name} has a threshold for each {layout.part_word}: give --route, one of {names}"
        )
    write = layout.change_threshold(cache, part, similarity)
    if write is None:
        raise UsageProblem(f"{cache.library} takes no similarity of {similarity:g} there: give a lower one")
    (before,) = await arun_all(client, [read])
    if isinstance(before, Exception):
        raise before
    was = next((each.similarity for each in known if each.part == part), None)
    audit = _audit(keys, author, cache, part, before, write[-1], was, similarity)
    undo_id = await _run(client, cache, before, read, write, audit)
    return ThresholdChange(
        cache=name,
        part=part,
        before=_clean(was),
        after=similarity,
        takes_effect="now" if one.changes == "now" else "next start",
        sentence=one.sentence,
        undo_id=undo_id,
        namespace=keys.namespace,
    )


async def undo_threshold(
    client: Any,
    server: ServerInfo,
    keys: Keys,
    author: Author,
    caches: Sequence[CacheInfo],
    undo_id: str = "",
) -> ThresholdChange:
    """Take a change of a threshold back: that of `undo_id`, or the newest that wasn't taken back yet.

    Raises Refused where nothing may be written, UsageProblem when there is no such change, and Problem when
    the threshold was changed again since.
    """
    if not server.can_write:
        raise Refused(f"the threshold can't be changed: {server.why_read_only}")
    found_id, fields = await _audited(client, keys, undo_id)
    if fields["what"] != AUDITED:
        return await _undo_policy(client, keys, author, caches, found_id, fields)
    cache, part = _named(caches, fields["cache"]), fields.get("part", "")
    layout = layout_of(cache)
    before = fields["before"].encode() if "before" in fields else None
    read, write = layout.stored_threshold(cache, part), layout.restore_threshold(cache, part, before)
    if read is None or write is None:
        raise Problem(f"{cache.name} has no threshold for {part!r} any more: nothing was taken back")
    stored = fields["after"].encode() if "after" in fields else None
    was, after = _share(fields.get("similarity_after")), _share(fields.get("similarity_before"))
    (now,) = await arun_all(client, [read])
    if isinstance(now, Exception) or _value(now) != _value(stored):
        raise Problem(f"{cache.name}: its threshold was changed again since; look at it and set it anew")
    undoes = _UNDOES + found_id
    audit = _audit(keys, author, cache, part, now, before, was, after, why=undoes)
    new_id = await _run(client, cache, now, read, write, audit)
    one = next((each for each in layout.thresholds(cache) if each.part == part), None)
    return ThresholdChange(
        cache=cache.name,
        part=part,
        before=was,
        after=after,
        takes_effect="now" if one is None or one.changes == "now" else "next start",
        sentence=one.sentence if one else "",
        undo_id=new_id,
        namespace=keys.namespace,
    )


async def newest_change(client: Any, keys: Keys) -> tuple[str, Mapping[str, str]] | None:
    """The audit entry of the newest change of a threshold that wasn't taken back yet, with its id."""
    try:
        return await _audited(client, keys, "")
    except UsageProblem:
        return None


def own_cache(keys: Keys) -> CacheInfo:
    """Our own semantic cache of a namespace, to name it where none was looked for, or none is there yet."""
    return CacheInfo(f"{keys.namespace}:semantic", "costconsole", "semantic", keys.semantic_prefix)


async def _change_policy(
    client: Any,
    keys: Keys,
    author: Author,
    cache: CacheInfo,
    changes: Mapping[str, float | None],
    part: str,
    *,
    why: str = "",
    version: int | None = None,
) -> ThresholdChange:
    old = await aread_policy(client, keys)
    new = await awrite_policy(client, keys, changes, author, why=why, expected_version=version)
    (newest,) = await client.execute_command("XREVRANGE", keys.audit, "+", "-", "COUNT", 1)
    return ThresholdChange(
        cache=cache.name,
        part=part,
        before=old.threshold_for(route=part),
        after=new.threshold_for(route=part),
        takes_effect="now",
        sentence=next(iter(layout_of(cache).thresholds(cache))).sentence,
        undo_id=text(newest[0]),
        namespace=keys.namespace,
    )


async def _undo_policy(
    client: Any,
    keys: Keys,
    author: Author,
    caches: Sequence[CacheInfo],
    undo_id: str,
    fields: Mapping[str, str],
) -> ThresholdChange:
    before, after = _stored(fields, "before"), _stored(fields, "after")
    changed = sorted({*before, *after})
    (now,) = await arun_all(client, [("HMGET", keys.policy, "version", *changed)])
    if isinstance(now, Exception):
        raise now
    if [None if one is None else text(one) for one in now[1:]] != [after.get(name) for name in changed]:
        raise Problem(f"namespace {keys.namespace}: its threshold was changed again since; set it anew")
    route = next((name.removeprefix(ROUTE) for name in changed if name.startswith(ROUTE)), "")
    cache = next(
        (one for one in caches if _namespace(one) == keys.namespace and one.kind == "semantic"), None
    )
    return await _change_policy(
        client,
        keys,
        author,
        cache or own_cache(keys),
        {name: None if name not in before else check_threshold(before[name]) for name in changed},
        route,
        why=_UNDOES + undo_id,
        version=int(now[0]),
    )


async def _run(
    client: Any, cache: CacheInfo, before: bytes | None, read: Command, write: Command, audit: Command
) -> str:
    """Change it if it still is what it was, and write the audit entry; the id of that."""
    together = not is_cluster(client)
    words: list[Any] = [0 if before is None else 1, before or b""]
    for command in (read, write, audit if together else ()):
        words += [len(command), *command]
    keys = [read[1], *([audit[1]] if together else [])]
    said = text(await _CHANGE.arun(client, keys, words))
    if said == "changed":
        raise Problem(f"{cache.name}: its threshold was changed meanwhile; look at it again and repeat")
    if said == "missing":
        raise Problem(f"{cache.name}: {read[1]} has no such threshold any more; nothing was changed")
    return said if together else text(await client.execute_command(*audit))


def _audit(
    keys: Keys,
    author: Author,
    cache: CacheInfo,
    part: str,
    before: bytes | None,
    after: Any,
    was: float | None,
    similarity: float | None,
    why: str = "",
) -> Command:
    return audit_command(
        keys,
        author,
        AUDITED,
        cache=cache.name,
        library=cache.library,
        part=part or None,
        before=before,
        after=after,
        similarity_before=None if was is None else f"{_clean(was):g}",
        similarity_after=None if similarity is None else f"{_clean(similarity):g}",
        why=why or None,
    )


async def _audited(client: Any, keys: Keys, undo_id: str) -> tuple[str, dict[str, str]]:
    """A change of a threshold in the audit, by its id, or the newest that can be taken back."""
    ends = (undo_id, undo_id) if undo_id else ("+", "-")
    if undo_id and not undo_id.replace("-", "", 1).isdigit():
        raise UsageProblem(f"{undo_id!r} is not the id of a change: `threshold set` prints one")
    undone: set[str] = set()
    for entry_id, stored in await client.execute_command("XREVRANGE", keys.audit, *ends, "COUNT", _LOOKED_AT):
        fields = {name: text(value) for name, value in pairs(stored).items()}
        if not _is_threshold(fields):
            continue
        why = fields.get("why", "")
        if why.startswith(_UNDOES):
            undone.add(why.removeprefix(_UNDOES))
            if not undo_id:
                continue
        if text(entry_id) not in undone:
            return text(entry_id), fields
    what = f"no change {undo_id}" if undo_id else "no change of a threshold to take back"
    raise UsageProblem(f"the audit of namespace {keys.namespace} has {what}")


def _is_threshold(fields: Mapping[str, str]) -> bool:
    if fields.get("what") == AUDITED:
        return "cache" in fields
    changed = {**_stored(fields, "before"), **_stored(fields, "after")}
    return (
        fields.get("what") == "policy"
        and bool(changed)
        and all(name == THRESHOLD or name.startswith((ROUTE, MODEL)) for name in changed)
    )


def _stored(fields: Mapping[str, str], name: str) -> dict[str, str]:
    try:
        found = json.loads(fields.get(name, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _of_policy(cache: CacheInfo, policy: Policy, general: CacheThreshold) -> list[CacheThreshold]:
    layout = layout_of(cache)
    found = []
    for word, named in (("route", policy.thresholds_by_route), ("model", policy.thresholds_by_model)):
        for part, similarity in named:
            line = layout.threshold_line(cache, part if word == "route" else "", similarity)
            found.append(
                CacheThreshold(
                    cache=cache.name,
                    library=cache.library,
                    part=part,
                    part_word=word,
                    similarity=similarity,
                    takes_effect="now",
                    line=line if word == "route" else "",
                    sentence=general.sentence,
                )
            )
    return found


def _named(caches: Sequence[CacheInfo], name: str) -> CacheInfo:
    for cache in caches:
        if cache.name == name:
            return cache
    known = ", ".join(cache.name for cache in caches) or "none was found"
    raise UsageProblem(f"there is no cache {name!r} here: {known}")


def _namespace(cache: CacheInfo) -> str:
    layout = layout_of(cache)
    return layout.namespace_of(cache) if isinstance(layout, OwnLayout) else ""


def _clean(similarity: float | None) -> float | None:
    """Without the dust of `1 - distance`."""
    return None if similarity is None else round(similarity, 9)


def _share(stored: str | None) -> float | None:
    try:
        return None if stored is None else float(stored)
    except ValueError:
        return None


def _value(stored: bytes | None) -> Any:
    """A number, however it is written, alone or as what a JSON path found."""
    if stored is None:
        return None
    try:
        found = json.loads(stored)
    except ValueError:
        return stored
    return found[0] if isinstance(found, list) and len(found) == 1 else found
