"""`costconsole route` and `costconsole routing train`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costconsole.cli import main
from tests.commands.conftest import Done
from tests.routing.prompts import PROMPTS


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def command(*args: str) -> Done:
        capsys.readouterr()
        code = main(args)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return command


def test_route_says_route_model_and_reason(run) -> None:  # type: ignore[no-untyped-def]
    done = run("route", "Summarize the minutes in three sentences.")
    assert done.code == 0
    assert "summarization" in done.out.splitlines()[0]
    assert "gpt-4o-mini (openai, cheap)" in done.out
    assert "looks like summarization" in done.out


def test_route_as_json(run) -> None:  # type: ignore[no-untyped-def]
    found = run("route", "--json", "Write a Python function that sorts a list.").json
    assert (found["route"], found["task"], found["tier"], found["kind"]) == (
        "coding",
        "coding",
        "strong",
        "task",
    )
    assert set(found["scores"]) == set(PROMPTS)
    assert found["without_embedding"] is False
    explicit = run("route", "--json", "--model", "gpt-4o", "hi").json
    assert (explicit["model"], explicit["kind"]) == ("gpt-4o", "explicit")


def test_route_errors(run) -> None:  # type: ignore[no-untyped-def]
    empty = run("route", "  ")
    assert (empty.code, empty.out) == (2, "")
    unknown = run("route", "--model", "nope", "hi")
    assert unknown.code == 2
    assert "no model or alias 'nope'" in unknown.err


def test_train_says_what_was_learnt(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "labels.jsonl"
    rows = [{"prompt": prompt, "label": task} for task, prompts in PROMPTS.items() for prompt in prompts]
    file.write_text("\n".join(map(json.dumps, rows)))
    done = run("routing", "train", str(file))
    assert done.code == 0
    assert "48 labelled prompts" in done.out
    assert "cross-validated" in done.out
    assert "not used yet: 200 labelled prompts are the least" in done.out
    found = run("routing", "train", str(file), "--json").json
    assert found["labels"] == 48
    assert found["tasks"]["used"] is False
    assert found["files"] == []


def test_train_names_what_it_cannot_read(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    missing = run("routing", "train", str(tmp_path / "none.jsonl"))
    assert missing.code == 2
    assert "none.jsonl can't be read" in missing.err
    file = tmp_path / "bad.jsonl"
    file.write_text('{"prompt": "a", "label": "nonsense"}\n')
    assert "line 1: 'nonsense' is no task" in run("routing", "train", str(file)).err
