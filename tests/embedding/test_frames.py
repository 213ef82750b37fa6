"""The frames between an embedder and its worker."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from costconsole.embedding.embedder import Embedding
from costconsole.embedding.frames import (
    EMBED,
    VECTORS,
    FrameReader,
    frame,
    pack_embeddings,
    pack_texts,
    unpack_embeddings,
    unpack_texts,
    write_all,
)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), max_size=20))
def test_texts_arrive_as_they_were_sent(texts: list[str]) -> None:
    assert unpack_texts(pack_texts(texts)) == texts


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert unpack_texts(pack_texts(["a\ud800b", "\udfff"])) == ["a?b", "?"]


@given(
    st.integers(1, 8).flatmap(
        lambda dims: st.lists(
            st.builds(
                Embedding,
                st.binary(min_size=4 * dims, max_size=4 * dims),
                st.integers(0, 2**32 - 1),
                st.booleans(),
            ),
            max_size=20,
        )
    )
)
def test_embeddings_arrive_as_they_were_sent(embeddings: list[Embedding]) -> None:
    assert unpack_embeddings(pack_embeddings(embeddings)) == embeddings


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(max_size=300)), min_size=1), st.data())
def test_frames_are_found_again_however_the_pipe_cuts_them(
    messages: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(frame(VECTORS, request, payload) for request, payload in messages)
    cut = data.draw(st.integers(0, len(stream)))
    source, sink = os.pipe()
    reader = FrameReader(source)
    found = []
    try:
        for part in (stream[:cut], stream[cut:] + frame(EMBED, 7, b"last")):
            if part:
                write_all(sink, part)
                found += reader.read() or []
        os.close(sink)
        assert reader.read() is None
        assert found == [*((VECTORS, *message) for message in messages), (EMBED, 7, b"last")]
    finally:
        os.close(source)
