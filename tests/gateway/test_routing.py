"""Calls whose model the router chooses, over a real Redis, the real embeddings and a stand-in provider."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from costconsole.cache.policy import Author, write_policy
from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Outcome
from costconsole.domain.errors import UsageProblem
from costconsole.embedding.local import LocalEmbedder
from costconsole.gateway.errors import ProviderError
from costconsole.redis_store.keys import Keys
from costconsole.routing.centroids import PROBE, as_row
from costconsole.routing.head import Head
from costconsole.routing.model import TASKS
from costconsole.routing.surface import FEATURES
from costconsole.routing.trained import load_trained, save_trained
from tests.gateway.conftest import Ledgered, Make, until

SIMPLE = "Summarize the following release notes in two sentences."
HARD = "Write a Python function that finds all cycles in a directed graph, with unit tests."
CONFIG = """\
models:
  small: {provider: openai, model: gpt-4o-mini, tier: cheap}
  large: {provider: openai, model: gpt-4o, tier: strong}
  other: {provider: anthropic, model: claude-3-5-sonnet-20241022, tier: strong}
tiers: {cheap: small, strong: large}
routes:
  - {name: notes, task: summarization, use: cheap}
  - {name: code, task: coding, use: strong, fallbacks: [other]}
  - {name: urgent, use: large, when: {tags: [urgent]}}
default: small
baseline: large
aliases: {auto: auto, best: large}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(CONFIG)
    return path


async def test_the_task_decides(make_gateway: Make, ledgered: Ledgered, config: Path) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    simple, hard = gateway.complete(SIMPLE, model="auto"), await gateway.acomplete(HARD, model="auto")
    assert (simple.model, hard.model) == ("gpt-4o-mini", "gpt-4o")
    for call, route, routing in zip(ledgered(gateway), ("notes", "code"), (True, False), strict=True):
        assert (call.route, call.requested_model, call.outcome) == (route, "auto", Outcome.MISS)
        assert (call.savings.routing > 0) is routing, "against the baseline, the large model"
        assert call.spend_nano is not None
        assert call.spend_nano + call.savings.total == call.baseline_nano


def test_a_routed_answer_serves_the_next_one(make_gateway: Make, ledgered: Ledgered, config: Path) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    gateway.complete(SIMPLE, model="auto")
    assert gateway.complete(SIMPLE, model="auto").outcome is Outcome.EXACT
    near = gateway.complete(SIMPLE.replace("two sentences", "2 sentences"), model="auto")
    assert near.outcome is Outcome.SEMANTIC
    _miss, exact, semantic = ledgered(gateway)
    assert [exact.route, semantic.route] == ["notes", "notes"]
    assert exact.model == semantic.model == "gpt-4o-mini"
    assert exact.savings.routing > 0
    assert exact.spend_nano == 0


