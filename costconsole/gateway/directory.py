"""Which provider serves a model, where nobody said so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import first_words
from costconsole.gateway.provider import Provider
from costconsole.gateway.wire import Wire

_FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|codex-|davinci-|babbage-|o\d)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
)
_BUILT_IN: tuple[Wire, ...] = ("openai", "anthropic")
_REMEMBERED = 1_000
COMPATIBLE = "openai-compatible"
"""The name of the provider at a base URL that serves models of no known family."""


class Directory:
    """Providers by name: OpenAI and Anthropic, from their environment variables, and those given.

    `base_url` and `api_key`, where given, are those of `default`'s provider (or of `model`'s family).
    """

    def __init__(
        self,
        providers: Iterable[Provider] = (),
        *,
        default: str = "",
        model: str = "",
        base_url: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self._given = {provider.name: provider for provider in providers}
        self._providers = dict(self._given)
        for wire in _BUILT_IN:
            url = os.environ.get(f"{wire.upper()}_BASE_URL", "").strip() or None
            self._providers.setdefault(wire, Provider(wire, wire, base_url=url))
        self._default = default
        self._found: dict[tuple[str, str], tuple[Provider, str]] = {}
        if base_url or api_key:
            name = default or family(model) or COMPATIBLE
            given = self._given.get(name)
            if given is not None:
                raise UsageProblem(
                    f"provider {name!r} is given twice, in providers and by base_url or api_key: drop one"
                )
            if not base_url and name in self._providers:
                base_url = self._providers[name].base_url
            wire_of: Wire = "anthropic" if name == "anthropic" else "openai"
            self._providers[name] = Provider(name, wire_of, base_url=base_url, api_key=api_key)
            self._default = self._default or (name if name == COMPATIBLE else "")
        if self._default and self._default not in self._providers:
            raise UsageProblem(self._unknown(self._default))

    def find(self, model: str, provider: str = "") -> tuple[Provider, str]:
        """The provider and the model's name there; `groq/llama3-8b` names both. Raises UsageProblem."""
        key = (model, provider)
        known = self._found.get(key)
        if known is None:
            known = self._search(model, provider)
            if len(self._found) < _REMEMBERED:
                self._found[key] = known
        return known

    def given(self, name: str) -> Provider | None:
        """The provider of this name that the application gave itself."""
        return self._given.get(name)

    def built_in(self, name: str) -> Provider | None:
        """The provider of this name that is there without being given."""
        return self._providers.get(name)

    def _search(self, model: str, provider: str) -> tuple[Provider, str]:
        if provider:
            found = self._providers.get(provider)
            if found is None:
                raise UsageProblem(self._unknown(provider))
            return found, model
        name, slash, rest = model.partition("/")
        if slash and rest and name in self._providers:
            return self._providers[name], rest
        name = self._default or family(model)
        if not name:
            raise UsageProblem(
                f"no provider is known for model {first_words(model, 60)!r}: pass provider=..., "
                f"one of {self._names()}, or give the gateway a base_url"
            )
        return self._providers[name], model

    def _unknown(self, name: str) -> str:
        shown = first_words(name, 60)
        return f"provider {shown!r} is not known: it is one of {self._names()}, or give it in providers"

    def _names(self) -> str:
        return ", ".join(sorted(self._providers))

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    async def aclose(self) -> None:
        for provider in self._providers.values():
            await provider.aclose()


def family(model: str) -> str:
    """The provider whose models are named so, or ""."""
    return next((name for pattern, name in _FAMILIES if pattern.match(model)), "")
