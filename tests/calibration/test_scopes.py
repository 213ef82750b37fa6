"""Several scopes at once: who decides, who inherits, and that all promises hold together."""

from __future__ import annotations

import numpy as np
import pytest

from costconsole.calibration.bound import fewest
from costconsole.calibration.scopes import ScopeLog, decide, families_of
from tests.calibration.worlds import event, world


def right(n: int, name: str, similarity: float = 0.93) -> list:
    return [event(f"{name}{i}", similarity, "same", route=name) for i in range(n)]


def log(name: str, labels: list, current: float | None = None) -> ScopeLog:
    kind = "route" if name else "all"
    return ScopeLog(kind=kind, name=name, current=current, scores=[0.93] * 50, labels=labels)


def test_who_has_enough_decides_and_the_others_go_by_all() -> None:
    many, few = right(400, "faq"), right(20, "billing")
    whole, faq, billing = decide(
        log("", many + few, 0.95), [log("faq", many, 0.95), log("billing", few, 0.97)], max_error=0.02
    )
    assert (whole.own, faq.own, billing.own) == (True, True, False)
    assert whole.proposal.confidence == faq.proposal.confidence == pytest.approx(1 - 0.05 / 2)
    assert (whole.threshold, faq.threshold) == (0.9, 0.9)
    # The parent's is 0.9, but a step leads down by 0.05 only.
    assert billing.threshold == 0.92
    assert billing.labels == 20
    assert f"{billing.needed:,} would be the fewest" in billing.reason


def test_without_enough_anywhere_it_is_one_promise() -> None:
    (whole, one) = decide(log("", right(200, "a")), [log("a", right(100, "a"))])
    assert whole.proposal.confidence == 0.95
    assert whole.threshold is not None
    assert not one.own
    assert one.threshold == whole.threshold


def test_every_scope_that_decides_makes_the_others_need_more() -> None:
    two = fewest(0, 0.02, 0.05 / 2)
    three = fewest(0, 0.02, 0.05 / 3)
    assert families_of([two, two - 1], 0.02, 0.95) == (2, two)
    assert families_of([two, two], 0.02, 0.95) == (2, two)
    assert families_of([three, three, 5], 0.02, 0.95) == (3, three)
    assert families_of([], 0.02, 0.95)[0] == 1


def test_verdicts_do_not_choose_who_decides() -> None:
    wrong = [event(f"w{i}", 0.93, "different") for i in range(400)]
    whole, bad = decide(log("", right(400, "a") + wrong), [log("bad", wrong)])
    assert bad.own
    assert bad.threshold is None
    assert whole.threshold is None


def test_all_promises_hold_together() -> None:
    made = [world(0.0, at=0.70, rate=0.0515, seed=seed) for seed in range(2)]
    rng = np.random.default_rng(5)
    broken = 0
    for _ in range(30):
        logs = [
            ScopeLog(
                kind="route", name=str(i), current=None, scores=one.similarities, labels=one.labels(200, rng)
            )
            for i, one in enumerate(made)
        ]
        whole = ScopeLog(
            kind="all",
            current=None,
            scores=np.concatenate([one.similarities for one in made]),
            labels=[label for scope in logs for label in scope.labels],
        )
        found = decide(whole, logs, max_error=0.05)[1:]
        broken += any(
            one.threshold is not None and world_.wrong_rate(one.threshold) > 0.05
            for one, world_ in zip(found, made, strict=True)
        )
    assert broken <= 4
