"""Made-up applications of which the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costconsole.calibration.events import FLOOR, Event


@dataclass(frozen=True)
class World:
    """Look-ups with a similarity each, and the chance that the cached answer is wrong."""

    similarities: NDArray[np.float64]
    chances: NDArray[np.float64]

    def wrong_rate(self, threshold: float) -> float:
        hits = self.similarities >= threshold - 1e-9
        return float(self.chances[hits].mean()) if hits.any() else 0.0

    def labels(self, n: int, rng: np.random.Generator) -> list[Event]:
        chosen = rng.integers(0, len(self.similarities), n)
        wrong = rng.random(n) < self.chances[chosen]
        return [
            event(str(i), self.similarities[j], "different" if bad else "same")
            for i, (j, bad) in enumerate(zip(chosen, wrong, strict=True))
        ]


def world(slope: float, *, at: float, rate: float, n: int = 6_000, seed: int = 1) -> World:
    """P(right) = sigmoid(b0 + slope z), with b0 such that `rate` of the hits at threshold `at` are wrong."""
    s = 1.0 - 0.3 * np.random.default_rng(seed).beta(1.6, 1.2, n)
    z = 10.0 * (s - 0.85)
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        chances = 1.0 / (1.0 + np.exp(middle + slope * z))
        low, high = (middle, high) if chances[s >= at].mean() > rate else (low, middle)
    return World(s, chances)


def event(name: str, similarity: float, verdict: str | None, **more: object) -> Event:
    values: dict[str, object] = {"source": "operator", "certified": True, "drawn_from": FLOOR} | more
    return Event(id=name, similarity=float(similarity), verdict=verdict, **values)  # type: ignore[arg-type]
