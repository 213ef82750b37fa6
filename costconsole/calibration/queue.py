"""Which look-ups to label next: drawn by design, never the most interesting first.

30 % of the draws are uniform over every look-up with a neighbour worth looking at, 70 % uniform over those
at or above `t_low`, where a threshold might be certified. Both are uniform over {similarity >= t} for each
t >= t_low, so exact bounds hold there; below, only the first kind counts (see `curve.tallies`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from costconsole.calibration.events import FLOOR, Event

WIDE = 0.3
"""Share of the draws over everything: they show where the curve bends."""

NEAR = 0.03


def steady(low: float, labels: Iterable[Event]) -> float:
    """From where to go on drawing: from where most were drawn before if that is near enough to `low`.

    A label that was drawn from higher up says nothing about a threshold below, so moving about wastes some.
    """
    before = Counter(event.drawn_from for event in labels if event.certified and event.drawn_from > FLOOR)
    if before:
        kept = before.most_common(1)[0][0]
        if abs(kept - low) <= NEAR:
            return kept
    return low


def draw(
    events: Sequence[Event], labelled: Collection[str], t_low: float, n: int, seed: int
) -> tuple[Event, ...]:
    """At most `n` events in the order in which to label them, each with how it was drawn.

    `labelled`: ids that were drawn before. What a guard refused is never drawn. The same arguments give the
    same draw.
    """
    dice = random.Random(seed)
    done = set(labelled)
    pool = [
        event for event in events if event.similarity >= FLOOR and not event.guards and event.id not in done
    ]
    wide, narrow = _shuffled(pool, FLOOR, dice), _shuffled(pool, t_low, dice)
    odds = WIDE / max(1, len(wide)), (1 - WIDE) / max(1, len(narrow))
    chosen: list[Event] = []
    taken: set[str] = set()
    while len(chosen) < n and (wide or narrow):
        broad = dice.random() < WIDE
        source = wide if (broad and wide) or not narrow else narrow
        event = source.pop()
        if event.id in taken:
            continue
        taken.add(event.id)
        origin = FLOOR if source is wide else t_low
        inclusion = n * (odds[0] + (odds[1] if event.similarity >= t_low else 0.0))
        chosen.append(replace(event, certified=True, drawn_from=origin, inclusion=min(1.0, inclusion)))
    return tuple(chosen)


def _shuffled(events: Sequence[Event], least: float, dice: random.Random) -> list[Event]:
    near = [event for event in events if event.similarity >= least]
    dice.shuffle(near)
    return near
