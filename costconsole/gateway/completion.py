"""What a call through the gateway gives back."""

from __future__ import annotations

from dataclasses import dataclass

from costconsole.cache.answer import Answer
from costconsole.domain.call import Call, Outcome, Usage
from costconsole.domain.money import nano_to_usd


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and where it came from. `key` is the entry that holds it, or ""; `cost_nano` is what the
    provider itself says it cost, where it says so."""

    answer: Answer
    outcome: Outcome
    key: str = ""
    similarity: float | None = None
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer, and the call as the ledger has it.

    `usage` are the tokens of the answer; on a hit they are those that were saved. `similarity` is that of
    the nearest cached prompt, where one was looked for. `cached_key` is the Redis key of the entry that
    holds the answer, or "". `raw` is the provider's JSON body. `reason` says in one sentence why the router
    chose the model; "" where it had no choice to make.
    """

    text: str
    outcome: Outcome
    similarity: float | None
    model: str
    usage: Usage
    latency_ms: float
    cached_key: str
    finish_reason: str
    raw: bytes | None
    call: Call
    reason: str = ""

    @property
    def cost_usd(self) -> float | None:
        """What this call cost in dollars: 0.0 on a hit, None when the model's price is unknown."""
        return None if self.call.spend_nano is None else nano_to_usd(self.call.spend_nano)

    @property
    def saved_usd(self) -> float | None:
        """What it saved against asking the requested model."""
        return nano_to_usd(self.call.savings.total) if self.call.priced else None
