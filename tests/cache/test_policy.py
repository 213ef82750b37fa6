"""The live policy: every change is checked, audited and announced; followers survive Redis being away."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest
import redis

from costconsole.cache.follower import PolicyFollower
from costconsole.cache.policy import (
    Author,
    aread_policy,
    awrite_policy,
    parse_policy,
    read_policy,
    write_policy,
)
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.domain.figures import Policy
from costconsole.redis_store.keys import Keys

KEYS = Keys("tests")
ANN = Author("ann", "desk-7")


def test_without_a_policy_the_defaults_are_in_force(client: Any) -> None:
    assert read_policy(client, KEYS) == Policy()


def test_a_change_is_in_force_audited_and_announced(client: Any) -> None:
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(KEYS.policy_changed)
    listener.get_message(timeout=1)
    write_policy(client, KEYS, {"threshold": 0.9}, ANN, now_ms=1_000)
    changes = {"threshold": 0.85, "threshold:route:faq": 0.8, "ttl_s": 60, "semantic": False}
    policy = write_policy(client, KEYS, changes, ANN, why="tests", now_ms=2_000)
    assert policy == read_policy(client, KEYS)
    assert policy == Policy(
        version=2, threshold=0.85, thresholds_by_route=(("faq", 0.8),), ttl_s=60, semantic=False,
        changed_by="ann", changed_ms=2_000,
    )  # fmt: skip
    assert policy.threshold_for(route="faq", model="m") == 0.8
    (_, first), (_, second) = client.xrange(KEYS.audit)
    assert (first[b"who"], first[b"host"], first[b"what"]) == (b"ann", b"desk-7", b"policy")
    assert json.loads(second[b"before"]) == {"threshold": "0.9"}
    assert json.loads(second[b"after"]) == {
        "threshold": "0.85", "threshold:route:faq": "0.8", "ttl_s": "60", "semantic": "0",
    }  # fmt: skip
    heard = [listener.get_message(timeout=1)["data"] for _ in range(2)]
    assert heard == [b"1", b"2"]


def test_none_goes_back_to_the_default(client: Any) -> None:
    write_policy(client, KEYS, {"threshold": 0.5, "threshold:model:m": 0.6, "exact": False}, ANN)
    policy = write_policy(client, KEYS, dict.fromkeys(("threshold", "threshold:model:m", "exact")), ANN)
    assert (policy.threshold, policy.thresholds_by_model, policy.exact) == (0.95, (), True)


def test_each_guard_is_a_switch_that_is_on_by_default(client: Any) -> None:
    assert read_policy(client, KEYS).guards == ("numbers", "entities", "negation", "antonyms")
    policy = write_policy(client, KEYS, {"guard:antonyms": False, "guard:numbers": False}, ANN)
    assert policy.guards == ("entities", "negation")
    assert json.loads(client.xrange(KEYS.audit)[0][1][b"after"]) == {
        "guard:antonyms": "0",
        "guard:numbers": "0",
    }
    assert write_policy(client, KEYS, {"guard:numbers": True, "guard:antonyms": None}, ANN).guards == (
        Policy().guards
    )


def test_who_is_slower_is_told(client: Any) -> None:
    write_policy(client, KEYS, {"threshold": 0.9}, ANN, expected_version=0)
    with pytest.raises(Problem, match="changed meanwhile"):
        write_policy(client, KEYS, {"threshold": 0.8}, Author("bob", "x"), expected_version=0)
    assert read_policy(client, KEYS).threshold == 0.9
    assert client.xlen(KEYS.audit) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 0}, "above 0"),
        ({"threshold": 1.01}, "above 0"),
        ({"threshold": float("nan")}, "above 0"),
        ({"threshold": True}, "above 0"),
        ({"threshold:route:": 0.5}, "no 'threshold:route:'"),
        ({"ttl_s": 0}, "whole seconds"),
        ({"ttl_s": 1.5}, "whole seconds"),
        ({"exact": 1}, "switch"),
        ({"guard:numbers": "off"}, "switch"),
        ({"guard:": True}, "no 'guard:'"),
        ({"guard:order": True}, "no 'guard:order'"),
        ({"version": 9}, "no 'version'"),
        ({}, "nothing to change"),
    ],
)
def test_what_is_not_possible_changes_nothing(client: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        write_policy(client, KEYS, {**changes}, ANN)
    assert not client.exists(KEYS.policy, KEYS.audit)


def test_a_malformed_policy_is_read_as_far_as_it_goes() -> None:
    stored = {
        b"threshold": b"high",
        b"ttl_s": b"-1",
        b"version": b"x",
        b"threshold:route:a": b"7",
        b"exact": b"0",
    }
    assert parse_policy(stored) == Policy(exact=False)
    assert parse_policy([b"threshold", b"0.7"]).threshold == 0.7


async def test_async_does_what_sync_does(client: Any, aclient: Any) -> None:
    policy = await awrite_policy(aclient, KEYS, {"threshold": 0.9}, ANN, now_ms=5)
    assert policy == await aread_policy(aclient, KEYS) == read_policy(client, KEYS)
    with pytest.raises(UsageProblem):
        await awrite_policy(aclient, KEYS, {"threshold": 2}, ANN)


class Changes:
    """Collects what a follower saw."""

    def __init__(self) -> None:
        self.seen: list[Policy] = []
        self._news = threading.Condition()

    def __call__(self, policy: Policy) -> None:
        with self._news:
            self.seen.append(policy)
            self._news.notify_all()

    def wait_for(self, threshold: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: any(p.threshold == threshold for p in self.seen), timeout=20)


def test_a_follower_hears_of_a_change_at_once(client: Any, redis_url: str) -> None:
    changes = Changes()
    make = lambda: redis.Redis.from_url(redis_url, protocol=2)  # noqa: E731
    # Polling once an hour: only the announcement can bring the news.
    with PolicyFollower(make, KEYS, poll_s=3600, on_change=changes) as follower:
        assert follower.wait(10)
        while not client.pubsub_numsub(KEYS.policy_changed)[0][1]:
            pass
        write_policy(client, KEYS, {"threshold": 0.7}, ANN)
        assert changes.wait_for(0.7)
        assert follower.current.threshold == 0.7


def test_a_follower_polls_where_nothing_is_announced(client: Any, redis_url: str) -> None:
    changes = Changes()
    make = lambda: redis.Redis.from_url(redis_url, protocol=2)  # noqa: E731
    with PolicyFollower(make, KEYS, poll_s=0.05, on_change=changes) as follower:
        assert follower.wait(10)
        client.hset(KEYS.policy, "threshold", "0.6")
        assert changes.wait_for(0.6)


def test_a_follower_survives_redis_being_away(fresh_server: Any) -> None:
    server = fresh_server()
    changes = Changes()
    make = lambda: redis.Redis.from_url(server.url, protocol=2)  # noqa: E731
    with make() as client:
        write_policy(client, KEYS, {"threshold": 0.8}, ANN)
    with PolicyFollower(make, KEYS, poll_s=0.1, on_change=changes) as follower:
        assert changes.wait_for(0.8)
        server.stop()
        assert follower.current.threshold == 0.8
        server.start()
        with make() as client:
            write_policy(client, KEYS, {"threshold": 0.75}, ANN)
        assert changes.wait_for(0.75)


def test_a_forked_child_follows_too(redis_url: str, client: Any) -> None:
    """Servers such as gunicorn make the application first, and fork their workers then."""
    code = f"""
import os, sys, time, redis
from costconsole.cache.follower import PolicyFollower
from costconsole.redis_store.keys import Keys
follower = PolicyFollower(lambda: redis.Redis.from_url({redis_url!r}, protocol=2), Keys({KEYS.namespace!r}))
follower.start().wait(10)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
print("forked", flush=True)
until = time.monotonic() + 20
while follower.current.threshold != 0.65 and time.monotonic() < until:
    time.sleep(0.02)
os._exit(0 if follower.current.threshold == 0.65 else 1)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"forked\n"
        write_policy(client, KEYS, {"threshold": 0.65}, ANN)
        assert process.wait(30) == 0
