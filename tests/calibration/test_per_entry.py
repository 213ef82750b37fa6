"""Thresholds by entry."""

from __future__ import annotations

import numpy as np

from costconsole.calibration.events import Event
from costconsole.calibration.per_entry import KAPPAS, Entries, Shape, choose, evaluate, fit_shape
from tests.calibration.worlds import event


def log(entries: int = 60, each: int = 60, seed: int = 4) -> list[Event]:
    """Every entry answers rightly above a similarity of its own, between 0.75 and 0.95."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.75, 0.95, entries)
    found = []
    for i in range(entries * each):
        entry = int(rng.integers(entries))
        s = rng.uniform(0.7, 1.0)
        verdict = "same" if s >= own[entry] else "different"
        found.append(event(str(i), s, verdict, neighbor=f"e{entry}", ts_ms=i))
    return found


def test_labels_of_an_entry_move_it_and_no_other() -> None:
    entries = Entries(Shape(20, 0.7, 0.1))
    before = entries.right("a", 0.85)
    entries.learn("a", 0.9, same=False)
    assert entries.right("a", 0.85) < before - 0.1
    assert entries.right("b", 0.85) == before
    entries.learn("b", 0.8, same=True)
    assert entries.right("b", 0.85) > before


def test_nearer_is_never_less_likely_right() -> None:
    entries = Entries(Shape(15, 0.7, 0.1))
    entries.learn("a", 0.8, same=False)
    chances = [entries.right("a", s) for s in np.linspace(0.5, 1.0, 30)]
    assert chances == sorted(chances)


def test_it_beats_one_threshold_where_entries_differ_and_every_miss_is_labelled() -> None:
    events = log()
    shape = fit_shape(events)
    able = [found for kappa in KAPPAS if (found := evaluate(events, shape, kappa)).hits]
    learned = max((found for found in able if found.wrong / found.hits <= 0.05), key=lambda found: found.hits)
    best = max(
        (
            len(hits) / len(events)
            for t in np.arange(0.7, 1.0, 0.005)
            if (hits := [e.wrong for e in events if e.similarity >= t]) and np.mean(hits) <= 0.05
        ),
    )
    assert learned.hit_rate > best


def test_what_is_chosen_is_certified_on_look_ups_that_chose_nothing() -> None:
    _shape, chosen, tried = choose(log(), max_error=0.10)
    assert chosen is not None
    assert chosen.upper <= 0.10
    assert chosen is tried[-1]
    none = choose(log(entries=5, each=4), max_error=0.02)[1]
    assert none is None
