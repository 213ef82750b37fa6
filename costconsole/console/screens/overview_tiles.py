"""The tiles of the Overview: pure functions of a view, or of one slice of it."""

from __future__ import annotations

from dataclasses import dataclass

from costconsole.console.widgets.painted import Line
from costconsole.console.widgets.tile import TileText
from costconsole.domain.figures import Figures, LedgerView
from costconsole.domain.format import (
    UNKNOWN,
    compact,
    count,
    decimals_for,
    dollars,
    milliseconds,
    percent,
    points,
    rate,
)

_ERRORS_BAD = 0.02
"""From this share of errors on the figure is red."""
_LITTLE = 18
"""Cells below which a tile has no room for words beside its figures."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the tiles speak of: all calls, or those of one value of a dimension (`model` `gpt-4o`)."""

    figures: Figures
    all: Figures
    dimension: str = ""

    @property
    def whole(self) -> bool:
        return not self.dimension


def tiles(view: LedgerView, scope: Scope, width: int, rows: int = 2) -> tuple[TileText, ...]:
    """Five tiles of `rows` lines, for an inner width of `width` cells."""
    window = view.window.label
    made = (
        _hit_rate(view, scope, window, width),
        _spend(view, scope, window, width),
        _saved(view, scope, window, width),
        _latency(scope, window, width),
        _calls(view, scope, window, width),
    )
    return tuple(TileText(t.title, t.short, t.rows[:rows]) for t in made)


def _hit_rate(view: LedgerView, scope: Scope, window: str, width: int) -> TileText:
    now = scope.figures
    before = view.previous.hit_rate if scope.whole else scope.all.hit_rate
    change = None if now.hit_rate is None or before is None else now.hit_rate - before
    against = "before" if scope.whole else "all"
    moved = points(change)
    ink = "good" if moved.startswith("▲") else "warn" if moved.startswith("▼") else "muted"
    exact = _percent(now.exact / now.calls if now.calls else None)
    semantic = _percent(now.semantic / now.calls if now.calls else None)
    words = ("exact ", "semantic " if width >= 24 else "sem ") if width >= 19 else ("ex ", "sem ")
    note = f"  {against}" if moved and width >= 28 else ""
    return TileText(
        f"Hit rate, % of calls · {window}" if width >= 28 else f"Hit rate, % · {window}",
        "Hit rate, %",
        (
            (
                ((percent(now.hit_rate), "strong"),),
                ((moved, ink), (f" than {against}" if note else "", "muted")),
            ),
            (_pair(words[0], exact, "accent"), _pair(words[1], semantic, "second")),
            ((("by cost", "muted"),), ((_percent(now.hit_rate_by_cost), "text"),)),
        ),
    )


def _percent(share: float | None) -> str:
    return f"{percent(share):>4}"


def _pair(word: str, figure: str, ink: str) -> Line:
    return ((word, "muted"), (figure, ink))


def _money(nano: int | None, *, least: bool = False) -> str:
    text = dollars(nano, min(4, decimals_for(nano)))
    return f"≥{text}" if least and text != UNKNOWN else text


def _spend(view: LedgerView, scope: Scope, window: str, width: int) -> TileText:
    now = scope.figures
    known = now.unpriced < now.calls or not now.calls
    spend = _money(now.spend_nano if known else None, least=now.unpriced > 0)
    today = view.today
    if scope.whole:
        known_today = today.unpriced < today.calls or not today.calls
        second: tuple[Line, Line] = (
            (("today", "muted"),),
            ((_money(today.spend_nano if known_today else None, least=today.unpriced > 0), "text"),),
        )
    else:
        share = now.spend_nano / scope.all.spend_nano if scope.all.spend_nano else None
        second = ((("of all spend, %", "muted"),), ((_percent(share), "text"),))
    per_1000 = now.spend_nano * 1000 // now.calls if now.calls and known else None
    left: Line = ((spend, "strong"),)
    unpriced: Line = ((f"{compact(now.unpriced)} unpriced", "warn"),) if now.unpriced and width >= 18 else ()
    return TileText(
        f"Spend, $ · {window}",
        f"Spend, $ {window}",
        ((left, unpriced), second, ((("per 1,000 calls", "muted"),), ((_money(per_1000), "text"),))),
    )


def _saved(view: LedgerView, scope: Scope, window: str, width: int) -> TileText:
    now = scope.figures
    known = now.unpriced < now.calls or not now.calls
    share = _percent(now.saved_share)
    return TileText(
        f"Saved, $ · {window}",
        f"Saved, $ {window}",
        (
            (
                ((_money(now.saved.total if known else None), "strong"),),
                ((f"{share} %", "good" if now.saved.total > 0 else "muted"),),
            ),
            ((("tokens", "muted"),), ((compact(now.tokens_saved), "text"),)),
            (
                (("today", "muted"),),
                ((_money(view.today.saved.total) if scope.whole else UNKNOWN, "text"),),
            ),
        ),
    )


def _latency(scope: Scope, window: str, width: int) -> TileText:
    hit, call = scope.figures.hit_latency, scope.figures.miss_latency
    tail = (0.5, 0.95, 0.99) if width >= 28 else (0.5, 0.95)
    cells, between = (6, " / ") if width >= _LITTLE else (0, "/")

    def row(word: str, values: tuple[float | None, ...]) -> tuple[Line, Line]:
        return (
            ((word, "muted"),),
            ((between.join(f"{milliseconds(v):>{cells}}" for v in values), "text"),),
        )

    rows = (
        row("hit", tuple(hit.quantile(q) for q in tail)),
        row("call", tuple(call.quantile(q) for q in tail)),
    )
    names = "p50 / p95 / p99" if len(tail) == 3 else "p50 / p95"
    return TileText(
        f"{names} ms · {window}" if width < 34 else f"Latency {names}, ms · {window}",
        "p50 / p95 ms",
        (
            *rows,
            ((("saved by a hit, p50", "muted"),), ((_gain(hit.quantile(0.5), call.quantile(0.5)), "text"),)),
        ),
    )


def _gain(hit: float | None, call: float | None) -> str:
    return UNKNOWN if hit is None or call is None else f"{milliseconds(max(0.0, call - hit)):>6}"


def _calls(view: LedgerView, scope: Scope, window: str, width: int) -> TileText:
    now = scope.figures
    errors = now.errors / now.calls if now.calls else None
    bad = errors is not None and errors >= _ERRORS_BAD
    right: Line = (
        ((f"{rate(view.calls_per_s)} /s", "text"),)
        if scope.whole
        else ((f"{percent(now.calls / scope.all.calls if scope.all.calls else None)} % of all", "text"),)
    )
    word = "errors" if width >= _LITTLE else "err"
    share = f"{percent(errors)} %" if now.errors else "0"
    return TileText(
        f"Calls · {window}",
        f"Calls {window}",
        (
            (((count(now.calls), "strong"),), right),
            (
                ((word, "muted"),),
                (
                    ((f"{compact(now.errors)}  " if now.errors and width >= _LITTLE else ""), "text"),
                    (share, "bad" if bad else "text"),
                ),
            ),
            (
                (("not cacheable", "muted"),),
                ((count(now.bypass), "text"),),
            ),
        ),
    )
