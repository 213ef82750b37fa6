"""The caches as a call meets them: whatever is wrong with Redis or the model, the call goes on without."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Final

from costconsole.cache.answer import Answer
from costconsole.cache.cacheable import Cacheability
from costconsole.cache.exact import ExactCache
from costconsole.cache.semantic import IndexMissing, SemanticCache
from costconsole.cache.serving import Verdict, Wanted
from costconsole.domain.errors import Problem
from costconsole.embedding.embedder import Embedder, Embedding
from costconsole.gateway.circuit import Circuit
from costconsole.gateway.io import Io
from costconsole.gateway.plan import Plan
from costconsole.redis_store.connect import explain, redis_errors
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import RedisTarget

_log = logging.getLogger("costconsole.gateway")


class NotAsked:
    """No verdict: the cache is away, or off for a while."""


NOT_ASKED: Final = NotAsked()


@dataclass(frozen=True, slots=True)
class Near:
    """The prompt's embedding, and what the cache says of it; None where it couldn't be asked."""

    embedding: Embedding
    verdict: Verdict | None


class GuardedCaches:
    """The exact and the semantic cache behind circuits.

    `server`: Redis is away or too slow. `search`: the index can't be used. `keeping`: Redis takes nothing
    (full, read-only). `model`: the embedding model fails. Each rests on its own after a failure.
    """

    def __init__(self, target: RedisTarget, keys: Keys, embedder: Embedder) -> None:
        self._target = target
        self._keys = keys
        self._embedder = embedder
        self._exact = ExactCache(keys)
        self._semantic: SemanticCache | None = None
        self._index_ready = False
        self._lock = threading.Lock()
        self._faults: tuple[type[BaseException], ...] = (*redis_errors(), Problem)
        self.server = Circuit()
        # Finding out costs the server up to 0.1 s at 500,000 entries (FT.INFO), so seldom.
        self.search = Circuit(rest_s=5.0, longest_s=300.0)
        self.keeping = Circuit()
        self.model = Circuit(longest_s=60.0)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why something is off at the moment; empty when all is well."""
        circuits = (self.server, self.search, self.keeping, self.model)
        return tuple(circuit.reason for circuit in circuits if not circuit.closed)

    async def exact(self, io: Io, plan: Plan) -> Answer | NotAsked | None:
        if not self.server.allows():
            return NOT_ASKED
        try:
            answer = await io.exact_get(self._exact, plan.digest)
        except self._faults as error:
            self._failed(self.server, error)
            return NOT_ASKED
        self._succeeded(self.server)
        return answer

    async def nearest(self, io: Io, plan: Plan) -> Near | None:
        """None when the semantic cache can't be asked for this prompt."""
        if not self.search.allows() or not self.server.allows():
            return None
        embedding = await self.embed(io, plan.prompt)
        if embedding is None or embedding.truncated:
            return None
        if plan.decide is not None:
            plan.decide(embedding)
        try:
            cache = await self._ready(io, embedding.dims)
            wanted = Wanted(plan.prompt, embedding.vector, plan.scope, plan.threshold, plan.policy.guards)
            verdict = await io.serve(self._keys, cache, wanted)
        except IndexMissing:
            self._index_ready = False
            return Near(embedding, Verdict(None))
        except self._faults as error:
            self._failed(self._circuit_for(error, self.search), error)
            return Near(embedding, None)
        self._succeeded(self.server)
        self._succeeded(self.search)
        return Near(embedding, verdict)

    async def keep(
        self, io: Io, plan: Plan, answer: Answer, near: Near | None, can: Cacheability, shown: str
    ) -> str:
        """Store an answer in both caches as far as they may have it; the key of the exact entry, or "".

        `shown` is what the exact entry tells people of its prompt.
        """
        exact = plan.exact and can.exact
        semantic = plan.semantic and can.semantic and near is not None
        if not (exact or semantic) or not self.server.allows() or not self.keeping.allows():
            return ""
        about = {"route": plan.route, "tag": plan.tag, "ttl_s": plan.ttl_s, "now_ms": plan.ts_ms}
        key = ""
        try:
            if exact:
                key = await io.exact_put(
                    self._exact, plan.digest, answer, prompt=shown, scope=plan.scope, **about
                )
            if semantic and near is not None and self.search.closed:
                cache = await self._ready(io, near.embedding.dims)
                vector = near.embedding.vector
                stored = await io.semantic_put(cache, plan.prompt, vector, plan.scope, answer, **about)
                key = key or stored
        except self._faults as error:
            self._failed(self._circuit_for(error, self.keeping), error)
            return key
        self._succeeded(self.server)
        self._succeeded(self.keeping)
        return key

    async def warm(self, io: Io) -> None:
        """Do beforehand what the first call would wait for: the model, the index, the connection."""
        embedding = await self.embed(io, "warm")
        if embedding is None:
            return
        try:
            await self._ready(io, embedding.dims)
        except self._faults as error:
            self._failed(self._circuit_for(error, self.search), error)

    async def embed(self, io: Io, text: str) -> Embedding | None:
        """The embedding of a text, or None while the model is away."""
        if not self.model.allows():
            return None
        try:
            embedding = await io.embed(self._embedder, text)
        except (Problem, OSError) as error:
            self._failed(self.model, error)
            return None
        self._succeeded(self.model)
        return embedding

    async def _ready(self, io: Io, dims: int) -> SemanticCache:
        with self._lock:
            cache = self._semantic
            if cache is None or cache.dims != dims:
                cache = self._semantic = SemanticCache(self._keys, dims)
                self._index_ready = False
        if not self._index_ready:
            await io.ensure_index(cache)
            self._index_ready = True
        return cache

    def _circuit_for(self, error: BaseException, otherwise: Circuit) -> Circuit:
        from redis.exceptions import ConnectionError as RedisConnectionError
        from redis.exceptions import TimeoutError as RedisTimeoutError

        away = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
        return self.server if away else otherwise

    def _failed(self, circuit: Circuit, error: BaseException) -> None:
        sentence = str(explain(error, self._target))
        if circuit.failed(sentence):
            _log.warning("calls go on without: %s", sentence)

    def _succeeded(self, circuit: Circuit) -> None:
        if circuit.succeeded():
            _log.info("back to normal: caches at %s", self._target.label)
