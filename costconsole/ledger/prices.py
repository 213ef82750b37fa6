"""Unit prices of models: the user's own, else those of the price catalogue, else none.

The catalogue is the `genai-prices` package's snapshot, offline. It is imported at the first question
(a quarter of a second), never when this module is.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from costconsole.domain.call import CostStatus, Processing, UnitPrices
from costconsole.domain.errors import UsageProblem
from costconsole.domain.money import NANO, usd_to_nano

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_REMEMBERED: Final = 8_192
_MINUTE_MS: Final = 60_000
_UNITS: Final = ("input", "output", "cached_input", "cache_write_5m", "cache_write_1h")
# Half price for work that can wait is what these two promise; other providers' terms differ by model.
_HALF_PRICE_BATCH: Final = ("openai", "anthropic")
_BATCH_CONTEXT: Final = {"processing": "batch"}


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one model at one moment: `prices[i]` from the i-th threshold of input tokens on.

    More than `starts[i]` input tokens reprice the whole call, not only what is above.
    """

    starts: tuple[int, ...]
    prices: tuple[UnitPrices, ...]

    def at(self, input_tokens: int) -> UnitPrices:
        return self.prices[bisect_left(self.starts, input_tokens)]


class PriceBook:
    """Unit prices by provider and model. Thread-safe; a price asked for again costs a dict look-up.

    `overrides`: `provider/model` -> `input` and `output`, optionally `cached_input`, `cache_write_5m`,
    `cache_write_1h` and each of them with `batch_` before it, in dollars per million tokens. What an
    override leaves out costs what `input` does; batch prices that it leaves out are half for OpenAI and
    Anthropic (estimated), else the live ones. Raises UsageProblem for an override that can't be read.
    """

    def __init__(self, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        overrides = overrides or {}
        self._given = _read_overrides(overrides)
        self._overrides = self._given
        self._known: dict[tuple[str, str, Processing, int], Tariff | None] = {}
        self._lock = Lock()

    def override(self, prices: Mapping[str, Mapping[str, Any]]) -> None:
        """Prices that count beneath those given at the start, from now on, instead of any given so before.
        Raises UsageProblem for one that can't be read."""
        added = _read_overrides(prices)
        with self._lock:
            self._overrides = added | self._given
            self._known.clear()

    @property
    def version(self) -> str:
        """The catalogue's name and version, as it is kept with each call."""
        return _catalog_version()

    def prices(
        self,
        provider: str,
        model: str,
        *,
        at_ms: int,
        input_tokens: int = 0,
        processing: Processing = Processing.LIVE,
    ) -> UnitPrices | None:
        """What `model` of `provider` cost at `at_ms` for a call of that many input tokens, or None.

        None is an unknown price: no provider, no such model there (another one is never taken instead), or
        a model that is not sold by tokens. Batch prices that the catalogue lacks are an estimate.
        """
        key = (provider, model, processing, at_ms // _MINUTE_MS)
        try:
            tariff = self._known[key]
        except KeyError:
            tariff = self._look_up(key)
        return None if tariff is None else tariff.at(input_tokens)

    def _look_up(self, key: tuple[str, str, Processing, int]) -> Tariff | None:
        provider, model, processing, minute = key
        own = self._overrides.get((provider.lower(), model.lower()))
        if own is not None:
            tariff: Tariff | None = Tariff((), (own[processing],))
        elif not provider or not model:
            tariff = None
        else:
            tariff = _from_catalog(provider, model, minute * _MINUTE_MS, processing)
        with self._lock:
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = tariff
        return tariff


def _catalog_version() -> str:
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    stamp = f" {snapshot.timestamp:%Y-%m-%d}" if snapshot.from_auto_update else ""
    return f"genai-prices {genai_prices.__version__}{stamp}"


def _from_catalog(provider: str, model: str, at_ms: int, processing: Processing) -> Tariff | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        seller, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    tariff = _tariff(info.get_prices(at), _catalog_version())
    if tariff is None or processing is Processing.LIVE:
        return tariff
    # Where no batch price is on record for that day, the catalogue answers with the live one.
    priced = _batch_price(seller, info, at)
    if priced is not None:
        return _tariff(priced, _catalog_version())
    return Tariff(tariff.starts, tuple(_estimated_batch(seller.id, prices) for prices in tariff.prices))


def _batch_price(seller: Provider, info: ModelInfo, at: datetime) -> ModelPrice | None:
    if not any(info is model for model in seller.models):
        return None  # Another provider's model: its batch terms are not this seller's.
    batch, live = info.get_prices(at, _BATCH_CONTEXT), info.get_prices(at)
    return batch if batch.__dict__ != live.__dict__ else None


def _estimated_batch(provider: str, live: UnitPrices) -> UnitPrices:
    """Half of everything at Anthropic; at OpenAI half of input and output, while reads from the prompt
    cache keep their price, as most of its models have it; elsewhere no discount is assumed."""
    if provider not in _HALF_PRICE_BATCH:
        return replace(live, status=CostStatus.ESTIMATED)
    return replace(
        live,
        input=_half(live.input),
        output=_half(live.output),
        cached_input=live.cached_input if provider == "openai" else _half(live.cached_input),
        cache_write_5m=_half(live.cache_write_5m),
        cache_write_1h=_half(live.cache_write_1h),
        status=CostStatus.ESTIMATED,
    )


def _half(price: int) -> int:
    return (price + 1) // 2


def _tariff(price: ModelPrice, version: str) -> Tariff | None:
    """None where tokens have no price (audio by the hour, subscriptions)."""
    if price.input_mtok is None:
        return None
    tiers: set[int] = set()
    for value in price.__dict__.values():
        tiers.update(tier.start for tier in getattr(value, "tiers", ()))
    starts = tuple(sorted(tiers))
    return Tariff(
        starts, tuple(_unit_prices(price, tokens, version) for tokens in (0, *(s + 1 for s in starts)))
    )


def _unit_prices(price: ModelPrice, input_tokens: int, version: str) -> UnitPrices:
    def unit(name: str) -> Decimal | None:
        value = getattr(price, name, None)
        if value is None or isinstance(value, Decimal):
            return value
        found: Decimal = value.base
        for tier in value.tiers:
            if input_tokens > tier.start:
                found = tier.price
        return found

    def nano(usd: Decimal | None, otherwise: int) -> int:
        return otherwise if usd is None else int((usd * NANO).to_integral_value(ROUND_HALF_EVEN))

    base = nano(unit("input_mtok"), 0)
    write = nano(unit("cache_write_mtok"), base)
    per_thousand = unit("requests_kcount")
    return UnitPrices(
        input=base,
        output=nano(unit("output_mtok"), 0),
        cached_input=nano(unit("cache_read_mtok"), base),
        cache_write_5m=nano(unit("cache_write_5m_mtok"), write),
        cache_write_1h=nano(unit("cache_write_1h_mtok"), write),
        version=version,
        per_request=0 if per_thousand is None else nano(per_thousand / 1000, 0),
    )


def _read_overrides(
    overrides: Mapping[str, Mapping[str, Any]],
) -> dict[tuple[str, str], dict[Processing, UnitPrices]]:
    if not overrides:
        return {}
    digest = hashlib.sha256(json.dumps(overrides, sort_keys=True, default=str).encode()).hexdigest()[:8]
    found: dict[tuple[str, str], dict[Processing, UnitPrices]] = {}
    for name, table in overrides.items():
        provider, slash, model = name.partition("/")
        if not provider or not slash or not model:
            raise UsageProblem(
                f"the price of {name!r} needs the provider before the model, such as openai/{name}"
            )
        found[provider.lower(), model.lower()] = _override(name, provider.lower(), table, digest)
    return found


def _override(
    name: str, provider: str, table: Mapping[str, Any], digest: str
) -> dict[Processing, UnitPrices]:
    given: dict[str, int] = {}
    for unit, usd in table.items():
        if unit.removeprefix("batch_") not in _UNITS:
            raise UsageProblem(
                f"prices.{name} has no {unit!r}: use {', '.join(_UNITS)}, or batch_ and one of these"
            )
        try:
            given[unit] = usd_to_nano(usd if isinstance(usd, int | Decimal) else str(usd))
        except ValueError as error:
            raise UsageProblem(f"prices.{name}.{unit}: {error}") from None
        if given[unit] < 0:
            raise UsageProblem(f"prices.{name}.{unit} is below zero: give dollars per million tokens")
    for unit in ("input", "output"):
        if unit not in given:
            raise UsageProblem(
                f"prices.{name} lacks {unit!r}: give dollars per million tokens for both directions"
            )

    def prices(prefix: str, otherwise: UnitPrices | None) -> UnitPrices:
        values = {
            unit: given.get(prefix + unit, getattr(otherwise, unit) if otherwise else given["input"])
            for unit in _UNITS
        }
        return UnitPrices(**values, version=f"override {digest}", status=CostStatus.OVERRIDE)

    live = prices("", None)
    if any(unit.startswith("batch_") for unit in given):
        batch = prices("batch_", live)
    elif provider in _HALF_PRICE_BATCH:
        batch = _estimated_batch(provider, live)
    else:
        batch = live
    return {Processing.LIVE: live, Processing.BATCH: batch}
