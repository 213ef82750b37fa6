"""A gateway over a real Redis, the real model and a stand-in provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Call
from costconsole.embedding.embedder import Embedder
from costconsole.gateway.pipeline import Gateway
from costconsole.gateway.provider import Provider
from costconsole.gateway.retry import RetryPolicy
from costconsole.redis_store.keys import Keys

FAST = RetryPolicy(first_s=0.001, cap_s=0.002)
Make = Callable[..., Gateway]
Ledgered = Callable[[Gateway], list[Call]]


@pytest.fixture
def stand_in() -> Iterator[StandInProvider]:
    with StandInProvider(speedup=0) as server:
        yield server


@pytest.fixture
def make_gateway(redis_url: str, embedder: Embedder, stand_in: StandInProvider) -> Iterator[Make]:
    """`make_gateway(**options)`: a gateway whose providers are the stand-in; closed after the test."""
    made: list[Gateway] = []

    def make(url: str = redis_url, *, timeout_s: float = 30.0, **options: Any) -> Gateway:
        more = {"api_key": "k", "retry": FAST, "timeout_s": timeout_s}
        providers = [
            Provider("openai", "openai", base_url=stand_in.openai_url, **more),  # type: ignore[arg-type]
            Provider("anthropic", "anthropic", base_url=stand_in.url, **more),  # type: ignore[arg-type]
        ]
        options = {"model": "gpt-4o-mini", "providers": providers, "embedder": embedder} | options
        # Longer than the default: the tests' machine may be busy, and only an outage should look like one.
        made.append(Gateway(url, **{"cache_timeout_s": 5.0, **options}))
        return made[-1]

    yield make
    for gateway in made:
        gateway.close()


@pytest.fixture
def ledgered(client: redis.Redis) -> Ledgered:
    """`ledgered(gateway)`: every call in the ledger's stream, oldest first."""

    def read(gateway: Gateway) -> list[Call]:
        assert gateway.ledger.flush(10)
        return calls_in(client)

    return read


def calls_in(client: redis.Redis, namespace: str = "default") -> list[Call]:
    """The calls in the stream of a namespace, by the time they began."""
    entries: Any = client.xrange(Keys(namespace).calls)
    calls = [Call.from_fields({k.decode(): v.decode() for k, v in fields.items()}) for _, fields in entries]
    return sorted(calls, key=lambda call: call.ts_ms)


def until(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something is so; fails when it is not in time."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
