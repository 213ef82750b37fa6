"""What can be known of a cache's hits without a ledger, and how sure that is.

A search index counts its queries and what was stored into it. If every miss is stored once, and nobody but
the application asks, the share of hits follows. Our own queries are counted and taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import age, percent
from costconsole.domain.known import ASSUMPTION
from costconsole.redis_store.replies import text

CODE = 'Ledger("redis://…").record(Call(id, ts_ms, Outcome.SEMANTIC if hit else Outcome.MISS, model))'
"""The line that gives exact figures, called by an application after each of its calls."""

_REST_MS = 30_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What an index had counted at one moment; `own` of its uses were ours."""

    at_ms: int
    uses: int
    stores: int
    own: int = 0


@dataclass(frozen=True, slots=True)
class HitRate:
    """A share of hits. `rate` is None when it can't be known: `sentence` then says why.

    `counted`: the library counts itself; otherwise it is an estimate, and its assumption is in `sentence`.
    `code` is a line for the application that would give exact figures, or "".
    """

    cache: str
    rate: float | None
    lookups: int | None
    sentence: str
    counted: bool = False
    code: str = ""


def read_index(index: IndexInfo, at_ms: int) -> Reading | None:
    """The counts in one reply to FT.INFO; None where the server doesn't tell."""
    if index.uses is None or index.max_doc_id is None:
        return None
    return Reading(at_ms, index.uses, index.max_doc_id, index.own_uses)


def since_made(
    cache: CacheInfo, index: IndexInfo, *, earlier: int = 0, uptime_ms: int | None = None
) -> HitRate:
    """The share of hits from one reading: all look-ups and stores since the index was made.

    `earlier` of its uses were those of processes like this one before. After a restart the server counts
    look-ups anew, but each entry that it loads as a store: then there are mostly more stores than look-ups,
    and nothing is told.
    """
    reading = read_index(index, 0)
    since = "since its index was made" + (f" or the server started ({age(uptime_ms)})" if uptime_ms else "")
    if reading is None:
        return HitRate(cache.name, None, None, f"{cache.name}: this server doesn't count look-ups", code=CODE)
    lookups = reading.uses - reading.own - earlier
    if lookups <= 0:
        return HitRate(
            cache.name, None, 0, f"{cache.name}: nobody but us looked anything up {since}", code=CODE
        )
    if reading.stores > lookups:
        what = f"{cache.name}: more was stored ({reading.stores:,}) than looked up ({lookups:,}) {since}"
        why = "entries were loaded or filled in otherwise, so its hits can't be told from one reading"
        return HitRate(cache.name, None, lookups, f"{what}: {why}", code=CODE)
    rate = 1.0 - reading.stores / lookups
    about = f"{cache.name}: ≈{percent(rate)} % hits of {lookups:,} look-ups {since}"
    sentence = f"{about}, {ASSUMPTION} and it began empty"
    return HitRate(cache.name, rate, lookups, sentence, code=CODE)


def estimate(cache: str, before: Reading, now: Reading) -> HitRate:
    """The share of hits between two readings of one index: 1 - stored / looked up."""
    lookups = (now.uses - before.uses) - (now.own - before.own)
    stores = now.stores - before.stores
    span = age(now.at_ms - before.at_ms)
    if lookups < 0 or stores < 0:
        return HitRate(cache, None, None, f"{cache}: its index was made anew meanwhile", code=CODE)
    if not lookups:
        return HitRate(cache, None, 0, f"{cache}: nobody looked anything up in {span}", code=CODE)
    if stores > lookups:
        return HitRate(
            cache,
            None,
            lookups,
            f"{cache}: more was stored ({stores:,}) than looked up ({lookups:,}) in {span}: "
            "something else fills it, so its hits can't be told",
            code=CODE,
        )
    rate = 1.0 - stores / lookups
    return HitRate(
        cache,
        rate,
        lookups,
        f"{cache}: ≈{percent(rate)} % hits of {lookups:,} look-ups in {span}, {ASSUMPTION}",
        code=CODE,
    )


class UseMeter:
    """Remembers the first reading of each index, so that later ones tell what happened since.

    It asks nothing itself: FT.INFO stops a server with a large HNSW index for 0.1 s, so only the replies that
    are read anyway, when caches are looked for, are taken in.
    """

    def __init__(self, clock: Callable[[], int] = lambda: int(time.time() * 1000)) -> None:
        self._clock = clock
        self._first: dict[str, Reading] = {}
        self._last: dict[str, Reading] = {}

    def note(self, indexes: Iterable[IndexInfo]) -> None:
        """Take in replies to FT.INFO that were asked for anyway."""
        now = self._clock()
        for index in indexes:
            reading = read_index(index, now)
            if reading is None:
                continue
            first = self._first.setdefault(index.name, reading)
            if reading.uses < first.uses or reading.stores < first.stores:
                self._first[index.name] = reading  # made anew, or the server was restarted
            self._last[index.name] = reading

    def hit_rate(self, cache: CacheInfo) -> HitRate | None:
        """What is known since the first reading; None until there are two, 30 seconds apart."""
        first, last = self._first.get(cache.index or ""), self._last.get(cache.index or "")
        if first is None or last is None or last.at_ms - first.at_ms < _REST_MS:
            return None
        return estimate(cache.name, first, last)


def counted(cache: str, counts: Mapping[str, Any]) -> HitRate | None:
    """A share of hits from BetterDB's own counters, `hits` and `misses`; None: it has counted none."""
    hits, misses = _whole(counts.get("hits")), _whole(counts.get("misses"))
    total = hits + misses
    if not total:
        return None
    micros = _whole(counts.get("cost_saved_micros"))
    saved = f", $ {micros / 1e6:,.{2 if micros >= 10_000 else 4}f} saved by its own count" if micros else ""
    return HitRate(
        cache,
        hits / total,
        total,
        f"{cache}: {percent(hits / total)} % hits of {total:,} look-ups, counted by BetterDB since it "
        f"began{saved}",
        counted=True,
    )


def unknowable(cache: CacheInfo) -> HitRate:
    """For a cache that leaves no trace of its look-ups."""
    if not cache.index:
        why = "without a search index the server doesn't count its look-ups"
    else:
        why = "one reading of its index tells nothing: an estimate needs a second one, 30 s later"
    return HitRate(cache.name, None, None, f"{cache.name}: {why}", code=CODE)


def _whole(value: Any) -> int:
    try:
        return max(0, value if isinstance(value, int) else int(text(value) or 0))
    except ValueError:
        return 0
