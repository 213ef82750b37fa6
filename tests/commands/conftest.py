"""Run commands in this process, against the tests' own Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from costconsole.cli import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


@pytest.fixture
def cli(redis_url: str, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("stats", "--json")` on the tests' Redis; what it printed, and its exit code."""

    def run(*args: str, url: str = redis_url) -> Done:
        capsys.readouterr()
        code = main(["--redis", url, *args])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run
