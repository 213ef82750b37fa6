"""Copying and exporting: capped, harmless in a spreadsheet, private."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

import pytest

from costconsole.console.clipboard import OSC52_CAP, copy, encoded
from costconsole.console.crash import scrub, write_crash
from costconsole.console.export import csv_text, json_text, write_export
from costconsole.console.page import Export

EXPORT = Export(
    "entries", ("prompt", "hits"), [("=cmd|'/c calc'!A1", 3), ("-1+1", -2), ("@x", None), ("a,\x1b\n", 0)]
)


def test_csv_quotes_formulas_and_leaves_numbers() -> None:
    rows = list(csv.reader(csv_text(EXPORT).splitlines(keepends=True)))
    assert rows[0] == ["prompt", "hits"]
    assert rows[1] == ["'=cmd|'/c calc'!A1", "3"]
    assert rows[2] == ["'-1+1", "-2"]
    assert rows[3] == ["'@x", ""]


def test_json_keeps_every_character_as_an_escape() -> None:
    text = json_text(EXPORT)
    assert "\x1b" not in text
    assert json.loads(text)[3] == {"prompt": "a,\x1b\n", "hits": 0}


def test_exports_are_private_new_and_elsewhere_when_they_must_be(tmp_path: Path) -> None:
    texts = [(".csv", "a"), (".json", "b")]
    first = write_export(texts, "x", [tmp_path / "missing", tmp_path])
    second = write_export(texts, "x", [tmp_path])
    assert {path.read_text() for path in first} == {"a", "b"}
    assert not set(first) & set(second)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in first)
    with pytest.raises(OSError, match="missing"):
        write_export(texts, "x", [tmp_path / "missing"])


def test_the_clipboard_has_a_cap_and_a_file(tmp_path: Path) -> None:
    sent: list[str] = []
    said = copy("prompt", "hé", write=sent.append, folder=tmp_path, environ={})
    assert base64.b64decode(sent[0].removeprefix("\x1b]52;c;").removesuffix("\a")).decode() == "hé"
    assert "copied prompt, 3 bytes" in said
    assert str(tmp_path / "last-copy.txt") in said
    long = "x" * OSC52_CAP
    said = copy("answer", long, write=sent.append, folder=tmp_path, environ={})
    assert len(sent) == 1
    assert "too long for a terminal's clipboard" in said
    assert (tmp_path / "last-copy.txt").read_text() == long
    assert encoded("x" * ((OSC52_CAP - 4) * 3 // 4)) is not None
    assert "set-clipboard on" in copy("x", "y", write=sent.append, folder=tmp_path, environ={"TMUX": "1"})


def test_logs_hold_no_secret_and_no_values(tmp_path: Path) -> None:
    def fail(password: str) -> None:
        prompt = "a private prompt"
        raise ValueError(f"can't reach redis://admin:{password}@prod:6379 " + prompt[:0])

    with pytest.raises(ValueError, match="prod") as caught:
        fail("hunter" + "2")
    path = write_crash(caught.value, ["s3cret"], folder=tmp_path)
    text = path.read_text()
    assert "redis://***@prod:6379" in text
    assert "hunter2" not in text
    assert "in fail" in text
    assert "a private prompt" not in text.replace('prompt = "a private prompt"', "")
    assert scrub("key s3cret!", ["s3cret", None]) == "key ***!"


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"crash-20200101-0000{n:02}-1-0000.log").write_text("old")
    newest = write_crash(ValueError("x"), folder=tmp_path)
    kept = sorted(tmp_path.glob("crash-*.log"))
    assert len(kept) == 20
    assert newest in kept
