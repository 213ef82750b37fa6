"""The way of a call, walked without sending or writing anything: what would happen, why, for how much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costconsole.cache.cacheable import TOO_LONG, Cacheability, cacheable
from costconsole.cache.canonical import digest, prompt_text, scope_of
from costconsole.cache.exact import ExactCache
from costconsole.cache.layouts import layout_of
from costconsole.cache.policy import aread_policy
from costconsole.cache.request import Message, Request
from costconsole.domain.entry import CacheInfo, Neighbor
from costconsole.domain.errors import Problem
from costconsole.domain.figures import Policy
from costconsole.gateway.check_costs import Counter, priced, usual
from costconsole.gateway.check_near import EMPTY, Asked, check_cache
from costconsole.gateway.checked import (
    CacheCheck,
    Check,
    Decision,
    Near,
    Prepared,
    Priced,
    Routed,
    Shortened,
    Usual,
)
from costconsole.gateway.directory import Directory
from costconsole.gateway.pipeline import AUTO, ROUTED
from costconsole.gateway.plan import messages_of
from costconsole.gateway.provider import Provider
from costconsole.gateway.routing import Dispatcher, Routing
from costconsole.ledger.prices import PriceBook
from costconsole.ledger.tokens import count, count_messages
from costconsole.prompt.document import Level
from costconsole.prompt.messages import minimize_messages
from costconsole.prompt.minimize import Step
from costconsole.redis_store.keys import Keys
from costconsole.routing.choice import Ask, Choice
from costconsole.routing.defaults import default_config
from costconsole.routing.endpoints import Endpoints
from costconsole.routing.instruction import asks_the_same, instruction_of
from costconsole.routing.model import Model, RoutingConfig

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder

__all__ = ["Check", "Checker", "Decision", "Priced", "Usual", "check", "usual"]

_ALONG = 2_000
"""Up to so many characters a prompt's own work is less than the way to a thread and back."""
_COUNTED_BY = "gpt-4o"
"""Whose tokens decide what a rule is worth: those that a gateway's minimizer goes by."""


