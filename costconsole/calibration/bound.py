"""Exact bounds on a share of wrong answers.

One threshold: Clopper-Pearson (Biometrika 26, 1934). Choosing the loosest of many thresholds gives luck many
chances; `corrected_level` allows for that: it is the level for each look at which the chance to be wrong
anywhere stays what was promised. Thresholds share labels, so that costs little (group-sequential boundaries,
Pocock, Biometrika 64, 1977).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_WRONG = 5_000


def upper(wrong: int, labels: int, confidence: float) -> float:
    """One-sided Clopper-Pearson upper limit of the share of wrong ones; 1 without labels."""
    return float(uppers([wrong], [labels], confidence)[0])


def lower(wrong: int, labels: int, confidence: float) -> float:
    """One-sided Clopper-Pearson lower limit; 0 without labels."""
    return float(lowers([wrong], [labels], confidence)[0])


def uppers(wrong: Any, labels: Any, confidence: float) -> Floats:
    """`upper` for arrays: BetaInv(confidence; k + 1, m - k)."""
    import numpy as np
    from scipy.special import betaincinv

    k, m = np.asarray(wrong, dtype=float), np.asarray(labels, dtype=float)
    open_end = k >= m
    found = betaincinv(k + 1.0, np.where(open_end, 1.0, m - k), confidence)
    limits: Floats = np.where(open_end, 1.0, found)
    return limits


def lowers(wrong: Any, labels: Any, confidence: float) -> Floats:
    """`lower` for arrays: BetaInv(1 - confidence; k, m - k + 1)."""
    import numpy as np
    from scipy.special import betaincinv

    k, m = np.asarray(wrong, dtype=float), np.asarray(labels, dtype=float)
    none = k <= 0
    found = betaincinv(np.where(none, 1.0, k), m - k + 1.0, 1.0 - confidence)
    limits: Floats = np.where(none, 0.0, found)
    return limits


def labels_needed(max_error: float, confidence: float, rate: float = 0.0) -> int | None:
    """The smallest number of labels that would certify `max_error` if a share `rate` of them is wrong
    (rounded up to whole labels); None when that can't be, or not with 5,000 wrong ones."""
    if not 0 < max_error < 1 or rate >= max_error:
        return None
    wrong = 0
    while wrong <= _MOST_WRONG:
        least = fewest(wrong, max_error, 1.0 - confidence)
        # ceil(m * rate) == wrong for m in (wrong - 1, wrong] / rate
        first = least if not wrong else max(least, math.floor((wrong - 1) / rate + 1e-9) + 1)
        if rate < 1e-6 or first <= wrong / rate + 1e-9:
            return first
        wrong = max(wrong + 1, math.ceil(least * rate - 1e-9))
    return None


@lru_cache(maxsize=65_536)
def fewest(wrong: int, max_error: float, level: float) -> int:
    """The smallest m with P(Binomial(m, max_error) <= wrong) <= level."""
    from scipy.special import bdtr

    low, high = wrong, max(wrong + 1, 16)
    while bdtr(wrong, high, max_error) > level:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if bdtr(wrong, middle, max_error) > level:
            low = middle
        else:
            high = middle
    return high


def corrected_level(looks: Sequence[int], max_error: float, confidence: float) -> float:
    """The level of each look so that all of them together err with at most 1 - confidence.

    `looks`: how many labels each candidate threshold has; the sets are nested. A look certifies when
    P(Binomial(m, max_error) <= wrong) <= level. The chance is that of a walk in which every label is wrong
    with `max_error`, whatever its similarity: no world whose wrong answers don't get rarer below a bad
    threshold does worse.
    """
    level = 1.0 - confidence
    able = sorted({m for m in looks if m >= fewest(0, max_error, level)})
    if len(able) < 2:
        return level
    # Looks at every label count are no fewer than these, and their level is known once for many of them.
    most = able[-1] + -able[-1] % max(1, able[-1] // 50)
    if len(able) > len(least_labels(most, max_error, level)):
        return _level_of_all(most, max_error, level)
    return _level(tuple(able), max_error, level)


def least_labels(most: int, max_error: float, level: float) -> tuple[int, ...]:
    """The label counts, up to `most`, from which 0, 1, 2 ... wrong ones are certified."""
    found: list[int] = []
    while (least := fewest(len(found), max_error, level)) <= most:
        found.append(least)
    return tuple(found)


@lru_cache(maxsize=512)
def _level(looks: tuple[int, ...], max_error: float, level: float) -> float:
    return _search(lambda each: crossing(looks, max_error, each), level, len(looks))


@lru_cache(maxsize=4_096)
def _level_of_all(most: int, max_error: float, level: float) -> float:
    def chance(each: float) -> float:
        looks = least_labels(most, max_error, each)
        # A walk is certified where its wrong ones reach their fewest labels, or never.
        return crossing(looks, max_error, each) if looks else 0.0

    return _search(chance, level, len(least_labels(most, max_error, level)))


def _search(chance: Callable[[float], float], level: float, looks: int) -> float:
    """The highest level of each look for which the chance of all is `level` at most."""
    if chance(level) <= level:
        return level
    low, high = level / looks, level
    for _ in range(9):
        middle = (low * high) ** 0.5
        if chance(middle) <= level:
            low = middle
        else:
            high = middle
    return low


def crossing(looks: Sequence[int], max_error: float, level: float) -> float:
    """The chance that a walk of labels, each wrong with `max_error`, is certified at any of `looks`
    (ascending label counts) at `level` each."""
    import numpy as np
    from scipy.special import bdtr

    crossed, before = 0.0, 0
    # P(not certified yet, so many wrong); what is beyond every limit never comes back below it.
    most = int(looks[-1] * max_error) + 2
    alive = np.zeros(most + 1)
    alive[0] = 1.0
    counts = np.arange(most + 1)
    for m in looks:
        step = _chances(counts[: min(most, m - before) + 1], m - before, max_error)
        alive = _sum_of(alive, step)[: most + 1]
        certified = bdtr(counts[: m + 1].astype(float), m, max_error) <= level
        crossed += float(alive[: m + 1][certified].sum())
        alive[: m + 1][certified] = 0.0
        before = m
    return crossed


def _chances(wrong: NDArray[np.int64], labels: int, rate: float) -> Floats:
    """P(Binomial(labels, rate) = wrong)."""
    import numpy as np
    from scipy.special import gammaln

    others = labels - wrong
    ways = gammaln(labels + 1.0) - gammaln(wrong + 1.0) - gammaln(others + 1.0)
    found: Floats = np.exp(ways + wrong * np.log(rate) + others * np.log1p(-rate))
    return found


def _sum_of(one: Floats, other: Floats) -> Floats:
    """The distribution of a sum: the convolution, by Fourier's way where that is quicker."""
    import numpy as np

    if len(other) < 500:
        return np.convolve(one, other)
    size = len(one) + len(other) - 1
    length = 1 << size.bit_length()
    found: Floats = np.fft.irfft(np.fft.rfft(one, length) * np.fft.rfft(other, length), length)[:size]
    return np.maximum(found, 0.0)
