"""Checks on the sampled entries of one cache, each by itself."""

from __future__ import annotations

from costconsole.domain.format import age, percent, size
from costconsole.health.finding import EVIDENCE, Finding, Status
from costconsole.health.sample import CacheSample, Sampled

_OLD_MS = 30 * 86_400_000
_USED_MS = 7 * 86_400_000
_NEVER = 0.5
_LARGE = 32_768
_BYTES = {"FLOAT64": 8, "FLOAT32": 4, "FLOAT16": 2, "BFLOAT16": 2}


def never_expiring(sample: CacheSample, *, server_evicts: bool | None = None) -> Finding | None:
    """The share of entries without a time to live. `server_evicts`: None when it isn't known."""
    if not sample.entries or sample.cache.kind == "router":
        return None
    never = [one for one in sample.entries if one.entry.ttl_ms is None]
    share = len(never) / len(sample.entries)
    count, about = sample.scaled(len(never))
    status: Status = "warn" if share >= _NEVER and not server_evicts else "ok"
    what = f"{sample.cache.name}: {percent(share)} % of its entries never expire ({sample.basis})"
    if not never:
        return Finding("never expires", "ok", what, count=0, cache=sample.cache.name)
    step = ""
    if status == "warn":
        step = "set a ttl where the cache is made: answers age, and without one memory only grows"
    evidence = tuple(one.key for one in never[:EVIDENCE])
    return Finding(
        "never expires", status, what, step, count, evidence, estimated=about, cache=sample.cache.name
    )


def wrong_vectors(sample: CacheSample) -> Finding | None:
    """Entries whose vector isn't as long as the index wants it, or is missing."""
    cache = sample.cache
    if not cache.dims or not cache.index:
        return None
    width = _BYTES.get(cache.datatype or "FLOAT32", 4)
    wrong = [one for one in sample.entries if one.vector is None and not one.missing]
    if not wrong:
        return None

    def told(one: Sampled) -> str:
        if not one.vector_bytes:
            return "no vector"
        return f"{one.vector_bytes // width} dimensions instead of {cache.dims}"

    count, about = sample.scaled(len(wrong))
    return Finding(
        "wrong vectors",
        "fail",
        f"{cache.name}: entries without a vector of {cache.dims} dimensions: no look-up finds them "
        f"({sample.basis})",
        "another model wrote them: evict them, and give each model a cache of its own name",
        count,
        tuple(one.key for one in wrong[:EVIDENCE]),
        tuple(told(one) for one in wrong[:EVIDENCE]),
        about,
        cache.name,
    )


def stale(sample: CacheSample, now_ms: int) -> Finding | None:
    """Entries that are old and still served: nobody may have looked at them since the facts changed.

    Last use is the ledger's where there is one, otherwise the key's idle time, which only tells something
    where it is much shorter than the entry is old.
    """
    hit: list[tuple[Sampled, int, int]] = []
    for one in sample.entries:
        created, used = one.entry.created_ms, one.entry.last_hit_ms
        if used is None and one.entry.hits is None and one.idle_ms is not None:
            used = now_ms - one.idle_ms
        if created is None or used is None:
            continue
        if now_ms - created > _OLD_MS and now_ms - used < _USED_MS and used - created > _USED_MS:
            hit.append((one, now_ms - created, now_ms - used))
    if not hit:
        return None
    hit.sort(key=lambda found: -found[1])
    count, about = sample.scaled(len(hit))
    return Finding(
        "stale",
        "warn",
        f"{sample.cache.name}: entries older than 30 days were used in the last 7 ({sample.basis})",
        "read the oldest, evict what is no longer true, and set a ttl",
        count,
        tuple(one.key for one, _, _ in hit[:EVIDENCE]),
        tuple(f"{age(old)} old, used {age(used)} ago" for _, old, used in hit[:EVIDENCE]),
        about,
        sample.cache.name,
    )


def memory(sample: CacheSample) -> Finding | None:
    """Bytes an entry takes, from a sample of MEMORY USAGE, with its part of the index."""
    sizes = sorted((one for one in sample.entries if one.size_bytes), key=lambda one: -(one.size_bytes or 0))
    if not sizes:
        return None
    cache = sample.cache
    mean = sum(one.size_bytes or 0 for one in sizes) / len(sizes)
    parts = [f"{size(round(mean))} an entry"]
    total = None if sample.of is None else mean * sample.of
    if cache.memory_bytes and sample.of:
        parts.append(f"{size(cache.memory_bytes // sample.of)} of index")
        total = (total or 0) + cache.memory_bytes
    whole = "" if total is None else f"; ≈{size(round(total))} together"
    large = mean > _LARGE
    return Finding(
        "memory",
        "warn" if large else "ok",
        f"{cache.name}: ≈{' and '.join(parts)}{whole} ({sample.basis})",
        "look at the largest: whole documents in an answer are kept for every prompt" if large else "",
        evidence=tuple(one.key for one in sizes[:3]),
        notes=tuple(size(one.size_bytes) for one in sizes[:3]),
        cache=cache.name,
    )


def last_use(sample: CacheSample) -> str:
    """When entries were used last, in words, by their idle times; "" where that isn't known."""
    idle = sorted(one.idle_ms for one in sample.entries if one.idle_ms is not None)
    if not idle:
        return ""
    recent = sum(1 for ms in idle if ms < 86_400_000) / len(idle)
    return (
        f"≈{percent(recent)} % of its entries were stored or used in the last day, half of them "
        f"within {age(idle[len(idle) // 2])} ({sample.basis})"
    )
