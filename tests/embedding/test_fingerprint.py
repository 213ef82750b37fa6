"""Which model wrote an index, by real vectors."""

from __future__ import annotations

import random
import struct
from array import array

import pytest

from costconsole.embedding.embedder import floats, pack_normalized
from costconsole.embedding.fingerprint import acheck_fingerprint, check_fingerprint
from costconsole.embedding.local import LocalEmbedder

PROMPTS = [
    "How do I reset my password?",
    "Where is my parcel?",
    "Cancel my subscription, please.",
    "What does the premium plan cost?",
    "Wie ändere ich meine Adresse?",
    "Is there a student discount?",
    "The app crashes when I open it.",
    "Can I pay by invoice?",
    "Do you ship to Norway?",
    "How long is the warranty?",
]


@pytest.fixture(scope="module")
def stored(embedder: LocalEmbedder) -> list[tuple[str, bytes]]:
    vectors = [item.vector for item in embedder.embed(PROMPTS)]
    return list(zip(PROMPTS, vectors, strict=True))


def bfloat16(vector: bytes) -> bytes:
    return b"".join(vector[at + 2 : at + 4] for at in range(0, len(vector), 4))


def test_the_model_recognizes_its_own_vectors(
    embedder: LocalEmbedder, stored: list[tuple[str, bytes]]
) -> None:
    found = check_fingerprint(embedder, stored)
    assert (found.checked, found.agreeing, found.verdict) == (8, 8, "same")
    assert found.mean_similarity == pytest.approx(1.0, abs=1e-5)
    assert "all-MiniLM-L6-v2" in found.sentence


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16", "not normalized"])
def test_it_recognizes_them_in_other_number_types(
    embedder: LocalEmbedder, stored: list[tuple[str, bytes]], dtype: str
) -> None:
    def convert(vector: bytes) -> bytes:
        values = floats(vector)
        if dtype == "bfloat16":
            return bfloat16(vector)
        if dtype == "not normalized":
            return array("f", (7 * value for value in values)).tobytes()
        return struct.pack(f"<{len(values)}{'e' if dtype == 'float16' else 'd'}", *values)

    found = check_fingerprint(embedder, [(prompt, convert(vector)) for prompt, vector in stored])
    assert found.verdict == "same", found.sentence


def test_vectors_of_another_model_are_told_apart(
    embedder: LocalEmbedder, stored: list[tuple[str, bytes]]
) -> None:
    shuffled = random.Random(1).sample(range(384), 384)
    foreign = [
        (prompt, pack_normalized([floats(vector)[at] for at in shuffled])) for prompt, vector in stored
    ]
    found = check_fingerprint(embedder, foreign)
    assert (found.verdict, found.agreeing) == ("different", 0)
    assert "model = " in found.sentence


def test_other_dimensions_are_another_model(embedder: LocalEmbedder) -> None:
    found = check_fingerprint(embedder, [("hello", pack_normalized([1.0] * 1000))])
    assert (found.verdict, found.mean_similarity) == ("different", None)
    assert "4000 bytes" in found.sentence


def test_an_index_of_two_models_is_said_to_be_one(
    embedder: LocalEmbedder, stored: list[tuple[str, bytes]]
) -> None:
    mixed = [*stored[:4], *((prompt, stored[0][1]) for prompt, _ in stored[4:8])]
    found = check_fingerprint(embedder, mixed)
    assert (found.verdict, found.agreeing) == ("different", 4)
    assert "several models" in found.sentence


def test_a_variant_of_the_model_stays_undecided(
    embedder: LocalEmbedder, stored: list[tuple[str, bytes]]
) -> None:
    noise = random.Random(2)
    near = [
        (prompt, pack_normalized([value + noise.gauss(0, 0.005) for value in floats(vector)]))
        for prompt, vector in stored
    ]
    found = check_fingerprint(embedder, near)
    assert found.mean_similarity is not None
    assert 0.99 < found.mean_similarity < 0.999
    assert found.verdict == "unknown"


@pytest.mark.parametrize("samples", [[], [("", b"\0" * 1536)], [("hello", b"")], [("hello", b"\xff" * 1536)]])
async def test_without_anything_to_compare_nothing_is_claimed(
    embedder: LocalEmbedder, samples: list[tuple[str, bytes]]
) -> None:
    found = await acheck_fingerprint(embedder, samples)
    assert (found.checked, found.verdict, found.mean_similarity) == (0, "unknown", None)
