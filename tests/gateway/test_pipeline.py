"""What an application sees of the gateway, and what the ledger then holds."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import redis

from costconsole.cache.policy import Author, write_policy
from costconsole.demo.provider import Rates, StandInProvider
from costconsole.domain.call import CostStatus, Outcome
from costconsole.domain.errors import Problem, UsageProblem
from costconsole.domain.figures import Policy
from costconsole.gateway.errors import ProviderError
from costconsole.gateway.pipeline import Gateway
from costconsole.gateway.provider import Provider
from costconsole.redis_store.keys import Keys
from tests.gateway.conftest import FAST, Ledgered, Make, until

ASKED = "How do I reset my password?"
PARAPHRASE = "How can I reset my password?"
OTHER = "What is the capital of Portugal?"


def test_a_miss_then_an_exact_hit_then_a_semantic_hit(
    make_gateway: Make, stand_in: StandInProvider, ledgered: Ledgered
) -> None:
    gateway = make_gateway()
    first = gateway.complete(ASKED, tag="support", route="help")
    again = gateway.complete("  How do I reset   my password? ", tag="support", route="help")
    near = gateway.complete(PARAPHRASE, tag="support", route="help")
    far = gateway.complete(OTHER, tag="support", route="help")

    assert [c.outcome for c in (first, again, near, far)] == ["miss", "exact", "semantic", "miss"]
    assert first.text == again.text == near.text != far.text
    assert stand_in.arrived == 2
    assert near.similarity is not None
    assert 0.95 <= near.similarity < 1
    assert far.similarity is not None
    assert far.similarity < 0.95
    assert near.cached_key != again.cached_key == first.cached_key
    assert json.loads(near.raw or b"")["choices"]

    calls = ledgered(gateway)
    assert [c.outcome for c in calls] == ["miss", "exact", "semantic", "miss"]
    assert {(c.tag, c.route, c.model, c.provider) for c in calls} == {
        ("support", "help", "gpt-4o-mini", "openai")
    }
    assert [c.threshold for c in calls] == [0.95, None, 0.95, 0.95]
    assert calls[2].neighbor == calls[3].neighbor == near.cached_key
    assert calls[2].similarity == pytest.approx(near.similarity, abs=1e-6)
    assert calls[0].preview == ASKED
    assert calls[0].scope == calls[2].scope != ""
    assert all(call.latency_ms > 0 for call in calls)
    assert calls[1].input == calls[1].output == 0
    assert (calls[1].input_saved, calls[1].output_saved) == (calls[0].input, calls[0].output)


def test_a_hit_saves_what_its_answer_cost(make_gateway: Make, ledgered: Ledgered) -> None:
    gateway = make_gateway()
    first, again, near = (gateway.complete(p) for p in (ASKED, ASKED, PARAPHRASE))
    assert first.cost_usd
    assert again.cost_usd == near.cost_usd == 0
    assert again.saved_usd == near.saved_usd == first.cost_usd
    miss, exact, semantic = ledgered(gateway)
    assert exact.savings.exact == semantic.savings.semantic == miss.spend_nano == exact.baseline_nano
    assert exact.savings.total == exact.savings.exact


def test_what_the_ledger_says_is_what_the_provider_billed(make_gateway: Make, ledgered: Ledgered) -> None:
    rates = Rates(rate_limited=0.1, server=0.1, refusal=0.1, cached=0.3)
    with StandInProvider(speedup=0, seed=5, rates=rates) as server:
        gateway = make_gateway(providers=_providers(server))
        for at in range(60):
            model = ("gpt-4o-mini", "claude-3-5-haiku-latest")[at % 2]
            try:
                gateway.complete(
                    f"Question number {at % 40} about topic {at % 7}", model=model, max_tokens=99
                )
            except ProviderError:
                pass
        served = [s.usage for s in server.served if s.usage is not None]
    calls = ledgered(gateway)
    assert len(calls) == 60
    assert sum(c.input for c in calls) == sum(u.input for u in served)
    assert sum(c.output for c in calls) == sum(u.output for u in served)
    assert sum(c.cached_input for c in calls) == sum(u.cached_input for u in served) > 0
    assert all(c.spend_nano is not None and c.baseline_nano == c.spend_nano + c.savings.total for c in calls)
    assert any(c.error == "refused" and c.spend_nano for c in calls)


def _providers(server: StandInProvider, **more: Any) -> list[Any]:
    options = {"api_key": "k", "retry": FAST, **more}
    return [
        Provider("openai", "openai", base_url=server.openai_url, **options),
        Provider("anthropic", "anthropic", base_url=server.url, **options),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"system": "Answer as a pirate."},
        {"tenant": "someone else"},
        {"model": "gpt-4o"},
        {"temperature": 0.7},
        {"template": "Translate to French: {prompt}"},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"provider": "anthropic", "model": "gpt-4o-mini"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_no_answer_crosses_its_scope(make_gateway: Make, other: dict[str, Any]) -> None:
    gateway = make_gateway(policy=Policy(threshold=0.01))
    gateway.complete(ASKED)
    for prompt in (ASKED, PARAPHRASE):
        assert gateway.complete(prompt, **other).outcome == (
            Outcome.MISS if prompt == ASKED else Outcome.SEMANTIC
        )
    assert gateway.complete(PARAPHRASE).outcome is Outcome.SEMANTIC


def test_a_template_is_not_compared_by_meaning(make_gateway: Make) -> None:
    gateway = make_gateway()
    template = "You are a careful assistant of the Alder shop. Answer in one sentence: {prompt} Be kind."
    first = gateway.complete(ASKED, template=template)
    assert gateway.complete(PARAPHRASE, template=template).outcome is Outcome.SEMANTIC
    other = gateway.complete("Do you ship to Norway?", template=template)
    assert other.outcome is Outcome.MISS
    assert other.similarity is not None
    assert other.similarity < 0.5
    assert first.call.preview == ASKED


@pytest.mark.parametrize(
    ("fault", "kind"), [(500, "server"), (401, "auth"), ("refusal", "refused"), ("timeout", "timeout")]
)
def test_failures_are_counted_and_never_cached(
    make_gateway: Make,
    stand_in: StandInProvider,
    ledgered: Ledgered,
    client: redis.Redis,
    fault: Any,
    kind: str,
) -> None:
    gateway = make_gateway(timeout_s=0.2)
    stand_in.fail_next(fault, times=3 if fault == 500 else 1)
    with pytest.raises(ProviderError) as caught:
        gateway.complete(ASKED)
    assert caught.value.kind == kind
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    failed, worked = ledgered(gateway)
    assert (failed.error, failed.outcome) == (kind, Outcome.MISS)
    assert worked.error == ""
    assert (failed.output > 0) == (fault == "refusal")
    assert failed.cost_status is not CostStatus.UNPRICED
    assert len(list(client.scan_iter(Keys().exact_prefix + "*"))) == 1


def test_an_answer_cut_at_the_callers_limit_is_kept_for_just_this_request(
    make_gateway: Make, stand_in: StandInProvider, client: redis.Redis
) -> None:
    gateway = make_gateway()
    first, again = (gateway.complete(ASKED, max_tokens=2) for _ in range(2))
    assert (first.outcome, first.finish_reason) == (Outcome.MISS, "length")
    assert (again.outcome, again.text) == (Outcome.EXACT, first.text)
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    assert len(list(client.scan_iter(Keys().semantic_prefix + "*"))) == 1


def test_an_answer_cut_at_the_providers_own_limit_is_not_kept(
    make_gateway: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway()
    monkeypatch.setattr("costconsole.demo.wire.DEFAULT_LIMIT", 2)
    for _ in range(2):
        cut = gateway.complete(ASKED)
        assert (cut.outcome, cut.finish_reason, cut.cached_key) == (Outcome.MISS, "length", "")


def test_fifty_threads_with_one_question_make_one_call(
    make_gateway: Make, stand_in: StandInProvider, ledgered: Ledgered
) -> None:
    gateway = make_gateway()
    gateway.warm()
    stand_in.pause()
    together = Barrier(50)

    def ask() -> Outcome:
        together.wait(20)
        return gateway.complete(ASKED).outcome

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(ask) for _ in range(50)]
        assert stand_in.wait_arrived(1)
        stand_in.resume()
        outcomes = [a.result(20) for a in asked]
    assert stand_in.arrived == 1
    assert sorted(outcomes) == ["exact"] * 49 + ["miss"]
    calls = ledgered(gateway)
    billed = [c for c in calls if c.spend_nano]
    assert len(calls) == 50
    assert len(billed) == 1
    assert sum(c.savings.exact for c in calls) == 49 * (billed[0].spend_nano or 0)


async def test_fifty_tasks_with_one_question_make_one_call(
    make_gateway: Make, stand_in: StandInProvider
) -> None:
    gateway = make_gateway()
    await gateway.awarm()
    stand_in.pause()
    tasks = [asyncio.create_task(gateway.acomplete(ASKED)) for _ in range(50)]
    assert await asyncio.to_thread(stand_in.wait_arrived, 1)
    stand_in.resume()
    done = await asyncio.gather(*tasks)
    assert stand_in.arrived == 1
    assert sorted(c.outcome for c in done) == ["exact"] * 49 + ["miss"]
    assert len({c.text for c in done}) == 1


async def test_followers_of_a_failure_see_it_and_pay_nothing(
    make_gateway: Make, stand_in: StandInProvider, ledgered: Ledgered
) -> None:
    gateway = make_gateway()
    await gateway.awarm()
    stand_in.fail_next("refusal")
    stand_in.pause()
    tasks = [asyncio.create_task(gateway.acomplete(ASKED)) for _ in range(5)]
    assert await asyncio.to_thread(stand_in.wait_arrived, 1)
    stand_in.resume()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(e, ProviderError) and e.kind == "refused" for e in errors)
    assert stand_in.arrived == 1
    calls = await asyncio.to_thread(ledgered, gateway)
    assert [c.error for c in calls] == ["refused"] * 5
    assert sum(1 for c in calls if c.spend_nano) == 1


async def test_a_cancelled_leader_leaves_nobody_behind(
    make_gateway: Make, stand_in: StandInProvider, ledgered: Ledgered
) -> None:
    gateway = make_gateway()
    await gateway.awarm()
    stand_in.pause()
    leader = asyncio.create_task(gateway.acomplete(ASKED))
    assert await asyncio.to_thread(stand_in.wait_arrived, 1)
    followers = [asyncio.create_task(gateway.acomplete(ASKED)) for _ in range(3)]
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    assert await asyncio.to_thread(stand_in.wait_arrived, 2)
    stand_in.resume()
    done = await asyncio.wait_for(asyncio.gather(*followers), 20)
    assert sorted(c.outcome for c in done) == ["exact", "exact", "miss"]
    assert stand_in.arrived == 2
    calls = await asyncio.to_thread(ledgered, gateway)
    assert sorted(c.error for c in calls) == ["", "", "", "cancelled"]


def test_one_gateway_serves_two_event_loops_and_a_thread(
    make_gateway: Make, stand_in: StandInProvider
) -> None:
    gateway = make_gateway()

    async def ask(prompt: str) -> Outcome:
        return (await gateway.acomplete(prompt)).outcome

    assert asyncio.run(ask(ASKED)) is Outcome.MISS
    assert asyncio.run(ask(ASKED)) is Outcome.EXACT
    assert asyncio.run(ask(PARAPHRASE)) is Outcome.SEMANTIC
    assert gateway.complete(ASKED).outcome is Outcome.EXACT
    assert stand_in.arrived == 1


def test_the_live_policy_is_followed(
    make_gateway: Make, client: redis.Redis, stand_in: StandInProvider
) -> None:
    gateway = make_gateway()

    def change(**changes: Any) -> None:
        policy = write_policy(client, Keys(), changes, Author("ann", "test"))
        until(lambda: gateway.policy.version == policy.version)

    gateway.complete(ASKED)
    assert gateway.complete(PARAPHRASE).outcome is Outcome.SEMANTIC
    change(threshold=0.999)
    assert gateway.complete(PARAPHRASE).outcome is Outcome.MISS
    change(threshold=0.5, exact=False)
    # Both prompts are stored now, so a prompt finds its own entry by meaning.
    own = gateway.complete(ASKED)
    assert own.outcome is Outcome.SEMANTIC
    assert own.similarity == pytest.approx(1.0, abs=1e-3)
    change(exact=False, semantic=False)
    assert gateway.complete(ASKED).outcome is Outcome.BYPASS
    change(exact=True, semantic=True, ttl_s=60)
    timed = gateway.complete("A question that was never asked before")
    assert 0 < client.pttl(timed.cached_key) <= 60_000


def test_thresholds_of_routes_and_models(make_gateway: Make) -> None:
    policy = Policy(
        threshold=0.5, thresholds_by_route=(("strict", 0.999),), thresholds_by_model=(("gpt-4o", 0.998),)
    )
    gateway = make_gateway(policy=policy)
    gateway.complete(ASKED)
    gateway.complete(ASKED, model="gpt-4o")
    assert gateway.complete(PARAPHRASE, route="strict").call.threshold == 0.999
    assert gateway.complete(PARAPHRASE + "!", model="gpt-4o").call.threshold == 0.998
    assert gateway.complete(PARAPHRASE + "?", route="other").outcome is Outcome.SEMANTIC


def test_a_call_may_go_past_the_caches(
    make_gateway: Make, stand_in: StandInProvider, client: redis.Redis
) -> None:
    gateway = make_gateway()
    for _ in range(2):
        assert gateway.complete(ASKED, cache=False).outcome is Outcome.BYPASS
    assert gateway.complete(ASKED, temperature=1.9).outcome is Outcome.BYPASS
    assert stand_in.arrived == 3
    assert not list(client.scan_iter(Keys().exact_prefix + "*"))


def test_prompts_that_the_model_cannot_read_whole_are_matched_exactly_only(make_gateway: Make) -> None:
    gateway = make_gateway(policy=Policy(threshold=0.01))
    long = "Tell me about the following animals please. " + "cat dog bird fish " * 200
    assert gateway.complete(long).outcome is Outcome.MISS
    assert gateway.complete(long).outcome is Outcome.EXACT
    changed = gateway.complete(long + "horse")
    assert (changed.outcome, changed.similarity) == (Outcome.MISS, None)


class BrokenEmbedder:
    """A model that can't be loaded."""

    name = "broken"
    dims = None
    status = "failed: The model is broken."

    def embed(self, texts: Any) -> Any:
        raise Problem("The model is broken.")

    async def aembed(self, texts: Any) -> Any:
        raise Problem("The model is broken.")

    def start(self) -> None: ...

    def close(self) -> None: ...


