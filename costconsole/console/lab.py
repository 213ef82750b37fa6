"""What the Lab page asks for, as values and a protocol; `lab_source` answers over Redis and providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from costconsole.domain.call import Usage

if TYPE_CHECKING:
    from costconsole.domain.figures import LedgerView
    from costconsole.gateway.checked import Check
    from costconsole.prompt.diff import Line


@dataclass(frozen=True, slots=True)
class Question:
    """What is tried: a prompt, the model it is asked of ("" is the usual one), and what stands around it."""

    prompt: str
    model: str = ""
    system: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An answer, whole or as far as it came. Times in milliseconds from the key to the last text.

    `error` is a sentence, `stopped` that the user stopped it; `usage` is then estimated. `cost_nano` None:
    the price is unknown.
    """

    text: str
    model: str
    provider: str = ""
    first_ms: float | None = None
    total_ms: float = 0.0
    usage: Usage = field(default_factory=Usage)
    cost_nano: int | None = None
    finish: str = ""
    error: str = ""
    stopped: bool = False
    raw: bytes | None = None

    @property
    def whole(self) -> bool:
        return not self.error and not self.stopped


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored, and the undo of it: the keys, with what each of them held before (None: nothing)."""

    keys: tuple[str, ...]
    before: tuple[tuple[str, bytes, int] | None, ...] = ()


class Lab(Protocol):
    """Trying prompts. Every method may raise a Problem, and be cancelled."""

    async def models(self) -> Sequence[str]:
        """What may be asked for, the name that leaves the choice to the router first, where there is one."""
        ...

    async def check(self, question: Question, view: LedgerView | None) -> Check:
        """Walk the way of a call. `view` says what is usual: models that were seen, lengths of answers."""
        ...

    async def diff(self, before: str, after: str) -> Sequence[Line]:
        """What minimization changed."""
        ...

    async def send(self, checked: Check, on_text: Callable[[str], None], stop: asyncio.Event) -> Sent:
        """Ask the model of a check for real; `on_text` gets the answer in pieces as it comes.

        Recorded in the ledger, whatever becomes of it. An error of the provider is in what is returned.
        """
        ...

    def why_not_store(self, checked: Check, sent: Sent) -> str:
        """Why a gateway would not keep this answer, or ""."""
        ...

    async def store(self, checked: Check, sent: Sent) -> Stored:
        """Keep an answer as the gateway would, under the keys of the check; audited."""
        ...

    async def take_back(self, stored: Stored) -> None:
        """Undo `store`: what was there before is there again."""
        ...
