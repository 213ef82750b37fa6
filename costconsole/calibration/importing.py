"""Labels and logs from files: JSON lines, one label or one look-up each."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.calibration.events import Event, Verdict
from costconsole.domain.errors import UsageProblem

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder

_SAME: dict[object, Verdict] = {
    True: "same",
    False: "different",
    "same": "same",
    "different": "different",
    "unsure": "unsure",
}
_EXPECTED = '{"s": 0.93, "same": true} or {"a": "...", "b": "...", "same": true}'
_AT_ONCE = 64
_BIGGEST = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One line of a label file: a similarity, or two texts whose similarity is still to be found."""

    line: int
    similarity: float | None
    a: str
    b: str
    verdict: Verdict


def read_labels(path: Path) -> tuple[LabelLine, ...]:
    """Every label of a file. Raises UsageProblem that names the file and the line."""
    return tuple(_label(path, number, value) for number, value in _lines(path))


def read_scores(path: Path) -> tuple[float, ...]:
    """The similarity of every look-up: plain numbers or {"s": ...}, one a line. A look-up without neighbour
    is null. Raises UsageProblem that names the file and the line."""
    found = []
    for number, value in _lines(path):
        score = value.get("s", _Missing) if isinstance(value, dict) else value
        if score is None:
            found.append(-1.0)
        else:
            found.append(_similarity(path, number, score, 'a number or {"s": 0.93}'))
    return tuple(found)


def to_events(
    lines: Sequence[LabelLine], embedder: Embedder | None, progress: Callable[[int, int], None] | None = None
) -> tuple[Event, ...]:
    """Labels as events; pairs of texts are embedded. They count as drawn uniformly: whoever imports a file
    answers for that, since nothing in it can show it. Raises Problem if texts are given and no embedder."""
    similar = _similarities([line for line in lines if line.similarity is None], embedder, progress)
    return tuple(
        Event(
            id=f"import:{line.line}",
            similarity=similar[line.line] if line.similarity is None else line.similarity,
            query=line.a,
            cached=line.b,
            verdict=line.verdict,
            source="import",
            certified=True,
        )
        for line in lines
    )


def _similarities(
    lines: Sequence[LabelLine], embedder: Embedder | None, progress: Callable[[int, int], None] | None
) -> dict[int, float]:
    if not lines:
        return {}
    if embedder is None:
        raise UsageProblem(f"line {lines[0].line} has texts instead of a similarity: an embedder is needed")
    import numpy as np

    texts = list(dict.fromkeys(text for line in lines for text in (line.a, line.b)))
    vectors: dict[str, Any] = {}
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        for text, embedding in zip(some, embedder.embed(some), strict=True):
            vectors[text] = np.frombuffer(embedding.vector, dtype="<f4")
        if progress is not None:
            progress(min(start + _AT_ONCE, len(texts)), len(texts))
    return {line.line: min(1.0, float(vectors[line.a] @ vectors[line.b])) for line in lines}


class _Missing:
    """No such key in a line."""


def _label(path: Path, number: int, value: Any) -> LabelLine:
    if not isinstance(value, dict):
        raise _wrong(path, number, f"a label is an object such as {_EXPECTED}")
    said = value.get("same", _Missing)
    # 1 and 0 are as good as true and false.
    verdict = _SAME.get(said) if isinstance(said, bool | int | str) else None
    if verdict is None:
        raise _wrong(path, number, 'expected "same" with true, false or "unsure"')
    if "s" in value:
        return LabelLine(number, _similarity(path, number, value["s"], _EXPECTED), "", "", verdict)
    a, b = value.get("a"), value.get("b")
    if not isinstance(a, str) or not isinstance(b, str) or not a or not b:
        raise _wrong(path, number, f"expected {_EXPECTED}")
    return LabelLine(number, None, a, b, verdict)


def _similarity(path: Path, number: int, value: Any, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(path, number, f"expected {expected}")
    # Float32 arithmetic may end a little beyond.
    if not -1.001 <= value <= 1.001:
        raise _wrong(path, number, f"{value:g} is not a similarity: it is from -1 to 1, and 1 means the same")
    return min(1.0, max(-1.0, float(value)))


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        if path.stat().st_size > _BIGGEST:
            raise UsageProblem(f"{path} is too large: 512 MB are read at most")
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        value = json.loads(line)
                    except (ValueError, RecursionError):
                        raise _wrong(path, number, "this is not JSON") from None
                    yield number, value
    except OSError as error:
        raise UsageProblem(f"can't read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageProblem(f"{path} is not UTF-8 text") from None


def _wrong(path: Path, number: int, what: str) -> UsageProblem:
    return UsageProblem(f"{path}, line {number}: {what}")
