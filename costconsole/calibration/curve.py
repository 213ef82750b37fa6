"""How often a hit would be wrong, over the threshold: a Bayesian curve through labels, and exact bounds.

P(right | s) = sigmoid(b0 + b1 z), z = 10 (s - 0.85), prior normal, posterior by Laplace's approximation. The
curve proposes and draws; what it says is never a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costconsole.calibration.bound import corrected_level, least_labels, lowers, uppers
from costconsole.calibration.events import FLOOR, Event

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

State = Literal["certified", "likely", "unknown", "refuted"]

GRID = tuple(round(FLOOR + 0.0025 * step, 4) for step in range(119))
"""The thresholds that are looked at: 0.7, 0.7025 ... 0.995."""

PRIOR_MEAN = (2.30, 1.27)
PRIOR_COVARIANCE = ((1.38, -0.06), (-0.06, 0.164))
"""What six different applications have in common: b0 from 0.9 to 4.0, b1 from 0.8 to 1.5."""

OPEN_SLOPE = 0.7
"""Variance of the slope where the labels have to show it themselves: other applications say little then."""

STEEP = 0.7
"""From this slope on, wrong answers pile up so fast below a bad threshold that luck has one chance only."""

_MANY, _MANY_PART = 8, 0.9
"""Where more than 8 wrong ones can be certified there are so many looks that luck has more than one chance in
a steep world, too: about a tenth."""

_DRAWS, _BINS, _SEED = 400, 300, 20_250
_LEAST_SLOPE = 0.01


@dataclass(frozen=True, slots=True)
class Posterior:
    """Mean and covariance of (b0, b1), and 400 draws of them.

    `slope_low` is a slope that the labels alone make plausible: theirs, less one deviation.
    """

    mean: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    draws: tuple[tuple[float, float], ...]
    labels: int
    slope_low: float


@dataclass(frozen=True, slots=True)
class Point:
    """What one threshold would have done on the log.

    `fhr` is the median share of wrong hits, `fhr_low` and `fhr_high` its 90 % band, None without log.
    `upper` and `lower` are Clopper-Pearson limits of `wrong` in `labels`; `bound` is the upper limit that
    also allows for the choice among thresholds: it decides about `certified`.
    """

    threshold: float
    hit_rate: float
    fhr: float | None
    fhr_low: float | None
    fhr_high: float | None
    upper: float
    lower: float
    bound: float
    labels: int
    wrong: int
    state: State
    hits: int


def fit(events: Sequence[Event]) -> Posterior:
    """The posterior from the labels among `events`, whoever gave them; the prior itself without any."""
    import numpy as np

    labelled = [event for event in events if event.verdict is not None and event.similarity >= FLOOR]
    return fit_arrays(
        np.array([event.similarity for event in labelled]), np.array([not event.wrong for event in labelled])
    )


def fit_arrays(similarities: Floats, same: NDArray[np.bool_]) -> Posterior:
    """`fit` for arrays of similarities and verdicts."""
    import numpy as np

    b, covariance = _laplace(similarities, same, PRIOR_COVARIANCE)
    draws = np.random.default_rng(_SEED).multivariate_normal(b, covariance, _DRAWS)
    draws[:, 1] = np.maximum(draws[:, 1], _LEAST_SLOPE)
    (b00, b01), _ = PRIOR_COVARIANCE
    doubted, spread = _laplace(similarities, same, ((b00, b01), (b01, OPEN_SLOPE)))
    c = covariance.tolist()
    return Posterior(
        (float(b[0]), float(b[1])),
        ((c[0][0], c[0][1]), (c[1][0], c[1][1])),
        tuple((float(b0), float(b1)) for b0, b1 in draws),
        len(similarities),
        float(doubted[1] - spread[1, 1] ** 0.5),
    )


def _laplace(
    similarities: Floats, same: NDArray[np.bool_], prior: tuple[tuple[float, float], tuple[float, float]]
) -> tuple[Floats, Floats]:
    """The mode of the posterior and its covariance there."""
    import numpy as np

    mean, precision = np.array(PRIOR_MEAN), np.linalg.inv(np.array(prior))
    x = np.column_stack([np.ones(len(similarities)), 10.0 * (similarities - 0.85)])
    y = same.astype(float)
    b = mean.copy()
    value = _loss(b, x, y, mean, precision)
    for _ in range(50):
        p = _sigmoid(x @ b)
        gradient = x.T @ (y - p) - precision @ (b - mean)
        curvature = (x * (p * (1.0 - p))[:, None]).T @ x + precision
        step = np.linalg.solve(curvature, gradient)
        # The loss is convex: half steps until it falls are enough for Newton to arrive from anywhere.
        while (after := _loss(b + step, x, y, mean, precision)) > value + 1e-12 and np.abs(step).max() > 1e-9:
            step = step / 2.0
        b, value = b + step, after
        if np.abs(step).max() < 1e-8:
            break
    p = _sigmoid(x @ b)
    covariance = np.asarray(np.linalg.inv((x * (p * (1.0 - p))[:, None]).T @ x + precision), np.float64)
    return b, covariance


def curve(
    posterior: Posterior,
    scores: Sequence[float] | Floats,
    events: Sequence[Event],
    grid: Sequence[float] = GRID,
    *,
    max_error: float = 0.02,
    confidence: float = 0.95,
) -> tuple[Point, ...]:
    """A point for every threshold of `grid` (ascending).

    `scores`: the similarity of every logged look-up (those below 0.70 count in the hit rate only; what could
    not be served at any threshold is -1). `events`: the labels that bounds rest on, see `evidence`.
    """
    import numpy as np

    steps = np.asarray(grid, dtype=float)
    logged = np.sort(np.asarray(scores, dtype=float))
    hits = len(logged) - np.searchsorted(logged, steps - 1e-9)
    high, middle, low = _shares(posterior, logged, steps, confidence)
    labels, wrong = tallies(events, steps)
    upper, lower = uppers(wrong, labels, confidence), lowers(wrong, labels, confidence)
    bound = uppers(wrong, labels, 1.0 - level_of(posterior, labels, max_error, confidence))
    points = []
    for i, threshold in enumerate(grid):
        seen = bool(hits[i])
        state: State = "unknown"
        if labels[i] and bound[i] <= max_error:
            state = "certified"
        elif lower[i] > max_error:
            state = "refuted"
        elif seen and high[i] <= max_error:
            state = "likely"
        points.append(
            Point(
                threshold=float(threshold),
                hit_rate=float(hits[i] / len(logged)) if len(logged) else 0.0,
                fhr=float(middle[i]) if seen else None,
                fhr_low=float(low[i]) if seen else None,
                fhr_high=float(high[i]) if seen else None,
                upper=float(upper[i]),
                lower=float(lower[i]),
                bound=float(bound[i]),
                labels=int(labels[i]),
                wrong=int(wrong[i]),
                state=state,
                hits=int(hits[i]),
            )
        )
    return tuple(points)


def level_of(
    posterior: Posterior, labels: Sequence[int] | NDArray[np.int64], max_error: float, confidence: float
) -> float:
    """The level of each look: 1 - confidence where wrong answers pile up below a bad threshold,
    that of the worst world (`corrected_level`) where similarity tells nothing, and between by slope."""
    level = 1.0 - confidence
    if len(least_labels(max((int(m) for m in labels), default=0), max_error, level)) > _MANY:
        level *= _MANY_PART
    share = min(1.0, max(0.0, posterior.slope_low / STEEP))
    if share >= 1.0:
        return level
    worst = corrected_level([int(m) for m in labels], max_error, confidence)
    return float(worst ** (1.0 - share) * level**share)


def tallies(events: Sequence[Event], steps: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels at or above each threshold, and the wrong ones of them.

    A label that was drawn from a higher similarity on says nothing about a threshold below that: there it
    would weigh more than its share.
    """
    import numpy as np

    labels, wrong = np.zeros(len(steps), dtype=np.int64), np.zeros(len(steps), dtype=np.int64)
    for origin in {event.drawn_from for event in events}:
        chosen = [event for event in events if event.drawn_from == origin]
        every = np.sort([event.similarity for event in chosen])
        bad = np.sort([event.similarity for event in chosen if event.wrong])
        reach = steps >= origin - 1e-9
        labels += np.where(reach, len(every) - np.searchsorted(every, steps - 1e-9), 0)
        wrong += np.where(reach, len(bad) - np.searchsorted(bad, steps - 1e-9), 0)
    return labels, wrong


