"""What a vector set has of an element, and the vector that becomes the same when it is added anew.

A set keeps numbers of norm 1 and their norm apart. As 8-bit integers they are multiples of a 127th of the
largest one, so that what they stand for has a slightly other norm than 1: added as it is, it would be divided
by that, and all its similarities would differ (by up to 0.1 % with 384 numbers).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Literal

from costconsole.cache.layouts.values import number
from costconsole.redis_store.replies import text

_STEPS = 127
_WORD = 8
"""Bytes in which the server keeps the signs of 64 numbers."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """The reply to `VEMB ... RAW`. `words` is how VADD calls the quantization; `largest` is of Q8 alone."""

    words: Literal["Q8", "NOQUANT", "BIN"]
    numbers: tuple[float, ...]
    """Floats of norm 1, integers from -127 to 127, or signs."""
    norm: float
    largest: float


def quantized(reply: Any, dims: int) -> Quantized | None:
    """An element from its raw form; None: there is none, or its form is another. `dims` is for BIN."""
    if not isinstance(reply, list) or len(reply) < 3 or not isinstance(reply[1], bytes):
        return None
    kind, stored, norm = text(reply[0]), reply[1], number(reply[2])
    if norm is None or norm < 0:
        return None
    if kind == "int8":
        largest = number(reply[3]) if len(reply) > 3 else None
        if largest is None:
            return None
        return Quantized("Q8", struct.unpack(f"{len(stored)}b", stored), norm, largest)
    if kind == "f32" and len(stored) % 4 == 0:
        return Quantized("NOQUANT", struct.unpack(f"<{len(stored) // 4}f", stored), norm, 0.0)
    if kind == "bin" and 0 < dims <= len(stored) * _WORD:
        signs = (1.0 if stored[at // 8] >> at % 8 & 1 else -1.0 for at in range(dims))
        return Quantized("BIN", tuple(signs), norm, 0.0)
    return None


def unquantized(stored: Quantized) -> bytes:
    """The float32 vector that the server quantizes to `stored`, but for the last bit of norm and largest.

    Its largest numbers are as they were; the others are stretched within their step, so that the norm is 1.
    """
    scale = stored.norm / math.sqrt(len(stored.numbers)) if stored.words == "BIN" else stored.norm
    numbers = stored.numbers
    if stored.words == "Q8":
        step = stored.largest / _STEPS
        top = sum((step * one) ** 2 for one in numbers if abs(one) == _STEPS)
        rest = sum((step * one) ** 2 for one in numbers if abs(one) != _STEPS)
        stretch = math.sqrt((1.0 - top) / rest) if rest > 0 and top < 1 else 1.0
        numbers = tuple(step * one * (1.0 if abs(one) == _STEPS else stretch) for one in numbers)
    return struct.pack(f"<{len(numbers)}f", *(scale * one for one in numbers))
