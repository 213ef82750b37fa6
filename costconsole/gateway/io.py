"""What a call does outside of itself, once blocking and once for an event loop.

The way of a call is written once, as a coroutine over `Io`. The methods of `BlockingIo` are coroutines
that never suspend: `run_blocking` runs such a coroutine to its end without any event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from costconsole.cache.answer import Answer
from costconsole.cache.exact import ExactCache
from costconsole.cache.semantic import SemanticCache
from costconsole.cache.serving import Verdict, Wanted, aserve, serve
from costconsole.embedding.embedder import Embedder, Embedding
from costconsole.gateway.completion import Found
from costconsole.gateway.errors import Attempt
from costconsole.gateway.lane import alane, lane
from costconsole.gateway.provider import Provider
from costconsole.gateway.single_flight import SingleFlight
from costconsole.gateway.wire import Reply, WireMessage
from costconsole.redis_store.keys import Keys

CONNECTIONS = 64
"""Commands of one loop in flight at once; more wait for one of these connections."""

Work = Callable[[], Coroutine[Any, Any, Found]]


class Io(Protocol):
    async def exact_get(self, cache: ExactCache, digest: str) -> Answer | None: ...

    async def exact_put(self, cache: ExactCache, digest: str, answer: Answer, **about: Any) -> str: ...

    async def ensure_index(self, cache: SemanticCache) -> None: ...

    async def serve(self, keys: Keys, cache: SemanticCache, wanted: Wanted) -> Verdict: ...

    async def semantic_put(
        self, cache: SemanticCache, prompt: str, vector: bytes, scope: str, answer: Answer, **about: Any
    ) -> str: ...

    async def embed(self, embedder: Embedder, text: str) -> Embedding: ...

    async def ask(
        self, provider: Provider, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any]
    ) -> tuple[Reply, tuple[Attempt, ...]]: ...

    async def fly(self, flights: SingleFlight[Found], key: str, work: Work) -> tuple[Found, bool]: ...


class BlockingIo:
    """`client` makes the Redis client on first use; it may raise what connecting raises."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._make = client
        self._client: Any = None
        self._lock = threading.Lock()

    def client(self) -> Any:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = lane(self._make())
        return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def exact_get(self, cache: ExactCache, digest: str) -> Answer | None:
        return cache.get(self.client(), digest)

    async def exact_put(self, cache: ExactCache, digest: str, answer: Answer, **about: Any) -> str:
        return cache.put(self.client(), digest, answer, **about)

    async def ensure_index(self, cache: SemanticCache) -> None:
        cache.ensure_index(self.client())

    async def serve(self, keys: Keys, cache: SemanticCache, wanted: Wanted) -> Verdict:
        return serve(self.client(), keys, cache, wanted)

    async def semantic_put(
        self, cache: SemanticCache, prompt: str, vector: bytes, scope: str, answer: Answer, **about: Any
    ) -> str:
        return cache.store(self.client(), prompt, vector, scope, answer, **about)

    async def embed(self, embedder: Embedder, text: str) -> Embedding:
        return embedder.embed([text])[0]

    async def ask(
        self, provider: Provider, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any]
    ) -> tuple[Reply, tuple[Attempt, ...]]:
        return provider.ask(model, messages, params)

    async def fly(self, flights: SingleFlight[Found], key: str, work: Work) -> tuple[Found, bool]:
        return flights.run(key, lambda: run_blocking(work()))


class LoopIo:
    """For one event loop; the client belongs to it."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._make = client
        self._client: Any = None
        self._room = asyncio.Semaphore(CONNECTIONS)

    def client(self) -> Any:
        if self._client is None:
            self._client = alane(self._make())
        return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def exact_get(self, cache: ExactCache, digest: str) -> Answer | None:
        async with self._room:
            return await cache.aget(self.client(), digest)

    async def exact_put(self, cache: ExactCache, digest: str, answer: Answer, **about: Any) -> str:
        async with self._room:
            return await cache.aput(self.client(), digest, answer, **about)

    async def ensure_index(self, cache: SemanticCache) -> None:
        # Half a second of imports, once: not on the event loop.
        for module in ("redisvl.schema", "redisvl.query"):
            await asyncio.to_thread(import_module, module)
        async with self._room:
            await cache.aensure_index(self.client())

    async def serve(self, keys: Keys, cache: SemanticCache, wanted: Wanted) -> Verdict:
        async with self._room:
            return await aserve(self.client(), keys, cache, wanted)

    async def semantic_put(
        self, cache: SemanticCache, prompt: str, vector: bytes, scope: str, answer: Answer, **about: Any
    ) -> str:
        async with self._room:
            return await cache.astore(self.client(), prompt, vector, scope, answer, **about)

    async def embed(self, embedder: Embedder, text: str) -> Embedding:
        return (await embedder.aembed([text]))[0]

    async def ask(
        self, provider: Provider, model: str, messages: Sequence[WireMessage], params: Mapping[str, Any]
    ) -> tuple[Reply, tuple[Attempt, ...]]:
        return await provider.aask(model, messages, params)

    async def fly(self, flights: SingleFlight[Found], key: str, work: Work) -> tuple[Found, bool]:
        return await flights.arun(key, work)


def run_blocking(work: Awaitable[Any]) -> Any:
    """The result of a coroutine over `BlockingIo`."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a blocking call tried to wait for an event loop")