async def test_without_an_embedding_model_the_exact_cache_works(make_gateway: Make) -> None:
    gateway = make_gateway(embedder=BrokenEmbedder())
    assert gateway.complete(ASKED).outcome is Outcome.MISS
    assert gateway.complete(ASKED).outcome is Outcome.EXACT
    assert (await gateway.acomplete(ASKED)).outcome is Outcome.EXACT
    assert gateway.problems == ("The model is broken.",)


def test_answers_without_usage_are_counted_by_us(make_gateway: Make, stand_in: StandInProvider) -> None:
    import costconsole.demo.provider as module

    def without_usage(*args: Any) -> Any:
        said = original(*args)
        body = json.loads(said.body)
        del body["usage"]
        return type(said)(said.status, said.headers, json.dumps(body).encode(), said.usage, said.finish)

    original = module.reply_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "reply_of", without_usage)
        told = make_gateway().complete(ASKED)
    assert told.usage.estimated
    assert told.usage.input > 0
    assert told.usage.output > 0
    assert told.call.usage_estimated


def test_messages_of_a_conversation(make_gateway: Make) -> None:
    gateway = make_gateway()
    talk = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello, how can I help?"},
        {"role": "user", "content": ASKED},
    ]
    first = gateway.complete(talk)
    assert first.call.preview == ASKED
    assert gateway.complete(talk).outcome is Outcome.EXACT
    assert gateway.complete(ASKED).outcome is Outcome.MISS


