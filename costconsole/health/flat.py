"""Has a FLAT index outgrown its size? It compares a query with every entry and stops the server meanwhile."""

from __future__ import annotations

from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import duration
from costconsole.health.finding import Finding, Status
from costconsole.health.sample import CacheSample

_SMALL = 1_000
"""No index of so few entries is slow by itself: what takes long then is a busy machine."""
_FEW = 10_000
_ENOUGH = 3
_SLOW_MS, _TOO_SLOW_MS = 5.0, 50.0
_BYTES = {"FLOAT64": 8, "FLOAT32": 4, "FLOAT16": 2, "BFLOAT16": 2}
_BYTES_A_MS = 13e6
"""A comparison runs at about the speed of memory: 1,000,000 vectors of 384 float32 in 0.11 s."""
_STEP = (
    "make it an HNSW index (algorithm hnsw where the cache is made): a look-up then takes less than 1 ms "
    "at any size"
)


def flat_index(cache: CacheInfo, docs: int | None, sample: CacheSample | None = None) -> Finding | None:
    """Judged by measured look-ups where the sample has some, otherwise by the size of the vectors."""
    if cache.algorithm != "FLAT" or not docs or docs <= _SMALL or not cache.dims:
        return None
    enough = sample is not None and sample.near.asked >= _ENOUGH
    measured = sample.near.median_ms if enough and sample is not None else None
    width = _BYTES.get(cache.datatype or "FLOAT32", 4)
    ms = measured if measured is not None else docs * cache.dims * width / _BYTES_A_MS
    if docs <= _FEW and ms < _SLOW_MS:
        return None
    status: Status = "fail" if ms >= _TOO_SLOW_MS else "warn" if ms >= _SLOW_MS else "ok"
    how = (
        f"{duration(ms)} (median of {sample.near.asked:,} look-ups, measured)"
        if measured is not None and sample is not None
        else f"≈{duration(ms)} (by its size, not measured)"
    )
    return Finding(
        "flat index",
        status,
        f"{cache.name}: each look-up compares all {docs:,} entries and takes {how} of the server, "
        "which serves nobody else meanwhile",
        "" if status == "ok" else _STEP,
        docs,
        cache=cache.name,
    )
