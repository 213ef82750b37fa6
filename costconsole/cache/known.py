"""What can be known of each cache without a ledger: what its library counts, what the server tells, and how.

Everything here comes from a handful of reads a cache. What can't be known is None, and the sentence says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costconsole.cache.catalog import Survey
from costconsole.cache.commands import Command, arun_all
from costconsole.cache.earlier import EarlierLookups
from costconsole.cache.estimates import CODE, HitRate, UseMeter, counted, since_made, unknowable
from costconsole.cache.gauges import gauge_keys, read_gauges
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.values import from_json, mapping, number, whole
from costconsole.domain.entry import CacheInfo
from costconsole.domain.known import NEAR, Known, KnownFigures, NearMisses
from costconsole.redis_store.replies import pairs, text

_SAMPLE = 20
_WINDOW = 10_000


async def read_known(
    client: Any,
    seen: Survey,
    *,
    meter: UseMeter | None = None,
    earlier: EarlierLookups | None = None,
    uptime_ms: int | None = None,
) -> Known:
    """Two round trips for all caches of a survey. Errors of the connection are the caller's to handle.

    `meter` has earlier readings of the indexes, `earlier` what other processes asked them.
    """
    caches = [cache for cache in seen.caches if cache.library != "costconsole" and cache.kind != "router"]
    first: list[Command] = []
    for cache in caches:
        first += _counters(cache)
        first += _sampled(cache, seen)
    said = dict(zip(first, await arun_all(client, first), strict=True))
    keys = {cache.name: _examples(cache, seen, said) for cache in caches}
    idles = [("OBJECT", "IDLETIME", key) for cache in caches for key in keys[cache.name]]
    idle = dict(zip(idles, await arun_all(client, idles), strict=True))
    figures = []
    for cache in caches:
        known = [
            seconds for key in keys[cache.name] if isinstance(seconds := idle["OBJECT", "IDLETIME", key], int)
        ]
        figures.append(
            _figures(
                cache,
                _hit_rate(cache, seen, said, meter, earlier, uptime_ms),
                said,
                hits=_reported(cache, seen),
                idle_ms=min(known) * 1000 if known else None,
                sampled=len(known),
            )
        )
    gauges = await read_gauges(client, gauge_keys(seen.families))
    return Known(tuple(figures), gauges, seen.left_out, {one.cache: one for one in figures})


def _figures(
    cache: CacheInfo,
    rate: HitRate,
    said: dict[Command, Any],
    *,
    hits: int | None,
    idle_ms: int | None,
    sampled: int,
) -> KnownFigures:
    micros = whole(_own_stats(cache, said).get("cost_saved_micros"))
    sentence = rate.sentence
    if hits is not None:
        sentence = f"{cache.name}: {hits:,} hits reported by GPTCache, which reports no misses; {sentence}"
    return KnownFigures(
        cache=cache.name,
        library=cache.library,
        rate=rate.rate,
        lookups=rate.lookups,
        counted=rate.counted,
        hits=hits,
        saved_nano=micros * 1_000 if micros else None,
        idle_ms=idle_ms,
        sampled=sampled,
        near=_near(cache, said),
        sentence=sentence,
        code="" if rate.counted else CODE,
    )


def _hit_rate(
    cache: CacheInfo,
    seen: Survey,
    said: dict[Command, Any],
    meter: UseMeter | None,
    earlier: EarlierLookups | None,
    uptime_ms: int | None,
) -> HitRate:
    """What the library counts, else what two readings tell, else what one tells."""
    found = counted(cache.name, _own_stats(cache, said))
    if found is not None:
        return found
    if cache.detail("stats_key") and not cache.index:
        return HitRate(
            cache.name, None, 0, f"{cache.name}: nobody looked anything up, by BetterDB's own count"
        )
    index = next((one for one in seen.indexes if one.name == cache.index), None)
    if index is None:
        return unknowable(cache)
    if cache.library == "mapping" and '"hits"' in cache.detail("mapping"):
        why = "every hit is written into its entry, which the index counts as a store"
        return HitRate(cache.name, None, None, f"{cache.name}: {why}: see the hits of its entries", code=CODE)
    measured = meter.hit_rate(cache) if meter is not None else None
    if measured is not None and measured.rate is not None:
        return measured
    return since_made(cache, index, earlier=earlier.of(index.name) if earlier else 0, uptime_ms=uptime_ms)


def _counters(cache: CacheInfo) -> list[Command]:
    stats, window = cache.detail("stats_key"), cache.detail("window_key")
    found: list[Command] = [("HGETALL", stats)] if stats else []
    return [*found, ("ZRANGE", window, -_WINDOW, -1, "WITHSCORES")] if window else found


def _own_stats(cache: CacheInfo, said: dict[Command, Any]) -> dict[str, Any]:
    """Its counters; of an agent's cache those of its tier, for both tiers are counted in one hash."""
    reply = said.get(("HGETALL", cache.detail("stats_key")))
    stats = {} if reply is None or isinstance(reply, Exception) else dict(pairs(reply))
    if cache.kind != "exact" or not stats:
        return stats
    tools = sum(
        whole(value) or 0
        for name, value in stats.items()
        if name.startswith("tool:") and name.endswith(":cost_saved_micros")
    )
    tier = cache.prefix.rsplit(":", 2)[1]
    all_saved = whole(stats.get("cost_saved_micros")) or 0
    return {
        "hits": stats.get(f"{tier}:hits", 0),
        "misses": stats.get(f"{tier}:misses", 0),
        "cost_saved_micros": tools if tier == "tool" else max(0, all_saved - tools),
    }


