"""How many entries one step may take, so that no other client of the server waits for long."""

from __future__ import annotations

_TARGET_S = 0.008
_FIRST = 8
_MOST = 256
_GROWTH = 4


class Pace:
    """Grows and shrinks the slices by what the last one cost the server.

    Removing from an HNSW graph or adding to it costs a thousand times what it costs without an index, and
    only the server knows which indexes cover a key.
    """

    def __init__(self) -> None:
        self.size = _FIRST

    def took(self, entries: int, seconds: float) -> None:
        """A slice of so many entries kept the server busy for so long."""
        wanted = int(_TARGET_S * entries / max(seconds, 1e-6))
        self.size = max(1, min(wanted, self.size * _GROWTH, _MOST))
