"""A replay against the plainest way to do it."""

from __future__ import annotations

import numpy as np
import pytest

from costconsole.calibration.replay import Stopped, judge_hits, replay, replayed_events
from tests.calibration.worlds import event


def prompts(n: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n // 6, 16))
    vectors = centers[rng.integers(0, len(centers), n)] + 0.3 * rng.normal(size=(n, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.75, 0.9, 0.99])
def test_it_is_exact(threshold: float) -> None:
    vectors = prompts(900)
    scopes = ["ab"[i % 2] for i in range(900)]
    cacheable = [i % 7 != 0 for i in range(900)]
    told: list[tuple[int, int]] = []
    found = replay(
        vectors,
        threshold,
        scopes=scopes,
        cacheable=cacheable,
        progress=lambda done, total: told.append((done, total)),
    )
    cached: dict[str, list[int]] = {"a": [], "b": []}
    for i, vector in enumerate(vectors):
        near = [(float(vector @ vectors[j]), j) for j in cached[scopes[i]]]
        if near:
            best = max(near)
            assert found.similarities[i] == pytest.approx(best[0], abs=1e-5)
            assert found.neighbors[i] == best[1]
        else:
            assert found.neighbors[i] == -1
        hit = bool(near) and max(near)[0] >= threshold
        assert found.hits[i] == hit
        if not hit and cacheable[i]:
            cached[scopes[i]].append(i)
    assert told[-1] == (900, 900)


def test_it_stops_when_told() -> None:
    with pytest.raises(Stopped):
        replay(prompts(600), 0.9, stop=lambda: True)


def test_labels_link_prompts_that_never_met() -> None:
    vectors = np.array([[1, 0], [0.99, 0.141], [0.98, 0.199], [0.97, 0.243]], dtype=np.float32)
    found = replay(vectors, 0.9)
    assert found.hits.tolist() == [False, True, True, True]
    judged = judge_hits(found, same=[(0, 1)], different=[(1, 2)])
    assert (judged.right, judged.wrong, judged.unknown) == (1, 1, 1)
    assert judged.wrong_rate == 0.5
    asked = [event(str(i), 0.5, None, query=f"q{i}") for i in range(4)]
    assert [(e.query, e.cached) for e in replayed_events(found, asked)] == [
        ("q1", "q0"),
        ("q2", "q0"),
        ("q3", "q0"),
    ]
