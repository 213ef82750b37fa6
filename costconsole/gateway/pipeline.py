"""The way of one call: minimize, exact cache, semantic cache, provider, store, ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from costconsole.cache.answer import Answer
from costconsole.cache.cacheable import storable
from costconsole.cache.follower import PolicyFollower
from costconsole.cache.request import Message, Request
from costconsole.domain.call import Call, Outcome, Usage
from costconsole.domain.errors import UsageProblem
from costconsole.domain.figures import Policy
from costconsole.embedding.embedder import Embedder
from costconsole.embedding.factory import make_embedder
from costconsole.gateway.accounts import billed, call_of, failed_call
from costconsole.gateway.completion import Completion, Found
from costconsole.gateway.directory import Directory
from costconsole.gateway.errors import Attempt, ProviderError
from costconsole.gateway.guarded import GuardedCaches, Near
from costconsole.gateway.io import BlockingIo, Io, LoopIo, run_blocking
from costconsole.gateway.per_loop import PerLoop
from costconsole.gateway.plan import Plan, Prompt, check_params, digest_for, messages_of
from costconsole.gateway.provider import Provider
from costconsole.gateway.routing import Dispatcher, Routing
from costconsole.gateway.single_flight import SingleFlight
from costconsole.gateway.wire import Reply
from costconsole.ledger.ledger import Ledger
from costconsole.ledger.prices import PriceBook
from costconsole.ledger.tokens import count, count_messages
from costconsole.prompt.document import Level
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import RedisTarget, parse_target

Minimizer = Callable[[tuple[Message, ...]], tuple[tuple[Message, ...], int]]
"""Takes messages and gives them shorter, with the number of input tokens that are gone."""

_Minimize = Callable[[tuple[Message, ...], Mapping[str, Any]], tuple[tuple[Message, ...], int]]

AUTO = "auto"
"""The model's name that leaves the choice to the router, also without any routing config."""

ROUTED = "routed"
"""In place of a provider in what identifies a routed request: an answer serves whoever gave it."""

_SHOWN = 2_000
_POLICY_PATIENCE_S = 0.5
_LIMITS = ("max_tokens", "max_completion_tokens")


