"""Files of labels and of similarities."""

from __future__ import annotations

from pathlib import Path

import pytest

from costconsole.calibration.importing import read_labels, read_scores, to_events
from costconsole.domain.errors import UsageProblem
from costconsole.embedding.local import LocalEmbedder


def written(folder: Path, *lines: str) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_similarities_and_verdicts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '{"s": 0.93, "same": true}',
        "",
        '{"s": 1, "same": 0}',
        '{"s": 0.8, "same": "unsure"}',
    )
    events = to_events(read_labels(path), None)
    assert [(e.similarity, e.verdict, e.source, e.certified) for e in events] == [
        (0.93, "same", "import", True),
        (1.0, "different", "import", True),
        (0.8, "unsure", "import", True),
    ]


def test_texts_are_embedded(tmp_path: Path, embedder: LocalEmbedder) -> None:
    path = written(
        tmp_path,
        '{"a": "How do I reset my password?", "b": "How can I reset my password?", "same": true}',
        '{"a": "How do I reset my password?", "b": "What does the moon weigh?", "same": false}',
    )
    near, far = to_events(read_labels(path), embedder)
    assert near.similarity > 0.9 > 0.4 > far.similarity
    assert near.query == "How do I reset my password?"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "a label is an object"),
        ('{"s": 0.9}', '"same"'),
        ('{"s": 0.9, "same": "yes"}', '"same"'),
        ('{"s": 7, "same": true}', "7 is not a similarity"),
        ('{"s": NaN, "same": true}', "expected"),
        ('{"a": "x", "same": true}', "expected"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, '{"s": 0.9, "same": true}', line)
    with pytest.raises(UsageProblem) as caught:
        read_labels(path)
    assert f"{path}, line 2: " in str(caught.value)
    assert said in str(caught.value)


def test_scores_are_numbers_or_objects_and_null_has_no_neighbour(tmp_path: Path) -> None:
    assert read_scores(written(tmp_path, "0.5", '{"s": 0.75}', "null")) == (0.5, 0.75, -1.0)
    with pytest.raises(UsageProblem, match="line 1"):
        read_scores(written(tmp_path, '{"same": true}'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"nowhere\.jsonl"):
        read_labels(tmp_path / "nowhere.jsonl")
