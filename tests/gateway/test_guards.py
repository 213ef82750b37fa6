"""What guards and marked entries do to calls, and what the ledger then says."""

from __future__ import annotations

from typing import Any

import redis

from costconsole.cache.catalog import find_caches
from costconsole.cache.policy import Author, write_policy
from costconsole.cache.ratchet import mark_wrong, take_back
from costconsole.commands.check import as_document
from costconsole.domain.call import Outcome
from costconsole.domain.figures import Policy
from costconsole.domain.window import parse_window
from costconsole.embedding.embedder import Embedder
from costconsole.gateway.check import Check, check
from costconsole.ledger.reader import read_view
from costconsole.redis_store.keys import Keys
from tests.gateway.conftest import Ledgered, Make, until

KEYS = Keys()
ME = Author("ann", "laptop")
DAYS_30 = "Can I return my shoes within 30 days?"
DAYS_60 = "Can I return my shoes within 60 days?"
AGAIN_30 = "Can I return my shoes within thirty days?"


def test_another_number_is_no_hit_and_the_ledger_says_why(
    make_gateway: Make, ledgered: Ledgered, client: redis.Redis
) -> None:
    gateway = make_gateway(policy=Policy(threshold=0.8, version=7))
    kept = gateway.complete(DAYS_30)
    other = gateway.complete(DAYS_60)
    again = gateway.complete(AGAIN_30)
    assert [c.outcome for c in (kept, other, again)] == ["miss", "miss", "semantic"]
    assert again.text == kept.text
    assert other.similarity is not None
    assert other.similarity >= 0.8

    calls = ledgered(gateway)
    assert [call.guard for call in calls] == ["", "numbers", ""]
    assert calls[1].neighbor == again.cached_key
    assert calls[1].threshold == 0.8
    assert [call.policy_version for call in calls] == [7, 7, 7]
    view = read_view(client, KEYS, parse_window("1h"))
    assert (view.total.guarded, view.total.semantic, view.total.calls) == (1, 1, 3)


def test_a_guard_is_switched_in_running_applications(make_gateway: Make, client: redis.Redis) -> None:
    gateway = make_gateway()
    write_policy(client, KEYS, {"threshold": 0.8, "guard:numbers": False}, ME)
    until(lambda: gateway.policy.version == 1)
    assert gateway.policy.guards == ("entities", "negation", "antonyms")
    gateway.complete(DAYS_30)
    assert gateway.complete(DAYS_60).outcome is Outcome.SEMANTIC


async def test_a_marked_entry_is_passed_over_at_once(make_gateway: Make, client: Any) -> None:
    gateway = make_gateway(policy=Policy(threshold=0.8))
    asked, paraphrase = "How do I reset my password?", "How can I reset my password please?"
    await gateway.acomplete(asked)
    hit = await gateway.acomplete(paraphrase, cache=True)
    assert hit.outcome is Outcome.SEMANTIC
    assert hit.similarity is not None
    mark = mark_wrong(client, KEYS, hit.cached_key, hit.similarity, ME)

    refused = await gateway.acomplete("How can I reset my password, please?")
    assert refused.outcome is Outcome.MISS
    assert refused.call.guard == "ratchet"
    assert refused.call.neighbor == hit.cached_key
    # Its answer is an entry of its own now.
    assert (await gateway.acomplete(paraphrase)).cached_key != hit.cached_key
    assert take_back(client, KEYS, mark, ME)
    assert (await gateway.acomplete("How do I reset my password")).cached_key == hit.cached_key


async def test_a_dry_run_says_what_a_call_would_say(
    make_gateway: Make, client: Any, aclient: Any, embedder: Embedder
) -> None:
    write_policy(client, KEYS, {"threshold": 0.8}, ME)
    gateway = make_gateway()
    assert gateway.complete(DAYS_30).outcome is Outcome.MISS

    async def dry(prompt: str) -> Check:
        caches = await find_caches(aclient, None, KEYS)
        return await check(
            aclient, KEYS, embedder, prompt, model="gpt-4o-mini", caches=caches, now_ms=1_790_000_000_000
        )

    refused = await dry(DAYS_60)
    assert refused.decision == "call"
    assert "numbers differ: 60 / 30" in refused.semantic_why
    (near,) = as_document(refused)["semantic"]["neighbors"]
    assert near["guards"] == ["numbers"]
    assert gateway.complete(DAYS_60).outcome is Outcome.MISS

    # The nearest is refused, and what lies behind it is not.
    passed = await dry(AGAIN_30)
    assert passed.decision == "semantic"
    found = {near["prompt"]: near["guards"] for near in as_document(passed)["semantic"]["neighbors"]}
    assert found == {DAYS_30: [], DAYS_60: ["numbers"]}
    hit = gateway.complete(AGAIN_30)
    assert hit.outcome is Outcome.SEMANTIC
    assert hit.similarity is not None

    mark_wrong(client, KEYS, hit.cached_key, hit.similarity, ME)
    marked = await dry(AGAIN_30)
    assert marked.decision == "call"
    assert marked.refused[hit.cached_key] == ("ratchet",)
    assert gateway.complete(AGAIN_30).outcome is Outcome.MISS
