"""What the step keys lead to: the next window, the next refresh interval."""

from __future__ import annotations

from costconsole.domain.window import WINDOWS, Window

INTERVALS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


def next_window(now: Window, step: int) -> Window | None:
    """The next longer (`step` 1) or shorter (-1) of the usual windows; None at the end of them."""
    if step > 0:
        return next((w for w in WINDOWS if w.seconds > now.seconds), None)
    return next((w for w in reversed(WINDOWS) if w.seconds < now.seconds), None)


def slower(interval_s: float) -> float:
    """The next longer refresh interval in seconds; the longest stays."""
    return next((s for s in INTERVALS_S if s > interval_s), INTERVALS_S[-1])


def faster(interval_s: float) -> float:
    """The next shorter refresh interval in seconds; the shortest stays."""
    return next((s for s in reversed(INTERVALS_S) if s < interval_s), INTERVALS_S[0])
