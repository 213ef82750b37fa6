"""The task of an instruction, learnt from the user's own labels: a multinomial logistic regression.

It reads the vector, the surface features, and what the shipped examples say about both, so that a few
hundred labels begin where no label at all leaves off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from costconsole.routing.surface import FEATURES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

RECIPE: Final = f"2:{len(FEATURES)}"
"""Changes with what a head reads: one of another recipe is not used."""
_SCALE: Final = 0.3
"""Vectors have length 1; this brings the other inputs to the same size."""


def head_inputs(vectors: Any, features: Any, odds: Any) -> Any:
    """Rows of vectors (n, d), features (n, f) and log-odds (n, tasks) as one matrix of float32."""
    import numpy as np

    odds = np.asarray(odds, dtype=np.float32)
    return np.hstack(
        [
            np.asarray(vectors, dtype=np.float32),
            _SCALE * np.asarray(features, dtype=np.float32),
            _SCALE * (odds - odds.mean(axis=1, keepdims=True)),
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The regression. `weights` has a row a label; `note` says what was learnt from and how well."""

    labels: tuple[str, ...]
    weights: Floats
    bias: Floats
    note: Mapping[str, Any]

    def probabilities(self, vector: Floats, features: Sequence[float], odds: Sequence[float]) -> list[float]:
        """The probability of each of `labels`."""
        import numpy as np

        logits = self.weights @ head_inputs(vector[None, :], [features], [odds])[0] + self.bias
        powers = np.exp(logits - logits.max())
        return [float(value) for value in powers / powers.sum()]

    def labels_of(self, vectors: Any, features: Any, odds: Any) -> Any:
        """The likeliest label of each row."""
        import numpy as np

        logits = head_inputs(vectors, features, odds) @ self.weights.T + self.bias
        return np.array(self.labels)[logits.argmax(axis=1)]

    def stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What goes into a file."""
        return {**self.note, "recipe": RECIPE, "labels": list(self.labels)}, {
            "weights": self.weights,
            "bias": self.bias,
        }

    @classmethod
    def from_stored(cls, note: Mapping[str, Any], arrays: Mapping[str, Any], dims: int) -> Head | None:
        """The head of a file; None if it reads other inputs than this version makes of `dims` numbers."""
        labels = note.get("labels")
        weights, bias = arrays.get("weights"), arrays.get("bias")
        if note.get("recipe") != RECIPE or not isinstance(labels, list) or weights is None or bias is None:
            return None
        from costconsole.routing.model import TASKS

        if weights.shape != (len(labels), dims + len(FEATURES) + len(TASKS)) or bias.shape != (len(labels),):
            return None
        return cls(tuple(map(str, labels)), weights, bias, dict(note))
