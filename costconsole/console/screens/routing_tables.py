"""The two tables of the Routing page: routes and models, by the config and by the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from costconsole.console.routing_values import ConfigState
from costconsole.console.safe import join, safe
from costconsole.console.widgets.columns import Column, Row
from costconsole.domain.figures import Figures, LedgerView, Slice
from costconsole.domain.format import count, decimals_for, dollars, milliseconds, percent, similarity
from costconsole.domain.text import first_words
from costconsole.routing.model import Model, Route

Standing = Literal["both", "config", "ledger"]
"""Whether the config names it, the ledger has calls of it, or both."""
FAILING = 0.02
"""Share of errors from which a route or a model needs somebody to look."""
_WORDS = 60
OTHER = "other"

ROUTE_COLUMNS = (
    Column("route", "route", 14, sort=True, flex=True),
    Column("task", "task", 14, drop=6),
    Column("use", "goes to", 16, sort=True, drop=2, flex=True),
    Column("threshold", "≥ sim", 5, "right", drop=5),
    Column("fallbacks", "fallbacks", 12, drop=8, flex=True),
    Column("calls", "calls", 7, "right", sort=True, drop=4),
    Column("share", "calls %", 7, "right", sort=True),
    Column("spend", "spend $", 8, "right", sort=True),
    Column("saved", "routing $", 9, "right", sort=True),
    Column("hit", "hit %", 5, "right", sort=True, drop=3),
    Column("errors", "err %", 5, "right", sort=True),
    Column("p50", "p50 ms", 6, "right", sort=True, drop=7),
    Column("p95", "p95 ms", 6, "right", sort=True, drop=1),
)
MODEL_COLUMNS = (
    Column("model", "model", 18, sort=True, flex=True),
    Column("tier", "tier", 6, sort=True, drop=3),
    Column("provider", "provider", 9, sort=True, drop=7),
    Column("input", "in $/M", 7, "right", sort=True, drop=1),
    Column("output", "out $/M", 7, "right", sort=True),
    Column("key", "key", 9, drop=5),
    Column("fallbacks", "fallbacks", 12, drop=8, flex=True),
    Column("calls", "calls", 7, "right", sort=True, drop=4),
    Column("share", "calls %", 7, "right", sort=True),
    Column("spend", "spend $", 8, "right", sort=True),
    Column("errors", "err %", 5, "right", sort=True),
    Column("p95", "p95 ms", 6, "right", sort=True, drop=2),
    Column("state", "state", 9, drop=6),
)


@dataclass(frozen=True, slots=True)
class RouteLine:
    """A route of the config, of the ledger, or of both."""

    name: str
    route: Route | None
    figures: Figures

    @property
    def standing(self) -> Standing:
        return "ledger" if self.route is None else "both" if self.figures.calls else "config"


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model of the config, or one that only the ledger has. `name` is its id at the provider then.
    `shared`: other models of the config with the same id, whose calls are counted in."""

    name: str
    model: Model | None
    figures: Figures
    shared: tuple[str, ...] = ()

    @property
    def standing(self) -> Standing:
        return "ledger" if self.model is None else "both" if self.figures.calls else "config"


def route_lines(state: ConfigState, view: LedgerView | None) -> list[RouteLine]:
    """Routes in the order of spend, those without calls last, in the config's order."""
    known = {route.name: route for route in state.config.routes}
    slices = _slices(view, "route")
    found = [RouteLine(one.value, known.get(one.value), one.figures) for one in slices]
    seen = {one.value for one in slices}
    return found + [RouteLine(name, route, Figures()) for name, route in known.items() if name not in seen]


def model_lines(state: ConfigState, view: LedgerView | None) -> list[ModelLine]:
    """Models likewise. The ledger knows them by their id at the provider."""
    by_id: dict[str, list[Model]] = {}
    for model in state.config.models:
        by_id.setdefault(model.model, []).append(model)
    slices = _slices(view, "model")
    found: list[ModelLine] = []
    for one in slices:
        models = by_id.get(one.value, [])
        if not models:
            found.append(ModelLine(one.value, None, one.figures))
        for model in models:
            shared = tuple(other.name for other in models if other is not model)
            found.append(ModelLine(model.name, model, one.figures, shared))
    seen = {one.value for one in slices}
    rest = [model for model in state.config.models if model.model not in seen]
    return found + [ModelLine(model.name, model, Figures()) for model in rest]


def route_rows(lines: Sequence[RouteLine], state: ConfigState, total: int) -> list[Row]:
    """A row a route, with the raw values that it is sorted by."""
    digits = _digits(line.figures for line in lines)
    return [_route_row(line, state, total, digits) for line in lines]


def model_rows(lines: Sequence[ModelLine], state: ConfigState, total: int) -> list[Row]:
    """A row a model, with the raw values that it is sorted by."""
    digits = _digits(line.figures for line in lines)
    prices = _price_digits(state.prices)
    return [_model_row(line, state, total, digits, prices) for line in lines]


def use_words(state: ConfigState, use: str) -> str:
    """`strong = gpt-4o`, or the model's name where that is what the route says."""
    name = state.config.chosen(use).name
    return name if name == use else f"{use} = {name}"