def test_the_readmes_five_lines(
    redis_url: str, stand_in: StandInProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", stand_in.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    from costconsole import Gateway as Public

    gateway = Public(redis_url, model="gpt-4o-mini")

    def process_query(user_query: str) -> str:
        return gateway.complete(user_query).text

    try:
        assert process_query(ASKED) == process_query(PARAPHRASE) == f"gpt-4o-mini heard: {ASKED}"
        assert stand_in.arrived == 1
    finally:
        gateway.close()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"model": "mystery-7b"}, "no provider is known for model 'mystery-7b'"),
        ({"provider": "nobody"}, "provider 'nobody' is not known"),
        ({"stream": True}, "stream=True"),
        ({"template": "no place"}, "{prompt}"),
        ({"messages": []}, "'messages' is no parameter"),
        ({"metadata": object()}, "JSON"),
    ],
)
def test_wrong_uses_say_what_to_do(
    make_gateway: Make, ledgered: Ledgered, call: dict[str, Any], says: str
) -> None:
    gateway = make_gateway()
    with pytest.raises(UsageProblem) as caught:
        gateway.complete(ASKED, **call)
    assert says in str(caught.value)
    assert ledgered(gateway) == []


def test_a_gateway_without_a_model_asks_for_one(make_gateway: Make) -> None:
    gateway = make_gateway(model="")
    with pytest.raises(UsageProblem, match="model"):
        gateway.complete(ASKED)
    with pytest.raises(UsageProblem, match="messages"):
        gateway.complete([], model="gpt-4o")


def test_an_own_server_needs_only_its_url(
    redis_url: str, stand_in: StandInProvider, make_gateway: Make
) -> None:
    gateway = make_gateway(model="my-model", base_url=stand_in.openai_url, providers=())
    completion = gateway.complete(ASKED)
    assert completion.text.startswith("my-model heard")
    assert completion.cost_usd is None
    assert completion.call.cost_status is CostStatus.UNPRICED


def test_a_gateway_closes_with_its_block(
    redis_url: str, stand_in: StandInProvider, make_gateway: Make
) -> None:
    with make_gateway() as gateway:
        assert isinstance(gateway, Gateway)
        gateway.complete(ASKED)
    assert gateway.ledger.status.pending == 0
