"""The language between an embedder and its worker process: length-prefixed binary frames.

A frame is a 13-byte head (payload length u32, request id u64, kind u8; little-endian) and a payload:

* EMBED (to the worker): count u32, one u32 length a text, then the texts in UTF-8.
* CANCEL (to the worker): empty; the request's answer is no longer wanted.
* STATUS (from the worker): a JSON object, at least {"state": ...}.
* VECTORS (from the worker): count u32, dims u32, then (tokens u32, truncated u8) a text, then the vectors.
* ERROR (from the worker): a sentence in UTF-8.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from costconsole.embedding.embedder import Embedding

EMBED, CANCEL = 1, 2
STATUS, VECTORS, ERROR = 16, 17, 18

HEAD = struct.Struct("<IQB")
_COUNT = struct.Struct("<I")
_SHAPE = struct.Struct("<II")
_FACTS = struct.Struct("<IB")
_READ_BYTES = 1 << 18


def frame(kind: int, request: int, payload: bytes = b"") -> bytes:
    return HEAD.pack(len(payload), request, kind) + payload


class FrameReader:
    """Takes frames out of a pipe.

    It reads the descriptor itself: a buffered reader's lock, held by a daemon thread, can abort the
    interpreter's exit.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()

    def read(self) -> list[tuple[int, int, bytes]] | None:
        """(kind, request id, payload) of the frames that one read completes; None once the pipe is closed.

        Waits until there is something to read.
        """
        chunk = os.read(self._fd, _READ_BYTES)
        if not chunk:
            return None
        self._buffer += chunk
        frames = []
        start = 0
        while len(self._buffer) - start >= HEAD.size:
            length, request, kind = HEAD.unpack_from(self._buffer, start)
            end = start + HEAD.size + length
            if len(self._buffer) < end:
                break
            frames.append((kind, request, bytes(self._buffer[start + HEAD.size : end])))
            start = end
        del self._buffer[:start]
        return frames


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def pack_texts(texts: Sequence[str]) -> bytes:
    """Texts as the payload of EMBED; a lone surrogate, which no tokenizer takes, becomes "?"."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    lengths = struct.pack(f"<{len(encoded)}I", *map(len, encoded))
    return b"".join((_COUNT.pack(len(encoded)), lengths, *encoded))


def unpack_texts(payload: bytes) -> list[str]:
    (count,) = _COUNT.unpack_from(payload)
    lengths = struct.unpack_from(f"<{count}I", payload, _COUNT.size)
    position = _COUNT.size * (count + 1)
    texts = []
    for length in lengths:
        texts.append(payload[position : position + length].decode("utf-8"))
        position += length
    return texts


def pack_embeddings(embeddings: Sequence[Embedding]) -> bytes:
    """Embeddings, all of the same length, as the payload of VECTORS."""
    dims = embeddings[0].dims if embeddings else 0
    facts = (_FACTS.pack(item.tokens, item.truncated) for item in embeddings)
    return b"".join((_SHAPE.pack(len(embeddings), dims), *facts, *(item.vector for item in embeddings)))


def unpack_embeddings(payload: bytes) -> list[Embedding]:
    count, dims = _SHAPE.unpack_from(payload)
    vectors = _SHAPE.size + count * _FACTS.size
    answer = []
    for index in range(count):
        tokens, truncated = _FACTS.unpack_from(payload, _SHAPE.size + index * _FACTS.size)
        begin = vectors + index * dims * 4
        answer.append(Embedding(payload[begin : begin + dims * 4], tokens, bool(truncated)))
    return answer
