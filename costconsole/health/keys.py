"""Checks on keys and indexes: bleeding prefixes, orphans, and what could not be indexed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheInfo
from costconsole.health.finding import EVIDENCE, Finding, Status
from costconsole.health.sample import CacheSample, Census


def bleeding(
    caches: Sequence[CacheInfo],
    indexes: Sequence[IndexInfo],
    census: Census,
    samples: Sequence[CacheSample] = (),
) -> list[Finding]:
    """Indexes that cover another cache's entries: their writers may serve those answers as their own.

    An index `a` with the prefix `a` covers the keys of `a_v2` as well.
    """
    by_name = {cache.name: cache for cache in caches}
    by_index = {cache.index: cache for cache in caches if cache.index}
    prefixes = {index.name: index.prefixes for index in indexes}
    served = {sample.cache.name: sample.near.foreign for sample in samples}
    found = []
    for name, mine in by_index.items():
        for other in caches:
            if other is mine or not other.prefix or other.name == mine.name:
                continue
            if not any(
                other.prefix.startswith("" if prefix == "*" else prefix) for prefix in prefixes.get(name, ())
            ):
                continue
            group = census.strangers.get((name, other.name))
            count = group.count if group else 0
            came_back = [key for key in served.get(mine.name, ()) if key.startswith(other.prefix)]
            found.append(_bleed(mine, by_name[other.name], count, group.examples if group else (), came_back))
    return found


def _bleed(
    mine: CacheInfo, other: CacheInfo, count: int, examples: Sequence[str], came_back: Sequence[str]
) -> Finding:
    fits = mine.dims == other.dims
    status: Status = "fail" if came_back or (count and fits and other.dims) else "warn"
    what = f"{mine.name}: its index also covers the entries of {other.name}"
    if came_back:
        what += f", and look-ups in {mine.name} do find them"
    elif count and fits and other.dims:
        what += ", of equal dimensions: its writer serves their answers as its own"
    elif count:
        what += ", whose vectors do not fit: they count as failures to index"
    else:
        what += ", which has none yet"
    evidence = tuple(dict.fromkeys([*came_back, *examples]))[:EVIDENCE]
    return Finding(
        "prefix bleed",
        status,
        what,
        f"rename one of them so that neither name begins with the other (`{other.name}` begins with "
        f"`{mine.name}`), or give each a Redis database of its own",
        count or len(came_back) or None,
        evidence,
        cache=mine.name,
    )


def orphans(
    caches: Sequence[CacheInfo],
    indexes: Sequence[IndexInfo],
    census: Census,
    samples: Sequence[CacheSample] = (),
) -> list[Finding]:
    """What one half is missing of: index entries without a key, parts of an entry, keys without an index."""
    found = [finding for sample in samples if (finding := _halves(sample)) is not None]
    docs = {index.name: index.docs for index in indexes}
    near = {sample.cache.name: sample.near.gone for sample in samples}
    for cache in caches:
        covered = census.covered.get(cache.index or "", 0)
        known = docs.get(cache.index or "")
        gone = near.get(cache.name, ())
        lost = known - covered if known is not None and census.complete else 0
        # Vectors and entries under keys of their own part where only the entry has a time to live.
        apart = not cache.index or bool(cache.detail("vectors"))
        # Entries expire while one counts.
        if gone or lost > max(5, (known or 0) // 100):
            found.append(
                Finding(
                    "orphans",
                    "warn",
                    f"{cache.name}: look-ups find vectors whose entries are gone"
                    if apart
                    else f"{cache.name}: its index still holds entries whose keys are gone",
                    "they expired and left their vectors behind: let the cache be cleared by its library, or "
                    "remove them (VREM from a vector set, UNLINK of a hash)"
                    if apart
                    else "look again in a minute (expired keys leave an index late); if they stay, rebuild "
                    "the index with FT.DROPINDEX (without DD) and FT.CREATE",
                    max(lost, len(gone)),
                    tuple(gone),
                    cache=cache.name,
                )
            )
        if cache.kind == "semantic" and not cache.index and not cache.dims and census.owned.get(cache.name):
            found.append(_no_index(cache, census))
    for prefix, group in census.loose.items():
        found.append(
            Finding(
                "orphans",
                "warn",
                f"{prefix}*: keys named like the entries of a cache, which no index covers and no known "
                "library claims",
                "if their writer is gone, remove them; if it is a cache of your own, describe it under "
                "[caches] in the config",
                group.count,
                group.examples,
                estimated=not census.complete,
            )
        )
    return found


def _halves(sample: CacheSample) -> Finding | None:
    broken = [one for one in sample.entries if one.missing]
    if not broken:
        return None
    count, about = sample.scaled(len(broken))
    return Finding(
        "orphans",
        "warn",
        f"{sample.cache.name}: entries that lack one of their keys ({sample.basis})",
        "evict them: half an entry costs memory and look-ups, and is never served whole",
        count,
        tuple(one.key for one in broken[:EVIDENCE]),
        tuple(f"{one.missing[0]} is gone" for one in broken[:EVIDENCE]),
        about,
        sample.cache.name,
    )


def _no_index(cache: CacheInfo, census: Census) -> Finding:
    return Finding(
        "orphans",
        "fail",
        f"{cache.name}: {cache.problem or 'no index covers its entries'}",
        "let its writer start once: it makes the index anew, and the entries are found again",
        census.owned[cache.name],
        tuple(
            key.decode("utf-8", "backslashreplace") for key in census.sampled.get(cache.name, ())[:EVIDENCE]
        ),
        estimated=not census.complete,
        cache=cache.name,
    )


def not_indexed(caches: Sequence[CacheInfo], indexes: Sequence[IndexInfo], census: Census) -> list[Finding]:
    """Hashes under an index's prefix that it refused, as it counts itself (`hash_indexing_failures`)."""
    by_index: Mapping[str | None, CacheInfo] = {cache.index: cache for cache in caches if cache.index}
    found = []
    for index in indexes:
        if not index.failures:
            continue
        cache = by_index.get(index.name)
        name = cache.name if cache else index.name
        others = sum(g.count for (at, _), g in census.strangers.items() if at == index.name)
        cause = f" ({index.failure})" if index.failure else ""
        found.append(
            Finding(
                "indexing",
                "warn" if others >= index.failures else "fail",
                f"{name}: hashes under its prefix could not be indexed{cause}: no look-up finds "
                "them (each attempt counts)",
                "they are another cache's entries: see prefix bleed"
                if others >= index.failures
                else "see wrong vectors; entries of another model must be evicted and stored anew",
                index.failures,
                (index.failed_key,) if index.failed_key else (),
                ("failed last",) if index.failed_key else (),
                cache=name,
            )
        )
    return found
