"""`costconsole minimize`, as its user sees it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from costconsole.cli import main

TEXT = 'Hello   there.   \n\n\n\n{\n  "a": 1.0,\n  "b": 2\n}\n'
SHORT = 'Hello there.\n\n{"a":1.0,"b":2}'


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "prompt.txt"
    path.write_bytes(TEXT.encode())
    return path


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_the_text_goes_out_to_the_byte_and_the_figures_beside_it(
    prompt: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["minimize", str(prompt)]) == 0
    out, err = capfdbinary.readouterr()
    assert out == SHORT.encode()
    assert b"tokens of gpt-4o" in err
    assert b"json" in err


def test_json_has_the_figures_of_every_step(
    prompt: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    give(monkeypatch, TEXT.encode())
    assert main(["minimize", "-", "--json", "--model", "gpt-4o-mini"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["text"] == SHORT
    assert document["tokens_before"] - document["tokens_after"] == document["saved"] > 0
    assert sum(step["tokens_saved"] for step in document["steps"]) == document["saved"]
    assert document["level"] == "safe"
    assert document["skipped"] is None


def test_the_diff_shows_blanks_and_lets_nothing_act_on_the_terminal(
    prompt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt.write_text("red \x1b[31m   text   here")
    assert main(["minimize", str(prompt), "--diff"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.startswith("- red ␛[31m")
    assert "text···here" in out
    assert "+ red" in out


def test_level_and_own_list_come_from_the_config(prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prompt.write_text("Sent from my phone\n\nFind the bug.\n\n```python\nx = 1  # a remark on one\n```\n")
    Path("costconsole.toml").write_text('[minimize]\nlevel = "strong"\nboilerplate = ["Sent from my .*"]\n')
    assert main(["minimize", str(prompt)]) == 0
    assert capsys.readouterr().out == "Find the bug.\n\n```python\nx = 1\n```\n"
    assert main(["minimize", str(prompt), "--level", "safe"]) == 0
    assert "# a remark" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('[minimize]\nboilerplate = ["("]', ["expression 1", "minimize.boilerplate"]),
        ('[minimize]\nboilerplate = "x"', ["minimize.boilerplate", "list"]),
        ('[minimize]\nlevel = "weak"', ["minimize.level", "safe, strong"]),
    ],
)
def test_a_wrong_setting_is_named(
    prompt: Path, config: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("costconsole.toml").write_text(config)
    assert main(["minimize", str(prompt)]) == 2
    err = capsys.readouterr().err
    for word in words:
        assert word in err


@pytest.mark.parametrize(("data", "words"), [(b"", "empty"), (b"\xff\xfe", "UTF-8")])
def test_what_is_no_prompt_is_refused(
    prompt: Path, data: bytes, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, data)
    assert main(["minimize"]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(prompt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["minimize", "nowhere.txt"]) == 2
    assert "nowhere.txt" in capsys.readouterr().err
