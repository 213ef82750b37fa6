"""What a provider can do wrong, as one exception that a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from costconsole.domain.call import Usage
from costconsole.domain.errors import ExitCode, Problem

ErrorKind = Literal[
    "timeout", "rate_limited", "auth", "bad_request", "server", "refused", "connection", "bad_answer"
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request to a provider. `kind` is "" when it was answered; `usage` is what it was billed."""

    status: int | None
    kind: str
    latency_ms: float
    usage: Usage | None = None


class ProviderError(Problem):
    """A provider did not give a usable answer.

    `str(error)` names the provider and the next step, and never holds a key, a prompt or the provider's own
    words; those are in `detail` (keys masked). `kind` is the reason. `attempts` are all requests made, the
    failed ones included; `usage` is what the last one was billed, or None: a refusal is paid for.
    `text` is what a refusing model said.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind = "server",
        provider: str = "",
        status: int | None = None,
        detail: str = "",
        text: str = "",
        usage: Usage | None = None,
        provider_cost_nano: int | None = None,
        retry_after_s: float | None = None,
        retryable: bool = False,
        attempts: tuple[Attempt, ...] = (),
    ) -> None:
        super().__init__(message, exit_code=ExitCode.TIMEOUT if kind == "timeout" else ExitCode.FAILED)
        self.kind: ErrorKind = kind
        self.provider = provider
        self.status = status
        self.detail = detail
        self.text = text
        self.usage = usage
        self.provider_cost_nano = provider_cost_nano
        self.retry_after_s = retry_after_s
        self.retryable = retryable
        self.attempts = attempts
