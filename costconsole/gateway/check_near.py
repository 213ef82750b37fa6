"""What each semantic cache would do with a prompt, asked as its writer asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache import ratchet
from costconsole.cache.commands import Command, arun_all
from costconsole.cache.guards import explain, fired
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.own import OwnLayout
from costconsole.cache.nearest import nearest_keys
from costconsole.cache.policy import aread_policy
from costconsole.cache.reading import Readers, read_entries
from costconsole.cache.serving import NEXT
from costconsole.cache.thresholds import list_thresholds
from costconsole.domain.call import RATCHET
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.figures import Policy
from costconsole.gateway.checked import CacheCheck, Near, Source
from costconsole.redis_store.keys import Keys

SHOWN = 5
_SMALL_SCOPE = 2_000
_BUDGET_S = 0.25
OTHER_SCOPE = "asked in another scope: model, system prompt, parameters or tenant differ"
_ALL_OTHER = (
    "the nearest prompts were asked in another scope (model, system prompt, parameters or tenant differ)"
)
EMPTY = "the semantic cache is empty"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caches are asked: the prompt, its vectors by the text that was embedded, its scope."""

    prompt: str
    vectors: Mapping[str, bytes]
    scope: str
    route: str
    model: str


async def check_cache(client: Any, keys: Keys, cache: CacheInfo, asked: Asked, policy: Policy) -> CacheCheck:
    """Ask one cache. Errors of the connection are the caller's to handle; those of this cache are said."""
    layout = layout_of(cache)
    text = layout.wrap(cache, asked.prompt)
    namespace = layout.namespace_of(cache) if isinstance(layout, OwnLayout) else ""
    if namespace and namespace != keys.namespace:
        policy = await aread_policy(client, Keys(namespace))
    threshold, source = (
        (policy.threshold_for(route=asked.route, model=asked.model), "policy") if namespace
        else _threshold(cache)
    )  # fmt: skip
    found = CacheCheck(
        name=cache.name,
        library=cache.library,
        own=namespace == keys.namespace,
        threshold=threshold,
        source=source,
        scope_field="" if namespace else layout.scope_field,
        wrapped=text != asked.prompt,
    )
    vector = asked.vectors[text]
    try:
        if namespace:
            return await _ours(client, Keys(namespace), cache, asked, vector, policy, found)
        return await _others(client, cache, vector, found)
    except ResponseError as error:
        return replace(found, why=f"it can't be searched: {error}")


def _threshold(cache: CacheInfo) -> tuple[float | None, Source]:
    """The similarity from which another library's cache serves; of all its entries, or of the first part."""
    known = list_thresholds([cache])
    for one in known:
        if one.similarity is not None:
            return one.similarity, "stored"
    default = next((one.default for one in known if one.default is not None), None)
    return default, "unknown" if default is None else "default"


async def _others(client: Any, cache: CacheInfo, vector: bytes, found: CacheCheck) -> CacheCheck:
    near, notes = await _nearest(client, cache, vector, SHOWN)
    judged, hit = [], False
    for key, similarity, entry in near:
        one = _near(key, similarity, entry)
        if one.verdict in ("expired", "filtered"):
            judged.append(one)
        elif found.threshold is None:
            judged.append(replace(one, verdict="passes", why="its threshold is in its application's code"))
        elif similarity < found.threshold:
            judged.append(replace(one, verdict="below", why=f"below the threshold {found.threshold:g}"))
        elif hit:
            judged.append(replace(one, verdict="passes", why="a nearer one is served"))
        else:
            hit = True
            only = f"if it is asked within the same {found.scope_field}" if found.scope_field else ""
            judged.append(replace(one, verdict="served", why=only))
    found = replace(found, near=tuple(judged), hit=hit, note="; ".join(notes))
    return found if hit else replace(found, why=_why_not(found, judged))


def _why_not(found: CacheCheck, near: Sequence[Near]) -> str:
    if not near:
        return found.note or EMPTY
    if all(one.verdict == "expired" for one in near):
        return "the answers of the nearest prompts have expired"
    if found.threshold is None:
        return "its threshold is not in Redis, but in its application's code"
    nearest = next((one for one in near if one.verdict == "below"), near[0])
    return f"the nearest prompt has similarity {nearest.similarity:.3f}, {nearest.why}"


