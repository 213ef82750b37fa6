"""`costconsole routing validate|show`: findings for people, editors and scripts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from costconsole.cli import main

GOOD = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap, fallbacks: [large]}
  large: {provider: acme, base_url: http://h/v1, model: our-70b, tier: strong, prices: {input: 2, output: 4}}
routes:
- {name: summaries, task: summarization}
- {name: legal, use: large, references: [Read this contract], when: {tags: [legal]}, threshold: 0.4}
aliases: {gpt-4: large}
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "routing.yaml"
    path.write_text(GOOD)
    return str(path)


def test_a_valid_file(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routing", "validate", good]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "is valid (costconsole's own form): 2 models, 2 routes; 0 errors, 0 warnings" in printed.err


def test_every_finding_has_its_place_as_editors_take_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "defualt: x\nsticky: soon\n")
    assert main(["routing", "validate", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{path}:8: error: defualt: this key is unknown; did you mean 'default'?",
        f"{path}:9: error: sticky: found 'soon'; expected a duration up to 31d, such as 30m or 90s, or off",
    ]
    assert "can't be used: 2 errors, 0 warnings" in printed.err
    assert main(["routing", "validate", str(path), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["valid"], document["format"]) == (False, None)
    assert document["findings"][0] == {
        "level": "error",
        "file": str(path),
        "line": 8,
        "key": "defualt",
        "message": "this key is unknown; did you mean 'default'?",
    }


def test_standard_input_and_missing_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert main(["routing", "validate", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == 2
    assert main(["routing", "validate", "/nowhere/routing.yaml"]) == 2
    assert "does not exist" in capsys.readouterr().out


def test_show_says_models_prices_routes_and_aliases(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routing", "show", "--routing", good]) == 0
    out = capsys.readouterr().out
    for words in ("cheap: small   strong: large", "2 / 4", "legal", "rules, 1 phrase", "gpt-4 → large"):
        assert words in out
    assert main(["routing", "show", "--json", "--routing", good]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["models"][1]["output_usd_per_mtok"] == 4
    assert document["routes"][1]["when"]["tags"] == ["legal"]
    assert (document["routes"][1]["model"], document["aliases"]) == (
        "large",
        {"gpt-4": "large", "auto": None},
    )


def test_show_without_a_file_shows_the_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COSTCONSOLE_ROUTING", raising=False)
    assert main(["routing", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "default"
    assert len(document["routes"]) == 8
    assert all(model["input_usd_per_mtok"] for model in document["models"])


def test_show_of_a_broken_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("models: 3\ndefualt: x\n")
    monkeypatch.setenv("COSTCONSOLE_ROUTING", str(path))
    assert main(["routing", "show"]) == 2
    err = capsys.readouterr().err
    assert "line 1: models: found 3" in err
    assert "and 1 more" in err


def test_what_a_file_says_cannot_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        'models: {"a\\e[31m": {provider: openai, tier: cheap, teir: "\\e]0;x\\a"}}\n"\\e[2J": 1\n'
    )
    main(["routing", "validate", str(path)])
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_reading_a_config_imports_no_gateway_and_no_price_list(good: str) -> None:
    code = (
        "import sys\nfrom costconsole.routing.config import load_config\n"
        f"load_config({good!r})\n"
        "heavy = {'textual', 'redis', 'httpx', 'numpy', 'redisvl', 'genai_prices', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
