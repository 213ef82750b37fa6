"""The demo's calls: who asks what, when, of which model. The same seed gives the same calls."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from costconsole.demo.corpus import Corpus, Intent, filled, load_corpus, slots_of
from costconsole.demo.rhythm import arrivals
from costconsole.demo.wording import framed, surface, with_record

AUTO = "auto"
UNLISTED_MODEL = "harbour-7b-instruct"
"""A house-made model that no price list knows: what it costs is unknown, and shown so."""

_PROVIDERS = (("gpt-", "openai"), ("claude-", "anthropic"), ("llama-", "groq"))
_OTHER_MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "claude-3-haiku", "llama-3.3-70b-versatile")
_TENANTS: Mapping[str, tuple[str, ...]] = {
    "support-bot": ("larkspur", "larkspur-uk"),
    "docs-chat": ("tidewater", "brightwater", "corvid"),
}
_ROUTES = {"question": "answers", "coding": "code", "reasoning": "reasoning", "creative": "writing"}
_ROUTED = frozenset({"bank-assistant", "travel-desk", "playground"})
"""Teams that leave the choice of the model to the router."""

_PROGRAMS = frozenset({"doc-pipeline"})
"""Programs that send a record along with what they ask."""
_CHANNELS = ("mail", "upload")
_WITH_RECORD = 0.5
_REPEATED = 0.15
_OTHER_MODEL = 0.08
_UNLISTED = 0.03
_BYPASSED = 0.04
# Shares of the ways to word a question: as written, with surface changes, with words around it.
_AS_IS, _SURFACE = 0.31, 0.19


@dataclass(frozen=True, slots=True)
class Ask:
    """One call to make, `at_s` seconds after the start. `use_cache` False: the caller wants it fresh."""

    at_s: float
    intent: str
    prompt: str
    answer: str
    model: str
    provider: str
    system: str
    tag: str
    route: str
    tenant: str
    use_cache: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.prompt}]


def provider_of(model: str) -> str:
    """Who serves a model of the demo; the house's own vLLM serves what has no other. "" is the router's."""
    if model == AUTO:
        return ""
    return next((name for prefix, name in _PROVIDERS if model.startswith(prefix)), "vllm")


def asks(rate: float, seed: int = 0, corpus: Corpus | None = None) -> Iterator[Ask]:
    """Calls without end, about `rate` a second."""
    return _Crowd(corpus or load_corpus(), random.Random(seed)).asks(rate)


class _Crowd:
    """The people and programs who ask. Intents and wordings are as popular as Zipf's law has it."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self._rng = rng
        self._slots = corpus.slots
        self._intents = list(corpus.intents)
        rng.shuffle(self._intents)
        self._popularity = _zipf(len(self._intents), 0.8, shift=2)
        # A wording is as popular with everybody, whichever run of the program they are in.
        self._wordings = {i.id: _shuffled(i.wordings, rng) for i in self._intents}
        self._recent: deque[Ask] = deque(maxlen=400)
        self._focus: tuple[int, Intent] = (0, self._intents[0])

    def asks(self, rate: float) -> Iterator[Ask]:
        for arrival in arrivals(rate, self._rng):
            ask = self._repeat(arrival.at_s) or self._fresh(arrival.at_s, arrival.burst)
            self._recent.append(ask)
            yield ask

    def _repeat(self, at_s: float) -> Ask | None:
        """A retry, a reloaded page, a scheduled job: one of the latest calls, to the letter."""
        rng = self._rng
        if len(self._recent) < 20 or rng.random() >= _REPEATED:
            return None
        back = min(len(self._recent), 1 + int(rng.expovariate(1 / 80)))
        old = self._recent[-back]
        return replace(old, at_s=at_s)

    def _fresh(self, at_s: float, burst: int) -> Ask:
        rng = self._rng
        intent = self._intent(burst)
        wording = rng.choices(
            self._wordings[intent.id], cum_weights=_zipf(len(intent.wordings), 0.6, shift=1)
        )[0]
        values = {name: rng.choice(self._slots[name]) for name in slots_of(wording + intent.answer)}
        prompt = filled(wording, values)
        manner = rng.random()
        if manner >= _AS_IS + _SURFACE:
            prompt = framed(prompt, rng, at_desk=intent.task == "question")
        elif manner >= _AS_IS:
            prompt = surface(prompt, rng)
        if intent.tag in _PROGRAMS and rng.random() < _WITH_RECORD:
            prompt = with_record(prompt, rng.choice(_CHANNELS))
        model = self._model(intent)
        tenants = _TENANTS.get(intent.tag, ("",))
        creative = intent.task == "creative"
        return Ask(
            at_s=at_s,
            intent=intent.id,
            prompt=prompt,
            answer=filled(intent.answer, values),
            model=model,
            provider=provider_of(model),
            system=intent.system,
            tag=intent.tag,
            route="" if model == AUTO else _ROUTES.get(intent.task, "documents"),
            tenant=rng.choices(tenants, cum_weights=_zipf(len(tenants), 1.0))[0],
            use_cache=rng.random() >= _BYPASSED * (4 if creative else 1),
            params={"temperature": 0.9 if creative else 0.2, "max_tokens": 600},
        )

    def _intent(self, burst: int) -> Intent:
        """Half of a burst's calls are about one thing: something has just happened."""
        rng = self._rng
        if burst:
            if self._focus[0] != burst:
                self._focus = (burst, rng.choice(self._intents))
            if rng.random() < 0.5:
                return self._focus[1]
        return rng.choices(self._intents, cum_weights=self._popularity)[0]

    def _model(self, intent: Intent) -> str:
        at = self._rng.random()
        if at < _UNLISTED:
            return UNLISTED_MODEL
        if intent.tag in _ROUTED and at >= _UNLISTED + _OTHER_MODEL:
            return AUTO
        return self._rng.choice(_OTHER_MODELS) if at < _UNLISTED + _OTHER_MODEL else intent.model


def _shuffled(items: Sequence[str], rng: random.Random) -> list[str]:
    return rng.sample(items, len(items))


def _zipf(count: int, exponent: float, shift: float = 0) -> list[float]:
    """Cumulative weights 1 / (rank + shift) ** exponent, for `random.choices`."""
    return list(accumulate(1 / (rank + shift) ** exponent for rank in range(1, count + 1)))
