from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.domain.redact import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jane.doe+x@mail.example.co.uk, please", "write to [email], please"),
        ("call +49 30 1234567 now", "call [phone] now"),
        ("call (030) 123 4567", "call [phone]"),
        ("call 555-123-4567.", "call [phone]."),
        ("card 4111 1111 1111 1111 ok", "card [card] ok"),
        ("card 4111111111111111", "card [card]"),
        ("key sk-proj-abcdefghijklmnopqrstuv", "key [key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[key]"),
        ("Authorization: Bearer abcdefghijklmnop.qrs", "Authorization: Bearer [key]"),
        ("password=hunter22 and more", "password=[key] and more"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def", "[key]"),
    ],
)
def test_what_gives_somebody_away_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890123 is late",
        "30 or 60 days? 2026-11-20 10:15",
        "version 1.2.3.4 of 10.0.0.1",
        "costs $1,234.56 or 99.95",
        "a @ b, x@y",
        "task-force and sk-ip this",
    ],
)
def test_ordinary_numbers_and_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet="ab1234567890+-() .@sk=:", max_size=60))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)
