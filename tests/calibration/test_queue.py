"""The queue draws by design."""

from __future__ import annotations

import numpy as np
import pytest

from costconsole.calibration.events import FLOOR
from costconsole.calibration.queue import WIDE, draw, share_left
from tests.calibration.worlds import event

POOL = [event(str(i), s, None, certified=False) for i, s in enumerate(np.linspace(0.5, 0.999, 4_000))]


def test_the_same_seed_draws_the_same_and_nothing_twice() -> None:
    one, two = draw(POOL, (), 0.9, 100, 3), draw(POOL, (), 0.9, 100, 3)
    assert one == two
    assert len({e.id for e in one}) == 100
    assert not {e.id for e in draw(POOL, {e.id for e in one}, 0.9, 100, 3)} & {e.id for e in one}


def test_thirty_percent_are_drawn_from_everything_and_the_rest_from_the_low_end_up() -> None:
    drawn = draw(POOL, (), 0.9, 1_000, 5)
    wide = [e for e in drawn if e.drawn_from == FLOOR]
    assert abs(len(wide) / len(drawn) - WIDE) < 0.06
    assert all(e.similarity >= 0.9 for e in drawn if e.drawn_from == 0.9)
    assert all(e.similarity >= FLOOR and e.certified for e in drawn)
    assert min(e.similarity for e in wide) < 0.75


def test_above_the_low_end_every_look_up_is_as_likely_as_any_other() -> None:
    counts = np.zeros(10)
    for seed in range(40):
        for e in draw(POOL, (), 0.9, 100, seed):
            if e.similarity >= 0.9:
                counts[min(9, int((e.similarity - 0.9) / 0.0999 * 10))] += 1
    expected = counts.sum() / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # chi-square, 9 degrees, 0.1 %


def test_what_a_guard_refused_is_never_drawn() -> None:
    pool = [event("a", 0.95, None, guards=("numbers",)), event("b", 0.95, None)]
    assert [e.id for e in draw(pool, (), 0.9, 5, 1)] == ["b"]


def test_what_was_drawn_from_everything_first_counts_towards_its_share() -> None:
    pilot = [event(str(i), 0.9, "same") for i in range(60)]
    assert share_left(pilot, 140) == 0.0
    assert share_left(pilot, 340) == pytest.approx(60 / 340)
    assert share_left([], 10) == WIDE
    drawn = draw(POOL, (), 0.9, 100, 3, share=0.0)
    assert {e.drawn_from for e in drawn} == {0.9}
