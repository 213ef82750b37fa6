"""Redis away, slow, full or emptied: calls go on, and the ledger gets them all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import redis

from costconsole.demo.provider import StandInProvider
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Outcome
from costconsole.redis_store.keys import Keys
from tests.gateway.conftest import Make, calls_in, until

ASKED = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
Fresh = Callable[..., EmbeddedRedis]


async def test_calls_go_on_while_redis_is_stopped_and_the_ledger_gets_them_later(
    make_gateway: Make, fresh_server: Fresh, stand_in: StandInProvider
) -> None:
    server = fresh_server()
    gateway = make_gateway(server.url)
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    assert gateway.complete(ASKED).outcome is Outcome.EXACT
    gateway.ledger.flush(10)
    server.stop()
    for at in range(5):
        assert gateway.complete(f"{ASKED} {at}").outcome is Outcome.BYPASS
        assert (await gateway.acomplete(f"{PARAPHRASE} {at}")).outcome is Outcome.BYPASS
    assert gateway.problems
    server.start()
    until(lambda: gateway.complete(ASKED).outcome is not Outcome.BYPASS)
    until(lambda: not gateway.problems)
    until(lambda: gateway.ledger.flush(5))
    with redis.Redis.from_url(server.url, protocol=2) as client:
        calls = calls_in(client)
    assert len({call.id for call in calls}) == len(calls)
    assert sum(1 for call in calls if call.outcome is not Outcome.EXACT) == stand_in.arrived


def test_a_redis_that_hangs_costs_one_bounded_wait(
    make_gateway: Make, fresh_server: Fresh, stand_in: StandInProvider
) -> None:
    server = fresh_server()
    gateway = make_gateway(server.url, cache_timeout_s=0.3)
    gateway.complete(ASKED)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        first = gateway.complete("one")
        assert first.outcome is Outcome.BYPASS
        # Within the rest after a failure, Redis isn't tried at all.
        rest = [gateway.complete(text) for text in ("two", "three", "four")]
        assert min(c.latency_ms for c in rest) < 300 <= first.latency_ms
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_an_emptied_server_gets_its_index_again(make_gateway: Make, client: redis.Redis) -> None:
    gateway = make_gateway()
    gateway.complete(ASKED)
    client.flushall()
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    # The index was found missing by that call; the next one makes it anew.
    gateway.complete("Which payment methods do you take?")
    gateway.complete("Do you ship to Norway?")
    assert gateway.complete("Do you ship to Norway??").outcome is Outcome.SEMANTIC
    assert gateway.problems == ()


def test_a_server_without_search_serves_exact_hits(make_gateway: Make, fresh_server: Fresh) -> None:
    gateway = make_gateway(fresh_server(modules=False).url)
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    assert gateway.complete(ASKED).outcome is Outcome.EXACT
    assert gateway.complete(PARAPHRASE).outcome is Outcome.MISS
    assert "no search module" in " ".join(gateway.problems)


def test_a_full_server_still_answers(make_gateway: Make, fresh_server: Fresh) -> None:
    server = fresh_server()
    gateway = make_gateway(server.url)
    gateway.complete(ASKED)
    with redis.Redis.from_url(server.url, protocol=2) as client:
        client.config_set("maxmemory", 1)
        assert gateway.complete(PARAPHRASE + " please, I forgot it").outcome is Outcome.MISS
        assert gateway.complete(ASKED).outcome is Outcome.EXACT
        assert gateway.complete(PARAPHRASE).outcome is Outcome.SEMANTIC
        assert gateway.problems
        client.config_set("maxmemory", 0)


def test_caches_of_namespaces_are_apart(make_gateway: Make, client: redis.Redis) -> None:
    first, second = make_gateway(namespace="one"), make_gateway(namespace="two")
    first.complete(ASKED)
    assert second.complete(ASKED).outcome is Outcome.MISS
    first.ledger.flush(10)
    assert [call.outcome for call in calls_in(client, "one")] == [Outcome.MISS]
    assert list(client.scan_iter(Keys("two").exact_prefix + "*"))


async def test_a_hit_counts_as_use_for_a_server_that_evicts_what_is_idle(
    make_gateway: Make, client: redis.Redis
) -> None:
    gateway = make_gateway()
    gateway.complete(ASKED)
    for _ in range(2):
        gateway.complete(ASKED)
        await gateway.acomplete(ASKED)
    connections: Any = client.client_list()
    asking = [c for c in connections if c["cmd"] == "hmget"]
    assert len(asking) == 2
    # T is the flag of a connection whose reads leave idle times alone.
    assert all("T" not in c["flags"] and c["name"] == "costconsole" for c in asking)
