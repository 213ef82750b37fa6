"""A provider of models behind one of the two wire formats, called over httpx, sync and async."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from costconsole.domain.errors import UsageProblem
from costconsole.gateway.errors import Attempt, ProviderError
from costconsole.gateway.exchange import MAX_ANSWER_BYTES, AnswerTooLarge, AnswerTooSlow, Exchange
from costconsole.gateway.per_loop import PerLoop
from costconsole.gateway.retry import RetryPolicy
from costconsole.gateway.stream_wire import STREAM_PARAMS, StreamFailed, stream_reader
from costconsole.gateway.wire import (
    BadAnswer,
    Reply,
    Wire,
    WireMessage,
    headers_of,
    path_of,
    request_body,
)

DEFAULT_BASE = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60.0)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Streamed:
    """A streamed answer at its end. `first_ms` is the time to the first text, or None when none came."""

    reply: Reply
    attempts: tuple[Attempt, ...]
    first_ms: float | None


class Provider:
    """Where models are asked. Thread-safe; connections are kept alive, per thread pool and per event loop.

    `name` is what prices go by (`openai`, `anthropic`, `groq`, ...). The key is read from the environment
    variable `key_env` at each call, unless `api_key` is given; a base URL of one's own works without a key.
    `timeout_s` bounds one attempt as a whole. Raises UsageProblem for a URL that can't be one.
    """

    def __init__(
        self,
        name: str,
        wire: Wire,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        key_env: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
        connect_timeout_s: float = 5.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.name = name
        self.wire: Wire = wire
        self.base_url = _base(base_url or DEFAULT_BASE[wire], wire)
        self.key_env = key_env or f"{name.upper().replace('-', '_')}_API_KEY"
        self.timeout_s = timeout_s
        self._needs_key = self.base_url == DEFAULT_BASE[wire]
        self._api_key = api_key
        self._headers = dict(headers or {})
        self._retry = retry or RetryPolicy()
        host = urlsplit(self.base_url).hostname or ""
        self._where = name if self._needs_key else f"{name} at {host}"
        self._options: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout_s, connect=connect_timeout_s),
            "limits": _LIMITS,
            "trust_env": host not in _LOOPBACK,
        }
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._async = PerLoop(lambda: httpx.AsyncClient(**self._options), lambda client: client.aclose())

    def __repr__(self) -> str:
        return f"Provider({self.name!r}, {self.wire!r}, host={urlsplit(self.base_url).hostname!r})"

    def missing_key(self) -> str:
        """The environment variable that has to be set before this provider can be asked, or ""."""
        return self.key_env if self._needs_key and not self._found_key() else ""

    def _found_key(self) -> str:
        return (self._api_key or os.environ.get(self.key_env, "")).strip()

    def ask(
        self, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any] | None = None
    ) -> tuple[Reply, tuple[Attempt, ...]]:
        """The provider's answer and every attempt it took. Raises ProviderError, or UsageProblem for
        parameters that can't be sent."""
        body, headers, exchange = self._prepare(model, messages, params or {})
        client = self._sync_client()
        while True:
            started = time.perf_counter()
            try:
                status, told, answer = self._send(client, body, headers, started)
            except (httpx.HTTPError, AnswerTooSlow, AnswerTooLarge) as error:
                step: Reply | float = exchange.broke(error, _ms_since(started))
            else:
                step = exchange.answered(status, told, answer, _ms_since(started))
            if isinstance(step, Reply):
                return step, exchange.attempts
            time.sleep(step)

    async def aask(
        self, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any] | None = None
    ) -> tuple[Reply, tuple[Attempt, ...]]:
        """`ask` for an event loop."""
        body, headers, exchange = self._prepare(model, messages, params or {})
        client = self._async.get()
        while True:
            started = time.perf_counter()
            try:
                status, told, answer = await self._asend(client, body, headers)
            except (httpx.HTTPError, AnswerTooSlow, AnswerTooLarge) as error:
                step: Reply | float = exchange.broke(error, _ms_since(started))
            else:
                step = exchange.answered(status, told, answer, _ms_since(started))
            if isinstance(step, Reply):
                return step, exchange.attempts
            await asyncio.sleep(step)

    async def astream(
        self, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any] | None = None
    ) -> AsyncIterator[str | Streamed]:
        """The answer's text as it comes, in pieces, then the whole as `Streamed`.

        Raises what `ask` raises. Nothing is retried once the answer has begun: a ProviderError then holds in
        `text` what came.
        """
        body, headers, exchange = self._prepare(
            model, messages, {**(params or {}), **STREAM_PARAMS[self.wire]}
        )
        headers["accept"] = "text/event-stream"
        client = self._async.get()
        while True:
            started = time.perf_counter()
            # No time-out spans a `yield`: it would strike whoever reads the stream, not the read itself.
            try:
                async with client.stream("POST", self._url, content=body, headers=headers) as response:
                    if response.status_code == 200:
                        async for part in self._parts(response, exchange, started):
                            yield part
                        return
                    async with asyncio.timeout(self.timeout_s):
                        answer = await response.aread()
            except TimeoutError:
                delay = exchange.broke(AnswerTooSlow(), _ms_since(started))
            except httpx.HTTPError as error:
                delay = exchange.broke(error, _ms_since(started))
            else:
                step = exchange.answered(response.status_code, response.headers, answer, _ms_since(started))
                assert not isinstance(step, Reply)
                delay = step
            await asyncio.sleep(delay)

    async def _parts(
        self, response: httpx.Response, exchange: Exchange, started: float
    ) -> AsyncIterator[str | Streamed]:
        """The parts of a stream that began. A body that is no stream is read as an answer that came whole."""
        reader, size, first_ms = stream_reader(self.wire), 0, None
        plain = "json" in response.headers.get("content-type", "")
        try:
            if plain:
                answer = await response.aread()
                step = exchange.answered(200, response.headers, answer, _ms_since(started))
                assert isinstance(step, Reply)
                yield step.text
                yield Streamed(step, exchange.attempts, _ms_since(started))
                return
            async for piece in response.aiter_bytes():
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge
                if time.perf_counter() - started > self.timeout_s:
                    raise AnswerTooSlow
                text = reader.feed(piece)
                if text:
                    first_ms = _ms_since(started) if first_ms is None else first_ms
                    yield text
            reply = exchange.completed(reader.reply(), _ms_since(started))
        except AnswerTooLarge as error:
            exchange.broke(error, _ms_since(started))
        except BadAnswer as error:
            raise (
                exchange.dropped(error, reader.text, _ms_since(started))
                if reader.text
                else exchange.unusable(error, _ms_since(started))
            ) from None
        except (AnswerTooSlow, StreamFailed, httpx.HTTPError) as error:
            raise exchange.dropped(error, reader.text, _ms_since(started)) from None
        else:
            yield Streamed(reply, exchange.attempts, first_ms)

    def _send(
        self, client: httpx.Client, body: bytes, headers: dict[str, str], started: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        # Streamed, so that a server that trickles can't outlast the time it was given, nor fill the memory.
        with client.stream("POST", self._url, content=body, headers=headers) as response:
            parts: list[bytes] = []
            size = 0
            for part in response.iter_bytes():
                size += len(part)
                parts.append(part)
                if size > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge
                if time.perf_counter() - started > self.timeout_s:
                    raise AnswerTooSlow
            return response.status_code, response.headers, b"".join(parts)

    async def _asend(
        self, client: httpx.AsyncClient, body: bytes, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with asyncio.timeout(self.timeout_s):
                async with client.stream("POST", self._url, content=body, headers=headers) as response:
                    parts: list[bytes] = []
                    size = 0
                    async for part in response.aiter_bytes():
                        size += len(part)
                        parts.append(part)
                        if size > MAX_ANSWER_BYTES:
                            raise AnswerTooLarge
                    return response.status_code, response.headers, b"".join(parts)
        except TimeoutError:
            raise AnswerTooSlow from None

    @property
    def _url(self) -> str:
        return self.base_url + path_of(self.wire)

    def _prepare(
        self, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any]
    ) -> tuple[bytes, dict[str, str], Exchange]:
        key = self._key()
        try:
            body = request_body(self.wire, model, messages, params)
        except (TypeError, ValueError):
            raise UsageProblem(
                f"a parameter for model {model!r} can't be written as JSON; use plain values"
            ) from None
        headers = headers_of(self.wire, key) | self._headers
        return body, headers, Exchange(self.name, self.wire, self._where, key, self._retry)

    def _key(self) -> str | None:
        key = self._found_key()
        if not key:
            if self._needs_key:
                raise ProviderError(
                    f"no API key for {self.name}: set {self.key_env} in the environment",
                    kind="auth",
                    provider=self.name,
                )
            return None
        if not (key.isascii() and key.isprintable()):
            raise ProviderError(
                f"the API key for {self.name} holds characters that no key has: check {self.key_env}",
                kind="auth",
                provider=self.name,
            )
        return key

    def _sync_client(self) -> httpx.Client:
        client = self._client
        if client is None:
            with self._lock:
                client = self._client = self._client or httpx.Client(**self._options)
        return client

    def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        self._async.close()

    async def aclose(self) -> None:
        await self._async.aclose()
        self.close()


def _base(url: str, wire: Wire) -> str:
    url = url.strip().rstrip("/")
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise UsageProblem(
            "the base URL of a provider starts with http:// or https:// and names a host, "
            f"such as {DEFAULT_BASE[wire]}"
        )
    # Their SDK wants Anthropic's base without /v1; both are understood.
    return url.removesuffix("/v1") if wire == "anthropic" else url


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000.0
