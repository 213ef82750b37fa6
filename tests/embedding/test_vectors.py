"""The arithmetic on vectors, and the error for vectors of the wrong length."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedding, cosine, floats, pack_normalized, require_dims
from costconsole.embedding.factory import make_embedder
from costconsole.embedding.http import HttpEmbedder
from costconsole.embedding.local import LocalEmbedder

numbers = st.lists(
    st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3), min_size=2, max_size=50
)


class Fixed:
    """An embedder of known dimensions."""

    name = "all-MiniLM-L6-v2"
    status = "ready"

    def __init__(self, dims: int | None) -> None:
        self.dims = dims

    def embed(self, texts: object) -> list[Embedding]:
        raise NotImplementedError

    async def aembed(self, texts: object) -> list[Embedding]:
        raise NotImplementedError

    def start(self) -> None: ...

    def close(self) -> None: ...


@given(numbers.filter(any))
def test_packed_vectors_have_length_one_and_keep_their_direction(values: list[float]) -> None:
    packed = pack_normalized(values)
    assert len(packed) == 4 * len(values)
    assert sum(x * x for x in floats(packed)) == pytest.approx(1.0, abs=1e-5)
    assert cosine(packed, struct.pack(f"<{len(values)}f", *values)) == pytest.approx(1.0, abs=1e-5)


def test_vectors_are_little_endian_float32() -> None:
    assert pack_normalized([3.0, 4.0]) == struct.pack("<2f", 0.6, 0.8)


def test_cosine_of_known_vectors() -> None:
    east, north, west = (struct.pack("<2f", *v) for v in ((2, 0), (0, 5), (-1, 0)))
    assert cosine(east, east) == 1.0
    assert cosine(east, north) == 0.0
    assert cosine(east, west) == -1.0
    assert cosine(east, bytes(8)) == 0.0


def test_vectors_of_different_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="2 and 3 dimensions"):
        cosine(bytes(8), bytes(12))


def test_other_dimensions_are_an_error_that_names_index_model_and_setting() -> None:
    with pytest.raises(Problem) as caught:
        require_dims(Fixed(384), 768, "index costconsole:{default}:semantic")
    message = str(caught.value)
    assert "index costconsole:{default}:semantic holds 768-dimensional" in message
    assert "all-MiniLM-L6-v2 makes 384" in message
    assert "model = " in message


def test_equal_or_unknown_dimensions_pass() -> None:
    require_dims(Fixed(384), 384, "index a")
    require_dims(Fixed(None), 768, "index a")


def test_a_url_makes_an_http_embedder_and_a_name_a_local_one() -> None:
    assert isinstance(make_embedder("m", base_url="http://localhost:1/v1"), HttpEmbedder)
    local = make_embedder()
    assert isinstance(local, LocalEmbedder)
    assert (local.name, local.status, local.dims) == ("all-MiniLM-L6-v2", "off", None)
