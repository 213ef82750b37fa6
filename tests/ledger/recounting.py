"""What is in Redis, counted call by call from the stream, and what the rollups say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from costconsole.domain.call import Call
from costconsole.ledger.rollup import DIMENSIONS, figures
from costconsole.ledger.view import parse_call
from costconsole.redis_store.keys import Keys
from tests.ledger.calls import key_of, recount

KEYS = Keys()


def streamed(client: Any, keys: Keys = KEYS) -> list[Call]:
    """Every call in the stream, oldest first."""
    found = [parse_call(stored) for _id, stored in client.xrange(keys.calls)]
    assert None not in found
    return [call for call in found if call is not None]


def bucket_fields(client: Any, grain: str, keys: Keys = KEYS) -> dict[str, int]:
    """The sum of all buckets of a grain."""
    total: dict[str, int] = {}
    for key in client.scan_iter(match=keys.root.replace("{", "[{]") + grain + ":*"):
        for name, value in client.hgetall(key).items():
            total[name.decode()] = total.get(name.decode(), 0) + int(value)
    return total


def assert_exactly(client: Any, ids: Iterable[str], keys: Keys = KEYS) -> None:
    """The stream holds each of the calls once, and every rollup is its recount."""
    calls = streamed(client, keys)
    assert sorted(call.id for call in calls) == sorted(ids)
    for grain in ("minute", "hour", "day"):
        fields = bucket_fields(client, grain, keys)
        for dimension in DIMENSIONS:
            for value in {key_of(call, dimension) for call in calls}:
                of_value = [call for call in calls if key_of(call, dimension) == value]
                assert figures(fields, dimension, value) == recount(of_value), (grain, dimension, value)