class Checker:
    """Walks the way that calls of a gateway take, again and again. For one event loop.

    `routing` is what a Gateway takes; without one the defaults route what asks for `auto`. `level` and
    `boilerplate` are those of its minimizer. Raises ConfigProblem for a config that can't be used.
    """

    def __init__(
        self,
        client: Any,
        keys: Keys,
        embedder: Embedder,
        *,
        routing: Routing | None = None,
        level: Level | None = "safe",
        boilerplate: Sequence[str] = (),
        prices: PriceBook | None = None,
    ) -> None:
        self._client = client
        self._keys = keys
        self._embedder = embedder
        self._routing = routing
        self._level = level
        self._boilerplate = tuple(boilerplate)
        self.prices = prices or PriceBook()
        self._directory = Directory()
        self._dispatcher: Dispatcher | None = None
        self._defaults: tuple[RoutingConfig, Endpoints] | None = None
        if routing is not None:
            self._dispatcher = Dispatcher(routing, embedder, self._directory, self.prices)

    @property
    def dispatcher(self) -> Dispatcher:
        """Who decides; without a routing config only made for those who leave the choice to it."""
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(self._routing, self._embedder, self._directory, self.prices)
        return self._dispatcher

    @property
    def config(self) -> RoutingConfig:
        """The routing config in force."""
        return self._dispatcher.config if self._dispatcher is not None else self._default()[0]

    @property
    def problem(self) -> str:
        """What is wrong with the newest content of the routing config's file, or ""."""
        return self._dispatcher.problem if self._dispatcher is not None else ""

    def provider(self, model: Model) -> Provider:
        """Where a model of the config is asked. Raises UsageProblem."""
        if self._dispatcher is not None:
            return self._dispatcher.target(model).provider
        return self._default()[1].provider(model)

    def _default(self) -> tuple[RoutingConfig, Endpoints]:
        if self._defaults is None:
            config = default_config()
            self._defaults = config, Endpoints(config)
        return self._defaults

    def warm(self) -> None:
        """Load the price list and the vocabulary of tokens, which the first check would wait for. Blocks."""
        self.prices.prices("openai", "gpt-4o", at_ms=time.time_ns() // 1_000_000)
        count("warm", "gpt-4o")

    def close(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.close()
        self._directory.close()

    async def aclose(self) -> None:
        if self._dispatcher is not None:
            await self._dispatcher.aclose()
        await self._directory.aclose()

    def models(self) -> tuple[str, ...]:
        """What may be asked for: what leaves the choice to the router, then the config's models."""
        config = self.config
        automatic = [alias for alias, name in config.aliases.items() if not name]
        if AUTO not in automatic and self._routing is None:
            automatic.append(AUTO)
        named = [alias for alias, name in config.aliases.items() if name]
        return tuple(dict.fromkeys((*automatic, *(model.name for model in config.models), *named)))

    def automatic(self) -> str:
        """What leaves the choice to the router, or "" where nothing does."""
        config = self.config
        return next((alias for alias, name in config.aliases.items() if not name), "")

    def is_routed(self, model: str) -> bool:
        """Whether the model of this name is the router's affair, as a gateway sees it."""
        if self._routing is None and model != AUTO:
            return False
        return self.dispatcher.knows(model)

    def provider_of(self, checked: Check) -> Provider:
        """Whom the checked call would ask. Raises UsageProblem where that can't be said."""
        if checked.prepared is not None and checked.prepared.choice is not None:
            return self.provider(checked.prepared.choice.model)
        return self._directory.find(checked.model, checked.provider)[0]

    async def check(
        self,
        prompt: str,
        *,
        model: str,
        system: str | None = None,
        tenant: str = "",
        caches: Sequence[CacheInfo] = (),
        usual: Usual | None = None,
        now_ms: int,
    ) -> Check:
        """Walk the way of a gateway's `complete` with the same arguments, without going it.

        May be cancelled at any moment. Raises UsageProblem for a model that no provider is known for;
        errors of the connection are the caller's to handle.
        """
        began = time.perf_counter()
        usual = usual or Usual()
        policy = await aread_policy(self._client, self._keys)
        heavy = len(prompt) + len(system or "") > _ALONG
        way = _Way(self, prompt, model, system, tenant, policy)
        await _off(heavy, way.shorten)
        # Exact look-up and embedding don't wait for each other.
        exact, embedded = await asyncio.gather(self._exact(way), self._embed(way, caches))
        way.vector, way.problem = embedded.vectors.get(way.words), embedded.problem
        if way.words in embedded.cut:
            way.vector = None
        choice = await _off(heavy, lambda: way.decide(embedded))
        near = await self._caches(way, embedded, caches)
        steps = await _off(heavy, lambda: way.cost(usual, choice, now_ms))
        return replace(_checked(way, exact, near, steps), took_ms=(time.perf_counter() - began) * 1000.0)

    async def _exact(self, way: _Way) -> tuple[bool, str, str]:
        """(hit, key, why not)."""
        if not way.can.exact:
            return False, "", way.can.reason
        if not way.policy.exact:
            return False, "", "the policy switches the exact cache off"
        cache = ExactCache(self._keys)
        key = cache.key(way.digest)
        if await cache.aget(self._client, way.digest) is not None:
            return True, key, ""
        return False, key, "nothing is stored for just this request"

    async def _embed(self, way: _Way, caches: Sequence[CacheInfo]) -> _Embedded:
        """The vectors of everything that is to be compared, in one go."""
        wanted = list(dict.fromkeys(layout_of(cache).wrap(cache, way.words) for cache in _asked(caches)))
        texts = list(wanted if way.words and way.semantic else ())
        if way.words and way.words not in texts and way.semantic:
            texts.append(way.words)
        instruction = way.instruction()
        if instruction and instruction not in texts:
            texts.append(instruction)
        if not texts:
            return _Embedded({}, frozenset(), "", instruction)
        try:
            made = await self._embedder.aembed(texts)
        except (Problem, OSError) as problem:
            return _Embedded({}, frozenset(), str(problem), instruction)
        vectors = {text: one.vector for text, one in zip(texts, made, strict=True)}
        cut = frozenset(text for text, one in zip(texts, made, strict=True) if one.truncated)
        return _Embedded(vectors, cut, "", instruction)

    async def _caches(
        self, way: _Way, embedded: _Embedded, caches: Sequence[CacheInfo]
    ) -> tuple[CacheCheck, ...]:
        if not way.words:
            return ()
        asked = Asked(way.words, embedded.vectors, way.scope, way.known_route, way.model)
        chosen = _asked(caches)
        why = "" if way.can.semantic else way.can.reason
        why = why or embedded.problem or (TOO_LONG if way.words in embedded.cut else "")
        if why or not embedded.vectors:
            return tuple(_unasked(cache, self._keys, why) for cache in chosen)
        return tuple(
            await asyncio.gather(
                *(check_cache(self._client, self._keys, cache, asked, way.policy) for cache in chosen)
            )
        )


class _Embedded:
    """Vectors by text, the texts that were too long for the model, and why there are none."""

    def __init__(
        self, vectors: Mapping[str, bytes], cut: frozenset[str], problem: str, instruction: str
    ) -> None:
        self.vectors, self.cut, self.problem, self.instruction = vectors, cut, problem, instruction


class _Way:
    """One prompt on its way. Its methods only compute, in the order in which they stand here."""

    def __init__(
        self,
        checker: Checker,
        prompt: str,
        model: str,
        system: str | None,
        tenant: str,
        policy: Policy,
    ) -> None:
        self.checker, self.prompt, self.asked_for, self.policy = checker, prompt, model, policy
        self.messages, self.tenant = messages_of(prompt, system, None), tenant
        self.routed = checker.is_routed(model)
        self.baseline: tuple[str, str] | None = None
        if self.routed:
            target, self.baseline = checker.dispatcher.begin(model)
            self.provider, self.model, self.provider_model = target.provider, model, target.model
        else:
            self.provider, self.model = checker._directory.find(model)
            self.provider_model = self.model
        self.known_route = ""
        self.choice: Choice | None = None
        self.vector: bytes | None = None
        self.problem = ""
        self._needs_vector = False

    def shorten(self) -> None:
        """Minimize, and name what is then asked."""
        level, checker = self.checker._level, self.checker
        self.sent: tuple[Message, ...] = self.messages
        self.steps: tuple[Step, ...] = ()
        self.removed, self.why = 0, ""
        if level is None or not self.policy.minimization:
            self.why = "the policy switches minimization off" if level else "it is switched off"
        else:
            self.sent, self.removed, self.steps = minimize_messages(
                self.messages, level=level, model=_COUNTED_BY, boilerplate=checker._boilerplate
            )
        name = ROUTED if self.routed else self.provider.name
        self.whole = Request(model=self.model, messages=self.messages, provider=name, tenant=self.tenant)
        self.request = replace(self.whole, messages=self.sent)
        self.can: Cacheability = cacheable(self.request)
        self.semantic = self.can.semantic
        self.words = prompt_text(self.whole)
        self.digest = digest(self.request) if self.can.exact else ""
        self.scope = scope_of(self.whole)
        if self.routed and self.policy.routing:
            self._needs_vector = checker.dispatcher.router.needs_vector(self._ask(None))

    def instruction(self) -> str:
        """What has to be embedded for the route, if anything has."""
        return instruction_of(self.messages) if self._needs_vector else ""

    def decide(self, embedded: _Embedded) -> Choice | None:
        if not self.routed:
            return None
        router = self.checker.dispatcher.router
        ask = self._ask(embedded.vectors.get(embedded.instruction) if embedded.instruction else None)
        self.choice = router.decide(ask) if self.policy.routing else router.default(ask)
        known = self.words in embedded.vectors and self.words not in embedded.cut
        if known and asks_the_same(self.messages, self.words):
            # Only then it is known before the cache is asked, so that its threshold counts.
            self.known_route = self.choice.route
        return self.choice

    def cost(self, usual: Usual, choice: Choice | None, now_ms: int) -> _Costed:
        checker = self.checker
        config = checker.config
        if choice is None:
            chosen = (self.provider_model, self.provider.name, self.provider_model)
        else:
            chosen = (choice.model.name, choice.model.provider, choice.model.model)
        counted = Counter(self.sent, chosen[2])
        output = usual.output_of(chosen[2])
        before, estimated = count(self.prompt, chosen[2])
        text = str(self.sent[-1].get("content"))
        shorter = before if text == self.prompt else count(text, chosen[2])[0]
        all_before = counted.own[0]
        if self.removed:
            all_before = count_messages(self.messages, chosen[2])[0]
        shortened = Shortened(
            text=text,
            before=all_before,
            after=counted.own[0],
            estimated=counted.own[1],
            steps=self.steps,
            level=checker._level or "safe",
            why=self.why,
        )
        rows = priced(
            chosen,
            config,
            usual.models,
            counted,
            checker.prices,
            output,
            now_ms,
            self._missing_key,
            configured=self.routed or checker._routing is not None,
        )
        return _Costed(chosen, before, shorter, estimated or counted.own[1], output, shortened, rows)

    def _missing_key(self, name: str, provider: str) -> str:
        """The variable to set before a model can be asked, or ""."""
        model = self.checker.config.model(name)
        try:
            if model is not None:
                return self.checker.provider(model).missing_key()
            found = self.checker._directory.built_in(provider)
            return found.missing_key() if found is not None else ""
        except Problem as problem:
            return str(problem)

    def _ask(self, vector: bytes | None) -> Ask:
        return Ask(messages=self.messages, requested=self.asked_for, vector=vector)


class _Costed:
    """What the last step found."""

    def __init__(
        self,
        chosen: tuple[str, str, str],
        prompt_tokens: int,
        minimized_tokens: int,
        estimated: bool,
        output: int,
        shortened: Shortened,
        rows: tuple[Priced, ...],
    ) -> None:
        self.chosen, self.prompt_tokens, self.minimized_tokens = chosen, prompt_tokens, minimized_tokens
        self.estimated, self.output, self.shortened, self.rows = estimated, output, shortened, rows


async def _off(heavy: bool, work: Any) -> Any:
    """Work in a thread where it would hold up the loop."""
    return await asyncio.to_thread(work) if heavy else work()


def _asked(caches: Sequence[CacheInfo]) -> list[CacheInfo]:
    """Those that give answers by meaning."""
    return [cache for cache in caches if cache.kind == "semantic"]


def _unasked(cache: CacheInfo, keys: Keys, why: str) -> CacheCheck:
    own = cache.index == keys.semantic_index or cache.prefix == keys.semantic_prefix
    return CacheCheck(
        name=cache.name, library=cache.library, own=own, threshold=cache.threshold, why=why or EMPTY
    )


def _checked(
    way: _Way, exact: tuple[bool, str, str], caches: tuple[CacheCheck, ...], costed: _Costed
) -> Check:
    own = next((cache for cache in caches if cache.own), None)
    threshold = way.policy.threshold_for(route=way.known_route, model=way.model)
    if way.can.semantic and not way.policy.semantic:
        why = "the policy switches the semantic cache off"
    elif own is not None:
        why = own.why
    else:
        why = way.can.reason or "there is no semantic cache in this namespace yet"
    near: tuple[Near, ...] = own.near if own is not None else ()
    hit = own is not None and own.hit and way.can.semantic
    chosen = next((row.nano for row in costed.rows if row.chosen), None)
    return Check(
        model=costed.chosen[2],
        provider=costed.chosen[1],
        prompt_tokens=costed.prompt_tokens,
        input_tokens=costed.shortened.after,
        tokens_estimated=costed.estimated,
        output_tokens=costed.output,
        minimized_text=costed.shortened.text,
        minimized_tokens=costed.minimized_tokens,
        exact_hit=exact[0],
        exact_key=exact[1],
        exact_why=exact[2],
        semantic_hit=hit and not exact[0],
        semantic_why="" if hit else why,
        threshold=threshold,
        neighbors=tuple(
            Neighbor(one.key, one.similarity, one.prompt, one.model, one.scope)
            for one in near
            if one.verdict != "expired"
        ),
        refused={one.key: one.guards for one in near if one.guards},
        cost_nano=0 if exact[0] or hit else chosen,
        costs=costed.rows,
        shortened=costed.shortened,
        exact_parts=_parts(way),
        caches=caches,
        route=_routed(way, costed),
        problem=way.problem,
        prepared=Prepared(
            way.request,
            way.whole,
            way.policy,
            way.removed,
            way.can,
            way.words,
            way.digest,
            way.scope,
            way.vector,
            way.baseline,
            way.choice,
        ),
    )


def _parts(way: _Way) -> tuple[tuple[str, str], ...]:
    """What identifies a request, as the exact key has it."""
    request = way.request
    roles = [str(message.get("role")) for message in request.messages]
    kept = {name: value for name, value in request.params.items() if value is not None}
    return (
        ("messages", ", ".join(roles) + (": minimized" if way.removed else "")),
        ("model", request.model),
        ("provider", "whichever the router asks" if way.routed else request.provider),
        ("tenant", request.tenant or "none"),
        ("parameters", ", ".join(f"{name}={value}" for name, value in kept.items()) or "none"),
        ("white space", "folded: it makes no other key"),
    )


def _routed(way: _Way, costed: _Costed) -> Routed:
    choice, config, problem = way.choice, way.checker.config, way.checker.problem
    missing = next((row.without_key for row in costed.rows if row.chosen), "")
    if choice is None:
        return Routed(
            model=way.model,
            provider=way.provider.name,
            provider_model=way.provider_model,
            missing_key=missing,
            problem=problem,
        )
    return Routed(
        name=choice.route,
        task=choice.task,
        model=choice.model.name,
        provider=choice.model.provider,
        provider_model=choice.model.model,
        tier=choice.model.tier,
        kind=choice.kind,
        reason=choice.reason,
        scores=choice.scores,
        similarity=choice.similarity,
        fallbacks=tuple(model.name for model in choice.fallbacks),
        without_embedding=choice.needs_vector,
        config=config.source,
        version=config.version,
        missing_key=missing,
        problem=problem,
    )


async def check(
    client: Any,
    keys: Keys,
    embedder: Embedder,
    prompt: str,
    *,
    model: str,
    system: str | None = None,
    caches: Sequence[CacheInfo] = (),
    prices: PriceBook | None = None,
    compare: Mapping[str, str] | None = None,
    output_tokens: int = 200,
    now_ms: int,
) -> Check:
    """One dry run of a gateway without a routing config; see `Checker.check`.

    `compare` maps other models to their providers, for the costs.
    """
    checker = Checker(client, keys, embedder, prices=prices)
    try:
        seen = Usual(dict(compare or {}), {}, output_tokens)
        return await checker.check(
            prompt, model=model, system=system, caches=caches, usual=seen, now_ms=now_ms
        )
    finally:
        await checker.aclose()
