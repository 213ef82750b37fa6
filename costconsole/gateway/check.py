"""The way of a call, walked without sending or writing anything: what would happen, why, for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from costconsole.cache.cacheable import TOO_LONG, cacheable
from costconsole.cache.canonical import digest, prompt_text, scope_of
from costconsole.cache.exact import ExactCache
from costconsole.cache.policy import aread_policy
from costconsole.cache.request import Request
from costconsole.domain.call import Usage
from costconsole.domain.entry import CacheInfo, Neighbor
from costconsole.domain.errors import Problem
from costconsole.gateway.directory import Directory
from costconsole.gateway.plan import messages_of
from costconsole.ledger.costs import waterfall
from costconsole.ledger.prices import PriceBook
from costconsole.ledger.tokens import count, count_messages
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder

NEIGHBORS = 5
Decision = Literal["exact", "semantic", "call"]


@dataclass(frozen=True, slots=True)
class Priced:
    """What one call of a model would cost, in nano-dollars; None when its price is unknown."""

    model: str
    nano: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """What would happen to a prompt.

    `prompt_tokens` counts the user's prompt, `input_tokens` all that would be sent; estimates are marked.
    `exact_why` and `semantic_why` say in words why it is not a hit, or "". Costs assume `output_tokens` of
    answer. Nothing was sent or written to find this out.
    """

    model: str
    provider: str
    prompt_tokens: int
    input_tokens: int
    tokens_estimated: bool
    output_tokens: int
    minimized_text: str
    minimized_tokens: int
    exact_hit: bool
    exact_key: str
    exact_why: str
    semantic_hit: bool
    semantic_why: str
    threshold: float
    neighbors: tuple[Neighbor, ...]
    cost_nano: int | None
    costs: tuple[Priced, ...] = field(default=())

    @property
    def decision(self) -> Decision:
        if self.exact_hit:
            return "exact"
        return "semantic" if self.semantic_hit else "call"


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
    """Walk the way of `gateway.complete(prompt, model=model, system=system)` without going it.

    `compare` maps other models to their providers, for the costs. Raises UsageProblem for a model that no
    provider is known for; errors of the connection are the caller's to handle.
    """
    asked, name = Directory().find(model)
    messages = messages_of(prompt, system, None)
    request = Request(model=name, messages=messages, provider=asked.name)
    policy = await aread_policy(client, keys)
    can = cacheable(request)

    exact_hit, key, exact_why = False, "", "" if policy.exact else "the policy switches the exact cache off"
    if can.exact and policy.exact:
        cache, named = ExactCache(keys), digest(request)
        key = cache.key(named)
        exact_hit = await cache.aget(client, named) is not None
        exact_why = "" if exact_hit else "nothing is stored for just this request"
    elif not can.exact:
        exact_why = can.reason

    neighbors: tuple[Neighbor, ...] = ()
    threshold = policy.threshold_for(model=name)
    semantic_hit, semantic_why = False, can.reason
    if can.semantic and not policy.semantic:
        semantic_why = "the policy switches the semantic cache off"
    elif can.semantic:
        scope = scope_of(request)
        neighbors, semantic_why = await _neighbors(client, keys, embedder, request, caches)
        served = [near for near in neighbors if near.scope == scope]
        if served and served[0].similarity >= threshold:
            semantic_hit, semantic_why = True, ""
        elif not semantic_why:
            semantic_why = _why_not(neighbors, served, threshold)

    prices = prices or PriceBook()
    prompt_tokens, estimated = count(prompt, name)
    input_tokens, also_estimated = count_messages(messages, name)

    def cost(provider: str, of: str) -> int | None:
        usage = Usage(input=input_tokens, output=output_tokens, estimated=True)
        price = prices.prices(provider, of, at_ms=now_ms, input_tokens=input_tokens)
        return waterfall(usage, price).spend_nano

    wanted = {name: asked.name, **(compare or {})}
    return Check(
        model=name,
        provider=asked.name,
        prompt_tokens=prompt_tokens,
        input_tokens=input_tokens,
        tokens_estimated=estimated or also_estimated,
        output_tokens=output_tokens,
        minimized_text=prompt,
        minimized_tokens=prompt_tokens,
        exact_hit=exact_hit,
        exact_key=key,
        exact_why=exact_why,
        semantic_hit=semantic_hit and not exact_hit,
        semantic_why=semantic_why,
        threshold=threshold,
        neighbors=neighbors,
        cost_nano=0 if exact_hit or semantic_hit else cost(asked.name, name),
        costs=tuple(Priced(of, cost(provider, of)) for of, provider in wanted.items()),
    )


async def _neighbors(
    client: Any, keys: Keys, embedder: Embedder, request: Request, caches: Sequence[CacheInfo]
) -> tuple[tuple[Neighbor, ...], str]:
    """The nearest stored prompts of any scope, and why there are none."""
    from costconsole.cache.search import EntrySearch

    own = [cache for cache in caches if cache.index == keys.semantic_index]
    if not own:
        return (), "there is no semantic cache in this namespace yet"
    if own[0].problem:
        return (), own[0].problem
    try:
        embedding = (await embedder.aembed([prompt_text(request)]))[0]
    except Problem as problem:
        return (), str(problem)
    if embedding.truncated:
        return (), TOO_LONG
    search = EntrySearch(client, own, keys)
    page = await search.by_vector(embedding.vector, own, NEIGHBORS)
    # Nearer prompts of other scopes must not hide the one that a call would be served.
    served = await search.by_vector(embedding.vector, own, 1, scope=scope_of(request))
    entries = {entry.key: entry for entry in (*page, *served)}
    found = tuple(
        Neighbor(entry.key, entry.similarity, entry.prompt, entry.model, entry.scope)
        for entry in entries.values()
        if entry.similarity is not None
    )
    return tuple(sorted(found, key=lambda near: -near.similarity)), page.note


def _why_not(neighbors: Sequence[Neighbor], served: Sequence[Neighbor], threshold: float) -> str:
    if not neighbors:
        return "the semantic cache is empty"
    if served:
        return (
            f"the nearest prompt has similarity {served[0].similarity:.3f}, below the threshold {threshold:g}"
        )
    return (
        "the nearest prompts were asked in another scope (model, system prompt, parameters or tenant differ)"
    )
