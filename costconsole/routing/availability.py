"""Whether a model can take a call, and which others may stand in: never less capable ones."""

from __future__ import annotations

from collections.abc import Iterable

from costconsole.routing.choice import Ask, Choice
from costconsole.routing.deciding import Found
from costconsole.routing.model import Model, RoutingConfig
from costconsole.routing.sticky import CoolDown


class Availability:
    """For one call: what its models can't do."""

    __slots__ = ("_ask", "_config", "_cool")

    def __init__(self, config: RoutingConfig, ask: Ask, cool: CoolDown) -> None:
        self._config = config
        self._ask = ask
        self._cool = cool

    def unfit(self, model: Model, tokens: int) -> str:
        """Why a model can't take this call at all; "" if it can."""
        if self._ask.tools and not model.tools:
            return f"{model.name} takes no tools"
        if model.context_tokens is not None and tokens > model.context_tokens:
            return (
                f"{tokens:,} input tokens are more than the {model.context_tokens:,} that {model.name} reads"
            )
        return ""

    def why_not(self, model: Model, tokens: int) -> str:
        """Why a model should not be asked now; "" if nothing is against it."""
        if reason := self.unfit(model, tokens):
            return reason
        left = self._cool.left_s(model.name, self._config.cooldown_s)
        return f"{model.name} failed and rests for {left:.0f} s more" if left > 0 else ""

    def choice(self, found: Found, *, tokens: int = 0, fixed: bool = False) -> Choice:
        """The choice as found, or another model where this one can't take the call, unless it is `fixed`."""
        model, kind, reason = found.model, found.kind, found.reason
        others = self._upwards(model, found.fallbacks, tokens)
        against = "" if fixed else self.why_not(model, tokens)
        if against:
            chosen = self._instead(model, others, tokens)
            if chosen is not None:
                unfit = self.unfit(model, tokens)
                kind = "length" if unfit and "input tokens" in unfit else "tools" if unfit else kind
                reason = f"{reason}; {against}, so {chosen.name}"
                model = chosen
                others = self._upwards(model, found.fallbacks, tokens)
        return Choice(
            route=found.route,
            task=found.task,
            model=model,
            kind=kind,
            reason=reason,
            scores=found.scores or {},
            similarity=found.similarity,
            fallbacks=others,
            needs_vector=found.needs_vector,
        )

    def _upwards(self, model: Model, wished: Iterable[str], tokens: int) -> tuple[Model, ...]:
        """What may stand in, in the order of the config; those that rest come last."""
        names = dict.fromkeys((*wished, *model.fallbacks, self._config.tiers["strong"]))
        found = [self._named(name) for name in names]
        fit = [
            other
            for other in found
            if other is not None
            and other.name != model.name
            and other.rank >= model.rank
            and not self.unfit(other, tokens)
        ]
        fit = list({other.name: other for other in fit}.values())
        return tuple(
            sorted(fit, key=lambda other: self._cool.left_s(other.name, self._config.cooldown_s) > 0)
        )

    def _named(self, name: str) -> Model | None:
        try:
            return self._config.chosen(name)
        except KeyError:
            return None

    def _instead(self, model: Model, others: tuple[Model, ...], tokens: int) -> Model | None:
        """The first that is free; else, where this one can't take the call, the least that can."""
        for other in others:
            if not self.why_not(other, tokens):
                return other
        if not self.unfit(model, tokens):
            return None  # All rest: asking the one that was meant is as good as any.
        able = [
            other
            for other in self._config.models
            if other.rank >= model.rank and other.name != model.name and not self.unfit(other, tokens)
        ]
        return min(able, key=lambda other: (bool(self.why_not(other, tokens)), other.rank), default=None)
