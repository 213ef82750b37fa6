"""From where on to draw labels, so that a threshold with many hits is likely to be certified.

A label that was drawn from a similarity on counts for every threshold above that, and for none below. Drawing
from too low wastes labels where the bound is broken anyway, from too high gives hits away. So: from where the
hits of a threshold, times the chance that so many more labels certify it, are most. That chance is the
curve's, so the aim can be poor, but never the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costconsole.calibration.bound import fewest
from costconsole.calibration.curve import Posterior, shares_by_draw, tallies
from costconsole.calibration.events import FLOOR, Event

if TYPE_CHECKING:
    from costconsole.calibration.curve import Floats

STEPS = tuple(round(FLOOR + 0.005 * step, 4) for step in range(60))
_PILOT = 0.3
_MOST_DRAWS = 100
_NEARLY, _LIKELY = 0.6, 0.5
"""The lowest of nearly as good and likely ones is taken: labels from there count higher up as well, and
where there are many more than the fewest that certify anything, few are wasted."""


def pilot_size(max_error: float, confidence: float = 0.95, plan: int = 0) -> int:
    """How many labels are drawn from everything first: they show where the curve bends.

    `plan`: how many labels there will be in the end, if that is known.
    """
    return math.ceil(_PILOT * (plan or fewest(0, max_error, 1.0 - confidence)))


def aim(
    posterior: Posterior,
    scores: Sequence[float] | Floats,
    labels: Sequence[Event],
    more: int,
    *,
    max_error: float = 0.02,
    confidence: float = 0.95,
    lowest: float = FLOOR,
) -> float:
    """The similarity from which to draw `more` labels, not below `lowest`; `labels` are those drawn so far.

    Falls back on the smallest threshold that the curve expects to keep the bound, where so few labels
    certify nothing.
    """
    import numpy as np
    from scipy.special import bdtr

    logged = np.sort(np.asarray(scores, dtype=float))
    steps = np.array([step for step in STEPS if step >= lowest - 1e-9] or [min(lowest, STEPS[-1])])
    hits = (len(logged) - np.searchsorted(logged, steps - 1e-9)).astype(float)
    if not hits.any():
        return float(steps[0])
    rates = shares_by_draw(posterior, logged, steps)[:_MOST_DRAWS]
    drawn, wrong = tallies(labels, steps)
    slack = _most_wrong(drawn + more, max_error, 1.0 - confidence) - wrong
    certain: Any = bdtr(np.clip(slack, 0, more).astype(float), more, np.minimum(rates, 1.0 - 1e-12))
    chance = np.where(slack >= 0, certain, 0.0).mean(axis=0)
    worth = chance * hits
    if worth.max() > 1e-3 * hits.max():
        best = int(worth.argmax())
        scarce = min(1.0, 2.0 * fewest(0, max_error, 1.0 - confidence) / more)
        likely = chance >= min(float(chance[best]), scarce * _LIKELY)
        as_good = likely & (worth >= scarce * _NEARLY * worth[best])
        return float(steps[int(np.flatnonzero(as_good)[0])])
    expected = np.median(rates, axis=0)
    seen = np.flatnonzero(hits > 0)
    keeps = [i for i in seen.tolist() if expected[i] <= max_error]
    return float(steps[keeps[0] if keeps else seen[-1]])


def _most_wrong(labels: Any, max_error: float, level: float) -> Any:
    """How many wrong ones of so many labels are certified still; -1 where not even none."""
    import numpy as np

    most, found = int(np.max(labels)), list[int]()
    while (least := fewest(len(found), max_error, level)) <= most:
        found.append(least)
    return np.searchsorted(np.array(found), labels, side="right") - 1
