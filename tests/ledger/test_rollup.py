"""A rollup is the exact sum of its calls."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.call import Call
from costconsole.ledger.rollup import DIMENSIONS, figures, increments
from tests.ledger.calls import calls, key_of, make_call, recount


@given(st.lists(calls(), max_size=30))
def test_every_bucket_is_the_sum_of_its_calls_in_every_dimension(found: list[Call]) -> None:
    for bucket, fields in increments(found).items():
        inside = [call for call in found if bucket.start_ms <= call.ts_ms < bucket.end_ms]
        assert inside
        for dimension in DIMENSIONS:
            for value in {key_of(call, dimension) for call in inside}:
                expected = recount(call for call in inside if key_of(call, dimension) == value)
                assert figures(fields, dimension, value) == expected


@given(st.lists(calls(), max_size=30), st.data())
def test_neither_order_nor_batches_change_a_rollup(found: list[Call], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(found))
    cut = data.draw(st.integers(0, len(found)))
    parts = (shuffled[:cut], shuffled[cut:])
    summed: dict[object, Counter[str]] = {}
    for part in parts:
        for bucket, fields in increments(part).items():
            counter = summed.setdefault(bucket, Counter())
            for name, n in fields.items():
                counter[name] += n
    whole = {bucket: {k: n for k, n in fields.items() if n} for bucket, fields in increments(found).items()}
    assert {bucket: {k: n for k, n in c.items() if n} for bucket, c in summed.items()} == whole


@given(st.lists(calls(), max_size=20))
def test_minutes_hours_and_days_hold_the_same(found: list[Call]) -> None:
    by_grain: dict[str, int] = {}
    for bucket, fields in increments(found).items():
        by_grain[bucket.grain] = by_grain.get(bucket.grain, 0) + fields["calls|total|"]
    assert by_grain == ({} if not found else dict.fromkeys(("minute", "hour", "day"), len(found)))


def test_the_parts_of_each_dimension_add_up_to_the_total() -> None:
    found = [make_call(model=m, route=r, tag=t) for m in "ab" for r in ("", "x") for t in ("", "y", "z")]
    fields = next(iter(increments(found).values()))
    for dimension in DIMENSIONS:
        values = {name.split("|", 2)[2] for name in fields if name.startswith(f"calls|{dimension}|")}
        assert sum(figures(fields, dimension, value).calls for value in values) == len(found)


def test_unknown_metrics_are_ignored() -> None:
    assert figures({"calls|total|": 2, "surprise|total|": 9, "lat_hit.x|total|": 1}).calls == 2
