"""The Lab over a real Redis, the real model and a stand-in provider that is slow, refuses, or drops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from costconsole.console.lab import Question, Sent
from costconsole.console.redis_source import RedisSource
from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Call, Outcome
from costconsole.domain.errors import Refused
from costconsole.embedding.embedder import Embedder
from costconsole.gateway.checked import Check
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.gateway.conftest import Make, calls_in, make_gateway, stand_in

__all__ = ["make_gateway", "stand_in"]

KEYS = Keys()
QUESTION = "How do I return a pair of shoes?"


@dataclass
class Trying:
    source: RedisSource
    texts: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def check(self, prompt: str = QUESTION, model: str = "gpt-4o-mini", **more: Any) -> Check:
        return await self.source.lab.check(Question(prompt, model, **more), None)

    async def send(self, found: Check) -> Sent:
        return await self.source.lab.send(found, self.texts.append, self.stop)

    async def calls(self, client: Any) -> list[Call]:
        lab: Any = self.source.lab
        assert await asyncio.to_thread(lab._ledger.flush, 10)
        return [call for call in calls_in(client) if call.tag == "lab"]


@pytest.fixture
async def trying(
    redis_url: str, embedder: Embedder, stand_in: StandInProvider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Trying]:
    monkeypatch.setenv("OPENAI_BASE_URL", stand_in.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    source = await opened(redis_url, embedder)
    yield Trying(source)
    await closed(source)


async def opened(url: str, embedder: Embedder, **settings: Any) -> RedisSource:
    source = RedisSource(Settings(redis_url=url, **settings), parse_target(url))
    source._embedder = embedder
    await source.open()
    return source


async def closed(source: RedisSource) -> None:
    source._embedder = None  # The session's own.
    await source.close()


async def test_an_answer_comes_in_pieces_and_is_in_the_ledger(trying: Trying, client: Any) -> None:
    sent = await trying.send(await trying.check("Where  are   the parcels?"))
    assert len(trying.texts) > 1
    assert "".join(trying.texts) == sent.text != ""
    assert sent.whole
    assert sent.first_ms is not None
    assert 0 < sent.first_ms <= sent.total_ms
    (call,) = await trying.calls(client)
    assert (call.model, call.outcome, call.tag) == ("gpt-4o-mini", Outcome.BYPASS, "lab")
    assert (call.input, call.output) == (sent.usage.input, sent.usage.output)
    assert call.spend_nano == sent.cost_nano
    assert call.spend_nano
    assert call.input_saved > 0, "what minimization took is not paid"


async def test_it_is_stopped_and_what_came_is_counted(
    trying: Trying, stand_in: StandInProvider, client: Any
) -> None:
    found = await trying.check()
    stand_in.pause()
    sending = asyncio.create_task(trying.send(found))
    assert await asyncio.to_thread(stand_in.wait_arrived, 1)
    began = time.monotonic()
    trying.stop.set()
    sent = await sending
    assert time.monotonic() - began < 5
    stand_in.resume()
    assert (sent.stopped, sent.whole, sent.error) == (True, False, "")
    (call,) = await trying.calls(client)
    assert call.error == "cancelled"


async def test_refusals_wrong_keys_and_broken_streams_are_sentences(
    trying: Trying, stand_in: StandInProvider, client: Any
) -> None:
    found = await trying.check()
    stand_in.fail_next(401)
    denied = await trying.send(found)
    assert "API key" in denied.error
    assert "verysecret" not in denied.error
    stand_in.fail_next("refusal")
    assert "refused" in (await trying.send(found)).error
    stand_in.drop_next()
    dropped = await trying.send(found)
    assert "dropped its answer in the middle" in dropped.error
    assert dropped.text, "what came is kept"
    assert dropped.usage.estimated
    assert dropped.cost_nano, "and paid for"
    errors = [call.error for call in await trying.calls(client)]
    assert errors == ["auth", "refused", "connection"]


async def test_without_a_key_the_variable_is_named(trying: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await trying.check(model="claude-3-haiku-20240307")
    assert other.route.missing_key == "ANTHROPIC_API_KEY"
    assert (await trying.check()).route.missing_key == ""


async def test_auto_is_routed_and_asked(trying: Trying, client: Any) -> None:
    hard = "Write a Python function that finds all cycles in a directed graph, with unit tests."
    await trying.source.lab.models()
    for _ in range(200):
        found = await trying.check(hard, "auto")
        if not found.route.without_embedding:
            break
        await asyncio.sleep(0.1)
    assert found.route.task == "coding"
    assert "auto" in await trying.source.lab.models()
    sent = await trying.send(found)
    (call,) = await trying.calls(client)
    assert (call.requested_model, call.model, call.route) == ("auto", sent.model, found.route.name)


async def test_what_is_stored_is_what_a_gateway_serves(
    trying: Trying, make_gateway: Make, client: Any
) -> None:
    make_gateway().complete("Something that makes the index.")
    await trying.source.caches(refresh=True)
    found = await trying.check()
    sent = await trying.send(found)
    assert trying.source.lab.why_not_store(found, sent) == ""
    stored = await trying.source.lab.store(found, sent)
    assert len(stored.keys) == 2
    gateway = make_gateway()
    assert gateway.complete(QUESTION).outcome is Outcome.EXACT
    near = gateway.complete("how do I return a pair of shoes")
    assert (near.outcome, near.text) == (Outcome.SEMANTIC, sent.text)
    (entry,) = [fields for _, fields in client.xrange(KEYS.audit) if fields[b"what"] == b"store"]
    assert entry[b"entries"].decode().split() == list(stored.keys)
    assert QUESTION.encode() not in b"".join(entry.values()), "no prompt in the audit"

    await trying.source.lab.take_back(stored)
    assert not any(client.exists(key) for key in stored.keys)
    assert [f[b"what"] for _, f in client.xrange(KEYS.audit)][-1] == b"undo of store"


async def test_taking_back_brings_what_was_there(trying: Trying, make_gateway: Make, client: Any) -> None:
    kept = make_gateway().complete(QUESTION)
    before = client.hgetall(kept.cached_key)
    await trying.source.caches(refresh=True)
    found = await trying.check()
    assert found.exact_hit
    sent = await trying.send(found)
    stored = await trying.source.lab.store(found, sent)
    assert client.hgetall(kept.cached_key) != before
    await trying.source.lab.take_back(stored)
    assert client.hgetall(kept.cached_key) == before


async def test_read_only_sends_and_stores_nothing(
    redis_url: str,
    embedder: Embedder,
    stand_in: StandInProvider,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", stand_in.openai_url)
    source = await opened(redis_url, embedder, read_only=True)
    try:
        found = await source.lab.check(Question(QUESTION, "gpt-4o-mini"), None)
        assert found.decision == "call"
        with pytest.raises(Refused, match="read-only"):
            await source.lab.send(found, lambda _text: None, asyncio.Event())
        whole = Sent(text="x", model="gpt-4o-mini", finish="stop")
        assert "read-only" in source.lab.why_not_store(found, whole)
        with pytest.raises(Refused, match="read-only"):
            await source.lab.store(found, whole)
    finally:
        await closed(source)
    assert stand_in.arrived == 0
    assert client.dbsize() == 0


async def test_what_a_gateway_would_not_keep_is_not_stored(trying: Trying) -> None:
    found = await trying.check()
    refused = Sent(text="I can't help with that.", model="gpt-4o-mini", finish="content_filter")
    assert trying.source.lab.why_not_store(found, refused) == "the provider refused to answer"
    broken = Sent(text="half", model="gpt-4o-mini", error="it broke off")
    assert trying.source.lab.why_not_store(found, broken) == "only whole answers are kept"
