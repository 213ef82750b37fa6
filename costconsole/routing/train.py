"""Learning from a file: labelled prompts make a head, outcomes make a gain score.

One JSON object a line: `{"prompt": ..., "label": "qa"}`, where a label is a task or the name of a route; or
`{"prompt": ..., "weak": 0, "strong": 1}`, whether each model's answer was good, from 0 to 1.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from costconsole.domain.errors import UsageProblem
from costconsole.routing.centroids import (
    PROBE,
    TaskCentroids,
    as_row,
    embed_groups,
    log_odds,
    shipped_examples,
    task_of,
)
from costconsole.routing.gain import Gain
from costconsole.routing.gain_fit import fit_gain
from costconsole.routing.head import Head, head_inputs
from costconsole.routing.instruction import has_code, instruction
from costconsole.routing.model import TASKS, RoutingConfig
from costconsole.routing.surface import features

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder

LEAST_LABELS: Final = 200
"""Labelled prompts from which they are used."""
LEAST_OUTCOMES: Final = 20
MOST_OUTCOMES: Final = 20_000
"""Prompts with outcomes that are compared with each call: the newest, at the end of the file."""
_BATCH: Final = 64
_STRENGTH: Final = 1.0
_SHIPPED_WEIGHT: Final = 0.3
_BALANCED_UNTIL: Final = 500
_FOLDS: Final = 5
_Figures = tuple[float | None, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Example:
    """One line of the file: a label, or the outcomes of both models."""

    prompt: str
    label: str = ""
    weak: float = 0.0
    strong: float = 0.0


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of it. `accuracy`: of the labels, cross-validated; `before`: without them, on the same
    prompts; `tier`, `tier_before`: whether the cheap or strong tier is right. None where there are no labels.
    `head` and `gain` are None where there was nothing to learn.
    """

    labels: int
    by_label: dict[str, int]
    head: Head | None
    accuracy: float | None
    before: float | None
    tier: float | None
    tier_before: float | None
    outcomes: int
    gain: Gain | None
    probe: Any

    @property
    def usable(self) -> bool:
        """Whether the labels are enough, and help."""
        return (
            self.head is not None
            and self.labels >= LEAST_LABELS
            and (self.accuracy or 0.0) >= (self.before or 0.0)
        )


def read_examples(lines: Sequence[str], source: str, config: RoutingConfig) -> list[Example]:
    """The examples of a JSONL file. Raises UsageProblem naming the line and what was expected."""
    known = {*TASKS, *(route.name for route in config.routes)}
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.append(_example(line, f"{source}, line {number}", known))
    if not found:
        raise UsageProblem(f"{source} has no examples: one JSON object a line, with prompt and label")
    return found


def _example(line: str, place: str, known: set[str]) -> Example:
    try:
        value = json.loads(line)
    except ValueError:
        raise UsageProblem(f"{place}: this is not JSON; expected one object a line") from None
    prompt = value.get("prompt") if isinstance(value, dict) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageProblem(f'{place}: expected an object with a non-empty text "prompt"')
    if "label" in value:
        label = value["label"]
        if label not in known:
            raise UsageProblem(
                f"{place}: {label!r} is no task and no route of the config; known are "
                + ", ".join(sorted(known))
            )
        return Example(prompt, label=label)
    outcomes = [value.get(name) for name in ("weak", "strong")]
    if not all(_is_outcome(outcome) for outcome in outcomes):
        raise UsageProblem(f'{place}: expected "label", or "weak" and "strong" as numbers from 0 to 1')
    return Example(prompt, weak=float(outcomes[0]), strong=float(outcomes[1]))


