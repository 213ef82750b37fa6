"""When a provider is asked again, and after how long."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from costconsole.gateway.retry import RetryPolicy, retry_after_s, should_retry

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "again"),
    [
        (429, {}, True),
        (408, {}, True),
        (409, {}, True),
        (500, {}, True),
        (529, {}, True),
        (400, {}, False),
        (401, {}, False),
        (404, {}, False),
        (429, {"x-should-retry": "false"}, False),
        (400, {"x-should-retry": "true"}, True),
    ],
)
def test_which_statuses_are_worth_another_try(status: int, headers: dict[str, str], again: bool) -> None:
    assert should_retry(status, headers) is again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:05 GMT"}, 5.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_when_a_server_says_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


def test_waits_double_with_jitter_up_to_a_cap_and_end() -> None:
    rng = random.Random(1)
    policy = RetryPolicy(retries=8)
    for attempt in range(8):
        full = min(8.0, 0.5 * 2**attempt)
        waits = {policy.delay_s(attempt, None, rng) for _ in range(50)}
        assert len(waits) > 1
        assert all(wait is not None and 0.75 * full <= wait <= full for wait in waits)
    assert policy.delay_s(8, None, rng) is None


def test_a_servers_wish_is_obeyed_unless_it_is_too_long() -> None:
    policy, rng = RetryPolicy(), random.Random(1)
    assert policy.delay_s(0, 20.0, rng) == 20.0
    assert policy.delay_s(0, 3600.0, rng) is None
    assert policy.delay_s(0, float("inf"), rng) is None
