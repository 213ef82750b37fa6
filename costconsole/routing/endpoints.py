"""What a routing config gives to the gateway: providers to ask, and prices of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from costconsole.domain.errors import UsageProblem
from costconsole.routing.model import Model, RoutingConfig
from costconsole.routing.reading import variable_of

if TYPE_CHECKING:
    from costconsole.gateway.provider import Provider

_Place = tuple[str, str, str | None, str]


class Endpoints:
    """The providers of a config's models: one for each provider, wire format, base URL and key.

    Connections are opened at the first call, so that making this costs nothing. After a change of the
    config, `adopt` keeps those that are still asked.
    """

    def __init__(self, config: RoutingConfig) -> None:
        self._providers: dict[_Place, Provider] = {}
        self._places: dict[str, _Place] = {}
        self.adopt(config)

    def adopt(self, config: RoutingConfig) -> tuple[Provider, ...]:
        """Take a new config. The providers that nobody asks any more are returned, to be closed by the
        caller when their last call has ended."""
        self._places = {model.name: _place(model) for model in config.models}
        wanted = set(self._places.values())
        gone = [place for place in self._providers if place not in wanted]
        return tuple(self._providers.pop(place) for place in gone)

    def provider(self, model: Model) -> Provider:
        """Where `model` is asked. Raises UsageProblem for a base URL that the environment lacks."""
        from costconsole.gateway.provider import Provider

        place = self._places.get(model.name) or _place(model)
        found = self._providers.get(place)
        if found is None:
            name, _, base_url, key_env = place
            url = base_url_of(model)
            found = Provider(
                name, model.wire, base_url=url if base_url else usual_base_url(name), key_env=key_env
            )
            found = self._providers.setdefault(place, found)
        return found

    def by_name(self) -> Iterator[Provider]:
        """One provider for each name, the first listed: what a Directory takes."""
        seen: set[str] = set()
        for place in self._places.values():
            if place[0] not in seen and place in self._providers:
                seen.add(place[0])
                yield self._providers[place]

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    async def aclose(self) -> None:
        for provider in self._providers.values():
            await provider.aclose()


def providers_of(config: RoutingConfig) -> tuple[Provider, ...]:
    """A provider for each name in `config`, the first listed: what a Directory takes.

    One whose base URL the environment lacks is left out; asking it says so.
    """
    endpoints = Endpoints(config)
    for model in config.models:
        try:
            endpoints.provider(model)
        except UsageProblem:
            continue
    return tuple(endpoints.by_name())


def base_url_of(model: Model) -> str | None:
    """The model's base URL, out of the environment where the config says so. Raises UsageProblem."""
    name = variable_of(model.base_url or "")
    if name is None:
        return model.base_url
    url = os.environ.get(name, "").strip()
    if not url:
        raise UsageProblem(f"the base URL of model {model.name!r} is missing: set {name} in the environment")
    return url


def usual_base_url(provider: str) -> str | None:
    """Where the environment says that a provider is, by the variables of OpenAI's and Anthropic's SDKs."""
    if provider not in ("openai", "anthropic"):
        return None
    return os.environ.get(f"{provider.upper()}_BASE_URL", "").strip() or None


def prices_of(
    config: RoutingConfig, prices: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Mapping[str, Any]]:
    """The price overrides for a PriceBook: the config's own, above them `prices` of the settings."""
    merged: dict[str, Mapping[str, Any]] = {}
    for model in config.models:
        if model.prices:
            merged.setdefault(f"{model.provider}/{model.model}", model.prices)
    return merged | dict(prices or {})


def _place(model: Model) -> _Place:
    return model.provider, model.wire, model.base_url, model.key_env
