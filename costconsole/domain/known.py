"""What can be known of caches that report no calls, as values, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from costconsole.domain.format import age, dollars

ASSUMPTION = "if every miss is stored once and nobody else asks"
"""Under which the share of hits follows from look-ups and stores."""
NEAR = 0.05
"""A miss this little below the threshold was a near one."""


@dataclass(frozen=True, slots=True)
class SpendGauge:
    """Spend of one key, team, provider, ... in nano-dollars. `window` "": the last minute or so."""

    key: str
    of: str
    name: str
    window: str
    spend_nano: int


@dataclass(frozen=True, slots=True)
class NearMisses:
    """BetterDB's similarity window: its look-ups of the last days, at most 10,000.

    `near` of the misses were within 0.05 below the threshold; `nearest` is the most similar of all misses.
    """

    hits: int
    misses: int
    near: int | None
    nearest: float | None
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class KnownFigures:
    """Of one cache. `rate` is counted by its library, or an estimate: then `sentence` has its assumption.

    `hits` is a count without misses, where only that is kept. `idle_ms`: so long ago one of `sampled` entries
    was stored or used last. `saved_nano` is what the library itself says it saved, in nano-dollars. `code` is
    the line that gives the rest, for the application.
    """

    cache: str
    library: str
    rate: float | None = None
    lookups: int | None = None
    counted: bool = False
    hits: int | None = None
    saved_nano: int | None = None
    idle_ms: int | None = None
    sampled: int = 0
    near: NearMisses | None = None
    sentence: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Of all caches that aren't our own, and LiteLLM's spend gauges, which are of no cache."""

    figures: tuple[KnownFigures, ...] = ()
    gauges: tuple[SpendGauge, ...] = ()
    left_out: str = ""
    """One sentence when the survey didn't look at every key."""
    by_name: dict[str, KnownFigures] = field(default_factory=dict, compare=False)


def used_last(known: KnownFigures) -> str:
    """When an entry was stored or used last, in words; "" where that isn't known."""
    if known.idle_ms is None:
        return ""
    of = "one entry" if known.sampled == 1 else f"{known.sampled} entries"
    return f"last stored or used {age(known.idle_ms)} ago at most (by the idle time of {of})"


def spend_line(gauge: SpendGauge) -> str:
    """What a gauge says, in words."""
    window = f"in its budget's {gauge.window}" if gauge.window else "in the last minute or so"
    spent = dollars(gauge.spend_nano, 4)
    return (
        f"LiteLLM: $ {spent} spent {window} by {gauge.of} {gauge.name} (a live gauge, gone when it expires)"
    )


def near_misses(known: KnownFigures) -> str:
    """What its window tells of the misses, in words; "" where it has none."""
    window = known.near
    if window is None or not window.hits + window.misses:
        return ""
    words = f"its last {window.hits + window.misses:,} look-ups: {window.misses:,} missed"
    if window.nearest is not None:
        words += f", the nearest at a similarity of {window.nearest:.3f}"
    if window.near is not None and window.misses:
        words += f", {window.near:,} within {NEAR:g} of the threshold"
    return words


def known_document(known: KnownFigures, gauges: Sequence[SpendGauge] = ()) -> dict[str, Any]:
    """The `known` member of an element of `caches --json`; null is what can't be known from outside."""
    window = known.near
    return {
        "hit_rate": known.rate,
        "hit_rate_is": None if known.rate is None else "counted" if known.counted else "estimate",
        "lookups": known.lookups,
        "hits": known.hits,
        "saved_usd": None if known.saved_nano is None else known.saved_nano / 1e9,
        "last_used_s_ago": None if known.idle_ms is None else known.idle_ms / 1000,
        "last_used_of_entries": known.sampled or None,
        "similarity_window": None
        if window is None
        else {
            "hits": window.hits,
            "misses": window.misses,
            "near_misses": window.near,
            "nearest_miss": window.nearest,
            "since_ms": window.since_ms,
        },
        "spend_gauges": [
            {"of": one.of, "name": one.name, "window": one.window or None, "usd": one.spend_nano / 1e9}
            for one in gauges
        ],
        "how": known.sentence,
        "code": known.code or None,
    }
