"""What one call asks for, settled before anything is sent: request, provider, caches to ask, policy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from costconsole.cache.cacheable import cacheable, why_uncacheable
from costconsole.cache.canonical import digest, prompt_text, scope_of
from costconsole.cache.request import Message, Request
from costconsole.domain.call import Usage
from costconsole.domain.errors import UsageProblem
from costconsole.domain.figures import Policy
from costconsole.gateway.provider import Provider

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedding
    from costconsole.routing.choice import Choice

Prompt = str | Sequence[Mapping[str, Any]]
_SLOT = "{prompt}"
_REMEMBERED_LENGTH = 2_000
_NOT_PARAMS = frozenset({"messages", "model"})


@dataclass(slots=True)
class Plan:
    """One call on its way. `cached` says that caches may be asked and filled, by policy and request.

    `prompt` is the user's own words. `input_minimized` tokens were taken from the request before. What
    becomes known on the way is added while the call goes on.
    """

    request: Request
    provider: Provider
    model: str
    requested_model: str
    route: str
    tag: str
    policy: Policy
    ttl_s: float | None
    cached: bool
    digest: str
    input_minimized: int
    ts_ms: int
    started: float
    baseline: tuple[str, str] | None = None
    """Provider and model that routing saves against, where the router may choose."""
    original: Request | None = None
    """The request before it was minimized, where it was: meaning and scope are the original's."""
    words: str | None = None
    """The user's own words where they are known already."""
    decide: Callable[[Embedding], None] | None = field(default=None)
    """Told the prompt's embedding before the cache is asked."""
    choice: Choice | None = field(default=None)
    """What the router chose."""
    leads: bool = field(default=False)
    """Did the work itself, instead of following another call for the same."""
    asked: bool = field(default=False)
    """A cache gave a verdict."""
    searched: bool = field(default=False)
    """The semantic cache gave one."""
    similarity: float | None = field(default=None)
    neighbor: str = field(default="")
    refused: tuple[str, ...] = field(default=())
    """What refused the neighbour although it was near enough."""
    billed: tuple[Usage, int | None] | None = field(default=None)
    """What the provider billed, and its own price in nano-dollars: for the ledger, should the call be
    cancelled after its answer."""
    _scope: str | None = field(default=None)
    _semantic: bool | None = field(default=None)

    @property
    def whole(self) -> Request:
        """The request as the caller made it."""
        return self.original or self.request

    @property
    def exact(self) -> bool:
        """Whether the exact cache is used."""
        return self.cached and self.policy.exact

    @property
    def semantic(self) -> bool:
        """Whether the semantic cache is used; found out only after an exact miss."""
        if self._semantic is None:
            wanted = self.cached and self.policy.semantic
            self._semantic = wanted and cacheable(self.request).semantic
        return self._semantic

    @property
    def threshold(self) -> float:
        """Similarity from which a neighbour is a hit, for this route and model."""
        return self.policy.threshold_for(route=self.route, model=self.model)

    @property
    def prompt(self) -> str:
        if self.words is None:
            self.words = prompt_text(self.whole)
        return self.words

    @property
    def scope(self) -> str:
        if self._scope is None:
            self._scope = scope_of(self.whole)
        return self._scope

    @property
    def known_scope(self) -> str:
        """The scope if the call needed it, else "": it is dear to compute."""
        return self._scope or ""

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000.0


def messages_of(prompt: Prompt, system: str | None, template: str | None) -> tuple[Message, ...]:
    """The messages to send. A plain prompt goes where the template has `{prompt}`; the last turn of given
    messages is taken to follow the template already. Raises UsageProblem for what can't be messages."""
    if template is not None and template.count(_SLOT) != 1:
        raise UsageProblem("a template has {prompt} once, where the user's words go")
    if isinstance(prompt, str):
        text = prompt if template is None else template.replace(_SLOT, prompt)
        turns: tuple[Message, ...] = ({"role": "user", "content": text},)
    else:
        turns = tuple(prompt)
        if not turns or not all(isinstance(turn, Mapping) for turn in turns):
            raise UsageProblem(
                "give a prompt as text, or messages such as {'role': 'user', 'content': '...'}"
            )
    return ({"role": "system", "content": system}, *turns) if system else turns


def check_params(params: Mapping[str, Any]) -> None:
    """Raise UsageProblem for parameters that `complete` can't pass on."""
    if params.get("stream"):
        raise UsageProblem("complete() gives whole answers: leave out stream=True")
    wrong = _NOT_PARAMS & params.keys()
    if wrong:
        raise UsageProblem(f"{min(wrong)!r} is no parameter of the request: pass it to complete() by name")


def digest_for(request: Request, policy: Policy, wanted: bool, *, plain: bool = False) -> tuple[bool, str]:
    """Whether the caches may be used at all, and the request's digest where the exact one may.

    The digest is of what is sent, after minimization: two callers whose words become the same bytes get the
    answer to these bytes, and with minimization switched on or off, or other rules, what is sent is either
    the same or another request. So no version of the rules has to be in it.

    `plain`: the request is one text, perhaps with a system prompt, and has no parameters.
    """
    if not wanted or not (policy.exact or policy.semantic) or why_uncacheable(request):
        return False, ""
    if plain:
        texts = tuple(message["content"] for message in request.messages)
        if sum(map(len, texts)) <= _REMEMBERED_LENGTH:
            return True, _digest_of_texts(request.provider, request.model, request.tenant, texts)
    try:
        return True, digest(request)
    except (TypeError, ValueError):
        return False, ""  # Values that are not JSON: the provider's side says so better.


@lru_cache(maxsize=2048)
def _digest_of_texts(provider: str, model: str, tenant: str, texts: tuple[str, ...]) -> str:
    """The digest of a plain request. Remembered: what is asked again and again has the least time."""
    messages: tuple[Message, ...] = ({"role": "user", "content": texts[-1]},)
    if len(texts) > 1:
        messages = ({"role": "system", "content": texts[0]}, *messages)
    return digest(Request(model, messages, {}, provider, tenant))
