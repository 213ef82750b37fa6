"""A threshold for every entry, learned from labels of its own look-ups and of all others (opt-in).

P(right | s, entry) is a mixture over thresholds t of sigmoid(g (s - t)); each entry begins with the weights
N(mu, sd) that the application's whole log suggests, and every label of the entry sharpens them. An answer is
served while P >= 1 - kappa. It pays only where nearly every miss gets a label, that is, with a judge; with a
tenth of them it is no better than one threshold for all.

This is not vCache's promise (Schroeder and others, 2025): that bounds wrong answers per request, so that at a
hit rate of 10 % an error of 1 % allows every tenth hit to be wrong. Here `kappa` is chosen for wrong hits per
hit, and is certified like any threshold: by an exact bound on its own hits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costconsole.calibration.bound import upper
from costconsole.calibration.events import Event

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEEPNESS = (10.0, 15.0, 20.0, 30.0)
MEANS = tuple(round(0.55 + 0.05 * i, 2) for i in range(9))
SPREADS = (0.05, 0.07, 0.10, 0.15)
KAPPAS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.20, 0.30)


@dataclass(frozen=True, slots=True)
class Shape:
    """What entries have in common: slope, and mean and deviation of their thresholds."""

    g: float
    mu: float
    sd: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a `kappa` would have done on a log. `upper` bounds the share of wrong hits (Clopper-Pearson)."""

    kappa: float
    lookups: int
    hits: int
    wrong: int
    upper: float

    @property
    def hit_rate(self) -> float:
        return self.hits / self.lookups if self.lookups else 0.0


class Entries:
    """The weights of every entry. Similarities are cosines."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._grid = thresholds()
        self._begin = _weights(shape, self._grid)
        self._weights: dict[str, Floats] = {}

    def right(self, entry: str, similarity: float) -> float:
        """P(the entry's answer is right for a prompt this near)."""
        weights = self._weights.get(entry, self._begin)
        return float(weights @ _sigmoid(self.shape.g * (similarity - self._grid)))

    def learn(self, entry: str, similarity: float, same: bool) -> None:
        """Take in a label."""
        sign = 1.0 if same else -1.0
        weights = self._weights.get(entry, self._begin)
        weights = weights * _sigmoid(sign * self.shape.g * (similarity - self._grid))
        self._weights[entry] = weights / weights.sum()


def thresholds() -> Floats:
    """0.40 to 1.15: a threshold above 1 is that of an entry that should serve nobody."""
    import numpy as np

    return np.linspace(0.40, 1.15, 76)


def fit_shape(events: Sequence[Event]) -> Shape:
    """The shape under which the labelled look-ups, entry by entry, are likeliest."""
    import numpy as np

    grid = thresholds()
    by_entry: dict[str, list[Event]] = {}
    for event in events:
        if event.verdict is not None:
            by_entry.setdefault(event.neighbor, []).append(event)
    best, shape = -math.inf, Shape(STEEPNESS[1], 0.70, 0.10)
    for g in STEEPNESS:
        likelihoods = []
        for labelled in by_entry.values():
            s = np.array([event.similarity for event in labelled])
            sign = np.array([-1.0 if event.wrong else 1.0 for event in labelled])
            likelihoods.append(np.log(_sigmoid(g * sign[:, None] * (s[:, None] - grid))).sum(axis=0))
        if not likelihoods:
            break
        table = np.stack(likelihoods)
        for mu in MEANS:
            for sd in SPREADS:
                weights = np.log(_weights(Shape(g, mu, sd), grid) + 1e-300)
                total = float(np.logaddexp.reduce(table + weights, axis=1).sum())
                if total > best:
                    best, shape = total, Shape(g, mu, sd)
    return shape


def evaluate(
    events: Sequence[Event],
    shape: Shape,
    kappa: float,
    *,
    confidence: float = 0.95,
    hits_labelled: bool = False,
) -> Outcome:
    """What serving by entry would have done on labelled look-ups, in order of time.

    A miss is labelled and learned from, a hit only with `hits_labelled`. Look-ups without a label count as
    misses that nobody labelled. Each look-up's neighbour is the one of the log.
    """
    entries = Entries(shape)
    hits = wrong = 0
    for event in sorted(events, key=lambda one: one.ts_ms):
        if event.verdict is None or event.guards:
            continue
        served = entries.right(event.neighbor, event.similarity) >= 1.0 - kappa
        if served:
            hits += 1
            wrong += event.wrong
        if not served or hits_labelled:
            entries.learn(event.neighbor, event.similarity, not event.wrong)
    return Outcome(kappa, len(events), hits, wrong, upper(wrong, hits, confidence))


def choose(
    events: Sequence[Event], *, max_error: float = 0.02, confidence: float = 0.95
) -> tuple[Shape, Outcome | None, tuple[Outcome, ...]]:
    """Shape, the certified outcome with the most hits (None: none is), and all of them.

    Shape and kappa are chosen on the earlier half, and certified on the later one, which chose nothing.
    """
    ordered = sorted(events, key=lambda one: one.ts_ms)
    half = len(ordered) // 2
    shape = fit_shape(ordered[:half])
    tried = [evaluate(ordered[:half], shape, kappa, confidence=confidence) for kappa in KAPPAS]
    able = [one for one in tried if one.hits and one.wrong / one.hits <= max_error]
    if not able:
        return shape, None, tuple(tried)
    kappa = max(able, key=lambda one: one.hits).kappa
    later = evaluate(ordered[half:], shape, kappa, confidence=confidence)
    return shape, later if later.upper <= max_error else None, (*tried, later)


def _weights(shape: Shape, grid: Floats) -> Floats:
    import numpy as np

    weights: Floats = np.exp(-0.5 * ((grid - shape.mu) / shape.sd) ** 2)
    weights /= weights.sum()
    return weights


def _sigmoid(x: Floats) -> Floats:
    from scipy.special import expit

    found: Floats = expit(x)
    return found
