"""What `e` writes: the view as CSV and JSON, or a picture of the screen."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from costconsole.console.page import Export

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(export: Export) -> str:
    """CSV that a spreadsheet can't be made to run: texts that would be formulas begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow(export.columns)
    for row in export.rows:
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue()


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def json_text(export: Export) -> str:
    """A list of objects, every character kept (as an escape where it is not ASCII)."""
    rows = [dict(zip(export.columns, row, strict=True)) for row in export.rows]
    return json.dumps(rows, indent=1, default=str) + "\n"


def texts_of(export: Export, kind: str = "") -> list[tuple[str, str]]:
    """Pairs of suffix and text: CSV and JSON, or only the `kind` that is named."""
    return [
        (suffix, make(export))
        for suffix, make in ((".csv", csv_text), (".json", json_text))
        if kind in ("", suffix[1:])
    ]


def write_export(texts: Sequence[tuple[str, str]], name: str, folders: Sequence[Path]) -> list[Path]:
    """Write pairs of suffix and text beside each other into the first folder that takes them.

    Files are new and for this user alone; prompts may be in them. Raises OSError when no folder will.
    """
    stem = f"costconsole-{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    last: OSError | None = None
    for folder in folders:
        try:
            return [_write(folder / f"{stem}{suffix}", text) for suffix, text in texts]
        except OSError as error:
            last = error
    raise last or OSError("there is no folder to export to")


def _write(path: Path, text: str) -> Path:
    free = path
    number = 1
    while True:
        try:
            descriptor = os.open(free, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            free = path.with_stem(f"{path.stem}-{number}")
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
        return free
