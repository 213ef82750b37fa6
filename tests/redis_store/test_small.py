"""Back-off and replies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costconsole.redis_store.backoff import Backoff, delay_s
from costconsole.redis_store.replies import info, pairs, text


def test_waits_double_up_to_the_cap():
    waits = [delay_s(attempt, 1.0, base_s=0.5, cap_s=5.0) for attempt in range(6)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(st.integers(min_value=-5, max_value=10**9), st.floats(0, 1))
def test_a_wait_is_between_half_and_whole_and_never_above_the_cap(attempt: int, chance: float):
    whole = delay_s(attempt, 1.0)
    assert whole / 2 <= delay_s(attempt, chance) <= whole <= 15.0


def test_many_consoles_do_not_return_at_the_same_moment():
    assert len({round(Backoff().next_s(), 9) for _ in range(50)}) > 40


def test_an_answer_starts_over():
    backoff = Backoff(base_s=1.0, cap_s=60.0, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert backoff.attempts == 3
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_text_never_fails():
    assert text(b"caf\xc3\xa9") == "café"
    assert text(b"\xff\x00a") == "\\xff\x00a"
    assert text(None) == ""
    assert text("as it is") == "as it is"
    assert text(memoryview(b"view")) == "view"
    assert text(7) == "7"


@given(st.binary())
def test_text_of_any_bytes_can_be_encoded(raw: bytes):
    text(raw).encode("utf-8")


def test_pairs_and_info():
    assert pairs([b"a", 1, b"b", [2]]) == {"a": 1, "b": [2]}
    assert pairs({b"a": 1}) == {"a": 1}
    assert pairs([b"odd"]) == {}
    assert pairs(None) == {}
    assert info(b"# Server\r\nredis_version:8.2.3\r\n\r\nos:a:b\r\n") == {
        "redis_version": "8.2.3",
        "os": "a:b",
    }
    assert info({"maxmemory": 0, "db0": {"keys": 1}}) == {"maxmemory": "0", "db0": ""}
    assert info(None) == {}
