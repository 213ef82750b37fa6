"""Which look-ups to label next: drawn by design, never the most interesting first.

About 30 % of the draws are uniform over every look-up with a neighbour worth looking at, 70 % uniform over
those at or above `t_low`, where a threshold might be certified. Both are uniform over {similarity >= t} for
each t >= t_low, so exact bounds hold there; below, only the first kind counts (see `curve.tallies`).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from costconsole.calibration.events import FLOOR, Event

WIDE = 0.3
"""Share of the draws over everything: they show where the curve bends."""


def draw(
    events: Sequence[Event],
    labelled: Collection[str],
    t_low: float,
    n: int,
    seed: int,
    *,
    share: float = WIDE,
) -> tuple[Event, ...]:
    """At most `n` events in the order in which to label them, each with how it was drawn.

    `labelled`: ids that were drawn before. What a guard refused is never drawn. The same arguments give the
    same draw. `share` of the draws go over everything.
    """
    dice = random.Random(seed)
    done = set(labelled)
    pool = [
        event for event in events if event.similarity >= FLOOR and not event.guards and event.id not in done
    ]
    every, near = pool, [event for event in pool if event.similarity >= t_low]
    # Each is drawn once at most from either, so twice as many as wanted are enough.
    wide = dice.sample(every, min(len(every), 2 * n))
    narrow = dice.sample(near, min(len(near), 2 * n))
    odds = share / max(1, len(every)), (1 - share) / max(1, len(near))
    chosen: list[Event] = []
    taken: set[str] = set()
    while len(chosen) < n and (wide or narrow):
        broad = dice.random() < share
        source = wide if (broad and wide) or not narrow else narrow
        event = source.pop()
        if event.id in taken:
            continue
        taken.add(event.id)
        origin = FLOOR if source is wide else t_low
        inclusion = n * (odds[0] + (odds[1] if event.similarity >= t_low else 0.0))
        chosen.append(replace(event, certified=True, drawn_from=origin, inclusion=min(1.0, inclusion)))
    return tuple(chosen)


def share_left(labels: Iterable[Event], more: int) -> float:
    """The share of `more` draws that go over everything so that in the end WIDE of all have done."""
    drawn = [event for event in labels if event.certified]
    wide = sum(event.drawn_from <= FLOOR for event in drawn)
    return min(1.0, max(0.0, (WIDE * (len(drawn) + more) - wide) / max(1, more)))