def _is_outcome(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1


def learn(
    examples: Sequence[Example],
    embedder: Embedder,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Learnt:
    """Embed the instructions and fit. Blocks, about 10 ms a prompt; raises a Problem as the embedder does."""
    import numpy as np

    labelled = [example for example in examples if example.label]
    outcomes = [example for example in examples if not example.label][-MOST_OUTCOMES:]
    probe = as_row(embedder.embed([PROBE])[0].vector)
    inputs = _Inputs([*labelled, *outcomes], embedder, on_progress)
    head: Head | None = None
    figures: _Figures = (None, None, None, None)
    if len({example.label for example in labelled}) > 1:
        shipped = Shipped(embedder)
        head, figures = _learn_tasks(labelled, inputs.part(0, len(labelled)), shipped)
    gain = None
    if len(outcomes) >= LEAST_OUTCOMES:
        vectors, shown = inputs.part(len(labelled), None)
        gain = fit_gain(
            vectors,
            shown,
            np.array([len(example.prompt) for example in outcomes]),
            np.array([example.weak for example in outcomes]),
            np.array([example.strong for example in outcomes]),
        )
    return Learnt(
        labels=len(labelled),
        by_label=dict(Counter(example.label for example in labelled).most_common()),
        head=head,
        accuracy=figures[0],
        before=figures[1],
        tier=figures[2],
        tier_before=figures[3],
        outcomes=len(outcomes),
        gain=gain,
        probe=probe,
    )


class _Inputs:
    """The vectors and surface features of many prompts' instructions."""

    def __init__(
        self,
        examples: Sequence[Example],
        embedder: Embedder,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        texts = [instruction(example.prompt) for example in examples]
        self._vectors: list[bytes] = []
        for start in range(0, len(texts), _BATCH):
            made = embedder.embed(texts[start : start + _BATCH])
            self._vectors += [embedding.vector for embedding in made]
            if on_progress is not None:
                on_progress(len(self._vectors), len(texts))
        self._features = [
            features(text, code=has_code(example.prompt))
            for text, example in zip(texts, examples, strict=True)
        ]

    def part(self, start: int, end: int | None) -> tuple[Any, Any]:
        import numpy as np

        vectors = np.stack([as_row(vector) for vector in self._vectors[start:end]])
        return vectors, np.array(self._features[start:end], dtype=np.float32)


class Shipped:
    """The shipped examples as training rows, and as centroids."""

    def __init__(self, embedder: Embedder) -> None:
        import numpy as np

        examples = shipped_examples()
        groups = embed_groups(examples, embedder)
        self._centroids = TaskCentroids(groups)
        vectors = np.concatenate(list(groups.values()))
        shown = np.array([features(text) for texts in examples.values() for text in texts])
        self.labels = [task_of(name) for name, texts in examples.items() for _ in texts]
        self.rows = head_inputs(vectors, shown, self.odds(vectors, shown))

    def odds(self, vectors: Any, shown: Any) -> Any:
        """Rows of log-odds, one a task."""
        import numpy as np

        near = self._centroids.similarities(vectors)
        return np.array(
            [
                log_odds([float(value) for value in similarities], list(row))
                for similarities, row in zip(near, shown, strict=True)
            ]
        )


def _learn_tasks(
    labelled: Sequence[Example], inputs: tuple[Any, Any], shipped: Shipped
) -> tuple[Head, _Figures]:
    import numpy as np

    vectors, shown = inputs
    labels = np.array([example.label for example in labelled])
    odds = shipped.odds(vectors, shown)
    rows = head_inputs(vectors, shown, odds)
    before = np.array(list(TASKS))[odds.argmax(axis=1)]
    unseen = np.empty_like(labels)
    order = _stratified(labels)
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        kept = np.setdiff1d(order, held)
        names, weights, bias = _fit(rows[kept], labels[kept], shipped)
        unseen[held] = np.array(names)[(rows[held] @ weights.T + bias).argmax(axis=1)]
    head = learn_head(labels, vectors, shown, shipped)
    accuracy, tier = _agreement(unseen, labels)
    accuracy_before, tier_before = _agreement(before, labels)
    note = {"labels_used": len(labels), "accuracy": accuracy, "tier": tier}
    return replace(head, note=note), (accuracy, accuracy_before, tier, tier_before)


def learn_head(labels: Any, vectors: Any, shown: Any, shipped: Shipped) -> Head:
    """Fit on n labels, vectors (n, d) and features (n, f)."""
    import numpy as np

    rows = head_inputs(vectors, shown, shipped.odds(vectors, shown))
    names, weights, bias = _fit(rows, labels, shipped)
    return Head(tuple(names), weights.astype(np.float32), bias.astype(np.float32), {})


def _stratified(labels: Any) -> Any:
    """An order in which every fifth prompt has about a fifth of every label."""
    import numpy as np

    shuffled = np.random.default_rng(0).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _fit(rows: Any, labels: Any, shipped: Shipped) -> tuple[list[str], Any, Any]:
    """Multinomial logistic regression. The shipped examples of the labels in use count a little too, and
    rare labels count for more as long as there are few prompts."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    use = [i for i, label in enumerate(shipped.labels) if label in set(labels)]
    every = np.concatenate([labels, np.array([shipped.labels[i] for i in use], dtype=labels.dtype)])
    weights = np.concatenate([np.ones(len(labels)), np.full(len(use), _SHIPPED_WEIGHT)])
    balance = "balanced" if len(labels) < _BALANCED_UNTIL else None
    model = LogisticRegression(C=_STRENGTH, class_weight=balance, max_iter=1_000)
    model.fit(np.vstack([rows, shipped.rows[use]]), every, sample_weight=weights)
    names = [str(name) for name in model.classes_]
    if len(names) == 2:  # One row for the second label: the first has its opposite.
        return (
            names,
            np.vstack([-model.coef_ / 2, model.coef_ / 2]),
            np.array([-model.intercept_[0] / 2, model.intercept_[0] / 2]),
        )
    return names, model.coef_, model.intercept_


def _agreement(said: Any, labels: Any) -> tuple[float, float | None]:
    """The share of right labels, and of right tiers where every label has one."""
    import numpy as np

    right = float(np.mean(said == labels))
    if not all(label in TASKS for label in labels):
        return right, None
    return right, float(np.mean([TASKS.get(a) == TASKS[b] for a, b in zip(said, labels, strict=True)]))
