"""Make the vectors of the shipped examples ahead of time: `python -m costconsole.routing.prepare [MODEL]`.

A router makes and keeps them itself when it starts for the first time; until then it goes by wording alone.
"""

from __future__ import annotations

import argparse
import sys

from costconsole.domain.errors import ExitCode, Problem
from costconsole.embedding.embedder import DEFAULT_MODEL
from costconsole.embedding.local import LocalEmbedder
from costconsole.routing.centroids import embed_groups, shipped_examples


def prepare(model: str = DEFAULT_MODEL) -> int:
    """Make and keep the vectors for `model`; returns how many examples have one. Raises a Problem."""
    embedder = LocalEmbedder(model)
    try:
        return sum(map(len, embed_groups(shipped_examples(), embedder).values()))
    finally:
        embedder.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m costconsole.routing.prepare", description=__doc__)
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL, metavar="MODEL", help="a name or a folder")
    chosen = parser.parse_args(arguments)
    try:
        count = prepare(chosen.model)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return int(problem.exit_code)
    print(f"{count} examples of tasks are ready.")
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
