"""Embeddings from an OpenAI-compatible server: POST {base}/embeddings."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from costconsole.domain.errors import ConnectionProblem, Problem, TimeoutProblem, UsageProblem
from costconsole.embedding.embedder import DEFAULT_MODEL, Embedding
from costconsole.embedding.http_wire import (
    Retry,
    Server,
    batches,
    body,
    parse,
    pause,
    require_answer,
)

if TYPE_CHECKING:
    import asyncio

    import httpx


class HttpEmbedder:
    """An `Embedder` over a server's `/embeddings`; vectors are normalized here.

    The key comes from `api_key` or, read at each request, from the environment variable named
    `api_key_env`; no message ever holds it. A request that the server is too busy for, or that doesn't
    come through, is sent again up to `retries` times, after the time the server asks for or a growing
    pause, never longer than `max_pause_s`. Token counts are the server's; where it tells none they are
    estimated at four bytes a token. Raises UsageProblem for a URL or a key variable that can't be used.
    """

    def __init__(
        self,
        base_url: str,
        model: str = DEFAULT_MODEL,
        *,
        api_key: str | None = None,
        api_key_env: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        max_pause_s: float = 20.0,
        batch_texts: int = 64,
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise UsageProblem(
                "embedding_url must be a server's address such as http://localhost:8080/v1 (scheme and host)."
            )
        self.name = model
        self._url = base_url.rstrip("/").removesuffix("/embeddings") + "/embeddings"
        self._server = Server(address.netloc.rpartition("@")[2], model, api_key_env)
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._retries = retries
        self._max_pause_s = max_pause_s
        self._batch_texts = batch_texts
        self._lock = threading.Lock()
        self._dims: int | None = None
        self._status = "off"
        self._client: httpx.Client | None = None
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._clients = weakref.WeakKeyDictionary()

    @property
    def dims(self) -> int | None:
        return self._dims

    @property
    def status(self) -> str:
        return self._status

    def start(self) -> None:
        """Embed one word in the background: then the dimensions are known, or what is wrong."""
        with self._lock:
            if self._status == "starting":
                return
            self._status = "starting"
        threading.Thread(target=self._try, name="costconsole-embedding", daemon=True).start()

    def embed(self, texts: Sequence[str]) -> list[Embedding]:
        answer: list[Embedding] = []
        for batch in batches(texts, self._batch_texts):
            answer += self._one(batch)
        return answer

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        answer: list[Embedding] = []
        for batch in batches(texts, self._batch_texts):
            answer += await self._aone(batch)
        return answer

    def close(self) -> None:
        """Close the connections; the embedder opens new ones if it is used again."""
        with self._lock:
            client, self._client = self._client, None
            clients, self._clients = self._clients, weakref.WeakKeyDictionary()
            self._status = "off"
        if client is not None:
            client.close()
        for loop, async_client in clients.items():
            if loop.is_running():
                import asyncio

                asyncio.run_coroutine_threadsafe(async_client.aclose(), loop)

    def _try(self) -> None:
        try:
            self.embed(["dimensions"])
        except Problem:
            pass  # The status tells it.

    def _one(self, batch: list[str]) -> list[Embedding]:
        import httpx

        for last, wait in self._attempts():
            try:
                response = self._sync_client().post(
                    self._url, json=body(self.name, batch), headers=self._headers()
                )
                return self._accept(response, batch, last=last)
            except httpx.HTTPError as error:
                retry = self._lost(error, last=last)
            except Retry as asked:
                retry = asked
            time.sleep(pause(retry, wait, self._max_pause_s))
        raise AssertionError("the last attempt returns or raises")

    async def _aone(self, batch: list[str]) -> list[Embedding]:
        import asyncio

        import httpx

        for last, wait in self._attempts():
            try:
                client = self._async_client(asyncio.get_running_loop())
                response = await client.post(self._url, json=body(self.name, batch), headers=self._headers())
                return self._accept(response, batch, last=last)
            except httpx.HTTPError as error:
                retry = self._lost(error, last=last)
            except Retry as asked:
                retry = asked
            await asyncio.sleep(pause(retry, wait, self._max_pause_s))
        raise AssertionError("the last attempt returns or raises")

    def _attempts(self) -> Iterator[tuple[bool, float]]:
        """(is it the last, seconds to wait after it) of each attempt."""
        for attempt in range(self._retries + 1):
            yield attempt == self._retries, 0.5 * 2**attempt

    def _accept(self, response: httpx.Response, batch: list[str], *, last: bool) -> list[Embedding]:
        """The embeddings of a response; raises Retry, or Problem once nothing more is to be tried."""
        try:
            require_answer(
                self._server,
                response.status_code,
                response.headers.get("retry-after"),
                response.content,
                last=last,
                max_pause_s=self._max_pause_s,
            )
            answer = parse(self._server, response.content, batch)
            self._learn_dims(answer[0].dims)
        except Problem as problem:
            self._status = f"failed: {problem}"
            raise
        self._status = "ready"
        return answer

    def _learn_dims(self, dims: int) -> None:
        if self._dims is not None and self._dims != dims:
            raise Problem(
                f"The embedding server {self._server.host} made {self._dims}-dimensional vectors before and "
                f"{dims}-dimensional ones now: give {self.name} an address of its own."
            )
        self._dims = dims

    def _lost(self, error: httpx.HTTPError, *, last: bool) -> Retry:
        """What to do after a request that brought no response."""
        import httpx

        if not last:
            return Retry()
        problem: Problem
        if isinstance(error, httpx.TimeoutException):
            problem = TimeoutProblem(
                f"The embedding server {self._server.host} didn't answer within {self._timeout_s:g} s: "
                f"check it, or choose another embedding_url."
            )
        else:
            problem = ConnectionProblem(
                f"The embedding server {self._server.host} can't be reached ({type(error).__name__}): "
                f"check embedding_url and that it runs."
            )
        self._status = f"failed: {problem}"
        raise problem from None

    def _headers(self) -> dict[str, str]:
        key = self._api_key
        variable = self._server.key_variable
        if key is None and variable:
            key = os.environ.get(variable)
            if not key:
                problem = UsageProblem(
                    f"The environment variable {variable}, which should hold the key of the embedding server "
                    f"{self._server.host}, is not set."
                )
                self._status = f"failed: {problem}"
                raise problem
        if not key:
            return {}
        if not key.isascii() or not key.isprintable():
            where = f"in {variable}" if variable else "of the embedding server"
            raise UsageProblem(f"The key {where} holds characters that can't be sent: copy it again.")
        return {"authorization": f"Bearer {key}"}

    def _sync_client(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(timeout=self._timeout_s)
            return self._client

    def _async_client(self, loop: asyncio.AbstractEventLoop) -> httpx.AsyncClient:
        """Connections belong to the loop that opened them."""
        import httpx

        with self._lock:
            client = self._clients.get(loop)
            if client is None:
                client = self._clients[loop] = httpx.AsyncClient(timeout=self._timeout_s)
            return client