def expected(posterior: Posterior, scores: Sequence[float] | Floats, grid: Sequence[float] = GRID) -> Floats:
    """The median share of wrong hits at each threshold of `grid`; 0 where nothing would be a hit."""
    import numpy as np

    return _shares(posterior, np.sort(np.asarray(scores, dtype=float)), np.asarray(grid), 0.95)[1]


def _shares(
    posterior: Posterior, logged: Floats, steps: Floats, confidence: float
) -> tuple[Floats, Floats, Floats]:
    """Share of wrong hits at each threshold: upper quantile, median, lower quantile over the draws."""
    import numpy as np

    share = shares_by_draw(posterior, logged, steps)
    high, middle, low = np.quantile(share, [confidence, 0.5, 1.0 - confidence], axis=0)
    return high, middle, low


def shares_by_draw(posterior: Posterior, logged: Floats, steps: Floats) -> Floats:
    """Share of wrong hits by draw and threshold; `logged` similarities are ascending."""
    import numpy as np

    edges = np.unique(np.concatenate([steps - 1e-9, np.linspace(float(steps[0]), 1.0, _BINS), [np.inf]]))
    index = np.searchsorted(logged, edges)
    counts = np.diff(index).astype(float)
    sums = np.concatenate([[0.0], np.cumsum(logged)])
    centers = np.where(counts > 0, (sums[index[1:]] - sums[index[:-1]]) / np.maximum(counts, 1.0), 1.0)
    draws = np.array(posterior.draws)
    wrong = 1.0 - _sigmoid(draws[:, :1] + draws[:, 1:] * 10.0 * (centers - 0.85))
    above = np.cumsum((wrong * counts)[:, ::-1], axis=1)[:, ::-1]
    total = np.maximum(np.cumsum(counts[::-1])[::-1], 1.0)
    at = np.searchsorted(edges, steps - 1e-9)
    share: Floats = (above / total)[:, at]
    return share


def _sigmoid(x: Floats) -> Floats:
    from scipy.special import expit

    found: Floats = expit(x)
    return found


def _loss(b: Floats, x: Floats, y: Floats, mean: Floats, precision: Floats) -> float:
    import numpy as np

    g = x @ b
    return float(np.logaddexp(0.0, g).sum() - y @ g + 0.5 * (b - mean) @ precision @ (b - mean))
