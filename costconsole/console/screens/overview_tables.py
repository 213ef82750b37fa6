"""The two tables of the Overview: figures by a dimension, and the newest calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from textual.content import Content

from costconsole.console.safe import join, safe
from costconsole.console.widgets.bars import Charset, parts
from costconsole.console.widgets.columns import Column, Row
from costconsole.domain.call import Call, Outcome
from costconsole.domain.figures import Figures, Slice
from costconsole.domain.format import (
    clock,
    compact,
    count,
    decimals_for,
    dollars,
    milliseconds,
    percent,
    similarity,
)
from costconsole.domain.text import first_words

DIMENSIONS = ("model", "route", "tag", "outcome")
_PLURALS = {"model": "Models", "route": "Routes", "tag": "Tags", "outcome": "Outcomes"}
_BAR = 12
_CALL_DECIMALS = 5


def table_title(dimension: str, window: str) -> str:
    return f"{_PLURALS[dimension]} · {window}"


def slice_columns(dimension: str) -> tuple[Column, ...]:
    """Columns of the figures by `dimension`; `drop` orders what goes first where there is little room."""
    return (
        Column("value", dimension, 14, sort=True, flex=True),
        Column("calls", "calls", 7, "right", sort=True),
        Column("hit", "hit %", 5, "right", sort=True),
        Column("input", "in tok", 6, "right", sort=True, drop=3),
        Column("output", "out tok", 7, "right", sort=True, drop=4),
        Column("spend", "spend $", 8, "right", sort=True),
        Column("saved", "saved $", 8, "right", sort=True),
        Column("bar", "spend saved", _BAR, drop=5),
        Column("p95", "p95 ms", 6, "right", sort=True, drop=1),
        Column("errors", "err %", 5, "right", sort=True, drop=2),
    )


def slice_rows(slices: Sequence[Slice], charset: Charset) -> list[Row]:
    """A row a slice, with the raw values that it is sorted by."""
    decimals = max(2, decimals_for(*(s.figures.spend_nano + s.figures.saved.total for s in slices)))
    largest = max((s.figures.spend_nano + s.figures.saved.total for s in slices), default=0)
    return [_slice_row(s.value, s.figures, decimals, largest, charset) for s in slices]


def _slice_row(value: str, f: Figures, decimals: int, largest: int, charset: Charset) -> Row:
    known = f.unpriced < f.calls
    spend = dollars(f.spend_nano, decimals) if known else "–"
    p95 = f.miss_latency.quantile(0.95)
    if p95 is None:
        p95 = f.hit_latency.quantile(0.95)
    errors = f.errors / f.calls if f.calls else None
    saved = f.saved.total
    return Row(
        value,
        (
            safe(value) if value else safe("(none)", "muted"),
            count(f.calls),
            percent(f.hit_rate),
            compact(f.input),
            compact(f.output),
            f"≥{spend}" if known and f.unpriced else spend,
            dollars(saved, decimals) if known else "–",
            _bar(f.spend_nano, saved, largest, charset),
            milliseconds(p95),
            safe(percent(errors), "bad") if errors and errors >= 0.02 else percent(errors),
        ),
        (
            value,
            f.calls,
            f.hit_rate,
            f.input,
            f.output,
            f.spend_nano if known else None,
            saved if known else None,
            None,
            p95,
            errors,
        ),
    )


def _bar(spend: int, saved: int, largest: int, charset: Charset) -> Content:
    if largest <= 0:
        return safe("")
    full, light = parts(spend / largest, max(0, saved) / largest, _BAR, charset)
    return join(safe(full, "strong"), safe(light, "good"))


TAIL_COLUMNS = (
    Column("time", "time", 8),
    Column("outcome", "outcome", 8),
    Column("similarity", "sim", 4, "right"),
    Column("model", "model", 18, drop=2),
    Column("tag", "tag", 10, drop=5),
    Column("latency", "ms", 6, "right"),
    Column("tokens", "tokens", 6, "right", drop=3),
    Column("spend", "spend $", 8, "right"),
    Column("saved", "saved $", 8, "right", drop=4),
    Column("prompt", "prompt", 18, flex=True),
)

_OUTCOME_INKS = {
    Outcome.EXACT: "accent",
    Outcome.SEMANTIC: "second",
    Outcome.MISS: "",
    Outcome.BYPASS: "muted",
}


def tail_row(call: Call, tz: tzinfo | None) -> Row:
    """One call. Its tokens are those that were paid for, or on a hit those that were not."""
    hit = call.outcome.is_hit
    words = first_words(call.preview, 300)
    outcome: str | Content
    prompt: str | Content
    if call.error:
        outcome = safe("✗ error", "bad")
        prompt = join(safe(first_words(call.error, 60), "bad"), safe(f" · {words}" if words else ""))
    else:
        ink = _OUTCOME_INKS[call.outcome]
        outcome, prompt = safe(call.outcome.value, ink) if ink else call.outcome.value, words
    return Row(
        call.id,
        (
            clock(call.ts_ms, tz),
            outcome,
            similarity(call.similarity) if call.outcome is not Outcome.EXACT else "",
            call.model,
            call.tag,
            milliseconds(call.latency_ms),
            compact(call.input_saved + call.output_saved if hit else call.input + call.output),
            dollars(call.spend_nano, _CALL_DECIMALS) if call.priced else "–",
            dollars(call.savings.total, _CALL_DECIMALS) if call.priced else "–",
            prompt,
        ),
    )


class Tail:
    """The newest calls as rows, made when they are shown, and kept while the call is among them."""

    def __init__(
        self, calls: Sequence[Call] = (), tz: tzinfo | None = None, before: Tail | None = None
    ) -> None:
        self.calls = tuple(calls)
        self._tz = tz
        self._places = {call.id: place for place, call in enumerate(self.calls)}
        known: dict[str, Row] = {} if before is None else before._rows
        self._rows: dict[str, Row] = {id_: row for id_, row in known.items() if id_ in self._places}

    def __len__(self) -> int:
        return len(self.calls)

    def __getitem__(self, index: int) -> Row:
        call = self.calls[index]
        row = self._rows.get(call.id)
        if row is None:
            row = self._rows[call.id] = tail_row(call, self._tz)
        return row

    def index_of(self, key: str) -> int | None:
        return self._places.get(key)

    def call(self, key: str) -> Call | None:
        """The call of that id, if it is still among the newest."""
        place = self._places.get(key)
        return None if place is None else self.calls[place]


def of_slice(call: Call, dimension: str, value: str) -> bool:
    """Whether a call belongs to that value of that dimension."""
    if dimension == "outcome":
        return call.outcome.value == value
    return bool(getattr(call, dimension) == value)