def dollars_per_million(nano: int | None, digits: int) -> str:
    return "–" if nano is None else f"{nano / 1e9:.{digits}f}"


def health_words(line: ModelLine) -> tuple[str, str]:
    """How a model's calls fare in the window, and the ink of that."""
    calls, errors = line.figures.calls, line.figures.errors
    if not calls:
        return ("no calls", "muted")
    if not errors:
        return ("✓ ok", "good")
    if errors / calls < FAILING:
        return (f"✓ {count(errors)} err", "")
    return ("✗ failing", "bad") if errors / calls >= 0.5 else ("! failing", "warn")


def _route_row(line: RouteLine, state: ConfigState, total: int, digits: int) -> Row:
    route, f = line.route, line.figures
    use = use_words(state, route.use) if route is not None else ""
    threshold = None if route is None else route.threshold
    cells: tuple[str | Content, ...] = (
        _name(line.name, line.standing),
        (route.task if route is not None else "") or "–",
        safe("not in the config", "warn") if route is None and line.name else first_words(use, _WORDS) or "–",
        similarity(threshold),
        first_words(", ".join(route.fallbacks), _WORDS) if route is not None and route.fallbacks else "–",
        *_figures(f, total, digits),
        dollars(f.saved.routing, digits) if _priced(f) else "–",
        percent(f.hit_rate),
        _errors(f),
        milliseconds(f.miss_latency.quantile(0.5)),
        milliseconds(f.miss_latency.quantile(0.95)),
    )
    share = f.calls / total if total else None
    return Row(
        f"route\0{line.name}",
        cells,
        (
            line.name, None, use, None, None, f.calls, share, f.spend_nano if _priced(f) else None,
            f.saved.routing if _priced(f) else None, f.hit_rate, _error_rate(f),
            f.miss_latency.quantile(0.5), f.miss_latency.quantile(0.95),
        ),
    )  # fmt: skip


def _model_row(line: ModelLine, state: ConfigState, total: int, digits: int, per_million: int) -> Row:
    model, f = line.model, line.figures
    prices = state.prices.get(model.name) if model is not None else None
    into, out = (None, None) if prices is None else (prices.input, prices.output)
    words, ink = health_words(line)
    cells: tuple[str | Content, ...] = (
        _name(line.name, line.standing),
        model.tier if model is not None else "–",
        first_words(model.provider, _WORDS) if model is not None else "–",
        dollars_per_million(into, per_million),
        dollars_per_million(out, per_million),
        _key(model, state),
        first_words(", ".join(model.fallbacks), _WORDS) if model is not None and model.fallbacks else "–",
        *_figures(f, total, digits),
        _errors(f),
        milliseconds(f.miss_latency.quantile(0.95)),
        safe(words, ink),
    )
    share = f.calls / total if total else None
    return Row(
        f"model\0{line.name}",
        cells,
        (
            line.name, cells[1], cells[2], into, out, None, None,
            f.calls, share, f.spend_nano if _priced(f) else None, _error_rate(f),
            f.miss_latency.quantile(0.95), None,
        ),
    )  # fmt: skip


def _name(name: str, standing: Standing) -> Content:
    if not name:
        return safe("(no route)", "muted")
    if standing == "ledger":
        return join(safe("+ ", "warn"), safe(first_words(name, _WORDS)))
    return safe(first_words(name, _WORDS), "muted" if standing == "config" else "")


def _key(model: Model | None, state: ConfigState) -> Content:
    if model is None or not model.key_env:
        return safe("–", "muted")
    if state.keys.get(model.key_env):
        return safe("✓ set", "good")
    return safe("✗ missing", "warn")


def _figures(f: Figures, total: int, digits: int) -> tuple[str, str, str]:
    """Calls, their share, spend."""
    spend = dollars(f.spend_nano, digits) if _priced(f) else "–"
    share = percent(f.calls / total) if total else "–"
    return count(f.calls), share, f"≥{spend}" if _priced(f) and f.unpriced else spend


def _errors(f: Figures) -> str | Content:
    rate = _error_rate(f)
    return safe(percent(rate), "bad") if rate is not None and rate >= FAILING else percent(rate)


def _error_rate(f: Figures) -> float | None:
    return f.errors / f.calls if f.calls else None


def _priced(f: Figures) -> bool:
    """Whether anything is known of what these calls cost; failures that cost nothing say nothing."""
    return f.unpriced < f.calls and bool(f.baseline_nano or not f.unpriced)


def _slices(view: LedgerView | None, dimension: str) -> tuple[Slice, ...]:
    return () if view is None else view.by.get(dimension, ())


def _digits(found: object) -> int:
    amounts = [f.spend_nano + abs(f.saved.routing) for f in found]  # type: ignore[attr-defined]
    return max(2, decimals_for(*amounts))


def _price_digits(prices: Mapping[str, object]) -> int:
    """Decimals that tell all these prices apart from nothing: 2 to 4."""
    small = [
        nano / 1e9
        for one in prices.values()
        if one is not None
        for nano in (one.input, one.output)  # type: ignore[attr-defined]
        if nano
    ]
    least = min(small, default=1.0)
    return 2 if least >= 0.1 else 3 if least >= 0.01 else 4
