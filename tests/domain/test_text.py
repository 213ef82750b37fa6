from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.text import first_words, visible


@given(st.text(st.characters(codec=None)), st.booleans())
def test_nothing_that_a_terminal_might_obey_comes_through(text: str, multiline: bool) -> None:
    for character in visible(text, multiline=multiline):
        if character == "\n":
            assert multiline
            continue
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


@given(st.text())
def test_making_visible_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
        ("\x9b31m", "\\u009b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("a\r\nb\tc", "a⏎b    c"),
        ("[red]markup[/]", "[red]markup[/]"),
        ("\ud800", "\\ud800"),
    ],
)
def test_hostile_text_is_shown(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@given(st.text(), st.integers(1, 80))
def test_first_words_are_one_line_that_fits(text: str, limit: int) -> None:
    found = first_words(text, limit)
    assert len(found) <= limit
    assert "\n" not in found
