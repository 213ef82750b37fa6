"""The command line itself: help, errors as one sentence, exit codes, and what it must not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from costconsole import __version__


def run(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COSTCONSOLE_REDIS")}
    return subprocess.run(
        [sys.executable, "-m", "costconsole", *args],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ | (env or {}),
        check=False,
    )


def test_help_fits_a_screen_and_names_commands_and_exit_codes() -> None:
    done = run("--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for word in ("demo", "doctor", "stats", "--read-only", "exit codes", "130"):
        assert word in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom costconsole.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'textual', 'plotext', 'redis', 'httpx', 'numpy', 'redisvl', 'torch', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version_names_what_it_stands_on() -> None:
    done = run("--version")
    assert done.stdout.startswith(f"costconsole {__version__}, Python 3.")
    assert "textual 8." in done.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["stats", "--jsn"], ["--jsn", "--help"]),
        (["statz"], ["statz", "stats"]),
        (["stats", "--window", "soon"], ["--window", "soon", "1h"]),
        (["stats", "--by", "colour"], ["--by", "colour", "model"]),
        (["search", "x", "-k", "0"], ["-k", "0", "10000"]),
        (["threshold"], ["show|set"]),
        (["--namespace", "a b", "stats"], ["namespace", "a b"]),
        (["--redis", "http://x", "stats"], ["http", "redis://"]),
        (["--refresh", "0", "config", "show"], ["--refresh", "0.5"]),
        (["--config", "/nowhere.toml", "stats"], ["/nowhere.toml", "--config"]),
    ],
)
def test_wrong_usage_is_one_sentence_with_exit_code_2(args: list[str], words: list[str]) -> None:
    done = run(*args)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_no_redis_names_the_address_and_the_next_step() -> None:
    done = run("--redis", "redis://127.0.0.1:1", "stats")
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_in_the_url_is_never_printed() -> None:
    done = run("--redis", "redis://admin:hunter2@127.0.0.1:1/0", "doctor")
    assert done.returncode == 3
    assert "hunter2" not in done.stderr + done.stdout
    shown = run("--redis", "redis://admin:hunter2@127.0.0.1:1/0", "config", "show", "--json")
    assert "hunter2" not in shown.stdout
    origins = {row["setting"]: row["origin"] for row in json.loads(shown.stdout)}
    assert origins["redis.url"] == "--redis"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_flags(shell: str, tmp_path: Path) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert "threshold" in done.stdout
    if shell == "bash":
        script = tmp_path / "c.sh"
        script.write_text(
            done.stdout
            + "COMP_WORDS=(costconsole stats --b); COMP_CWORD=2; _costconsole; echo ${COMPREPLY[@]}"
        )
        assert subprocess.check_output(["bash", str(script)], text=True).strip() == "--by"


@pytest.mark.parametrize("command", ["--help", "stats --json --watch 0.05"])
def test_output_into_a_closed_pipe_is_not_an_error(command: str, redis_url: str) -> None:
    line = f"{sys.executable} -m costconsole --redis {redis_url} {command} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Redis" not in done.stderr
    assert "Traceback" not in done.stderr
