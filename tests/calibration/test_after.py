"""What a change did, read off log and labels."""

from __future__ import annotations

from costconsole.calibration.after import after_change
from costconsole.calibration.events import Event
from tests.calibration.worlds import event


def looked(name: str, similarity: float, threshold: float, version: int, ts_ms: int) -> Event:
    return event(
        name,
        similarity,
        None,
        threshold=threshold,
        policy_version=version,
        hit=similarity >= threshold,
        ts_ms=ts_ms,
    )


LOG = [
    *[looked(f"a{i}", 0.96 if i < 2 else 0.80, 0.95, 1, i) for i in range(10)],
    *[looked(f"b{i}", 0.92 if i < 6 else 0.80, 0.90, 2, 100 + i) for i in range(10)],
]


def test_before_and_after_side_by_side() -> None:
    labels = [
        event("a0", 0.96, "same", threshold=0.95),
        event("b0", 0.92, "different", threshold=0.90),
        event("b1", 0.92, "same", threshold=0.90),
        event("b7", 0.80, "different", threshold=0.90),  # a miss: no wrong hit
        event("b2", 0.92, "different", threshold=0.90, drawn_from=0.91),  # says nothing about all hits
    ]
    after = after_change(LOG, labels, current=0.90, max_error=0.05)
    assert after.now is not None
    assert after.before is not None
    assert (after.now.version, after.now.hit_rate, after.now.labels, after.now.wrong) == (2, 0.6, 2, 1)
    assert (after.before.version, after.before.hit_rate, after.before.fhr) == (1, 0.2, 0.0)
    assert not after.alarm
    assert "60.0 % of 10 look-ups were hits (1 of 2 labelled ones wrong)" in after.sentence
    assert "before, at 0.95, 20.0 %" in after.sentence


def test_an_alarm_when_labels_refute_what_is_in_force() -> None:
    labels = [event(f"x{i}", 0.92, "different", threshold=0.90) for i in range(5)]
    after = after_change(LOG, labels, current=0.90)
    assert after.alarm
    assert after.sentence.startswith("more than 2 % of the hits at 0.9 are wrong")
    # Labels of look-ups that have left the log belong to the newest period of their threshold.
    assert after.now is not None
    assert after.now.wrong == 5
    assert not after_change(LOG, labels, current=0.95).alarm


def test_labels_that_were_not_drawn_or_are_a_judges_raise_no_alarm() -> None:
    hints = [event(f"x{i}", 0.92, "different", threshold=0.90, certified=False) for i in range(9)]
    judged = [event(f"y{i}", 0.92, "different", threshold=0.90, source="judge") for i in range(9)]
    assert not after_change(LOG, [*hints, *judged], current=0.90).alarm


def test_without_a_log_there_is_nothing_to_say() -> None:
    after = after_change([], [], current=0.95)
    assert (after.now, after.before, after.alarm, after.sentence) == (None, None, False, "")