class Gateway:
    """Answers from the caches in `redis_url` where they can, else from the model's provider; records all.

    One gateway serves all threads and event loops of a process. A call never fails, nor waits longer than
    `cache_timeout_s` a step, because Redis or the embedding model is away: it goes on without.

    `model`, `tenant`, `route`, `tag` are what calls have that don't say otherwise. Providers are found by
    the model's name (gpt-*, o1..., claude-*), with their keys and base URLs from OPENAI_API_KEY,
    OPENAI_BASE_URL, ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL; `base_url` and `api_key` set them here, and
    `providers` adds others.

    The model `auto`, and every name in the config that `routing` gives (a file that is followed, a
    RoutingConfig or a Router), is the router's affair: it chooses by task, and where a model fails another
    one answers, never a lesser. `minimizer` shortens prompts before they are sent: a level (`safe`,
    `strong`), a function of one's own, or None for not at all.

    `policy` replaces the live one in Redis, which is followed otherwise; `ttl_s` (seconds) counts where the
    policy sets none. `embedder`, `ledger` and `prices` are made where not given, and what was made is closed
    with the gateway. Raises UsageProblem for what can't be.
    """

    def __init__(
        self,
        redis_url: str | RedisTarget = "redis://localhost:6379",
        *,
        model: str = "",
        provider: str = "",
        namespace: str = "default",
        tenant: str = "",
        route: str = "",
        tag: str = "",
        providers: Iterable[Provider] = (),
        base_url: str | None = None,
        api_key: str | None = None,
        embedder: Embedder | None = None,
        ledger: Ledger | None = None,
        prices: PriceBook | None = None,
        policy: Policy | None = None,
        ttl_s: float | None = None,
        minimizer: Minimizer | Level | None = "safe",
        routing: Routing | None = None,
        prompts: Literal["preview", "full", "off"] = "preview",
        redact: bool = False,
        cache_timeout_s: float = 0.5,
    ) -> None:
        target = parse_target(redis_url) if isinstance(redis_url, str) else redis_url
        self._keys = Keys(namespace)
        self._directory = Directory(
            providers, default=provider, model=model, base_url=base_url, api_key=api_key
        )
        self._model, self._tenant, self._route, self._tag = model, tenant, route, tag
        self._ttl_s = ttl_s
        self._minimizer = _minimizer(minimizer)
        self._routing = routing
        self._dispatch: Dispatcher | None = None
        self._dispatching = threading.Lock()
        self._shown = 0 if prompts == "off" else _SHOWN
        self._prices = prices or PriceBook()
        self._owns_ledger, self._owns_embedder = ledger is None, embedder is None
        self._ledger = ledger or Ledger(target, namespace, prompts=prompts, redact=redact)
        self._embedder = embedder or make_embedder()
        self._embedder.start()
        quick = replace(
            target,
            timeout_s=cache_timeout_s,
            connect_timeout_s=min(target.connect_timeout_s, cache_timeout_s),
            touch=True,
        )
        self._blocking = BlockingIo(lambda: connect(quick))
        self._loops: PerLoop[LoopIo] = PerLoop(
            lambda: LoopIo(lambda: connect_async(quick)), lambda io: io.aclose()
        )
        self._caches = GuardedCaches(quick, self._keys, self._embedder)
        self._flights: SingleFlight[Found] = SingleFlight()
        self._policy = policy
        self._follower = PolicyFollower(lambda: connect(quick), self._keys)
        if routing is not None:
            self._dispatch = self._dispatcher()
        # The price list takes a quarter of a second to load, which must not fall on an event loop.
        threading.Thread(target=self._load_prices, name="costconsole-prices", daemon=True).start()
        if policy is None:
            self._follower.start().wait(_POLICY_PATIENCE_S)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy or self._follower.current

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    @property
    def problems(self) -> tuple[str, ...]:
        """Why calls go on without a cache at the moment, in sentences; empty when all is well."""
        return self._caches.problems

    @property
    def routing(self) -> Dispatcher:
        """Who decides on models, and asks them."""
        return self._dispatch or self._dispatcher()

    def complete(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        provider: str = "",
        system: str | None = None,
        route: str | None = None,
        tag: str | None = None,
        tenant: str | None = None,
        template: str | None = None,
        cache: bool = True,
        **params: Any,
    ) -> Completion:
        """The answer to a prompt, or to messages such as `{"role": "user", "content": "..."}`.

        `template` is the text around the user's words, with `{prompt}` in their place: only the words are
        compared by meaning. `cache=False` asks the provider and stores nothing. `params` (temperature,
        max_tokens, tools, ...) go to the provider as they are. Raises ProviderError when no answer comes,
        UsageProblem for what can't be asked.
        """
        plan = self._plan(prompt, model, provider, system, route, tag, tenant, template, cache, params)
        completion: Completion = run_blocking(self._call(self._blocking, plan))
        return completion

    async def acomplete(
        self,
        prompt: Prompt,
        *,
        model: str = "",
        provider: str = "",
        system: str | None = None,
        route: str | None = None,
        tag: str | None = None,
        tenant: str | None = None,
        template: str | None = None,
        cache: bool = True,
        **params: Any,
    ) -> Completion:
        """`complete` for an event loop."""
        plan = self._plan(prompt, model, provider, system, route, tag, tenant, template, cache, params)
        return await self._call(self._loops.get(), plan)

    def warm(self) -> None:
        """Wait for the model and the index, so that the first call doesn't."""
        run_blocking(self._caches.warm(self._blocking))

    async def awarm(self) -> None:
        await self._caches.warm(self._loops.get())

    def close(self) -> None:
        """Write what the ledger still has, and give back connections, threads and processes."""
        self._follower.close()
        if self._dispatch is not None:
            self._dispatch.close()
        self._directory.close()
        self._loops.close()
        self._blocking.close()
        if self._owns_ledger:
            self._ledger.close()
        if self._owns_embedder:
            self._embedder.close()

    async def aclose(self) -> None:
        """`close` for an event loop."""
        import asyncio

        if self._dispatch is not None:
            await self._dispatch.aclose()
        await self._directory.aclose()
        await self._loops.aclose()
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def _dispatcher(self) -> Dispatcher:
        with self._dispatching:
            if self._dispatch is None:
                self._dispatch = Dispatcher(self._routing, self._embedder, self._directory, self._prices)
            return self._dispatch

    def _load_prices(self) -> None:
        self._prices.prices("openai", self._model or "gpt-4o", at_ms=time.time_ns() // 1_000_000)

    def _plan(
        self,
        prompt: Prompt,
        model: str,
        provider: str,
        system: str | None,
        route: str | None,
        tag: str | None,
        tenant: str | None,
        template: str | None,
        cache: bool,
        params: Mapping[str, Any],
    ) -> Plan:
        started, ts_ms = time.perf_counter(), time.time_ns() // 1_000_000
        model = model or self._model
        if not model:
            raise UsageProblem("no model is named: pass model=..., here or to the Gateway")
        routed = not provider and self._is_routed(model)
        baseline: tuple[str, str] | None = None
        if routed:
            target, baseline = self.routing.begin(model)
            asked, name = target.provider, model
        else:
            asked, name = self._directory.find(model, provider)
        check_params(params)
        messages, policy = messages_of(prompt, system, template), self.policy
        sent, removed = messages, 0
        if self._minimizer is not None and policy.minimization:
            sent, removed = self._minimizer(messages, params)
        request = Request(
            model=name,
            messages=sent,
            params=params,
            provider=ROUTED if routed else asked.name,
            tenant=self._tenant if tenant is None else tenant,
            template=template,
        )
        text = prompt if isinstance(prompt, str) and sent is messages else None
        cached, digest = digest_for(request, policy, cache, plain=text is not None and not params)
        plan = Plan(
            request=request,
            provider=asked,
            model=name,
            requested_model=name,
            route=self._route if route is None else route,
            tag=self._tag if tag is None else tag,
            policy=policy,
            ttl_s=policy.ttl_s if policy.ttl_s is not None else self._ttl_s,
            cached=cached,
            digest=digest,
            input_minimized=removed,
            ts_ms=ts_ms,
            started=started,
            baseline=baseline,
            original=None if sent is messages else replace(request, messages=messages),
            words=None if text is None else text.strip(),
        )
        if routed:
            self.routing.attach(plan)
        return plan

    def _is_routed(self, model: str) -> bool:
        if self._routing is None and model != AUTO:
            return False
        return self.routing.knows(model)

    async def _call(self, io: Io, plan: Plan) -> Completion:
        try:
            if plan.exact:
                found, led = await io.fly(self._flights, plan.digest, lambda: self._way(io, plan))
                found = found if led else _followed(found)
            else:
                found = await self._way(io, plan)
            call = call_of(plan, found, self._prices, plan.elapsed_ms)
        except UsageProblem:
            raise  # No call was made.
        except BaseException as error:
            self._ledger.record(failed_call(plan, error, self._prices, plan.elapsed_ms))
            raise
        self._ledger.record(call, hit_key=found.key if found.outcome.is_hit else "")
        return _completion(found, call, plan)

    async def _way(self, io: Io, plan: Plan) -> Found:
        plan.leads = True
        if plan.exact:
            stored = await self._caches.exact(io, plan)
            if isinstance(stored, Answer):
                return Found(stored, Outcome.EXACT, self._keys.exact(plan.digest))
            plan.asked = stored is None
        near = await self._caches.nearest(io, plan) if plan.semantic else None
        if near is not None:
            hit = _semantic_hit(plan, near)
            if hit is not None:
                return hit
        if plan.baseline is None:
            reply, attempts = await io.ask(
                plan.provider, plan.model, plan.request.messages, plan.request.params
            )
        else:
            reply, attempts = await self.routing.ask(io, plan, self._caches.embed, self._passed_on)
        answer = _answer(plan, reply, attempts)
        plan.billed = (answer.usage, reply.provider_cost_nano)
        key = ""
        if _is_whole(plan, reply):
            shown = plan.prompt[: self._shown]
            key = await self._caches.keep(io, plan, answer, near, storable(answer), shown)
        outcome = Outcome.MISS if plan.asked else Outcome.BYPASS
        return Found(answer, outcome, key, plan.similarity, reply.provider_cost_nano)

    def _passed_on(self, plan: Plan, error: ProviderError, latency_ms: float) -> None:
        """A model failed, and another one is asked: its attempt is a line of its own."""
        self._ledger.record(failed_call(plan, error, self._prices, latency_ms))


def _minimizer(wanted: Minimizer | Level | None) -> _Minimize | None:
    if wanted is None:
        return None
    from costconsole.prompt.messages import PromptMinimizer, marks_all

    if wanted == "safe" or wanted == "strong":
        return PromptMinimizer(wanted)
    if isinstance(wanted, PromptMinimizer):
        return wanted
    own = wanted
    return lambda messages, params: (messages, 0) if marks_all(params) else own(messages)


def _semantic_hit(plan: Plan, near: Near) -> Found | None:
    verdict = near.verdict
    if verdict is None:
        return None
    plan.searched = plan.asked = True
    match = verdict.served or verdict.nearest
    if match is None:
        return None
    neighbor = match.neighbor
    plan.similarity, plan.neighbor, plan.refused = neighbor.similarity, neighbor.key, verdict.refused
    if verdict.served is None:
        return None
    return Found(match.answer, Outcome.SEMANTIC, neighbor.key, neighbor.similarity)


def _is_whole(plan: Plan, reply: Reply) -> bool:
    """Whether an answer is what was asked for: finished, or cut at the limit that the caller set, such as a
    label of one token. Cut at the provider's own limit it is not kept: who asks again hopes for the whole."""
    if reply.finish == "length":
        return any(plan.request.params.get(name) for name in _LIMITS)
    return reply.finish in ("stop", "tool") or not reply.finish_reason


def _followed(found: Found) -> Found:
    """What a call that followed another for the very same request got: an answer that was there already,
    once it was given. So it is an exact hit, unless the leader's was a hit of its own kind."""
    if found.outcome.is_hit:
        return found
    return Found(found.answer, Outcome.EXACT, found.key)


def _answer(plan: Plan, reply: Reply, attempts: tuple[Attempt, ...]) -> Answer:
    if reply.usage is None:
        sent, _estimated = count_messages(plan.request.messages, plan.model)
        made, _estimated = count(reply.text, plan.model)
        usage = Usage(input=sent, output=made, estimated=True)
    else:
        usage = billed(attempts)
    return Answer(
        text=reply.text,
        model=plan.model,
        provider=plan.provider.name,
        usage=usage,
        raw=reply.raw,
        finish_reason=reply.finish_reason,
        route=plan.route if plan.choice is not None else "",
    )


def _completion(found: Found, call: Call, plan: Plan) -> Completion:
    answer = found.answer
    return Completion(
        text=answer.text,
        outcome=call.outcome,
        similarity=call.similarity,
        model=call.model,
        usage=answer.usage,
        latency_ms=call.latency_ms,
        cached_key=found.key,
        finish_reason=answer.finish_reason,
        raw=answer.raw,
        call=call,
        reason=plan.choice.reason if plan.choice is not None else "",
    )
