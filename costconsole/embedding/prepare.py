"""Export a model ahead of time: `python -m costconsole.embedding.prepare [MODEL]`.

The worker starts the same command when it finds no export. It takes about 20 s, once.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from costconsole.domain.errors import ExitCode, Problem
from costconsole.embedding.embedder import DEFAULT_MODEL
from costconsole.embedding.models import fetched_folder, given_folder, model_name
from costconsole.embedding.store import (
    UNFINISHED,
    Export,
    export_at,
    export_folder,
    find_export,
    models_folder,
    source_checksum,
    source_stats,
    write_meta,
)


class CacheUnwritable(Problem):
    """The export can't be kept; the model itself may be fine."""


def prepare(model: str = DEFAULT_MODEL) -> Export:
    """The export of `model`, made now if there is none; processes that ask at once make it once.

    Raises Problem if the model can't be found or loaded, CacheUnwritable if it can't be kept.
    """
    try:
        models_folder().mkdir(parents=True, exist_ok=True)
        with _alone():
            return find_export(model) or _make(model)
    except OSError as error:
        raise CacheUnwritable(
            f"The folder {models_folder()} can't be written ({error.strerror}): "
            f"make room or give another one in COSTCONSOLE_CACHE_DIR."
        ) from error


def _make(model: str) -> Export:
    folder = fetched_folder(model)
    named = given_folder(model) is None
    name = model_name(model)
    checksum = source_checksum(folder)
    target = export_folder(name, checksum)
    present = export_at(target)
    if present is not None:
        present.meta["source"].update(folder=str(folder), stats=source_stats(folder))
        present.meta["source"]["named"] |= named
        write_meta(target, present.meta)
        return present
    for left in models_folder().glob(f"{UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)
    from costconsole.embedding.onnx_export import export

    return export(name, folder, checksum, target, named=named)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the exports; the kernel lets go of it if this process dies."""
    with (models_folder() / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end_with_parent() -> None:
    """End at once when standard input closes: the worker that asked is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(ExitCode.INTERRUPTED)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m costconsole.embedding.prepare", description=__doc__)
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL, metavar="MODEL", help="a name or a folder")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--until-stdin-closes", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.until_stdin_closes:
        _end_with_parent()
    try:
        export = prepare(chosen.model)
    except Problem as problem:
        if chosen.json:
            kept = not isinstance(problem, CacheUnwritable)
            print(json.dumps({"problem": str(problem), "model_at_fault": kept}))
        else:
            print(problem, file=sys.stderr)
        return int(problem.exit_code)
    if chosen.json:
        print(json.dumps({"folder": str(export.folder), "usable": export.usable, "reason": export.reason}))
    elif export.usable:
        print(f"{export.meta['model']} is ready: {export.folder}")
    else:
        print(f"{export.meta['model']} is run by sentence-transformers: {export.reason}")
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
