"""How fast a provider's models answer: time to the first token and tokens a second, log-normal."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Median seconds to the first token, median tokens a second, and the spread (sigma of the logarithm)."""

    first_s: float
    tokens_per_s: float
    sigma: float = 0.35

    def draw(self, rng: random.Random) -> tuple[float, float]:
        """Seconds to the first token and tokens a second of one answer."""
        first_s = self.first_s * math.exp(self.sigma * rng.gauss(0, 1))
        return first_s, self.tokens_per_s * math.exp(-self.sigma / 2 * rng.gauss(0, 1))


# Of the order that public latency boards show for these families; the demo needs likely, not exact.
_PACES: tuple[tuple[str, Pace], ...] = (
    ("gpt-4o-mini", Pace(0.45, 85)),
    ("gpt-4o", Pace(0.55, 75)),
    ("gpt-4.1-nano", Pace(0.35, 130)),
    ("gpt-4.1-mini", Pace(0.45, 80)),
    ("gpt-5", Pace(1.6, 70, 0.5)),
    ("o3", Pace(2.5, 90, 0.5)),
    ("o4", Pace(2.0, 110, 0.5)),
    ("claude-3-haiku", Pace(0.45, 120)),
    ("claude-3-5-haiku", Pace(0.6, 65)),
    ("claude-3-5-sonnet", Pace(0.8, 65)),
    ("claude-opus", Pace(1.4, 45, 0.45)),
    ("claude", Pace(0.8, 65)),
    ("llama", Pace(0.2, 300)),
)
_OTHER = Pace(0.6, 70)


def pace_of(model: str) -> Pace:
    """The pace of a model by its name's beginning."""
    return next((pace for prefix, pace in _PACES if model.startswith(prefix)), _OTHER)
