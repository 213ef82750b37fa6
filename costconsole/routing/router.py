"""Which model answers a call, by which route, and why.

In this order: the model that the caller named; the one that the conversation has; rules; the task, by the
meaning of the instruction; logged outcomes, where they say more than chance; the config's default.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from costconsole.domain.errors import Problem, UsageProblem
from costconsole.routing.availability import Availability
from costconsole.routing.choice import Ask, Choice, Kind
from costconsole.routing.deciding import Found, by_distance, by_meaning, has_meaning
from costconsole.routing.gain import Gain
from costconsole.routing.head import Head
from costconsole.routing.instruction import conversation_of, instruction_of
from costconsole.routing.meaning import Meaning, examples_of
from costconsole.routing.model import Model, RoutingConfig
from costconsole.routing.rules import Match, Reading, Rules
from costconsole.routing.sticky import CoolDown, Kept, Sticky
from costconsole.routing.trained import Trained

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder

__all__ = ["Ask", "Choice", "Kind", "Router"]


class Router:
    """Decides by a config. Thread-safe; `decide` never embeds and never blocks.

    `start` makes the vectors of the examples in the background, and finds what was learnt; until then the
    wording alone decides. `head` and `gain` take the place of what is found.
    """

    def __init__(
        self,
        config: RoutingConfig,
        *,
        embedder: Embedder | None = None,
        head: Head | None = None,
        gain: Gain | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._embedder = embedder
        self._given = Trained(head, gain) if head is not None or gain is not None else None
        self._state: tuple[RoutingConfig, Rules] = (config, Rules(config))
        self._meaning: Meaning | None = None
        self._outdated = False
        self._problem = ""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._sticky = Sticky(now)
        self._cool = CoolDown(now)

    @property
    def config(self) -> RoutingConfig:
        return self._state[0]

    @property
    def status(self) -> str:
        """ "ready", "starting", "off" (nothing to compare with meanings), or "failed: <sentence>"."""
        if self._embedder is None or not has_meaning(self.config):
            return "off"
        if self._ready(self.config) is not None:
            return "ready"
        return f"failed: {self._problem}" if self._problem else "starting"

    @property
    def trained(self) -> Trained:
        """What was learnt from labels and outcomes and is in use, with what is there and of no use."""
        return self._meaning.trained if self._meaning is not None else self._given or Trained()

    def start(self) -> None:
        """Begin to make the vectors of the examples; returns at once."""
        config = self.config
        if self._embedder is None or not has_meaning(config):
            return
        with self._lock:
            if self._ready(config) is not None and not self._outdated:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._prepare, name="costconsole-router", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the vectors are there; False if they are not."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self._ready(self.config) is not None

    def update(self, config: RoutingConfig) -> None:
        """Decide by another config from now on; conversations keep their models as far as it has them."""
        self._state = (config, Rules(config))
        self.start()

    def reload(self) -> None:
        """Look again for what was learnt; what is known decides until that is read."""
        self._outdated = True
        self.start()

    def needs_vector(self, ask: Ask) -> bool:
        """Whether the decision hangs on the meaning of the instruction, and its vector is not known."""
        config, rules = self._state
        if ask.vector is not None or not has_meaning(config) or self._named(config, ask):
            return False
        reading = Reading(ask)
        if rules.match(reading) is not None or self._kept(config, ask) is not None:
            return False
        return bool(reading.instruction)

    def with_vector(self, ask: Ask) -> Ask:
        """The same with the embedding of its instruction, where one is needed. Blocks; raises a Problem."""
        if self._embedder is None or not self.needs_vector(ask):
            return ask
        (made,) = self._embedder.embed([instruction_of(ask.messages)])
        return replace(ask, vector=made.vector)

    async def awith_vector(self, ask: Ask) -> Ask:
        """`with_vector` for an event loop."""
        if self._embedder is None or not self.needs_vector(ask):
            return ask
        (made,) = await self._embedder.aembed([instruction_of(ask.messages)])
        return replace(ask, vector=made.vector)

    def decide(self, ask: Ask) -> Choice:
        """The model and the reason. Raises UsageProblem where `requested` is no name of the config."""
        config, rules = self._state
        available = Availability(config, ask, self._cool)
        named = self._named(config, ask)
        if named is not None:
            said = f"the caller asked for {ask.requested}"
            if ask.requested != named.name:
                said += f", which means {named.name}"
            return available.choice(Found("", "", named, "explicit", said), fixed=True)
        reading = Reading(ask)
        found = self._found(config, rules, ask, reading, available)
        choice = available.choice(found, tokens=reading.tokens)
        if config.sticky_s > 0 and (conversation := ask.conversation or conversation_of(ask.messages)):
            self._sticky.keep(conversation, Kept(choice.model.name, choice.route, choice.task))
        return choice

    def default(self, ask: Ask) -> Choice:
        """The choice with routing switched off: the model that was named, else the config's default."""
        config = self.config
        named = self._named(config, ask)
        if named is not None:
            return self.decide(ask)
        said = "routing is off, so the default answers"
        found = Found("", "", config.chosen(config.default), "default", said)
        return Availability(config, ask, self._cool).choice(found, tokens=Reading(ask).tokens)

    def note_failure(self, model: Model | str) -> None:
        """Leave a model alone for a while, as it failed; a conversation moves on from it."""
        self._cool.note_failure(model if isinstance(model, str) else model.name)

    def note_success(self, model: Model | str) -> None:
        """A model answered: nothing is held against it any more."""
        self._cool.note_success(model if isinstance(model, str) else model.name)

    def resting(self) -> dict[str, float]:
        """The models that are left alone after failures, and for how many seconds yet."""
        return self._cool.resting(self.config.cooldown_s)

    def _found(
        self, config: RoutingConfig, rules: Rules, ask: Ask, reading: Reading, available: Availability
    ) -> Found:
        # What the caller says of this call goes before what the conversation had.
        match = rules.match(reading, only="tag")
        if match is None and (kept := self._kept(config, ask)) is not None:
            model = config.model(kept.model)
            assert model is not None
            if not available.why_not(model, reading.tokens):
                said = f"this conversation has {model.name}; another model would have to read all of it"
                return Found(kept.route, kept.task, model, "sticky", said)
        match = match or rules.match(reading)
        if match is not None:
            return _by_rule(config, match)
        if not reading.instruction:
            said = "there are no words to go by, so the default answers"
            return Found("", "", config.chosen(config.default), "default", said)
        if not has_meaning(config):
            said = "no rule holds, so the default answers"
            return Found("", "", config.chosen(config.default), "default", said)
        meaning = self._ready(config)
        vector = ask.vector
        if meaning is None or vector is None or len(vector) != 4 * meaning.dims:
            meaning = vector = None
        if config.semantic is not None:
            return by_distance(config, reading, meaning, vector)
        return by_meaning(config, reading, meaning, vector)

    def _named(self, config: RoutingConfig, ask: Ask) -> Model | None:
        """The model that the caller means; None if the router is to decide."""
        name = config.aliases.get(ask.requested, ask.requested)
        if not name:
            return None
        model = config.model(name)
        if model is None:
            known = ", ".join((*config.aliases, *(model.name for model in config.models)))
            raise UsageProblem(
                f"{config.source} has no model or alias {ask.requested!r}: ask for one of {known}"
            )
        return model

    def _kept(self, config: RoutingConfig, ask: Ask) -> Kept | None:
        if config.sticky_s <= 0:
            return None
        conversation = ask.conversation
        if not conversation:
            if not any(message.get("role") == "assistant" for message in ask.messages):
                return None  # A first turn begins a conversation, also where others began with its words.
            conversation = conversation_of(ask.messages)
        kept = self._sticky.get(conversation, config.sticky_s) if conversation else None
        return kept if kept is not None and config.model(kept.model) is not None else None

    def _ready(self, config: RoutingConfig) -> Meaning | None:
        meaning = self._meaning
        return meaning if meaning is not None and meaning.key == examples_of(config) else None

    def _prepare(self) -> None:
        assert self._embedder is not None
        while True:
            config, self._outdated = self.config, False
            try:
                self._meaning = Meaning(config, self._embedder, self._given)
                self._problem = ""
            except Problem as problem:
                self._problem = str(problem)
            with self._lock:
                # Another config, or something learnt, may have come while the examples were embedded.
                if self._problem or (self._ready(self.config) is not None and not self._outdated):
                    self._thread = None
                    return


def _by_rule(config: RoutingConfig, match: Match) -> Found:
    route = match.route
    said = f"{match.because}: route {route.name}"
    return Found(
        route.name, route.task, config.chosen(route.use), match.kind, said, fallbacks=route.fallbacks
    )
