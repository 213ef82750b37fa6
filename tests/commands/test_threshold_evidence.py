"""`costconsole threshold suggest|label|import`, as scripts and people use them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from costconsole.cli import main
from costconsole.domain.call import Call, Outcome
from costconsole.redis_store.keys import Keys
from tests.commands.conftest import Cli

KEYS = Keys("default")


def files(folder: Path, right: int, wrong: int) -> tuple[str, str]:
    labels, scores = folder / "labels.jsonl", folder / "scores"
    lines = [{"s": 0.93, "same": True}] * right + [{"s": 0.81, "same": False}] * wrong
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines))
    scores.write_text("0.93\n" * 60 + "0.81\n" * 20 + "0.2\n" * 20)
    return str(labels), str(scores)


def test_suggest_from_files_needs_no_redis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = files(tmp_path, 160, 30)
    argv = ["--redis", "redis://127.0.0.1:1", "threshold", "suggest", "--labels", labels]
    assert main([*argv, "--scores", scores, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0.81 < found["threshold"] <= 0.93
    assert found["guaranteed"] is True
    assert (found["max_error"], found["confidence"], found["labels"]) == (0.02, 0.95, 190)
    assert found["false_hit_rate"] == 0
    assert found["false_hit_upper"] <= 0.02
    assert found["hit_rate"] == pytest.approx(0.6)
    lowest = found["curve"][0]
    assert lowest["threshold"] == 0.7
    assert lowest["hit_rate"] == pytest.approx(0.8)
    assert {"false_hit_rate", "false_hit_upper"} <= lowest.keys()
    assert main([*argv, "--scores", scores]) == 0
    printed = capsys.readouterr()
    assert "at most 2 % of the hits are wrong, with 95 % confidence" in printed.out
    assert "naive" in printed.out
    assert "drawn uniformly" in printed.err


def test_not_enough_labels_is_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = files(tmp_path, 49, 0)
    assert main(["threshold", "suggest", "--labels", labels, "--scores", scores, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["threshold"], found["guaranteed"], found["least_labels"]) == (None, False, 100)
    assert found["missing_labels"] >= 100
    assert "Not enough labels: " in found["reason"]
    assert "(100 if all are right)" in found["reason"]


def test_wrong_use_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = files(tmp_path, 1, 0)
    assert main(["threshold", "suggest", "--scores", scores]) == 2
    assert "--labels" in capsys.readouterr().err
    assert main(["threshold", "suggest", "--labels", labels, "--max-error", "2"]) == 2
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"s": 0.9, "same": true}\n{"s": 0.9}\n')
    assert main(["threshold", "suggest", "--labels", str(bad)]) == 2
    assert f"{bad}, line 2" in capsys.readouterr().err


@pytest.fixture
def logged(client: Any) -> None:
    """Forty look-ups under 0.9 with a neighbour each."""
    client.hset(KEYS.policy, mapping={"version": "1", "threshold": "0.9"})
    for i in range(40):
        client.hset(f"entry:{i}", mapping={"prompt": f"cached question {i}?", "response": f"answer {i}"})
        call = Call(
            id=f"c{i}",
            ts_ms=1_000 + i,
            outcome=Outcome.SEMANTIC,
            model="m",
            similarity=0.95,
            threshold=0.9,
            neighbor=f"entry:{i}",
            preview=f"asked question {i}?",
        )
        client.xadd(KEYS.calls, call.to_fields())


@pytest.mark.usefixtures("logged")
def test_labels_come_over_a_pipe_and_count(cli: Cli, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s\nd\nu\ns\nhuh\n?\nq\n"))
    done = cli("threshold", "label", "--json")
    assert done.code == 0
    assert done.json["labelled"] == 3
    assert "asked question" in done.err
    assert "cached question" in done.err
    kept = [json.loads(value) for value in client.hgetall(KEYS.labels).values()]
    assert sorted(one["verdict"] for one in kept) == ["same", "same", "unsure"]
    assert all(one["source"] == "operator" and one["certified"] for one in kept)
    found = cli("threshold", "suggest", "--json").json
    assert (found["labels"], found["current"], found["lookups"]) == (3, 0.9, 40)
    assert found["threshold"] is None


@pytest.mark.usefixtures("logged")
def test_the_end_of_the_input_ends_it(cli: Cli, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s\n" * 60))
    assert cli("threshold", "label", "-n", "60", "--json").json["labelled"] == 40
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    again = cli("threshold", "label")
    assert again.code == 0
    assert "Nothing to label" in again.err


def test_imported_labels_count_when_they_were_drawn(cli: Cli, tmp_path: Path) -> None:
    labels, _ = files(tmp_path, 160, 0)
    assert cli("threshold", "import", labels, "--json").json == {
        "imported": 160,
        "new": 160,
        "certified": False,
    }
    assert cli("threshold", "suggest", "--json").json["labels"] == 0
    assert cli("threshold", "import", labels, "--drawn", "--json").json["new"] == 0
    found = cli("threshold", "suggest", "--json").json
    assert found["labels"] == 160
    assert found["threshold"] == 0.9  # from 0.95, and no more than 0.05 at once


def test_read_only_keeps_no_labels(cli: Cli, client: Any, tmp_path: Path) -> None:
    labels, _ = files(tmp_path, 3, 0)
    refused = cli("--read-only", "threshold", "import", labels)
    assert refused.code == 5
    assert not client.exists(KEYS.labels)
