"""The latency histogram: exponential buckets that add up, and quantiles read from them.

Bucket `i` holds durations in (BASE^(i-1), BASE^i] milliseconds with BASE = 1.1, so a quantile that is
read as the geometric middle of its bucket is at most 4.9% off. Indices run from MIN_INDEX (0.1 ms and
less) to MAX_INDEX (about 27 minutes and more). The scheme is that of DDSketch (Masson et al., VLDB 2019)
with fixed bounds, which makes merging a plain sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BASE = 1.1
_LOG_BASE = math.log(BASE)
MIN_INDEX = math.ceil(math.log(0.1) / _LOG_BASE)
MAX_INDEX = 150


def bucket_of(ms: float) -> int:
    """The bucket of a duration in milliseconds. Negative and NaN count as the shortest bucket."""
    if not ms > 0.1:
        return MIN_INDEX
    if ms == math.inf:
        return MAX_INDEX
    return min(MAX_INDEX, math.ceil(math.log(ms) / _LOG_BASE - 1e-9))


def bucket_value(index: int) -> float:
    """The duration, in milliseconds, that stands for a bucket: its geometric middle."""
    return float(BASE ** (index - 0.5))


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by bucket index. Immutable; `+` merges."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, durations_ms: Iterable[float]) -> Histogram:
        counts: dict[int, int] = {}
        for ms in durations_ms:
            index = bucket_of(ms)
            counts[index] = counts.get(index, 0) + 1
        return cls(counts)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, q: float) -> float | None:
        """The q-quantile in milliseconds (0 <= q <= 1), by the nearest-rank rule; None when empty."""
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile lies between 0 and 1, not {q}")
        total = self.total
        if not total:
            return None
        rank = max(1, math.ceil(q * total))
        for index in sorted(self.counts):
            rank -= self.counts[index]
            if rank <= 0:
                return bucket_value(index)
        raise AssertionError("counts changed while they were read")

    def __add__(self, other: Histogram) -> Histogram:
        counts = dict(self.counts)
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + count
        return Histogram(counts)
