"""Vectors between their plain form (little-endian float32 bytes) and what an index stores."""

from __future__ import annotations

import struct
from itertools import chain


def to_stored(vector: bytes, datatype: str) -> bytes:
    """A float32 vector as FLOAT32, FLOAT64, FLOAT16 or BFLOAT16. Raises ValueError for another type."""
    if datatype == "FLOAT32":
        return vector
    count = len(vector) // 4
    if datatype == "BFLOAT16":
        bits = struct.unpack(f"<{count}I", vector)
        # The upper half of each float32, rounded to the nearest, ties to even.
        return struct.pack(f"<{count}H", *((b + 0x7FFF + (b >> 16 & 1)) >> 16 & 0xFFFF for b in bits))
    return struct.pack(f"<{count}{_code(datatype)}", *struct.unpack(f"<{count}f", vector))


def from_stored(stored: bytes, datatype: str) -> bytes:
    """The inverse of `to_stored`, as exact as the type is. Raises ValueError for another type."""
    if datatype == "FLOAT32":
        return stored
    if datatype == "BFLOAT16":
        halves = struct.unpack(f"<{len(stored) // 2}H", stored)
        return struct.pack(f"<{len(halves) * 2}H", *chain.from_iterable((0, half) for half in halves))
    code = _code(datatype)
    numbers = struct.unpack(f"<{len(stored) // struct.calcsize(code)}{code}", stored)
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _code(datatype: str) -> str:
    codes = {"FLOAT64": "d", "FLOAT16": "e"}
    if datatype not in codes:
        raise ValueError(f"vectors of type {datatype} are not known")
    return codes[datatype]
