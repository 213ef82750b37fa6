"""Arrays with a note about them, in one file: plain numbers and JSON, replaced as a whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_arrays(path: Path, note: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz; a reader sees the old file or the new one. Raises OSError."""
    import numpy as np

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    encoded = np.frombuffer(json.dumps(note).encode(), dtype=np.uint8)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, note=encoded, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """The note and the arrays; None if there is no such file, or it holds something else."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as read:
            arrays = {name: read[name] for name in read.files}
        note = json.loads(arrays.pop("note").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (note, arrays) if isinstance(note, dict) else None
