"""A request to a model, as the caches see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from costconsole.domain.errors import UsageProblem

Message = Mapping[str, Any]
"""One message of the wire: `role`, `content` (text or parts), and what else the provider knows."""

TRANSPORT_PARAMS = frozenset(
    {
        # how the answer travels
        "stream",
        "stream_options",
        "timeout",
        "max_retries",
        "extra_headers",
        "extra_query",
        # who asks, and with which key (a tenant is `Request.tenant`)
        "api_key",
        "user",
        "safety_identifier",
        "metadata",
        # what the provider keeps, charges or caches
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "idempotency_key",
    }
)
"""Parameters that don't change the answer; they are no part of a request's identity."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Messages and parameters are JSON values as in the provider's body.

    `params` is the body without model and messages; Anthropic's `system` is among them. `tenant` keeps
    customers apart: nothing cached is ever shared between two. `template` is the text around the user's
    words in the last user turn, with `{prompt}` where the words go; `user_text` names the words instead.
    """

    model: str
    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    provider: str = ""
    tenant: str = ""
    template: str | None = None
    user_text: str | None = None

    @classmethod
    def from_body(
        cls,
        body: Mapping[str, Any],
        *,
        provider: str = "",
        tenant: str = "",
        template: str | None = None,
        user_text: str | None = None,
    ) -> Request:
        """A request from the body of OpenAI's chat completions or Anthropic's messages.

        Raises UsageProblem when the body has no model or no list of messages.
        """
        model, messages = body.get("model"), body.get("messages")
        if not isinstance(model, str) or not model:
            raise UsageProblem("the request names no model: add 'model' to its body")
        if (
            not isinstance(messages, Sequence)
            or isinstance(messages, str | bytes)
            or not all(isinstance(message, Mapping) for message in messages)
        ):
            raise UsageProblem("the request has no list of messages: add 'messages' to its body")
        params = {name: value for name, value in body.items() if name not in ("model", "messages")}
        return cls(model, tuple(messages), params, provider, tenant, template, user_text)

    @classmethod
    def ask(cls, prompt: str, *, model: str, system: str = "", **params: Any) -> Request:
        """The request that asks one question."""
        turns: list[Message] = [{"role": "system", "content": system}] if system else []
        return cls(model, (*turns, {"role": "user", "content": prompt}), params)


def text_of(content: object) -> str:
    """The text of a message's content: itself, or its text parts joined by newlines."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, Mapping) and is_text(part))
    return "\n".join(text for text in texts if isinstance(text, str))


def is_text(part: Mapping[str, Any]) -> bool:
    """Whether a content part is plain text, in either provider's spelling."""
    return part.get("type") in ("text", "input_text")
