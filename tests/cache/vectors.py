"""Small vectors with known angles, so that a test says which similarity it means."""

from __future__ import annotations

import math
import struct

DIMS = 8


def unit(*numbers: float) -> bytes:
    """Those numbers, zeros after them, L2-normalized, as little-endian float32."""
    padded = [*numbers, *[0.0] * (DIMS - len(numbers))]
    length = math.sqrt(sum(x * x for x in padded)) or 1.0
    return struct.pack(f"<{DIMS}f", *(x / length for x in padded))


def at_similarity(similarity: float, axis: int = 1) -> bytes:
    """A unit vector whose cosine to `unit(1)` is `similarity`."""
    numbers = [0.0] * DIMS
    numbers[0], numbers[axis] = similarity, math.sqrt(max(0.0, 1.0 - similarity * similarity))
    return struct.pack(f"<{DIMS}f", *numbers)
