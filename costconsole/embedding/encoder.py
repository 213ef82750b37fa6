"""What runs a model inside the worker process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# Beyond this many characters (about 40,000 word pieces) the count is extrapolated: it costs a second
# a megabyte, and the model reads only the first few hundred pieces anyway.
MAX_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class Measured:
    """A tokenized text: `length` word pieces reach the model, `tokens` it has in all."""

    length: int
    tokens: int
    content: Any


class Encoder(Protocol):
    dims: int
    max_seq_length: int
    backend: str

    def measure(self, texts: Sequence[str]) -> list[Measured]:
        """Tokenize."""
        ...

    def vectors(self, batch: Sequence[Measured]) -> list[bytes]:
        """One little-endian float32 vector a text, L2-normalized."""
        ...


def extrapolated(tokens: int, text: str) -> int:
    """The word pieces of `text`, of whose first MAX_CHARACTERS characters there are `tokens`."""
    return tokens if len(text) <= MAX_CHARACTERS else tokens * len(text) // MAX_CHARACTERS
