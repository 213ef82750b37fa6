"""One call in full: what happened, what it cost against what it would have, and its cached neighbour."""

from __future__ import annotations

from datetime import tzinfo

from costconsole.console.widgets.bars import Charset, bar
from costconsole.console.widgets.painted import Line, fold
from costconsole.console.widgets.waterfall import Waterfall, waterfall_lines
from costconsole.domain.call import RATCHET, Call, CostStatus, Outcome, Processing
from costconsole.domain.entry import CacheEntry
from costconsole.domain.format import count, decimals_for, dollars, duration, similarity, stamp
from costconsole.domain.text import visible

_LABEL = 14
_STEPS = 8

_SENTENCES = {
    Outcome.EXACT: "answered from the exact cache",
    Outcome.SEMANTIC: "answered from the semantic cache",
    Outcome.MISS: "no cached answer fitted: the provider was called",
    Outcome.BYPASS: "the caches were not asked: the provider was called",
}


def call_lines(
    call: Call, width: int, tz: tzinfo | None, charset: Charset, neighbor: CacheEntry | None = None
) -> list[Line]:
    """The detail of a call as lines of `width` cells; `neighbor` is its cached neighbour once it was read."""
    blank: Line = ()
    lines: list[Line] = []
    sentence = _SENTENCES[call.outcome]
    ink = "accent" if call.outcome is Outcome.EXACT else "second" if call.outcome.is_hit else "text"
    lines.append(((f"{call.outcome.value}  ", f"{'strong' if ink == 'text' else ink}"), (sentence, "text")))
    if call.error:
        lines.append((("✗ ", "bad"), (visible(call.error), "bad")))
    lines.append(blank)
    lines += _facts(call, width, tz)
    lines.append(blank)
    lines += _nearness(call, width, charset, neighbor)
    lines.append(blank)
    lines.append((("What it cost, $", "muted"), (f"  {_pricing(call)}", "muted")))
    fall = Waterfall(
        call.baseline_nano if call.priced else None, call.savings, call.spend_nano if call.priced else None
    )
    lines += waterfall_lines(fall, min(width, 100), _STEPS, charset)
    return lines


def _field(label: str, text: str, width: int) -> list[Line]:
    rows = fold(visible(text), max(10, width - _LABEL)) or [""]
    return [
        ((f"{label if not n else '':<{_LABEL}}", "muted"), (row[: width - _LABEL], "text"))
        for n, row in enumerate(rows)
    ]


def _facts(call: Call, width: int, tz: tzinfo | None) -> list[Line]:
    model = call.model
    if call.requested_model and call.requested_model != call.model:
        model += f" (asked for {call.requested_model})"
    about = "≈" if call.usage_estimated else ""
    tokens = f"in {about}{count(call.input)}, out {about}{count(call.output)}"
    if call.cached_input:
        tokens += f"; {count(call.cached_input)} of the input from the provider's cache"
    if call.input_saved or call.output_saved:
        tokens += f"; saved in {count(call.input_saved)}, out {count(call.output_saved)}"
    pairs = [
        ("prompt", call.preview or "– (not kept)"),
        ("time", stamp(call.ts_ms, tz)),
        ("latency", duration(call.latency_ms)),
        ("model", model),
        ("provider", call.provider or "–"),
        ("route", call.route or "–"),
        ("tag", call.tag or "–"),
        ("tokens", tokens),
        ("processing", "batch" if call.processing is Processing.BATCH else "live"),
        ("id", call.id),
        ("cache key", call.cache_key or "–"),
        ("scope", call.scope or "–"),
    ]
    if call.processing is Processing.LIVE:
        pairs = [pair for pair in pairs if pair[0] != "processing"]
    return [line for label, text in pairs for line in _field(label, text, width)]


def _nearness(call: Call, width: int, charset: Charset, neighbor: CacheEntry | None) -> list[Line]:
    if call.similarity is None:
        why = {
            Outcome.EXACT: "not looked for: the exact cache had the answer",
            Outcome.BYPASS: "not looked for",
        }.get(call.outcome, "none was found")
        return [((f"{'neighbour':<{_LABEL}}", "muted"), (why, "text"))]
    room = max(8, min(40, width - _LABEL - 24))
    near = ((f"{'similarity':<{_LABEL}}", "muted"), (f"{similarity(call.similarity):>4} ", "strong"))
    lines: list[Line] = [(*near, (bar(_above(call.similarity), room, charset), "second"))]
    if call.threshold is not None:
        passed = call.similarity >= call.threshold
        verdict = "reached" if passed else "not reached"
        lines.append(
            (
                (f"{'threshold':<{_LABEL}}", "muted"),
                (f"{similarity(call.threshold):>4} ", "text"),
                (bar(_above(call.threshold), room, charset), "muted"),
                (f" {verdict}", "good" if passed else "muted"),
            )
        )
    if call.guard:
        cached = neighbor.prompt if neighbor is not None else None
        lines += _field("refused by", _refusal(call, cached or ""), width)
    lines += _field("neighbour", call.neighbor or "–", width)
    if neighbor is not None and neighbor.prompt:
        lines += _field("its prompt", neighbor.prompt[:600], width)
    return lines


def _refusal(call: Call, cached: str) -> str:
    """What kept the neighbour from being served, and what differs where both texts are known."""
    if call.guard == RATCHET:
        return "a wrong hit of it that was marked: it is served to nearer prompts only"
    from costconsole.cache.guards import explain  # Not on the way to the first paint.

    names = call.guard.split(",")
    why = explain(call.preview, cached, names) if call.preview and cached else ""
    return f"{', '.join(names)} ({why})" if why else ", ".join(names)


def _above(value: float) -> float:
    """Similarities of interest lie between .5 and 1: the bar shows that half."""
    return max(0.0, (value - 0.5) * 2)


def _pricing(call: Call) -> str:
    if not call.priced:
        return "price unknown: this call counts as unpriced"
    words = {
        CostStatus.PROVIDER: "as the provider reported",
        CostStatus.OVERRIDE: "at your own prices",
        CostStatus.ESTIMATED: "≈ estimated",
    }.get(call.cost_status, "at list prices")
    if call.price_input or call.price_output:
        price_in, price_out = (dollars(p, decimals_for(p)) for p in (call.price_input, call.price_output))
        words += f": {price_in} in, {price_out} out per million tokens"
    return f"{words}, {visible(call.price_version)}" if call.price_version else words
