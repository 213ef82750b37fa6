"""How commands print: JSON that is safe on a terminal, and plain tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from costconsole.domain.text import visible


def print_json(document: object) -> None:
    """One document on standard output. Non-ASCII is escaped, so that no byte of it can act on a terminal."""
    json.dump(document, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell, those in `right` right-aligned; data is made visible."""
    from rich.cells import cell_len

    table = [list(header), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        cells = []
        for i, cell in enumerate(row):
            padding = " " * (widths[i] - cell_len(cell))
            cells.append(padding + cell if i in right else cell + padding)
        print("  ".join(cells).rstrip())


def say(text: str) -> None:
    """A message for the person, on standard error."""
    print(visible(text, multiline=True), file=sys.stderr)
