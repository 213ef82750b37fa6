"""Fitting the gain score, and measuring it on prompts that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from costconsole.routing.gain import PARTS, SURFACE, Gain, Point, Quality, neighbors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_RIDGE: Final = 30.0
_SHRINK: Final = 1_000.0
_FOLDS: Final = 5
_DRAWS: Final = 500
_SHARES: Final = tuple(step / 20 for step in range(21))
GOAL: Final = 80
"""Percent of the gap that the strong calls are to recover, where nobody says otherwise."""


def fit_gain(vectors: Any, features: Any, characters: Any, weak: Any, strong: Any, *, seed: int = 0) -> Gain:
    """Fit on n prompts: vectors (n, d), features (n, f), lengths in characters, outcomes from 0 to 1.

    The quality is cross-validated; the threshold is the one that recovers `GOAL` percent of the gap there.
    """
    import numpy as np

    vectors = np.asarray(vectors, dtype=np.float32)
    shown = np.hstack([np.asarray(features, float), np.log1p(np.asarray(characters, float))[:, None]])
    weak, strong = np.asarray(weak, float), np.asarray(strong, float)
    gains = strong - weak
    order = np.random.default_rng(seed).permutation(len(gains))
    unseen = np.zeros(len(gains))
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        kept = np.setdiff1d(order, held)
        if len(kept) >= 2 and len(held):
            fitted = _fit(vectors[kept], shown[kept], gains[kept])
            unseen[held] = _scores(fitted, vectors[kept], gains[kept], vectors[held], shown[held])
    quality = measure(unseen, weak, strong, seed=seed)
    share = quality.share_for.get(GOAL, 0.0)
    threshold = float(np.quantile(unseen, 1.0 - share)) if share > 0 else float("inf")
    parts = _fit(vectors, shown, gains)
    return Gain(
        vectors=vectors, gains=gains.astype(np.float32), **parts, threshold=threshold, quality=quality
    )


def measure(scored: Any, weak: Any, strong: Any, *, seed: int = 0) -> Quality:
    """The cost-quality curve of a score: calls of the highest scores go to the strong model.

    Performance gap recovered as in RouteLLM (Ong et al., 2024): (quality - weak) / (strong - weak).
    """
    import numpy as np

    scored, weak, strong = np.asarray(scored, float), np.asarray(weak, float), np.asarray(strong, float)
    gains, count = strong - weak, len(scored)
    means = {"weak": float(weak.mean()), "strong": float(strong.mean())}
    if gains.sum() <= 0:
        return Quality(count, means["weak"], means["strong"], None, None, None, {}, ())
    recovered = _recovered(scored, gains)
    at = np.round(np.array(_SHARES) * count).astype(int)
    draws, areas = [], []
    rng = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        drawn = rng.integers(0, count, count)
        if gains[drawn].sum() > 0:
            again = _recovered(scored[drawn], gains[drawn])
            draws.append(again[at])
            areas.append(_area(again))
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return Quality(
        labels=count,
        weak=means["weak"],
        strong=means["strong"],
        apgr=_area(recovered),
        low=float(np.quantile(areas, 0.025)),
        high=float(np.quantile(areas, 0.975)),
        share_for={goal: float(np.argmax(recovered >= goal / 100)) / count for goal in (50, 80)},
        curve=tuple(
            Point(share, float(recovered[place]), float(low[i]), float(high[i]))
            for i, (share, place) in enumerate(zip(_SHARES, at, strict=True))
        ),
    )


def _scores(fitted: dict[str, Any], known: Any, gains: Any, vectors: Any, shown: Any) -> Floats:
    """The scores of many prompts by fitted parts and known gains; what `Gain.score` does for one."""
    import numpy as np

    rows = np.hstack([vectors, _scaled(shown, fitted["surface"])])
    by_ridge = fitted["center"][0] + (rows - fitted["center"][1:]) @ fitted["ridge"]
    near = _by_neighbors(np.maximum(vectors @ known.T, 0.0), gains)
    stack = fitted["stack"]
    found: Floats = (np.column_stack([near, by_ridge, shown[:, -1]]) - stack[1]) / stack[2] @ stack[0]
    return found


def _fit(vectors: Any, shown: Any, gains: Any) -> dict[str, Any]:
    import numpy as np

    deviation = shown.std(axis=0)
    surface = np.stack([shown.mean(axis=0), np.where(deviation > 0, deviation, 1.0)])
    rows = np.hstack([vectors, _scaled(shown, surface)]).astype(float)
    center = np.concatenate([[gains.mean()], rows.mean(axis=0)])
    rows -= center[1:]
    inverse = np.linalg.inv(rows.T @ rows + _RIDGE * np.eye(rows.shape[1]))
    ridge = inverse @ (rows.T @ (gains - center[0]))
    # Leave-one-out by the hat matrix, and neighbours without oneself: what the estimates say of the unseen.
    leverage = np.einsum("ij,ij->i", rows @ inverse, rows) + 1 / len(gains)
    left_out = gains - (gains - center[0] - rows @ ridge) / np.maximum(1e-3, 1 - leverage)
    similarity = np.maximum(vectors @ vectors.T, 0.0)
    np.fill_diagonal(similarity, 0.0)
    parts = np.column_stack([_by_neighbors(similarity, gains), left_out, shown[:, -1]])
    mean, deviation = parts.mean(axis=0), parts.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    standard = (parts - mean) / deviation
    weights = np.linalg.solve(
        standard.T @ standard + _SHRINK * np.eye(PARTS), standard.T @ (gains - gains.mean())
    )
    weights = np.maximum(weights, 0.0)
    if not weights.any():
        weights = np.array([1.0, 0.0, 0.0])
    return {
        "ridge": ridge,
        "center": center,
        "surface": surface,
        "stack": np.stack([weights, mean, deviation]),
    }


def _by_neighbors(similarity: Any, gains: Any) -> Floats:
    import numpy as np

    count = min(neighbors(len(gains)), similarity.shape[1])
    near = np.argpartition(similarity, -count, axis=1)[:, -count:]
    values = np.take_along_axis(similarity, near, axis=1)
    found: Floats = (values * values * gains[near]).sum(axis=1)
    return found


def _scaled(shown: Any, surface: Any) -> Any:
    return SURFACE * (shown - surface[0]) / surface[1]


def _recovered(scored: Floats, gains: Floats) -> Floats:
    """The gap recovered after each further strong call, from none of them to all."""
    import numpy as np

    order = np.argsort(-scored, kind="stable")
    found: Floats = np.concatenate([[0.0], np.cumsum(gains[order])]) / gains.sum()
    return found


def _area(recovered: Floats) -> float:
    return float((recovered[:-1] + recovered[1:]).mean() / 2)
