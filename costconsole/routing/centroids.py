"""Examples of each task as vectors: which task is an instruction nearest to.

Examples come in groups: a task has one, or several where what it is asked about differs a lot. A group's
centroid is the mean of its vectors, at length 1; a task is as near as its nearest group. The nearest single
example says whether anything like it was ever seen. Vectors are made once for each embedding model and kept
on disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from costconsole.routing.evidence import evidence
from costconsole.routing.files import read_arrays, write_arrays
from costconsole.routing.model import TASKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costconsole.embedding.embedder import Embedder

    Floats = NDArray[np.float32]

SHARPNESS: Final = 12.0
"""Log-odds of a difference of 1 in similarity to a centroid."""
SAME_MODEL: Final = 0.99
"""Similarity of one text's vectors from which two embedders are taken to be the same."""
CHUNK: Final = 32
"""Examples embedded at a time: a call's own text never waits for hundreds of them."""
PROBE: Final = "Which model made this vector?"


def shipped_examples() -> dict[str, tuple[str, ...]]:
    """The examples that come along, by group (see `task_of`); the groups of a task stand together."""
    folder = resources.files("costconsole.routing") / "references"
    files = sorted(entry.name for entry in folder.iterdir())
    names = [name.removesuffix(".txt") for name in files if name.endswith(".txt")]
    return {
        name: tuple(
            line.strip()
            for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
            if line.strip()
        )
        for task in TASKS
        for name in names
        if task_of(name) == task
    }


def task_of(group: str) -> str:
    """The task of a group of shipped examples: `qa-travel` belongs to `qa`."""
    return group.partition("-")[0]


class Centroids:
    """Groups of examples as vectors.

    `names`: the groups. `centroids`: one row each, of length 1. `examples`: all vectors, group by group, and
    `starts`: where each group begins among them.
    """

    def __init__(self, groups: Mapping[str, Floats]) -> None:
        import numpy as np

        self.names = tuple(groups)
        means = np.stack([np.mean(vectors, axis=0) for vectors in groups.values()])
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        self.centroids: Floats = (means / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        self.examples: Floats = np.concatenate(list(groups.values())).astype(np.float32)
        sizes = [len(vectors) for vectors in groups.values()]
        self.starts = np.cumsum([0, *sizes[:-1]])

    def compare(self, vector: Floats) -> tuple[Floats, Floats]:
        """Cosine similarity of a vector of length 1 to each group's centroid, and to its nearest example."""
        import numpy as np

        return self.centroids @ vector, np.maximum.reduceat(self.examples @ vector, self.starts)


class TaskCentroids(Centroids):
    """The shipped groups, each task's together."""

    def __init__(self, groups: Mapping[str, Floats]) -> None:
        import numpy as np

        super().__init__(groups)
        tasks = [task_of(name) for name in self.names]
        self._tasks = np.array([tasks.index(task) for task in TASKS])
        self._first = self.starts[self._tasks]

    def compare(self, vector: Floats) -> tuple[Floats, Floats]:
        """For each of `TASKS`, the similarity to its nearest group's centroid, and to its nearest example."""
        import numpy as np

        nearest = np.maximum.reduceat(self.examples @ vector, self._first)
        return self._of_tasks(self.centroids @ vector), nearest

    def similarities(self, vectors: Floats) -> Floats:
        """Rows of similarities to the nearest centroid of each of `TASKS`, for rows of vectors."""
        return self._of_tasks(vectors @ self.centroids.T)

    def _of_tasks(self, values: Floats) -> Floats:
        import numpy as np

        found: Floats = np.maximum.reduceat(values, self._tasks, axis=-1)
        return found


def log_odds(similarities: Sequence[float], features: Sequence[float]) -> list[float]:
    """How much speaks for each of `TASKS`: similarity to its centroid, and the wording."""
    return [
        SHARPNESS * similarity + said
        for similarity, said in zip(similarities, evidence(features), strict=True)
    ]


def as_row(vector: bytes) -> Floats:
    """A little-endian float32 vector as a numpy row."""
    import numpy as np

    return np.frombuffer(vector, dtype="<f4")


def embed_groups(groups: Mapping[str, Sequence[str]], embedder: Embedder) -> dict[str, Floats]:
    """The vectors of each group's examples: from disk if this embedder made them before.

    Blocks, and raises a Problem as the embedder does. One short text is always embedded: it tells whether
    what is on disk is still this model's.
    """
    import numpy as np

    texts = [text for examples in groups.values() for text in examples]
    probe = as_row(embedder.embed([PROBE])[0].vector)
    path = _folder() / f"{_name(embedder.name, len(probe), texts)}.npz"
    vectors = _kept(path, probe, len(texts))
    if vectors is None:
        made: list[bytes] = []
        for first in range(0, len(texts), CHUNK):
            made += [embedding.vector for embedding in embedder.embed(texts[first : first + CHUNK])]
        vectors = np.stack([as_row(vector) for vector in made])
        try:
            write_arrays(path, {}, {"probe": probe, "vectors": vectors})
        except OSError:
            pass  # A folder that can't be written costs the time to embed again, and nothing else.
    found: dict[str, Any] = {}
    start = 0
    for name, examples in groups.items():
        found[name] = vectors[start : start + len(examples)]
        start += len(examples)
    return found


def _kept(path: Path, probe: Floats, count: int) -> Floats | None:
    read = read_arrays(path)
    if read is None:
        return None
    _, arrays = read
    vectors, known = arrays.get("vectors"), arrays.get("probe")
    if vectors is None or known is None or known.shape != probe.shape or vectors.shape != (count, len(probe)):
        return None
    return vectors if float(known @ probe) >= SAME_MODEL else None


def _name(model: str, dims: int, texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(
        "\0".join((model, str(dims), *texts)).encode("utf-8", "surrogatepass"), digest_size=12
    )
    return digest.hexdigest()


def _folder() -> Path:
    chosen = os.environ.get("COSTCONSOLE_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser() / "routing"
    from platformdirs import user_cache_path

    return Path(user_cache_path("costconsole")) / "routing"