@pytest.mark.parametrize("fault", [500, 401, 429])
def test_another_model_answers_where_one_fails(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider, fault: int
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next(fault, times=1 if fault == 401 else 3)
    assert gateway.complete(HARD, model="auto").model == "claude-3-5-sonnet-20241022"
    failed, answered = ledgered(gateway)
    assert (failed.model, bool(failed.error), failed.route) == ("gpt-4o", True, "code")
    assert (answered.provider, answered.error, answered.outcome) == ("anthropic", "", Outcome.MISS)
    # What failed rests: the next call doesn't ask it first.
    again = gateway.complete(HARD + " Use no recursion at all, and explain the complexity.", model="auto")
    assert again.model == "claude-3-5-sonnet-20241022"


def test_when_all_fail_the_last_error_is_told(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next(500, times=100)
    with pytest.raises(ProviderError, match="anthropic"):
        gateway.complete(HARD, model="auto")
    assert [call.model for call in ledgered(gateway)] == ["gpt-4o", "claude-3-5-sonnet-20241022"]


def test_a_refusal_is_no_reason_to_ask_somebody_else(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next("refusal")
    with pytest.raises(ProviderError, match="refused"):
        gateway.complete(HARD, model="auto")
    assert len(ledgered(gateway)) == 1


def test_names_tags_and_conversations(make_gateway: Make, config: Path) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    assert gateway.complete(SIMPLE, model="small").model == "gpt-4o-mini"
    assert gateway.complete(SIMPLE, model="best").model == "gpt-4o"
    assert gateway.complete(SIMPLE, model="auto", tag="urgent", cache=False).model == "gpt-4o"
    turns = [
        {"role": "user", "content": HARD},
        {"role": "assistant", "content": "def cycles(graph): ..."},
        {"role": "user", "content": "Thanks. Summarize in one sentence what you did."},
    ]
    gateway.complete(turns[:1], model="auto")
    followed = gateway.complete(turns, model="auto")
    assert followed.model == "gpt-4o", "a conversation keeps its model"
    assert gateway.complete("Hello there", model="gpt-4o-mini").call.route == "", "not the config's affair"


def test_the_policy_switches_routing_off(make_gateway: Make, config: Path, client: redis.Redis) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    write_policy(client, Keys(), {"routing": False}, Author("me", "here"))
    until(lambda: not gateway.policy.routing)
    done = gateway.complete(HARD, model="auto")
    assert (done.model, done.call.route) == ("gpt-4o-mini", "")


def test_the_file_is_followed(make_gateway: Make, config: Path) -> None:
    gateway = make_gateway(routing=config)
    config.write_text(CONFIG.replace("name: code", "name: programs"))
    until(lambda: gateway.routing.config.routes[1].name == "programs")
    config.write_text("models: [")
    until(lambda: bool(gateway.routing.problem))
    assert gateway.routing.config.routes[1].name == "programs", "the last good one stays"
    assert gateway.routing.router.wait(60)
    assert gateway.complete(HARD, model="auto").call.route == "programs"


def head_that_says(task: str, embedder: LocalEmbedder) -> tuple[Head, Any]:
    """What labels could have taught: that everything is this task."""
    probe = as_row(embedder.embed([PROBE])[0].vector)
    weights = np.zeros((2, len(probe) + len(FEATURES) + len(TASKS)), np.float32)
    labels = (task, next(other for other in TASKS if other != task))
    return Head(labels, weights, np.array([3.0, -3.0], np.float32), {}), probe


def test_what_is_learnt_meanwhile_is_taken(
    make_gateway: Make, config: Path, embedder: LocalEmbedder, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    router = gateway.routing.router
    assert router.wait(60)
    assert gateway.complete(HARD, model="auto", cache=False).model == "gpt-4o"
    head, probe = head_that_says("summarization", embedder)
    file = save_trained(head, str(config), embedder, probe)
    until(lambda: router.trained.head is not None)
    assert gateway.complete(HARD, model="auto", cache=False).model == "gpt-4o-mini"
    save_trained(head_that_says("coding", embedder)[0], str(config), embedder, probe)
    until(lambda: router.trained.head is not None and router.trained.head.labels[0] == "coding")
    file.unlink()
    until(lambda: router.trained.head is None)
    assert gateway.complete(HARD, model="auto", cache=False).call.route == "code"


def test_while_something_new_is_read_the_old_decides(
    make_gateway: Make, config: Path, embedder: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = make_gateway(routing=config).routing.router
    assert router.wait(60)
    held = threading.Event()
    monkeypatch.setattr(
        "costconsole.routing.meaning.load_trained", lambda *given: held.wait(20) and load_trained(*given)
    )
    router.reload()
    assert router.status == "ready"
    held.set()
    assert router.wait(20)


def test_a_broken_config_is_said_at_once(make_gateway: Make, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("models: {a: {provider: openai, tier: cheapest}}\n")
    with pytest.raises(UsageProblem, match="line 1"):
        make_gateway(routing=path)


def test_without_a_config_only_auto_is_routed(make_gateway: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    gateway = make_gateway()
    assert gateway.complete(SIMPLE, model="gpt-4o").call.route == ""
    assert gateway.routing.router.wait(60)
    done = gateway.complete(HARD, model="auto")
    assert (done.model, done.call.route) == ("gpt-4o", "coding")


def test_prompts_are_sent_shorter_and_compared_whole(
    make_gateway: Make, ledgered: Ledgered, stand_in: StandInProvider
) -> None:
    gateway = make_gateway()
    table = "| name   | price   |\n|--------|---------|\n| a      | 2       |\n| b      | 3       |\n"
    prompt = f"Which of these is the cheapest?   \n\n\n\n\n{table}"
    gateway.complete(prompt)
    sent = stand_in.served[-1].prompt
    assert len(sent) < len(prompt)
    (call,) = ledgered(gateway)
    assert call.savings.minimization > 0
    assert call.input_saved > 0
    assert call.preview
    assert prompt.startswith(call.preview), "the caller's own words are what is compared and shown"
    with_switch_off = make_gateway(minimizer=None)
    with_switch_off.complete(prompt, cache=False)
    assert stand_in.served[-1].prompt == prompt
