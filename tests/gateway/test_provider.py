"""Calling a provider over HTTP: answers, retries, and errors that a person can act on."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from costconsole.demo.provider import StandInProvider
from costconsole.domain.errors import ExitCode, UsageProblem
from costconsole.gateway.errors import ProviderError
from costconsole.gateway.provider import Provider
from costconsole.gateway.retry import RetryPolicy

QUESTION = [{"role": "user", "content": "my secret question"}]
FAST = RetryPolicy(first_s=0.001, cap_s=0.002)
KEY = "sk-verysecretkey123456"


@pytest.fixture
def stand_in() -> Iterator[StandInProvider]:
    with StandInProvider(lambda model, messages: "At the depot.", speedup=0) as server:
        yield server


def provider(server: StandInProvider, **more: object) -> Provider:
    return Provider(
        "openai",
        "openai",
        base_url=server.openai_url,
        api_key=KEY,
        **{"retry": FAST, **more},  # type: ignore[arg-type]
    )


def raw_server(answer: bytes, close: bool = True) -> tuple[str, Callable[[], None]]:
    """A server that says the same bytes to everybody, for what no sane provider sends."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/v1", listening.close


async def either(ask: Callable[..., Any], model: str) -> Any:
    """`ask` the sync or the async way, whichever it is."""
    found = ask(model, QUESTION)
    return await found if inspect.isawaitable(found) else found


async def test_sync_and_async_give_the_same_answer(stand_in: StandInProvider) -> None:
    asked = provider(stand_in)
    reply, attempts = await asyncio.to_thread(asked.ask, "gpt-4o-mini", QUESTION)
    areply, aattempts = await asked.aask("gpt-4o-mini", QUESTION)
    assert reply.text == areply.text == "At the depot."
    assert reply.usage == areply.usage
    assert [a.kind for a in attempts] == [a.kind for a in aattempts] == [""]
    await asked.aclose()


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
async def test_passing_failures_are_tried_again(stand_in: StandInProvider, status: int) -> None:
    asked = provider(stand_in)
    for ask in (asked.ask, asked.aask):
        stand_in.fail_next(status, times=2)
        reply, attempts = await either(ask, "gpt-4o-mini")
        assert reply.text == "At the depot."
        assert [a.status for a in attempts] == [status, status, 200]
        assert [a.usage is None for a in attempts] == [True, True, False]
    await asked.aclose()


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (429, "rate_limited", 3),
        (500, "server", 3),
        (401, "auth", 1),
        (403, "auth", 1),
        (400, "bad_request", 1),
    ],
)
def test_lasting_failures_are_told_apart(
    stand_in: StandInProvider, status: int, kind: str, tries: int
) -> None:
    stand_in.fail_next(status, times=3)
    with pytest.raises(ProviderError) as caught:
        provider(stand_in).ask("gpt-4o-mini", QUESTION)
    assert caught.value.kind == kind
    assert caught.value.status == status
    assert len(caught.value.attempts) == tries == stand_in.arrived
    assert str(status) in str(caught.value)


def test_no_error_tells_a_key_or_a_prompt() -> None:
    told = b'{"error": {"type": "invalid_request_error", "code": "sk-verysecretkey123456 is wrong", '
    told += b'"message": "Bad key sk-verysecretkey123456 for my secret question"}}'
    url, close = raw_server(b"HTTP/1.1 400 Bad\r\ncontent-length: %d\r\n\r\n%s" % (len(told), told))
    asked = Provider("openai", "openai", base_url=url, api_key=KEY, headers={"x-other": "hidden"})
    with pytest.raises(ProviderError) as caught:
        asked.ask("gpt-4o-mini", QUESTION)
    close()
    error = caught.value
    assert "invalid_request_error" in str(error)
    for secret in ("verysecret", "secret question", "hidden"):
        assert secret not in str(error) + repr(error) + repr(asked)
    assert "verysecret" not in error.detail
    assert error.detail.startswith("Bad key …")


def test_a_refusal_is_an_error_that_was_paid_for(stand_in: StandInProvider) -> None:
    stand_in.fail_next("refusal")
    with pytest.raises(ProviderError) as caught:
        provider(stand_in).ask("gpt-4o-mini", QUESTION)
    assert caught.value.kind == "refused"
    assert caught.value.text
    assert caught.value.usage == stand_in.served[0].usage
    assert stand_in.arrived == 1


