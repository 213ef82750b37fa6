"""Which neighbour is served: threshold, guards, and what wrong hits have raised."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import redis

from costconsole.cache import ratchet
from costconsole.cache.answer import Answer
from costconsole.cache.policy import Author
from costconsole.cache.semantic import SemanticCache
from costconsole.cache.serving import Wanted, aserve, serve
from costconsole.domain.call import Usage
from costconsole.domain.errors import UsageProblem
from costconsole.domain.figures import GUARDS
from costconsole.redis_store.keys import Keys
from tests.cache.vectors import DIMS, at_similarity, unit

KEYS = Keys()
ME = Author("ann", "laptop")
ASKED = Wanted("Return it in 30 days?", unit(1), "s", 0.9, GUARDS)
PLAIN = replace(ASKED, prompt="Can I return it?")


@pytest.fixture
def cache(client: redis.Redis) -> SemanticCache:
    found = SemanticCache(KEYS, DIMS)
    found.ensure_index(client)
    return found


def keep(client: Any, cache: SemanticCache, prompt: str, similarity: float) -> str:
    answer = Answer(f"on {prompt}", "m", "openai", Usage(1, 2))
    return cache.store(client, prompt, at_similarity(similarity), "s", answer, now_ms=1)


def test_the_nearest_that_no_guard_refuses_is_served(client: redis.Redis, cache: SemanticCache) -> None:
    near = keep(client, cache, "Return it in 60 days?", 0.99)
    keep(client, cache, "Return it in 45 days?", 0.98)
    right = keep(client, cache, "Give it back within thirty days?", 0.93)
    keep(client, cache, "Return in 30 days?", 0.92)

    found = serve(client, KEYS, cache, ASKED)
    assert found.nearest is not None
    assert found.nearest.neighbor.key == near
    assert found.served is not None
    assert found.served.neighbor.key == right
    assert found.refused == ()

    found = serve(client, KEYS, cache, replace(ASKED, threshold=0.95))
    assert (found.served, found.refused) == (None, ("numbers",))
    assert found.nearest is not None
    assert found.nearest.neighbor.key == near

    found = serve(client, KEYS, cache, replace(ASKED, guards=("entities",)))
    assert found.served == found.nearest
    assert found.refused == ()

    found = serve(client, KEYS, cache, replace(ASKED, threshold=0.995))
    assert (found.served, found.refused) == (None, ())


def test_a_wrong_hit_raises_the_threshold_of_its_entry_alone(
    client: redis.Redis, cache: SemanticCache
) -> None:
    first = keep(client, cache, "Return it?", 0.96)
    other = keep(client, cache, "Return this?", 0.94)
    assert _served(client, cache) == first

    mark = ratchet.mark_wrong(client, KEYS, first, 0.96, ME)
    assert (mark.before, mark.after) == (None, pytest.approx(0.97))
    assert _served(client, cache) == other
    assert serve(client, KEYS, cache, replace(PLAIN, threshold=0.95)).refused == ("ratchet",)
    nearer = replace(PLAIN, vector=at_similarity(0.96))
    found = serve(client, KEYS, cache, nearer).served
    assert found is not None
    assert found.neighbor.key == first

    assert ratchet.take_back(client, KEYS, mark, ME)
    assert _served(client, cache) == first
    audit: Any = client.xrange(KEYS.audit)
    assert [fields[b"what"] for _, fields in audit] == [b"wrong_hit", b"wrong_hit_undone"]
    assert audit[0][1][b"who"] == b"ann"
    assert audit[0][1][b"key"].decode() == first


async def test_async_and_sync_agree(client: redis.Redis, aclient: Any, cache: SemanticCache) -> None:
    keep(client, cache, "Return it in 60 days?", 0.99)
    key = keep(client, cache, "Return it?", 0.95)
    wanted = replace(ASKED, guards=("entities",))
    assert await aserve(aclient, KEYS, cache, wanted) == serve(client, KEYS, cache, wanted)
    mark = await ratchet.amark_wrong(aclient, KEYS, key, 0.95, ME)
    assert mark == ratchet.Mark(key, 0.95, None, 0.96)
    assert await ratchet.atake_back(aclient, KEYS, mark, ME)
    assert not await ratchet.atake_back(aclient, KEYS, mark, ME)


def test_marks_only_ever_raise_and_an_older_one_can_no_longer_be_taken_back(client: redis.Redis) -> None:
    key = KEYS.semantic("a" * 64)
    first = ratchet.mark_wrong(client, KEYS, key, 0.95, ME)
    lower = ratchet.mark_wrong(client, KEYS, key, 0.92, ME)
    assert lower.before == lower.after == first.after
    higher = ratchet.mark_wrong(client, KEYS, key, 0.97, ME)
    assert higher.after == pytest.approx(0.98)
    assert not ratchet.take_back(client, KEYS, first, ME)
    assert ratchet.take_back(client, KEYS, higher, ME)
    assert _raised(client, key) == first.after
    assert ratchet.mark_wrong(client, KEYS, key, 1.0, ME).after == ratchet.HIGHEST


@pytest.mark.parametrize("similarity", [0.0, -0.5, 1.1, math.nan])
def test_what_can_not_be_marked_says_so(client: redis.Redis, similarity: float) -> None:
    with pytest.raises(UsageProblem, match="similarity"):
        ratchet.mark_wrong(client, KEYS, KEYS.semantic("a" * 64), similarity, ME)
    with pytest.raises(UsageProblem, match="no entry of the semantic cache"):
        ratchet.mark_wrong(client, KEYS, "llmcache:1", 0.95, ME)
    assert not client.exists(KEYS.ratchet, KEYS.audit)


def test_what_was_raised_for_entries_that_are_gone_goes_away(
    client: redis.Redis, cache: SemanticCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [KEYS.semantic(f"{n:064x}") for n in range(200)]
    for key in gone:
        ratchet.mark_wrong(client, KEYS, key, 0.95, ME)
    there = keep(client, cache, "Return it?", 0.96)
    for _ in range(40):
        ratchet.mark_wrong(client, KEYS, there, 0.96, ME)
    assert client.hlen(KEYS.ratchet) == 201
    assert _raised(client, gone[0]) == pytest.approx(0.96)

    later = ratchet.now_ms() + 25 * 3_600_000
    monkeypatch.setattr(ratchet, "now_ms", lambda: later)
    for _ in range(300):
        ratchet.mark_wrong(client, KEYS, there, 0.96, ME)
    assert client.hlen(KEYS.ratchet) < 20
    assert _raised(client, there) == pytest.approx(0.97)


def _served(client: Any, cache: SemanticCache) -> str | None:
    found = serve(client, KEYS, cache, PLAIN).served
    return found.neighbor.key if found else None


def _raised(client: Any, key: str) -> float | None:
    return ratchet.parse([key], client.execute_command(*ratchet.read_command(KEYS, [key]))).get(key)
