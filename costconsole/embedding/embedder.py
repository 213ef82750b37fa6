"""What every embedder offers, and the little arithmetic that is done on vectors."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from sys import byteorder
from typing import Protocol

from costconsole.domain.errors import Problem

DEFAULT_MODEL = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Embedding:
    """One text's vector.

    `vector` is little-endian float32, L2-normalized. `tokens` counts the text's word pieces as the
    model would read them untruncated, special tokens included; `truncated` says that the model saw
    only the beginning of them.
    """

    vector: bytes
    tokens: int
    truncated: bool

    @property
    def dims(self) -> int:
        return len(self.vector) // 4


class Embedder(Protocol):
    """Embeds texts, from any thread and from any event loop. Failures are `Problem`s."""

    @property
    def name(self) -> str:
        """The model's name, as it is shown and stored."""
        ...

    @property
    def dims(self) -> int | None:
        """Length of the vectors; None until the model has started or answered once."""
        ...

    @property
    def status(self) -> str:
        """ "off", "starting", "ready", "failed: <sentence>", or a sentence on what it is doing."""
        ...

    def embed(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed and wait; one answer a text, in their order."""
        ...

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        """The same without blocking the event loop; cancelling it withdraws the request."""
        ...

    def start(self) -> None:
        """Begin to load in the background; returns at once."""
        ...

    def close(self) -> None:
        """Give back the process or the connections."""
        ...


def floats(vector: bytes) -> array[float]:
    """A little-endian float32 vector as numbers."""
    values = array("f")
    values.frombytes(vector)
    if byteorder == "big":
        values.byteswap()
    return values


def pack_normalized(values: Sequence[float]) -> bytes:
    """Numbers as a little-endian float32 vector of length 1; a zero vector stays zero."""
    norm = math.sqrt(math.fsum(value * value for value in values))
    scaled = array("f", (value / norm for value in values) if norm else values)
    if byteorder == "big":
        scaled.byteswap()
    return scaled.tobytes()


def cosine(a: bytes, b: bytes) -> float:
    """Cosine similarity of two float32 vectors, in -1..1; 0.0 if one of them is zero.

    For a handful of pairs: searching is the server's work.
    """
    return cosine_of(floats(a), floats(b))


def cosine_of(x: Sequence[float], y: Sequence[float]) -> float:
    """Cosine similarity of two sequences of numbers of equal length."""
    if len(x) != len(y):
        raise ValueError(f"vectors of {len(x)} and {len(y)} dimensions can't be compared")
    dot = math.fsum(p * q for p, q in zip(x, y, strict=True))
    norms = math.sqrt(math.fsum(p * p for p in x) * math.fsum(q * q for q in y))
    return max(-1.0, min(1.0, dot / norms)) if norms else 0.0


def require_dims(embedder: Embedder, dims: int, what: str) -> None:
    """Raise a `Problem` if the embedder is known to make vectors of another length than `dims`.

    `what` names the holder of the vectors, such as "index costconsole:{default}:semantic".
    """
    made = embedder.dims
    if made is not None and made != dims:
        raise Problem(
            f"{what} holds {dims}-dimensional vectors, but the model {embedder.name} makes {made}: "
            f"set model = ... in the config to the model that wrote it."
        )
