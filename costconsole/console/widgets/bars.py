"""Horizontal bars in cells, for every character set."""

from __future__ import annotations

from typing import Literal

Charset = Literal["braille", "block", "ascii"]
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float | None, width: int, charset: Charset = "braille") -> str:
    """A bar of `share` (0..1) of `width` cells, padded to it. What is not zero is never drawn as nothing."""
    if width <= 0 or share is None or share <= 0:
        return " " * max(0, width)
    if charset == "ascii":
        return ("#" * max(1, round(min(1.0, share) * width))).ljust(width)
    eighths = max(1, round(min(1.0, share) * width * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def floating(start: float, end: float, width: int, charset: Charset = "braille") -> str:
    """A bar from `start` to `end` (0..1, either order) in `width` cells, by half cells, one at least."""
    if width <= 0:
        return ""
    low, high = sorted((min(1.0, max(0.0, start)), min(1.0, max(0.0, end))))
    if low == high and start == end:
        return " " * width
    first, last = round(low * width * 2), round(high * width * 2)
    if first == last:
        first, last = (first - 1, last) if first >= width * 2 else (first, last + 1)
    if charset == "ascii":
        left, right = first // 2, -(-last // 2)
        return (" " * left + "#" * (right - left)).ljust(width)
    halves = ["".join("1" if first <= 2 * x + side < last else "0" for side in (0, 1)) for x in range(width)]
    return "".join({"00": " ", "10": "▌", "01": "▐", "11": "█"}[pair] for pair in halves)


def parts(first: float, second: float, width: int, charset: Charset = "braille") -> tuple[str, str]:
    """Two bars end to end (shares of `width`, 0..1 together). The second is padded and looks lighter."""
    if width <= 0:
        return "", ""
    full, light = ("#", ":") if charset == "ascii" else ("█", "░")
    left = 0 if first <= 0 else max(1, round(min(1.0, first) * width))
    both = max(left, round(min(1.0, max(0.0, first) + max(0.0, second)) * width))
    if second > 0 and both == left and left < width:
        both = left + 1
    return full * left, (light * (both - left)).ljust(width - left)
