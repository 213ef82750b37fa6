"""Rollups: what a set of calls adds to its buckets, and the figures that buckets hold. Pure.

A bucket is a hash of integers. A field is `metric|dimension|value`; the dimension `total` has the value
"". Everything in it adds up, so a rollup is the exact sum of its calls, whoever wrote them in which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from costconsole.domain.call import STRATEGIES, Call, CostStatus, Outcome, Savings
from costconsole.domain.figures import Figures
from costconsole.domain.histogram import MAX_INDEX, MIN_INDEX, Histogram, bucket_of
from costconsole.domain.window import GRAIN_MS, Bucket, Grain

DIMENSIONS: Final = ("total", "model", "route", "tag", "outcome")
CAPPED: Final = ("model", "route", "tag")
"""Dimensions whose values come from outside: at most MAX_VALUES of them a day, the rest is OTHER."""
MAX_VALUES: Final = 1_000
OTHER: Final = "other"
FOLDED: Final = "folded"
"""Metric of the value OTHER where something went there for lack of room."""
VALUES: Final = "values"
"""Metric of a capped dimension in a day's bucket, with no value: how many values it has."""
MAX_VALUE_LENGTH: Final = 128

COUNTS: Final = (
    "calls",
    "errors",
    "unpriced",
    "input",
    "output",
    "cached_input",
    "input_saved",
    "output_saved",
    "hit_input",
    "guarded",
    "spend_nano",
    "baseline_nano",
)
_SAVED: Final = tuple(f"saved_nano.{strategy}" for strategy in STRATEGIES)
_HIT: Final = {index: f"lat_hit.{index}" for index in range(MIN_INDEX, MAX_INDEX + 1)}
_MISS: Final = {index: f"lat_miss.{index}" for index in range(MIN_INDEX, MAX_INDEX + 1)}
_HIT_INDEX: Final = {name: index for index, name in _HIT.items()}
_MISS_INDEX: Final = {name: index for index, name in _MISS.items()}
_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
_FIGURES: Final = COUNTS + _OUTCOMES
_WIDTH: Final = len(COUNTS) + len(_SAVED)

Sums = dict[str, int]
"""Metric -> sum; metrics that are zero are absent."""
Groups = dict[tuple[str, str], Sums]
"""(dimension, value) -> its sums."""
_Group = tuple[int, str, str, str, Outcome]


def field_name(metric: str, dimension: str, value: str) -> str:
    return f"{metric}|{dimension}|{value}"


def by_minute(calls: Iterable[Call]) -> dict[int, Groups]:
    """The sums of `calls` by epoch minute and by each value of each dimension.

    Hours and days get the same sums, so that nothing is added up three times.
    """
    counts: dict[_Group, list[int]] = {}
    latencies: dict[_Group, dict[int, int]] = {}
    minute_ms = GRAIN_MS["minute"]
    for call in calls:
        group = (call.ts_ms // minute_ms, call.model, call.route, call.tag, call.outcome)
        found = counts.get(group)
        if found is None:
            found = counts[group] = [0] * _WIDTH
            latencies[group] = {}
        histogram = latencies[group]
        index = bucket_of(round(call.latency_ms, 6))  # as the stream keeps it: a recount finds the same
        histogram[index] = histogram.get(index, 0) + 1
        found[0] += 1
        if call.error:
            found[1] += 1
        found[3] += call.input
        found[4] += call.output
        found[5] += call.cached_input
        found[6] += call.input_saved
        found[7] += call.output_saved
        if call.guard:
            found[9] += 1
        if call.cost_status is CostStatus.UNPRICED:
            found[2] += 1
        else:
            found[10] += call.spend_nano or 0
            found[11] += call.baseline_nano or 0
            saved = call.savings
            found[12] += saved.exact
            found[13] += saved.semantic
            found[14] += saved.routing
            found[15] += saved.minimization
            found[16] += saved.batch
            found[17] += saved.provider_cache
    minutes: dict[int, Groups] = {}
    for group, found in counts.items():
        minute, model, route, tag, outcome = group
        if outcome.is_hit:
            found[8] = found[6]
        sums = {metric: n for metric, n in zip(COUNTS + _SAVED, found, strict=True) if n}
        sums[outcome.value] = found[0]
        names = _HIT if outcome.is_hit else _MISS
        for index, n in latencies[group].items():
            sums[names[index]] = n
        groups = minutes.setdefault(minute, {})
        for slot in (
            ("total", ""),
            ("model", model[:MAX_VALUE_LENGTH]),
            ("route", route[:MAX_VALUE_LENGTH]),
            ("tag", tag[:MAX_VALUE_LENGTH]),
            ("outcome", outcome.value),
        ):
            into = groups.get(slot)
            if into is None:
                groups[slot] = dict(sums)
            else:
                for metric, n in sums.items():
                    into[metric] = into.get(metric, 0) + n
    return minutes


def buckets_of_minute(minute: int) -> tuple[Bucket, Bucket, Bucket]:
    """The minute's bucket, and the hour's and the day's that it lies in."""
    at = minute * GRAIN_MS["minute"]
    grains: tuple[Grain, Grain, Grain] = ("minute", "hour", "day")
    first, second, third = (Bucket(at // GRAIN_MS[g] * GRAIN_MS[g], g) for g in grains)
    return first, second, third


def increments(calls: Iterable[Call]) -> dict[Bucket, dict[str, int]]:
    """What `calls` add to each bucket: field -> integer.

    The cap on values a day is not in here, for it depends on what other processes wrote (script.py).
    """
    found: dict[Bucket, dict[str, int]] = {}
    for minute, groups in by_minute(calls).items():
        for bucket in buckets_of_minute(minute):
            into = found.setdefault(bucket, {})
            for (dimension, value), sums in groups.items():
                for metric, n in sums.items():
                    name = field_name(metric, dimension, value)
                    into[name] = into.get(name, 0) + n
    return found


def figures_of(sums: Mapping[str, int]) -> Figures:
    """The figures of one value of a dimension. Unknown metrics are ignored."""
    get = sums.get
    hit: dict[int, int] = {}
    miss: dict[int, int] = {}
    for metric, n in sums.items():
        index = _HIT_INDEX.get(metric)
        if index is not None:
            if n:
                hit[index] = n
        elif (index := _MISS_INDEX.get(metric)) is not None and n:
            miss[index] = n
    return Figures(
        **{name: get(name, 0) for name in _FIGURES},
        saved=Savings(*[get(name, 0) for name in _SAVED]),
        hit_latency=Histogram(hit),
        miss_latency=Histogram(miss),
    )


def figures(fields: Mapping[str, int], dimension: str = "total", value: str = "") -> Figures:
    """The figures of one value of a dimension, from a bucket's fields or a sum of several buckets'."""
    split = ((name.split("|", 2), n) for name, n in fields.items())
    return figures_of({parts[0]: n for parts, n in split if parts[1:] == [dimension, value]})