def _near(cache: CacheInfo, said: dict[Command, Any]) -> NearMisses | None:
    """Scores of its members are times, `score` in them distances."""
    reply = said.get(("ZRANGE", cache.detail("window_key"), -_WINDOW, -1, "WITHSCORES"))
    if not isinstance(reply, list) or not reply:
        return None
    known = [mapping(from_json(member)) for member in reply[::2]]
    hits = sum(1 for one in known if one.get("result") == "hit")
    missed = [one for one in known if one.get("result") == "miss"]
    limits = _limits(cache)
    distances = [(number(one.get("score")), limits.get(str(one.get("category") or ""))) for one in missed]
    away = [(score, limit if limit is not None else limits.get("")) for score, limit in distances]
    scores = [score for score, _ in away if score is not None]
    judged = [(score, limit) for score, limit in away if score is not None and limit is not None]
    return NearMisses(
        hits=hits,
        misses=len(missed),
        near=sum(1 for score, limit in judged if score - limit <= NEAR + 1e-9)
        if judged or not missed
        else None,
        nearest=1.0 - min(scores) if scores else None,
        since_ms=whole(reply[1]),
    )


def _limits(cache: CacheInfo) -> dict[str, float | None]:
    """Its thresholds as distances, by category."""
    return {
        one.part: None if one.similarity is None else 1.0 - one.similarity
        for one in layout_of(cache).thresholds(cache)
    }


def _reported(cache: CacheInfo, seen: Survey) -> int | None:
    """Hits that GPTCache has written a report of: one JSON key each, counted by their index."""
    prefix = cache.detail("reports")
    if not prefix:
        return None
    return next((index.docs for index in seen.indexes if index.prefixes == (prefix,)), None)


def _sampled(cache: CacheInfo, seen: Survey) -> list[Command]:
    """How to get a few keys of a cache whose keys weren't walked over."""
    if _family(cache, seen) or not cache.index:
        return []
    return [("FT.SEARCH", cache.index, "*", "NOCONTENT", "LIMIT", 0, _SAMPLE, "DIALECT", 2)]


def _examples(cache: CacheInfo, seen: Survey, said: dict[Command, Any]) -> Sequence[str]:
    family = _family(cache, seen)
    if family:
        return family
    for command in _sampled(cache, seen):
        reply = said[command]
        if isinstance(reply, list):
            layout = layout_of(cache)
            return [text(key) for key in reply[1:] if isinstance(key, bytes) and layout.owns(cache, key)]
    return ()


def _family(cache: CacheInfo, seen: Survey) -> tuple[str, ...]:
    shapes = layout_of(cache).shapes
    return next(
        (one.examples for one in seen.families if one.prefix == cache.prefix and one.shape in shapes), ()
    )
