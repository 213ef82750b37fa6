"""The way of a call, walked without sending or writing anything: what would happen, why, for how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from costconsole.cache.cacheable import TOO_LONG, cacheable
from costconsole.cache.canonical import digest, prompt_text, scope_of
from costconsole.cache.exact import ExactCache
from costconsole.cache.guards import explain, fired
from costconsole.cache.policy import aread_policy
from costconsole.cache.request import Request
from costconsole.cache.serving import NEXT
from costconsole.domain.call import RATCHET, Usage
from costconsole.domain.entry import CacheEntry, CacheInfo, Neighbor
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
    refused: Mapping[str, tuple[str, ...]]
    """By key, what would keep a neighbour from being served however near it is: guards, or RATCHET."""
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

    near = _Near()
    threshold = policy.threshold_for(model=name)
    semantic_hit, semantic_why = False, can.reason
    if can.semantic and not policy.semantic:
        semantic_why = "the policy switches the semantic cache off"
    elif can.semantic:
        near = await _nearest(client, keys, embedder, request, caches, policy.guards)
        semantic_hit = any(one.similarity >= threshold and one.key not in near.refused for one in near.served)
        semantic_why = "" if semantic_hit else near.problem or _why_not(near, threshold)

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
        neighbors=near.shown(threshold),
        refused=near.refused,
        cost_nano=0 if exact_hit or semantic_hit else cost(asked.name, name),
        costs=tuple(Priced(of, cost(provider, of)) for of, provider in wanted.items()),
    )


@dataclass(frozen=True, slots=True)
class _Near:
    """The nearest prompts of any scope; of the request's own, as far as a call looks; what refuses them."""

    anywhere: tuple[Neighbor, ...] = ()
    served: tuple[Neighbor, ...] = ()
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompt: str = ""
    raised: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""

    def shown(self, threshold: float) -> tuple[Neighbor, ...]:
        """Nearer prompts of other scopes, or refused ones, must not hide the one that a call would be
        served, or its nearest."""
        hit = next((one for one in self.served if one.key not in self.refused), None)
        wanted = [*self.served[:1], *([hit] if hit and hit.similarity >= threshold else [])]
        chosen = {one.key: one for one in (*self.anywhere, *wanted)}
        return tuple(sorted(chosen.values(), key=lambda one: -one.similarity))


async def _nearest(
    client: Any,
    keys: Keys,
    embedder: Embedder,
    request: Request,
    caches: Sequence[CacheInfo],
    guards: Sequence[str],
) -> _Near:
    from costconsole.cache import ratchet
    from costconsole.cache.search import EntrySearch

    own = [cache for cache in caches if cache.index == keys.semantic_index]
    if not own:
        return _Near(problem="there is no semantic cache in this namespace yet")
    if own[0].problem:
        return _Near(problem=own[0].problem)
    prompt = prompt_text(request)
    try:
        embedding = (await embedder.aembed([prompt]))[0]
    except Problem as problem:
        return _Near(problem=str(problem))
    if embedding.truncated:
        return _Near(problem=TOO_LONG)
    search = EntrySearch(client, own, keys)
    page = await search.by_vector(embedding.vector, own, NEIGHBORS)
    mine = await search.by_vector(embedding.vector, own, NEXT, scope=scope_of(request))
    anywhere, served = _neighbors(page), _neighbors(mine)
    names = list({one.key: None for one in (*anywhere, *served)})
    raised: Mapping[str, float] = {}
    if names:
        raised = ratchet.parse(names, await client.execute_command(*ratchet.read_command(keys, names)))
    refused = {}
    for one in (*anywhere, *served):
        found = fired(prompt, one.prompt, one.similarity, guards) if one.prompt else ()
        if not found and one.similarity < raised.get(one.key, 0.0):
            found = (RATCHET,)
        if found:
            refused[one.key] = found
    return _Near(anywhere, served, refused, prompt, raised, page.note)


def _neighbors(entries: Iterable[CacheEntry]) -> tuple[Neighbor, ...]:
    found = (
        Neighbor(entry.key, entry.similarity, entry.prompt, entry.model, entry.scope)
        for entry in entries
        if entry.similarity is not None
    )
    return tuple(sorted(found, key=lambda near: -near.similarity))


def _why_not(near: _Near, threshold: float) -> str:
    if not near.anywhere:
        return "the semantic cache is empty"
    if not near.served:
        return (
            "the nearest prompts were asked in another scope (model, system prompt, parameters or tenant "
            "differ)"
        )
    nearest = near.served[0]
    said = f"the nearest prompt has similarity {nearest.similarity:.3f}"
    if nearest.similarity < threshold:
        return f"{said}, below the threshold {threshold:g}"
    names = near.refused[nearest.key]
    if names == (RATCHET,):
        return f"{said}, but was a wrong hit: it is served from {near.raised[nearest.key]:.3f}"
    return f"{said}, but is refused: {explain(near.prompt, nearest.prompt or '', names)}"
