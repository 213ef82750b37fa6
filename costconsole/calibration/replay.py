"""Replaying logged prompts through a cache that grows as it would have grown under another threshold.

Reading a threshold off a log supposes that the same entries would have been there. They would not: what is
a hit isn't stored. A replay finds each prompt's nearest entry among those that would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costconsole.calibration.events import FLOOR, Event

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costconsole.embedding.embedder import Embedder

_BLOCK = 256
_EMBED = 64
_NOTHING = -2.0

Progress = Callable[[int, int], None]


class Stopped(Exception):
    """The replay was stopped from outside."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What each prompt would have met: similarity of the nearest entry (-2: the cache was empty), the index
    of the prompt that had been stored as that entry (-1: none), and whether it would have been a hit."""

    threshold: float
    similarities: NDArray[np.float32]
    neighbors: NDArray[np.int64]
    hits: NDArray[np.bool_]

    @property
    def hit_rate(self) -> float:
        return float(self.hits.mean()) if len(self.hits) else 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """Hits of a replay by what labels say of them."""

    right: int
    wrong: int
    unknown: int

    @property
    def wrong_rate(self) -> float | None:
        """Among the hits that labels say anything of."""
        known = self.right + self.wrong
        return self.wrong / known if known else None


def replay(
    vectors: NDArray[np.float32],
    threshold: float,
    *,
    scopes: Sequence[str] | None = None,
    cacheable: Sequence[bool] | None = None,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Replay:
    """Ask for each row of `vectors` (normalized, in order of time), and store it if it is a miss.

    Exact: the nearest of all entries of its scope. `progress` is told how many of all are done, a block at a
    time. Raises Stopped as soon as `stop` says so.
    """
    import numpy as np

    count = len(vectors)
    similarities = np.full(count, _NOTHING, dtype=np.float32)
    neighbors = np.full(count, -1, dtype=np.int64)
    order: dict[str, list[int]] = {}
    for i in range(count):
        order.setdefault(scopes[i] if scopes else "", []).append(i)
    done = 0
    for members in order.values():
        rows = np.asarray(members)
        entries = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
        names = np.empty(len(rows), dtype=np.int64)
        size = 0
        for start in range(0, len(rows), _BLOCK):
            if stop is not None and stop():
                raise Stopped
            block = rows[start : start + _BLOCK]
            asked = np.ascontiguousarray(vectors[block], dtype=np.float32)
            best, owner = _nearest(asked, entries[:size], names[:size])
            among = asked @ asked.T
            stored: list[int] = []
            for i, row in enumerate(block.tolist()):
                if stored:
                    near = among[i, stored]
                    j = int(near.argmax())
                    if near[j] > best[i]:
                        best[i], owner[i] = near[j], block[stored[j]]
                if best[i] < threshold and (cacheable is None or cacheable[row]):
                    stored.append(i)
            similarities[block], neighbors[block] = best, owner
            entries[size : size + len(stored)] = asked[stored]
            names[size : size + len(stored)] = block[stored]
            size += len(stored)
            done += len(block)
            if progress is not None:
                progress(done, count)
    # Float32 arithmetic may end a little beyond 1.
    np.minimum(similarities, 1.0, out=similarities)
    return Replay(threshold, similarities, neighbors, similarities >= threshold)


def judge_hits(
    found: Replay, same: Iterable[tuple[int, int]], different: Iterable[tuple[int, int]]
) -> Judged:
    """Hits by labelled pairs of prompts (indexes). Same is transitive; a pair that isn't linked by "same" and
    whose groups were labelled as different is wrong. It errs on the safe side: one slip links two groups.
    """
    parent = list(range(len(found.hits)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in same:
        parent[root(a)] = root(b)
    apart = {frozenset((root(a), root(b))) for a, b in different}
    right = wrong = unknown = 0
    for i in found.hits.nonzero()[0].tolist():
        one, other = root(i), root(int(found.neighbors[i]))
        if frozenset((one, other)) in apart:
            wrong += 1
        elif one == other:
            right += 1
        else:
            unknown += 1
    return Judged(right, wrong, unknown)


def replayed_events(found: Replay, events: Sequence[Event]) -> tuple[Event, ...]:
    """The replayed look-ups that had a neighbour worth looking at, with the pair of texts that met."""
    made = []
    for i in (found.similarities >= FLOOR).nonzero()[0].tolist():
        event, near = events[i], events[int(found.neighbors[i])]
        made.append(
            Event(
                id=event.id,
                ts_ms=event.ts_ms,
                similarity=float(found.similarities[i]),
                threshold=found.threshold,
                hit=bool(found.hits[i]),
                query=event.query,
                cached=near.query,
                scope=event.scope,
                route=event.route,
                model=event.model,
            )
        )
    return tuple(made)


def embed_prompts(
    events: Sequence[Event],
    embedder: Embedder,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> NDArray[np.float32]:
    """The vectors of the prompts of events, each text embedded once."""
    import numpy as np

    texts = list(dict.fromkeys(event.query for event in events))
    place = {text: i for i, text in enumerate(texts)}
    parts = []
    for start in range(0, len(texts), _EMBED):
        if stop is not None and stop():
            raise Stopped
        found = embedder.embed(texts[start : start + _EMBED])
        parts.append(np.stack([np.frombuffer(one.vector, dtype="<f4") for one in found]))
        if progress is not None:
            progress(min(start + _EMBED, len(texts)), len(texts))
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    vectors: NDArray[np.float32] = np.concatenate(parts)[[place[event.query] for event in events]]
    return vectors


def _nearest(
    asked: NDArray[np.float32], entries: NDArray[np.float32], names: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import numpy as np

    if not len(entries):
        return np.full(len(asked), _NOTHING, dtype=np.float32), np.full(len(asked), -1, dtype=np.int64)
    near = asked @ entries.T
    at = near.argmax(axis=1)
    best: NDArray[np.float32] = near[np.arange(len(asked)), at]
    return best, names[at]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a threshold would have done to the logged prompts, with a cache that grows as it would have.

    `right` and `wrong` are the hits that labels say anything of, `read_off` the hit rate of the same
    look-ups read off the log.
    """

    threshold: float
    prompts: int
    hit_rate: float
    read_off: float
    right: int
    wrong: int
    unknown: int
    clipped: int
