"""The view of differences: both texts can be read out of it, and it stays quick on anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.prompt.diff import diff

texts = st.lists(st.sampled_from(["a b", "a  b", "", "c", "c d e", "  f", "a"]), max_size=30).map("\n".join)


@settings(max_examples=200, deadline=None)
@given(texts, texts)
def test_both_texts_are_in_the_view(before: str, after: str) -> None:
    lines = diff(before, after, context=None)
    assert "\n".join(line.text for line in lines if line.kind in ("same", "removed")) == before
    assert "\n".join(line.text for line in lines if line.kind in ("same", "added")) == after
    assert [line.before for line in lines if line.before] == list(range(1, before.count("\n") + 2))
    assert [line.after for line in lines if line.after] == list(range(1, after.count("\n") + 2))


def test_words_that_changed_are_marked_within_their_lines() -> None:
    removed, added = diff("the  old lamp", "the new lamp")
    assert [(span.text, span.changed) for span in removed.spans] == [
        ("the", False),
        ("  old", True),
        (" lamp", False),
    ]
    assert [span.text for span in added.spans if span.changed] == [" new"]


def test_equal_lines_far_from_a_change_are_counted() -> None:
    before = "\n".join(map(str, range(100)))
    lines = diff(before, before.replace("50", "fifty"), context=2)
    assert [line.kind for line in lines] == ["gap", "same", "same", "removed", "added", "same", "same", "gap"]
    assert [line.hidden for line in lines if line.kind == "gap"] == [48, 47]


def test_equal_texts_have_no_difference() -> None:
    assert [line.kind for line in diff("a\nb", "a\nb")] == ["gap"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "".join(f"line {i % 700}  x\n\n" for i in range(8_000)),
            "".join(f"line {i % 700} x\n\n" for i in range(8_000)),
        ),
        (
            "".join(f"{i * 7919 % 10_007}\n" for i in range(8_000)),
            "".join(f"{i * 104_729 % 10_009}\n" for i in range(8_000)),
        ),
        ("a\n" * 30_000, "b\na\n" * 15_000),
        ("a b " * 100_000, "a  b " * 100_000),
        ("a b " * 150, "b a c " * 100),
    ],
    ids=range(5),
)
def test_large_texts_are_compared_in_bounded_time(before: str, after: str) -> None:
    lines = diff(before, after, context=None)
    assert "\n".join(line.text for line in lines if line.kind in ("same", "added")) == after
