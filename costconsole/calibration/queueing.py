"""The next pairs for a person (or a judge) to label, drawn by design from what the ledger has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costconsole.calibration.aim import aim, pilot_size
from costconsole.calibration.curve import fit
from costconsole.calibration.events import FLOOR, Event
from costconsole.calibration.events import evidence as usable
from costconsole.calibration.evidence import Evidence, with_texts
from costconsole.calibration.propose import STEP
from costconsole.calibration.queue import draw, share_left

if TYPE_CHECKING:
    from costconsole.calibration.curve import Floats
    from costconsole.domain.entry import CacheInfo


def start_of(found: Evidence, max_error: float = 0.02, plan: int = 0) -> float:
    """From which similarity labels are drawn: where a threshold might be certified, and be reached.

    The first ones are drawn from everything. `plan`: how many labels there will be in the end, if known.
    """
    return next_start(usable(found.labels), found.scores, max_error, found.current, plan)


def next_start(
    labels: Sequence[Event],
    scores: Sequence[float] | Floats,
    max_error: float,
    current: float | None = None,
    plan: int = 0,
) -> float:
    """`start_of` for the labels that bounds rest on."""
    pilot = pilot_size(max_error, plan=plan)
    if len(labels) < pilot:
        return FLOOR
    # Without a plan: what a threshold with few wrong ones takes, or as many again once these are there.
    more = plan - len(labels) if plan else max(round(pilot / 0.15) - len(labels), len(labels))
    lowest = FLOOR if current is None else max(FLOOR, current - STEP)
    return aim(fit(labels), scores, labels, max(1, more), max_error=max_error, lowest=lowest)


async def next_pairs(
    client: Any,
    found: Evidence,
    n: int,
    seed: int,
    max_error: float = 0.02,
    *,
    plan: int = 0,
    caches: Sequence[CacheInfo] = (),
) -> tuple[tuple[Event, ...], int]:
    """At most `n` drawn look-ups with both their texts, and how many others were drawn that have lost one.

    Passing over what is gone is a bias if what is gone is more often wrong, so its number is worth showing.
    """
    used = usable(found.labels)
    drawn = draw(
        found.events,
        {event.id for event in found.labels},
        next_start(used, found.scores, max_error, found.current, plan),
        4 * n,
        seed,
        share=share_left(used, n),
    )
    chosen: list[Event] = []
    gone = 0
    for event in await with_texts(client, drawn, caches=caches):
        if len(chosen) == n:
            break
        if event.query and event.cached:
            chosen.append(event)
        else:
            gone += 1
    return tuple(chosen), gone
