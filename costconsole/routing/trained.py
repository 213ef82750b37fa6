"""Where what was learnt from the user's labels is kept: beside the routing config, else in the user's data.

A file is of one embedding model, and knows it by the vector of a fixed text.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.routing.centroids import SAME_MODEL
from costconsole.routing.files import read_arrays, write_arrays
from costconsole.routing.gain import Gain
from costconsole.routing.head import Head

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder
    from costconsole.routing.centroids import Floats


@dataclass(frozen=True, slots=True)
class Trained:
    """What was found for a config and an embedding model. `findings`: files that are there and of no use."""

    head: Head | None = None
    gain: Gain | None = None
    findings: tuple[str, ...] = ()


def folders(source: str) -> tuple[Path, ...]:
    """Where to look, and to write, for the routing config of this file ("" or another word: of no file)."""
    from platformdirs import user_data_path

    data = user_data_path("costconsole") / "routing"
    path = Path(source).expanduser() if source else None
    if path is None or not path.is_file():
        return (data,)
    return (path.parent / f"{path.stem}.trained", data)


Stamp = frozenset[tuple[str, int, int, int]]


def trained_stamp(source: str) -> Stamp:
    """What changes when something is learnt anew for this config: cheap, a look into two folders."""
    found: set[tuple[str, int, int, int]] = set()
    for folder in folders(source):
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".npz"):
                        stat = entry.stat()
                        found.add((entry.path, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            continue  # No such folder: nothing was learnt yet.
    return frozenset(found)


def save_trained(found: Head | Gain, source: str, embedder: Embedder, probe: Floats) -> Path:
    """Keep it, in the first folder that can be written; returns the file. Raises OSError."""
    note, arrays = found.stored()
    note["embedding"] = embedder.name
    kind = "tasks" if isinstance(found, Head) else "outcomes"
    problem: OSError | None = None
    for folder in folders(source):
        path = folder / _file_name(kind, embedder.name, len(probe))
        try:
            write_arrays(path, note, {**arrays, "probe": probe})
        except OSError as error:
            problem = problem or error
        else:
            return path
    assert problem is not None
    raise problem


def load_trained(source: str, embedder: Embedder, probe: Floats) -> Trained:
    """What was learnt for this config with this embedding model."""
    findings: list[str] = []

    def first(kind: str, make: Any) -> Any:
        for folder in folders(source):
            path = folder / _file_name(kind, embedder.name, len(probe))
            if not path.is_file():
                continue
            read = read_arrays(path)
            known = read[1].get("probe") if read else None
            if read is None or known is None or known.shape != probe.shape:
                findings.append(f"{path} can't be read: run `costconsole routing train` again")
            elif float(known @ probe) < SAME_MODEL:
                findings.append(
                    f"{path} was made with another embedding model: run `costconsole routing train` again"
                )
            elif (made := make(*read, len(probe))) is None:
                findings.append(
                    f"{path} is of another version of costconsole: run `costconsole routing train` again"
                )
            else:
                return made
        return None

    head, gain = first("tasks", Head.from_stored), first("outcomes", Gain.from_stored)
    return Trained(head, gain, tuple(findings))


def _file_name(kind: str, model: str, dims: int) -> str:
    return f"{kind}-{re.sub(r'[^A-Za-z0-9._-]+', '-', model)[-80:]}-{dims}.npz"
