"""How much better the strong model's answer will be, from outcomes of prompts like this one.

The score puts three estimates of the gain (strong right - weak right) together: the gains of the nearest
prompts, each times its squared similarity; a ridge regression on vector and surface; and the prompt's length.
Their weights are learnt on prompts that each estimate has not seen, and never negative. Calls of the highest
scores go to the strong model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from costconsole.routing.surface import FEATURES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RECIPE: Final = f"1:{len(FEATURES)}"
ENOUGH: Final = 100
"""Labels below which a gain score is no better than chance."""
NEAR: Final = 0.3
"""Mean similarity of the nearest prompts from which outcomes say something about a prompt."""
SURFACE: Final = 0.05
_NEAREST: Final = 10
PARTS: Final = 3


def neighbors(labels: int) -> int:
    """How many of the nearest prompts count."""
    return min(labels, 100, max(10, labels // 5))


@dataclass(frozen=True, slots=True)
class Point:
    """Of the calls a `share` goes to the strong model: so much of the gap between the models is recovered.

    `low` to `high` holds 95 % of the bootstrap's draws.
    """

    share: float
    recovered: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a score is, on prompts that it has not seen.

    `apgr`: the area under the curve, 0.5 for a coin, with its 95 % band; None where the strong model was no
    better, so that there is no gap. `weak` and `strong`: each model's share of good answers. `share_for`:
    the least share of strong calls that recovers 50 % and 80 % of the gap.
    """

    labels: int
    weak: float
    strong: float
    apgr: float | None
    low: float | None
    high: float | None
    share_for: Mapping[int, float]
    curve: tuple[Point, ...]

    @property
    def informative(self) -> bool:
        """Whether it may decide: enough labels, and surely better than chance."""
        return self.labels >= ENOUGH and self.low is not None and self.low > 0.5

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.apgr is None or self.low is None or self.high is None:
            return (
                f"on {self.labels:,} outcomes the strong model was no better than the cheap one "
                f"({self.strong:.0%} and {self.weak:.0%} good answers): there is nothing to gain by it"
            )
        found = f"APGR {self.apgr:.2f} [{self.low:.2f}, {self.high:.2f}] on {self.labels:,} outcomes"
        if self.labels < ENOUGH:
            return f"not better than random yet: {found}, and {ENOUGH} are the least"
        if not self.informative:
            return f"not better than random yet: {found} (0.50 is a coin)"
        return (
            f"{found} (0.50 is a coin): {self.share_for[50]:.0%} strong calls recover half of the gap, "
            f"{self.share_for[80]:.0%} recover 80%"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Gain:
    """A fitted score. `threshold`: from it on a call goes to the strong model."""

    vectors: NDArray[np.float32]
    gains: NDArray[np.float32]
    ridge: Floats
    center: Floats
    """Mean of the gains, then the ridge's column means."""
    surface: Floats
    """Means and deviations of features and length: two rows."""
    stack: Floats
    """Weight, mean and deviation of each estimate: three rows."""
    threshold: float
    quality: Quality

    def score(self, vector: Any, features: Sequence[float], characters: int) -> tuple[float, float]:
        """The score of one prompt, and the mean similarity of the nearest prompts with an outcome."""
        import numpy as np

        row = np.asarray(vector, dtype=np.float32)
        similarity = np.maximum(self.vectors @ row, 0.0)
        count = neighbors(len(similarity))
        near = np.argpartition(similarity, -count)[-count:] if count < len(similarity) else slice(None)
        values = similarity[near]
        by_neighbors = float(values * values @ self.gains[near])
        closest = float(np.sort(values)[-_NEAREST:].mean())
        shown = np.append(np.asarray(features), math.log1p(characters))
        shown = SURFACE * (shown - self.surface[0]) / self.surface[1]
        by_ridge = self.center[0] + float((np.concatenate([row, shown]) - self.center[1:]) @ self.ridge)
        parts = np.array([by_neighbors, by_ridge, math.log1p(characters)])
        return float((parts - self.stack[1]) / self.stack[2] @ self.stack[0]), closest

    def stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What goes into a file."""
        from dataclasses import asdict

        quality = asdict(self.quality)
        quality["share_for"] = {str(goal): share for goal, share in self.quality.share_for.items()}
        note = {"recipe": RECIPE, "threshold": self.threshold, "quality": quality}
        names = ("vectors", "gains", "ridge", "center", "surface", "stack")
        return note, {name: getattr(self, name) for name in names}

    @classmethod
    def from_stored(cls, note: Mapping[str, Any], arrays: Mapping[str, Any], dims: int) -> Gain | None:
        """The score of a file; None if it is of another recipe or of vectors of other lengths."""
        wide = dims + len(FEATURES) + 1
        shapes = {
            "ridge": (wide,),
            "center": (wide + 1,),
            "surface": (2, len(FEATURES) + 1),
            "stack": (3, PARTS),
        }
        vectors, gains = arrays.get("vectors"), arrays.get("gains")
        if note.get("recipe") != RECIPE or vectors is None or gains is None:
            return None
        if vectors.shape != (len(gains), dims) or any(
            name not in arrays or arrays[name].shape != shape for name, shape in shapes.items()
        ):
            return None
        try:
            quality = dict(note["quality"])
            quality["curve"] = tuple(Point(**point) for point in quality["curve"])
            quality["share_for"] = {int(goal): share for goal, share in quality["share_for"].items()}
            return cls(
                vectors=vectors,
                gains=gains,
                **{name: arrays[name] for name in shapes},
                threshold=float(note["threshold"]),
                quality=Quality(**quality),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
