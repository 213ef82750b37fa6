"""From a routing decision to whom to ask: what a model's name means, and who stands in when one fails."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING

from costconsole.gateway.directory import Directory
from costconsole.gateway.errors import Attempt, ProviderError
from costconsole.gateway.io import Io
from costconsole.gateway.plan import Plan
from costconsole.gateway.provider import Provider
from costconsole.gateway.wire import Reply
from costconsole.routing.choice import Ask, Choice
from costconsole.routing.endpoints import Endpoints, prices_of
from costconsole.routing.instruction import asks_the_same, instruction_of
from costconsole.routing.model import Model, RoutingConfig
from costconsole.routing.router import Router
from costconsole.routing.trained import trained_stamp
from costconsole.routing.watch import ConfigFollower

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder, Embedding
    from costconsole.ledger.prices import PriceBook

Routing = str | PathLike[str] | RoutingConfig | Router
"""What a gateway takes as its routing: a config's path (followed), a config, or a router."""

Embed = Callable[[Io, str], Awaitable["Embedding | None"]]
_CHECK_S = 1.0
# After these another model may well answer. A request that is wrong, or refused, stays so.
_PASSED_ON = frozenset({"timeout", "rate_limited", "server", "connection", "auth", "bad_answer"})
_TOO_LONG = ("context_length_exceeded", "string_above_max_length", "prompt is too long")


@dataclass(frozen=True, slots=True)
class Target:
    """A model to ask, and where. `name` is what the config calls it."""

    name: str
    provider: Provider
    model: str


class Dispatcher:
    """Asks the models that a `Router` chooses. Thread-safe; follows the config's file and what is learnt.

    Providers that the application gave to its gateway go before those that a config describes. Without any
    `routing` the defaults count, for their aliases alone: the application has its own say on models then.
    """

    def __init__(
        self, routing: Routing | None, embedder: Embedder, directory: Directory, prices: PriceBook
    ) -> None:
        self._directory = directory
        self._prices = prices
        self._only_aliases = routing is None
        self._follower: ConfigFollower | None = None
        if isinstance(routing, Router):
            self.router = routing
        elif isinstance(routing, RoutingConfig):
            self.router = Router(routing, embedder=embedder)
        else:
            self._follower = ConfigFollower(routing)
            if self._follower.problem is not None and self._follower.current.format == "default":
                raise self._follower.problem  # There is no last good one yet.
            self.router = Router(self._follower.current, embedder=embedder)
        self._endpoints = Endpoints(self.config)
        prices.override(prices_of(self.config))
        self._end = threading.Event()
        self._learnt = trained_stamp(self.config.source)
        self.router.start()
        threading.Thread(target=self._follow, name="costconsole-routing", daemon=True).start()

    @property
    def config(self) -> RoutingConfig:
        return self.router.config

    @property
    def problem(self) -> str:
        """What is wrong with the newest content of the config's file, else ""."""
        problem = self._follower.problem if self._follower is not None else None
        return str(problem) if problem is not None else ""

    def knows(self, name: str) -> bool:
        """Whether what this name means is the config's affair."""
        config = self.config
        return name in config.aliases or (not self._only_aliases and config.model(name) is not None)

    def begin(self, name: str) -> tuple[Target, tuple[str, str]]:
        """For a name that is known here: the model to plan with (the one that is asked may be another), and
        provider and model that routing saves against."""
        config = self.config
        named = config.model(config.aliases.get(name, name))
        baseline = named or config.chosen(config.baseline)
        return self.target(named or config.chosen(config.default)), (baseline.provider, baseline.model)

    def attach(self, plan: Plan) -> None:
        """Let the look-up's embedding decide the route, so that the route's own threshold counts for it."""

        def decide(embedding: Embedding) -> None:
            if not embedding.truncated and asks_the_same(plan.whole.messages, plan.prompt):
                self._decide(plan, embedding.vector)

        plan.decide = decide

    async def ask(
        self, io: Io, plan: Plan, embed: Embed, failed: Callable[[Plan, ProviderError, float], None]
    ) -> tuple[Reply, tuple[Attempt, ...]]:
        """The answer of the model that is chosen, or of one that may stand in for it. `failed` is told of
        every model that did not answer, but for the last, whose error is raised."""
        choice = await self._choice(io, plan, embed)
        targets = list(self._targets(choice))
        for place, target in enumerate(targets, 1):
            plan.model, plan.provider = target.model, target.provider
            began_ms = plan.elapsed_ms
            try:
                answered = await io.ask(
                    target.provider, target.model, plan.request.messages, plan.request.params
                )
            except ProviderError as error:
                if not self._passed_on(target, error) or place == len(targets):
                    raise
                failed(plan, error, plan.elapsed_ms - began_ms)
            else:
                self.router.note_success(target.name)
                return answered
        raise AssertionError("a choice has a model")

    def target(self, model: Model) -> Target:
        given = self._directory.given(model.provider)
        return Target(model.name, given or self._endpoints.provider(model), model.model)

    def close(self) -> None:
        self._end.set()
        self._endpoints.close()

    async def aclose(self) -> None:
        self._end.set()
        await self._endpoints.aclose()

    async def _choice(self, io: Io, plan: Plan, embed: Embed) -> Choice:
        if plan.choice is None:
            vector = None
            if plan.policy.routing and self.router.needs_vector(_ask_of(plan, None)):
                embedding = await embed(io, instruction_of(plan.whole.messages))
                vector = embedding.vector if embedding is not None else None
            self._decide(plan, vector)
        assert plan.choice is not None
        return plan.choice

    def _decide(self, plan: Plan, vector: bytes | None) -> None:
        if plan.choice is not None:
            return
        ask = _ask_of(plan, vector)
        choice = self.router.decide(ask) if plan.policy.routing else self.router.default(ask)
        plan.choice = choice
        plan.route = plan.route or choice.route

    def _targets(self, choice: Choice) -> Iterator[Target]:
        for model in (choice.model, *choice.fallbacks):
            yield self.target(model)

    def _passed_on(self, target: Target, error: ProviderError) -> bool:
        """Whether another model may be asked instead; one that failed is left alone for a while."""
        if error.kind == "bad_request" and any(word in error.detail + str(error) for word in _TOO_LONG):
            return True  # Nothing is wrong with the model.
        if error.kind not in _PASSED_ON:
            return False
        self.router.note_failure(target.name)
        return True

    def _follow(self) -> None:
        """Take a changed config, and what was learnt for it, while calls go on."""
        while not self._end.wait(_CHECK_S):
            follower = self._follower
            if follower is not None and follower.check() and follower.current is not self.config:
                config = follower.current
                # What nobody asks any more keeps its open calls; its connections end by themselves.
                self._endpoints.adopt(config)
                self._prices.override(prices_of(config))
                self.router.update(config)
            if (stamp := trained_stamp(self.config.source)) != self._learnt:
                self._learnt = stamp
                self.router.reload()


def _ask_of(plan: Plan, vector: bytes | None) -> Ask:
    params = plan.whole.params
    ask = Ask(
        messages=plan.whole.messages,
        requested=plan.requested_model,
        tag=plan.tag,
        tools=bool(params.get("tools") or params.get("functions")),
    )
    return ask if vector is None else replace(ask, vector=vector)
