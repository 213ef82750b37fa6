"""A dry run against what the call itself then does: caches, route, cost; nothing is sent or written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costconsole.cache.catalog import find_caches
from costconsole.cache.policy import Author, write_policy
from costconsole.commands.check import as_document
from costconsole.domain.call import Outcome
from costconsole.domain.entry import CacheInfo
from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedder, Embedding
from costconsole.gateway.check import Check, Checker, Usual
from costconsole.redis_store.keys import Keys
from tests.cache.filling import redisvl_index, redisvl_store
from tests.gateway.conftest import Make
from tests.gateway.test_routing import CONFIG, HARD, SIMPLE

KEYS = Keys()
ME = Author("ann", "laptop")
QUESTION = "How do I return a pair of shoes?"
NOW_MS = 1_790_000_000_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(CONFIG)
    return path


async def dry(
    aclient: Any,
    embedder: Any,
    prompt: str,
    *,
    model: str = "gpt-4o-mini",
    routing: Path | None = None,
    **more: Any,
) -> Check:
    caches = more.pop("caches", None)
    caches = await find_caches(aclient, None, KEYS) if caches is None else caches
    checker = Checker(aclient, KEYS, embedder, routing=routing)
    try:
        if checker.is_routed(model):
            assert checker.dispatcher.router.wait(60)
        return await checker.check(prompt, model=model, caches=caches, now_ms=NOW_MS, **more)
    finally:
        await checker.aclose()


async def test_what_is_minimized_has_the_key_of_the_call(
    make_gateway: Make, client: Any, aclient: Any, embedder: Embedder
) -> None:
    wide = (
        "Compare   these  two:\n\n\n\n"
        + json.dumps({"a": [1, 2, 3]}, indent=8)
        + "   \n\n\n\nwhich is larger?"
    )
    before = await dry(aclient, embedder, wide)
    assert before.shortened is not None
    assert before.shortened.saved > 0
    assert sum(step.tokens_saved for step in before.shortened.steps) == before.shortened.saved
    assert before.minimized_tokens < before.prompt_tokens
    assert not client.exists(before.exact_key)
    call = make_gateway().complete(wide)
    assert call.call.input_saved == before.shortened.saved
    assert call.cached_key == before.exact_key
    after = await dry(aclient, embedder, wide)
    assert (after.exact_hit, after.decision, after.cost_nano) == (True, "exact", 0)

    write_policy(client, KEYS, {"minimization": False}, ME)
    off = await dry(aclient, embedder, wide)
    assert off.shortened is not None
    assert off.shortened.why == "the policy switches minimization off"
    assert off.minimized_text == wide


async def test_the_route_is_that_of_the_call(
    make_gateway: Make, client: Any, aclient: Any, embedder: Embedder, config: Path
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    for prompt, route, model in ((SIMPLE, "notes", "gpt-4o-mini"), (HARD, "code", "gpt-4o")):
        found = await dry(aclient, embedder, prompt, model="auto", routing=config)
        call = gateway.complete(prompt, model="auto")
        assert (found.route.name, found.model) == (call.call.route, call.model) == (route, model)
        assert found.route.reason == call.reason
        assert found.route.kind == "task"
        assert max(found.route.scores, key=lambda name: found.route.scores[name]) == route
        again = await dry(aclient, embedder, prompt, model="auto", routing=config)
        assert again.decision == "exact"
    named = await dry(aclient, embedder, SIMPLE, model="best", routing=config)
    assert (named.route.kind, named.route.model, named.model) == ("explicit", "large", "gpt-4o")
    document = as_document(named)
    assert document["route"]["model"] == "large"
    assert set(document["cost_usd"]["by_model"]) == {"small", "large", "other"}


async def test_a_row_for_every_model_with_its_batch_price(
    aclient: Any, embedder: Embedder, config: Path
) -> None:
    seen = Usual({"claude-3-haiku-20240307": "anthropic", "house-7b": "house"}, {"gpt-4o": 400}, 100)
    found = await dry(aclient, embedder, HARD, model="large", routing=config, usual=seen)
    rows = {row.name: row for row in found.costs}
    assert set(rows) == {"small", "large", "other", "claude-3-haiku-20240307", "house-7b"}
    assert rows["house-7b"].nano is None
    assert found.costs[-1].name == "house-7b", "unknown prices come last"
    assert [row.name for row in found.costs if row.chosen] == ["large"]
    assert rows["large"].baseline
    assert found.cost_nano == rows["large"].nano
    assert found.output_tokens == 400
    for name in ("small", "large"):
        assert rows[name].nano == pytest.approx(2 * (rows[name].batch_nano or 0), abs=2)


async def test_every_cache_is_asked_as_its_writer_asks_it(
    make_gateway: Make, client: Any, aclient: Any, embedder: Embedder
) -> None:
    make_gateway().complete(QUESTION)
    (vector,) = embedder.embed([QUESTION])
    redisvl_index(client, "llmcache", dims=384)
    key = redisvl_store(client, "llmcache", QUESTION, vector=vector.vector)
    found = await dry(aclient, embedder, "How do I return a pair of shoes", model="gpt-4o")
    caches = {cache.name: cache for cache in found.caches}
    own, foreign = caches["default:semantic"], caches["llmcache"]
    assert (own.own, own.hit, own.near[0].verdict) == (True, False, "scope")
    assert "another scope" in own.why
    assert (foreign.own, foreign.hit, foreign.threshold, foreign.source) == (False, True, 0.9, "default")
    assert (foreign.near[0].key, foreign.near[0].verdict) == (key, "served")
    assert found.decision == "call", "another application's cache answers nobody here"
    below = await dry(aclient, embedder, "What does shipping cost?", model="gpt-4o-mini")
    assert {cache.near[0].verdict for cache in below.caches} == {"below"}
    assert all("below the threshold" in cache.why for cache in below.caches)
    served = await dry(aclient, embedder, "How do I return a pair of shoes")
    assert {cache.name: cache.near[0].verdict for cache in served.caches} == {
        "default:semantic": "served", "llmcache": "served",
    }  # fmt: skip
    assert served.decision == "semantic"


async def test_tenant_and_system_prompt_are_other_scopes(
    make_gateway: Make, aclient: Any, embedder: Embedder
) -> None:
    gateway = make_gateway()
    gateway.complete(QUESTION, system="Be brief.", tenant="acme")
    assert (await dry(aclient, embedder, QUESTION)).decision == "call"
    assert (await dry(aclient, embedder, QUESTION, system="Be brief.")).decision == "call"
    same = await dry(aclient, embedder, QUESTION, system="Be brief.", tenant="acme")
    assert same.decision == "exact"


class Failing:
    name, dims, status = "broken", None, "failed: it is broken"

    def start(self) -> None: ...

    async def aembed(self, texts: Any) -> list[Embedding]:
        raise Problem("the model broken did not start: look at its log")

    def embed(self, texts: Any) -> list[Embedding]:
        raise Problem("the model broken did not start: look at its log")


async def test_without_embeddings_the_rest_is_known(
    make_gateway: Make, aclient: Any, embedder: Embedder, config: Path
) -> None:
    make_gateway().complete(QUESTION)
    caches = await find_caches(aclient, None, KEYS)
    checker = Checker(aclient, KEYS, Failing(), routing=config)  # type: ignore[arg-type]
    found = await checker.check(HARD, model="auto", caches=caches, now_ms=NOW_MS)
    await checker.aclose()
    assert "did not start" in found.problem
    assert found.route.without_embedding
    assert found.route.model
    assert all("did not start" in cache.why for cache in found.caches)
    assert found.cost_nano


async def test_without_caches_and_without_search(aclient: Any, embedder: Embedder) -> None:
    bare = await dry(aclient, embedder, QUESTION, caches=())
    assert (bare.decision, bare.caches) == ("call", ())
    assert bare.semantic_why == "there is no semantic cache in this namespace yet"
    assert bare.exact_why == "nothing is stored for just this request"
    unread = CacheInfo(
        name="default:semantic", library="costconsole", kind="semantic", prefix=KEYS.semantic_prefix,
        layout="costconsole", problem="this server has no search",
    )  # fmt: skip
    found = await dry(aclient, embedder, QUESTION, caches=(unread,))
    assert found.semantic_why == "this server has no search"


async def test_a_prompt_of_200_000_characters(make_gateway: Make, aclient: Any, embedder: Embedder) -> None:
    make_gateway().complete(QUESTION)
    long = "Summarize these notes.\n\n" + "lorem ipsum dolor sit amet,   consectetur\n" * 4_800
    found = await dry(aclient, embedder, long)
    assert len(long) > 200_000
    assert "longer than the embedding model reads" in found.semantic_why
    assert found.decision == "call"
    assert found.cost_nano


async def test_nothing_is_written(make_gateway: Make, client: Any, aclient: Any, embedder: Embedder) -> None:
    gateway = make_gateway()
    assert gateway.complete(QUESTION).outcome is Outcome.MISS
    assert gateway.ledger.flush(10)
    before = {key: client.dump(key) for key in client.scan_iter()}
    for prompt in (QUESTION, "something else", ""):
        await dry(aclient, embedder, prompt, model="auto")
    assert {key: client.dump(key) for key in client.scan_iter()} == before