async def _ours(
    client: Any,
    keys: Keys,
    cache: CacheInfo,
    asked: Asked,
    vector: bytes,
    policy: Policy,
    found: CacheCheck,
) -> CacheCheck:
    """Our own cache: the nearest of any scope, and those that a call would look at."""
    if cache.problem:
        return replace(found, why=cache.problem)
    if not policy.semantic:
        return replace(found, why="the policy switches the semantic cache off")
    (anywhere, notes), scoped = await asyncio.gather(
        _nearest(client, cache, vector, SHOWN), _scoped(client, cache, vector, asked.scope)
    )
    names = list(dict.fromkeys(key for key, _, _ in (*anywhere, *scoped)))
    raised: Mapping[str, float] = {}
    if names:
        raised = ratchet.parse(names, await client.execute_command(*ratchet.read_command(keys, names)))
    threshold = found.threshold or 0.0
    judged: dict[str, Near] = {}
    served = ""
    for key, similarity, entry in scoped:
        one = _judged(_near(key, similarity, entry), asked.prompt, threshold, policy.guards, raised)
        if one.verdict == "served":
            if served:
                one = replace(one, verdict="passes", why="a nearer one is served")
            served = served or key
        judged[key] = one
    for key, similarity, entry in anywhere:
        if key not in judged:
            one = _near(key, similarity, entry)
            if one.verdict not in ("expired", "filtered"):
                # Whatever else refuses it, it is never looked at.
                guards = _guards(one, asked.prompt, policy.guards, raised)
                one = replace(one, verdict="scope", why=OTHER_SCOPE, guards=guards)
            judged[key] = one
    mine = [judged[key] for key, _, _ in scoped]
    wanted = {key for key, _, _ in anywhere} | {served} | {one.key for one in mine[:1]}
    shown = sorted((one for one in judged.values() if one.key in wanted), key=lambda one: -one.similarity)
    found = replace(found, hit=bool(served), near=tuple(shown), note="; ".join(notes))
    if served:
        return found
    return replace(found, why=_why_not_ours(mine, shown, threshold, found.note))


def _why_not_ours(mine: Sequence[Near], shown: Sequence[Near], threshold: float, note: str) -> str:
    if not shown:
        return note or EMPTY
    if not mine:
        return _ALL_OTHER
    nearest = mine[0]
    said = f"the nearest prompt has similarity {nearest.similarity:.3f}"
    if nearest.similarity < threshold:
        return f"{said}, below the threshold {threshold:g}"
    words = {"refused": "but is refused: ", "ratchet": "but ", "expired": "but ", "filtered": "but "}
    return f"{said}, {words.get(nearest.verdict, '')}{nearest.why}"


def _judged(
    one: Near, prompt: str, threshold: float, guards: Collection[str], raised: Mapping[str, float]
) -> Near:
    if one.verdict in ("expired", "filtered"):
        return one
    names = _guards(one, prompt, guards, raised)
    one = replace(one, guards=names)
    if one.similarity < threshold:
        return replace(one, verdict="below", why=f"below the threshold {threshold:g}")
    if names == (RATCHET,):
        why = f"was a wrong hit: it is served from {raised[one.key]:.3f}"
        return replace(one, verdict="ratchet", why=why)
    if names:
        return replace(one, verdict="refused", why=explain(prompt, one.prompt or "", names))
    return replace(one, verdict="served")


def _guards(one: Near, prompt: str, guards: Collection[str], raised: Mapping[str, float]) -> tuple[str, ...]:
    names = fired(prompt, one.prompt, one.similarity, guards) if one.prompt else ()
    if not names and one.similarity < raised.get(one.key, 0.0):
        return (RATCHET,)
    return names


def _near(key: str, similarity: float, entry: CacheEntry | None) -> Near:
    if entry is None:
        why = "its vector is still there, but its answer is gone"
        return Near(key=key, similarity=similarity, verdict="expired", why=why)
    one = Near(
        key=key,
        similarity=similarity,
        prompt=entry.prompt,
        model=entry.model,
        scope=entry.scope,
        ttl_ms=entry.ttl_ms,
    )
    if entry.response is None:
        return replace(one, verdict="filtered", why="it holds no answer")
    return one


_Rows = list[tuple[str, float, CacheEntry | None]]


async def _nearest(client: Any, cache: CacheInfo, vector: bytes, k: int) -> tuple[_Rows, list[str]]:
    pairs, notes = await nearest_keys(client, (cache,), vector, k, budget_s=_BUDGET_S)
    pairs.sort(key=lambda pair: -pair[1])
    return await _read(client, cache, pairs[:k]), notes


async def _scoped(client: Any, cache: CacheInfo, vector: bytes, scope: str) -> _Rows:
    """The nearest of one scope, by the way that is quick for its size: a small one is compared whole."""
    layout = layout_of(cache)
    command = layout.knn(cache, vector, NEXT, scope)
    if command is None or not scope:
        return []
    within = str(command[2]).partition("=>")[0]
    count: Command = (
        "FT.AGGREGATE", cache.index, within, "LIMIT", _SMALL_SCOPE, 1, "DIALECT", 2,
    )  # fmt: skip
    (size,) = await arun_all(client, [count])
    if isinstance(size, Exception):
        raise size
    query = str(command[2])
    if int(size[0]) > _SMALL_SCOPE:
        query = query.replace(" AS __distance]", " HYBRID_POLICY BATCHES AS __distance]")
    else:
        head, _, _ = query.partition(" EF_RUNTIME")
        query = head.removesuffix(" AS __distance]") + " HYBRID_POLICY ADHOC_BF AS __distance]"
    (reply,) = await arun_all(client, [(*command[:2], query, *command[3:])])
    if isinstance(reply, Exception):
        raise reply
    pairs = [pair for pair in layout.parse_knn(cache, reply) if layout.owns(cache, pair[0])]
    return [row for row in await _read(client, cache, pairs) if row[2] is not None]


async def _read(client: Any, cache: CacheInfo, pairs: Sequence[tuple[bytes, float]]) -> _Rows:
    if not pairs:
        return []
    entries = await read_entries(Readers(client, client), cache, [key for key, _ in pairs])
    return [
        (key.decode("utf-8", "surrogateescape"), similarity, found.entry)
        for (key, similarity), found in zip(pairs, entries, strict=True)
    ]