async def test_silence_ends_in_a_time_out_and_is_not_asked_again(stand_in: StandInProvider) -> None:
    asked = provider(stand_in, timeout_s=0.05)
    stand_in.fail_next("timeout", times=2)
    for ask in (asked.ask, asked.aask):
        with pytest.raises(ProviderError) as caught:
            await either(ask, "gpt-4o-mini")
        assert caught.value.kind == "timeout"
        assert caught.value.exit_code == ExitCode.TIMEOUT
    assert stand_in.arrived == 2
    await asked.aclose()


async def test_a_server_that_is_not_there_names_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    asked = Provider("local", "openai", base_url=f"http://127.0.0.1:{port}/v1", retry=FAST)
    for ask in (asked.ask, asked.aask):
        with pytest.raises(ProviderError, match=r"local at 127\.0\.0\.1 can't be reached") as caught:
            await either(ask, "m")
        assert caught.value.kind == "connection"
        assert len(caught.value.attempts) == 3
    await asked.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
def test_a_page_that_is_no_answer_is_said_to_be_none(answer: bytes) -> None:
    url, close = raw_server(answer)
    with pytest.raises(ProviderError, match="base URL") as caught:
        Provider("local", "openai", base_url=url, retry=FAST).ask("m", QUESTION)
    close()
    assert caught.value.kind == "bad_answer"


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"SSH-2.0-x\r\n"]
)
def test_a_connection_that_breaks_is_tried_again(answer: bytes) -> None:
    url, close = raw_server(answer)
    with pytest.raises(ProviderError) as caught:
        Provider("local", "openai", base_url=url, retry=FAST).ask("m", QUESTION)
    close()
    assert caught.value.kind == "connection"
    assert len(caught.value.attempts) == 3


def test_a_used_up_quota_is_not_tried_again() -> None:
    told = b'{"error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "pay"}}'
    url, close = raw_server(b"HTTP/1.1 429 Too Many\r\ncontent-length: %d\r\n\r\n%s" % (len(told), told))
    with pytest.raises(ProviderError, match="insufficient_quota") as caught:
        Provider("openai", "openai", base_url=url, retry=FAST).ask("m", QUESTION)
    close()
    assert len(caught.value.attempts) == 1


def test_keys_come_from_the_environment_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    asked = Provider("openai", "openai")
    with pytest.raises(ProviderError, match="set OPENAI_API_KEY") as caught:
        asked.ask("gpt-4o-mini", QUESTION)
    assert caught.value.kind == "auth"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-bad\nkey")
    with pytest.raises(ProviderError, match="OPENAI_API_KEY") as caught:
        asked.ask("gpt-4o-mini", QUESTION)
    assert "sk-bad" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "/v1"])
def test_a_base_url_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(UsageProblem, match="base URL"):
        Provider("openai", "openai", base_url=url)


def test_anthropics_base_is_understood_with_and_without_v1(stand_in: StandInProvider) -> None:
    for base in (stand_in.url, stand_in.url + "/v1", stand_in.url + "/"):
        reply, _attempts = Provider("anthropic", "anthropic", base_url=base).ask("claude-x", QUESTION)
        assert reply.text == "At the depot."


def test_connections_are_kept_between_calls(stand_in: StandInProvider) -> None:
    asked = provider(stand_in)
    for _ in range(5):
        asked.ask("gpt-4o-mini", QUESTION)
    assert stand_in.connections == 1
    asked.close()


def test_one_provider_serves_two_event_loops(stand_in: StandInProvider) -> None:
    asked = provider(stand_in)

    async def twice() -> list[str]:
        return [(await asked.aask("gpt-4o-mini", QUESTION))[0].text for _ in range(2)]

    assert asyncio.run(twice()) == asyncio.run(twice()) == ["At the depot."] * 2
    asked.close()


def test_what_json_cannot_say_is_a_wrong_use(stand_in: StandInProvider) -> None:
    with pytest.raises(UsageProblem, match="JSON"):
        provider(stand_in).ask("gpt-4o-mini", QUESTION, {"metadata": object()})
