"""What a call would cost with each model, and what is usual in a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from costconsole.cache.request import Message
from costconsole.domain.call import CostStatus, Processing, Usage
from costconsole.domain.figures import LedgerView
from costconsole.gateway.checked import Priced, Usual
from costconsole.ledger.costs import waterfall
from costconsole.ledger.prices import PriceBook
from costconsole.ledger.tokens import Family, count_messages, family
from costconsole.routing.model import RoutingConfig

_LONG = 50_000
"""Beyond so many characters one tokenizer counts for all models."""


def usual(view: LedgerView | None) -> Usual:
    """What the ledger's figures of a window say of models and answers."""
    if view is None:
        return Usual()
    models = {call.model: call.provider for call in view.recent if call.provider}
    slices = view.by.get("model", ())
    output = {}
    for piece in slices:
        asked = piece.figures.miss + piece.figures.bypass
        if asked and piece.figures.output:
            output[piece.value] = round(piece.figures.output / asked)
    asked = view.total.miss + view.total.bypass
    mean = round(view.total.output / asked) if asked and view.total.output else Usual().mean_output
    most = max(slices, key=lambda piece: piece.figures.calls, default=None)
    return Usual(models, output, mean, most.value if most else "")


class Counter:
    """Tokens of the same messages for many models: each tokenizer reads them once."""

    def __init__(self, messages: Sequence[Message], model: str) -> None:
        self._messages = messages
        self._known: dict[Family, tuple[int, bool]] = {}
        self.own = self._known[family(model)] = count_messages(messages, model)
        self._long = sum(len(str(message.get("content") or "")) for message in messages) > _LONG

    def __call__(self, model: str) -> int:
        if self._long:
            return self.own[0]
        known = family(model)
        if known not in self._known:
            self._known[known] = count_messages(self._messages, model)
        return self._known[known][0]


def priced(
    chosen: tuple[str, str, str],
    config: RoutingConfig,
    seen: Mapping[str, str],
    counted: Counter,
    prices: PriceBook,
    output_tokens: int,
    now_ms: int,
    missing_key: Callable[[str, str], str],
    *,
    configured: bool,
) -> tuple[Priced, ...]:
    """A row for the chosen model (name, provider, id there), for every one of the config, and for those
    that were seen; cheapest first, unknown prices last."""
    rows: dict[tuple[str, str], str] = {(chosen[1], chosen[2]): chosen[0]}
    for model in config.models:
        rows.setdefault((model.provider, model.model), model.name)
    for model_id, provider in seen.items():
        rows.setdefault((provider, model_id), model_id)
    base = config.chosen(config.baseline)

    def row(provider: str, model: str, name: str) -> Priced:
        usage = Usage(input=counted(model), output=output_tokens, estimated=True)
        live = prices.prices(provider, model, at_ms=now_ms, input_tokens=usage.input)
        batch = prices.prices(
            provider, model, at_ms=now_ms, input_tokens=usage.input, processing=Processing.BATCH
        )
        return Priced(
            model,
            waterfall(usage, live).spend_nano,
            provider,
            waterfall(usage, batch).spend_nano,
            batch is not None and batch.status is CostStatus.ESTIMATED,
            name,
            (provider, model) == chosen[1:],
            configured and (provider, model) == (base.provider, base.model),
            missing_key(name, provider),
        )

    found = [row(provider, model, name) for (provider, model), name in rows.items()]
    return tuple(sorted(found, key=lambda one: (one.nano is None, one.nano or 0, one.name)))
