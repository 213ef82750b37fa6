"""The next pairs for a person (or a judge) to label, drawn by design from what the ledger has."""

from __future__ import annotations

from typing import Any

from costconsole.calibration.curve import fit
from costconsole.calibration.events import Event
from costconsole.calibration.events import evidence as usable
from costconsole.calibration.evidence import Evidence, with_texts
from costconsole.calibration.propose import STEP, low_end
from costconsole.calibration.queue import draw, steady


def start_of(found: Evidence, max_error: float = 0.02) -> float:
    """From which similarity most labels are drawn: where a threshold might be certified, and be reached."""
    used = usable(found.labels)
    likely = low_end(fit(used), found.scores, max_error)
    return steady(max(round(found.current - STEP, 4), likely), used)


async def next_pairs(
    client: Any, found: Evidence, n: int, seed: int, max_error: float = 0.02
) -> tuple[tuple[Event, ...], int]:
    """At most `n` drawn look-ups with both their texts, and how many others were drawn that have lost one.

    Passing over what is gone is a bias if what is gone is more often wrong, so its number is worth showing.
    """
    drawn_before = {event.id for event in found.labels}
    chosen: list[Event] = []
    gone = 0
    for event in await with_texts(
        client, draw(found.events, drawn_before, start_of(found, max_error), 4 * n, seed)
    ):
        if len(chosen) == n:
            break
        if event.query and event.cached:
            chosen.append(event)
        else:
            gone += 1
    return tuple(chosen), gone
