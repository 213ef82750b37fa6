"""The stand-in provider, seen through the providers' own clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from costconsole.demo.pace import Pace, pace_of
from costconsole.demo.provider import Rates, StandInProvider
from costconsole.domain.errors import Problem
from costconsole.gateway.provider import Provider
from costconsole.gateway.wire import anthropic_usage, openai_usage

QUESTION = [{"role": "user", "content": "Where is my parcel?"}]


@pytest.fixture
def stand_in() -> Iterator[StandInProvider]:
    with StandInProvider(lambda model, messages: "It is at the depot.", speedup=0) as server:
        yield server


def openai_client(server: StandInProvider, **more: object) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.openai_url, api_key="k", **{"max_retries": 0, **more})  # type: ignore[arg-type]


def anthropic_client(server: StandInProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)


def test_openais_client_talks_to_it_and_ours_reads_the_same(stand_in: StandInProvider) -> None:
    with openai_client(stand_in) as client:
        said = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)  # type: ignore[arg-type]
    ours, _attempts = Provider("openai", "openai", base_url=stand_in.openai_url).ask("gpt-4o-mini", QUESTION)
    assert said.choices[0].message.content == ours.text == "It is at the depot."
    assert said.usage is not None
    assert openai_usage(said.usage.model_dump()) == ours.usage == stand_in.served[0].usage
    assert ours.usage is not None
    assert ours.usage.input > 3
    assert ours.usage.output > 3


def test_anthropics_client_talks_to_it_and_ours_reads_the_same(stand_in: StandInProvider) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *QUESTION]
    with anthropic_client(stand_in) as client:
        said = client.messages.create(
            model="claude-opus-5-5",
            system="Be brief.",
            messages=QUESTION,  # type: ignore[arg-type]
            max_tokens=100,
        )
    provider = Provider("anthropic", "anthropic", base_url=stand_in.url)
    ours, _attempts = provider.ask("claude-opus-5-5", messages, {"max_tokens": 100})
    assert said.content[0].type == "text"
    assert said.content[0].text == ours.text == "It is at the depot."
    assert anthropic_usage(said.usage.model_dump()) == ours.usage == stand_in.served[0].usage


def test_cached_tokens_come_in_each_wires_own_form() -> None:
    with StandInProvider(speedup=0, rates=Rates(cached=1.0)) as server:
        with openai_client(server) as client:
            usage = client.chat.completions.create(model="gpt-4o", messages=QUESTION).usage  # type: ignore[arg-type]
        with anthropic_client(server) as other:
            told = other.messages.create(model="claude-opus-5-5", messages=QUESTION, max_tokens=9).usage  # type: ignore[arg-type]
        first, second = server.served
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert 0 < (usage.prompt_tokens_details.cached_tokens or 0) < usage.prompt_tokens
    assert first.usage == openai_usage(usage.model_dump())
    assert told.cache_read_input_tokens
    assert second.usage is not None
    assert told.input_tokens + told.cache_read_input_tokens == second.usage.input


def test_a_token_limit_cuts_the_answer(stand_in: StandInProvider) -> None:
    with openai_client(stand_in) as client:
        said = client.chat.completions.create(model="gpt-4o", messages=QUESTION, max_tokens=2)  # type: ignore[arg-type]
    assert said.choices[0].finish_reason == "length"
    assert said.usage is not None
    assert said.usage.completion_tokens == 2
    assert len(said.choices[0].message.content or "") < len("It is at the depot.")


def test_the_providers_clients_understand_its_failures(stand_in: StandInProvider) -> None:
    stand_in.fail_next(429)
    stand_in.fail_next(500)
    stand_in.fail_next("refusal")
    with openai_client(stand_in) as client:
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="gpt-4o", messages=QUESTION)  # type: ignore[arg-type]
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="gpt-4o", messages=QUESTION)  # type: ignore[arg-type]
        said = client.chat.completions.create(model="gpt-4o", messages=QUESTION)  # type: ignore[arg-type]
        assert said.choices[0].message.refusal
        assert said.choices[0].message.content is None
    stand_in.fail_next(529)
    stand_in.fail_next("refusal")
    with anthropic_client(stand_in) as other:
        with pytest.raises(anthropic.APIStatusError) as caught:
            other.messages.create(model="claude-opus-5-5", messages=QUESTION, max_tokens=9)  # type: ignore[arg-type]
        assert caught.value.status_code == 529
        refused = other.messages.create(model="claude-opus-5-5", messages=QUESTION, max_tokens=9)  # type: ignore[arg-type]
        assert refused.stop_reason == "refusal"
    assert [served.status for served in stand_in.served] == [429, 500, 200, 529, 200]


def test_a_request_may_be_left_without_an_answer(stand_in: StandInProvider) -> None:
    stand_in.fail_next("timeout")
    with openai_client(stand_in, timeout=0.1) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)  # type: ignore[arg-type]
    assert stand_in.arrived == 1
    assert stand_in.served == []


def test_faults_are_drawn_at_their_rates_and_the_same_for_a_seed() -> None:
    def statuses(seed: int) -> list[int]:
        rates = Rates(rate_limited=0.2, server=0.1)
        with StandInProvider(speedup=0, seed=seed, rates=rates) as server, httpx.Client() as client:
            for _ in range(200):
                client.post(
                    server.openai_url + "/chat/completions", json={"model": "m", "messages": QUESTION}
                )
            return [served.status for served in server.served]

    drawn = statuses(7)
    assert drawn == statuses(7)
    assert 20 <= drawn.count(429) <= 60
    assert 8 <= drawn.count(500) <= 35


async def test_many_requests_share_kept_connections(stand_in: StandInProvider) -> None:
    url, body = stand_in.openai_url + "/chat/completions", {"model": "m", "messages": QUESTION}
    stand_in.pause()
    async with httpx.AsyncClient() as client:
        tasks = [asyncio.create_task(client.post(url, json=body)) for _ in range(20)]
        assert await asyncio.to_thread(stand_in.wait_arrived, 20)
        stand_in.resume()
        assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}
        for _ in range(20):
            await client.post(url, json=body)
    assert stand_in.connections == 20


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/other", {}, 404),
        ("/v1/messages", {"model": "m"}, 400),
        ("/v1/chat/completions", {"messages": []}, 400),
    ],
)
def test_what_it_does_not_speak_is_refused(
    stand_in: StandInProvider, path: str, body: dict[str, object], status: int
) -> None:
    answer = httpx.post(stand_in.url + path, json=body)
    assert answer.status_code == status
    assert json.loads(answer.content)["error"]["message"]


def test_answers_take_longer_for_more_words_and_for_slower_models() -> None:
    import random

    assert pace_of("gpt-4o-mini-2024-07-18") == pace_of("gpt-4o-mini")
    assert pace_of("gpt-4o") != pace_of("gpt-4o-mini")
    rng = random.Random(3)
    drawn = [Pace(0.5, 50).draw(rng) for _ in range(2000)]
    firsts, rates = sorted(f for f, _ in drawn), sorted(r for _, r in drawn)
    assert 0.45 < firsts[1000] < 0.55
    assert 45 < rates[1000] < 55
    assert firsts[-20] > 2 * firsts[1000]


def test_a_taken_port_is_a_problem_that_names_it(stand_in: StandInProvider) -> None:
    port = int(stand_in.url.rpartition(":")[2])
    with pytest.raises(Problem, match=str(port)):
        StandInProvider(port=port).start()
