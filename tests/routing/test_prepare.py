"""The vectors of the examples: made once a model, in portions, and found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from costconsole.embedding.embedder import Embedding
from costconsole.routing import prepare
from costconsole.routing.centroids import (
    CHUNK,
    PROBE,
    TaskCentroids,
    embed_groups,
    shipped_examples,
    task_of,
)
from costconsole.routing.model import TASKS


class Counting:
    """An embedder whose vectors say nothing, but are the same for the same text."""

    dims, status = 8, "ready"

    def __init__(self, name: str = "counting", salt: str = "") -> None:
        self.name, self._salt = name, salt
        self.asked: list[tuple[str, ...]] = []

    def embed(self, texts: Sequence[str]) -> list[Embedding]:
        self.asked.append(tuple(texts))
        return [Embedding(self._vector(text), 1, False) for text in texts]

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        return self.embed(texts)

    def start(self) -> None: ...

    def close(self) -> None: ...

    def _vector(self, text: str) -> bytes:
        seed = int.from_bytes(hashlib.sha256((self._salt + text).encode()).digest()[:4], "little")
        row = np.random.default_rng(seed).normal(size=self.dims)
        return (row / np.linalg.norm(row)).astype("<f4").tobytes()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COSTCONSOLE_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_every_task_has_examples_and_none_stands_twice() -> None:
    examples = shipped_examples()
    assert {task_of(group) for group in examples} == set(TASKS)
    every = [text for texts in examples.values() for text in texts]
    assert len(every) == len({text.lower() for text in every})
    assert all(len(texts) >= 8 for texts in examples.values())


def test_the_vectors_are_made_in_portions_and_only_once() -> None:
    examples = shipped_examples()
    first, second = Counting(), Counting()
    made = embed_groups(examples, first)
    assert max(map(len, first.asked)) <= CHUNK
    found = embed_groups(examples, second)
    assert second.asked == [(PROBE,)]
    assert all(np.array_equal(made[group], found[group]) for group in examples)


def test_another_model_of_the_same_name_makes_its_own() -> None:
    examples = shipped_examples()
    embed_groups(examples, Counting())
    other = Counting(salt="retrained")
    embed_groups(examples, other)
    assert len(other.asked) > 1


def test_a_task_is_as_near_as_its_nearest_group() -> None:
    groups = {
        name: np.eye(len(shipped_examples()), dtype=np.float32)[[place]]
        for place, name in enumerate(shipped_examples())
    }
    centroids = TaskCentroids(groups)
    for name, rows in groups.items():
        middles, nearest = centroids.compare(rows[0])
        expected = [1.0 if task == task_of(name) else 0.0 for task in TASKS]
        assert list(middles) == list(nearest) == expected
        assert list(centroids.similarities(rows)[0]) == expected


def test_they_can_be_made_ahead_of_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.setattr(prepare, "LocalEmbedder", Counting)
    assert prepare.main(["counting"]) == 0
    assert f"{sum(map(len, shipped_examples().values()))} examples" in capsys.readouterr().out
    later = Counting()
    embed_groups(shipped_examples(), later)
    assert later.asked == [(PROBE,)]
    assert list((folder / "routing").glob("*.npz"))
