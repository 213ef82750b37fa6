"""What a cache holds, whichever library wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from costconsole.domain.call import Usage

CacheKind = Literal["semantic", "exact", "embeddings", "router"]


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """One cache found in this Redis. None means: can't be known from outside."""

    name: str
    library: str
    """`costconsole`, `redisvl`, `langchain`, `litellm`, ..."""
    kind: CacheKind
    prefix: str
    """Every key of an entry starts with this; separators included."""
    entries: int | None = None
    index: str | None = None
    dims: int | None = None
    metric: str | None = None
    datatype: str | None = None
    """How the index stores a number of a vector: FLOAT32, FLOAT16, BFLOAT16, FLOAT64."""
    algorithm: str | None = None
    memory_bytes: int | None = None
    writable: bool = False
    threshold: float | None = None
    """Cosine similarity from which the writer serves an entry, where it is kept in Redis."""
    layout: str = ""
    """Name of the layout that reads it, where its library has several."""
    problem: str = ""
    """One sentence when this cache can't be searched or read as it should."""
    details: tuple[tuple[str, str], ...] = ()
    """What else its layout needs to read it, by name."""

    @property
    def has_vectors(self) -> bool:
        """Whether it can be searched by meaning: by an index, a vector set, or each vector."""
        return self.kind != "exact"

    def detail(self, name: str) -> str:
        """One of the details, or ""."""
        return next((value for known, value in self.details if known == name), "")


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cached answer. `similarity` is to the query that found it; times are Unix milliseconds."""

    key: str
    cache: str
    library: str
    prompt: str | None = None
    response: str | None = None
    model: str = ""
    created_ms: int | None = None
    ttl_ms: int | None = None
    """Milliseconds until it expires; None: never expires."""
    hits: int | None = None
    last_hit_ms: int | None = None
    similarity: float | None = None
    text_similarity: float | None = None
    """That of the bare texts, where the writer compares more than them, such as an envelope of messages."""
    scope: str = ""
    route: str = ""
    tag: str = ""
    usage: Usage | None = None
    cost_nano: int | None = None
    """What the answer cost when it was made, in nano-dollars, where its writer stored that."""
    size_bytes: int | None = None
    idle_ms: int | None = None
    """Milliseconds in which no client used its key, where the server keeps count of that."""
    embedded: str | None = field(default=None, compare=False, repr=False)
    """The text whose vector is stored, where the prompt as it is shown isn't all of it."""
    fields: tuple[tuple[str, str], ...] = ()
    """Every stored field but the vector, as text, in the order of storing."""
    fingerprint: str = field(default="", compare=False, repr=False)
    """Of what a list reads of it: whether it has changed since."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A cached prompt near a vector. `similarity` is the cosine: 1 = the same direction."""

    key: str
    similarity: float
    prompt: str | None = None
    model: str = ""
    scope: str = ""
