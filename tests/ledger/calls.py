"""Calls for the ledger's tests: plain ones, and hypothesis strategies of any."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import strategies as st

from costconsole.domain.call import STRATEGIES, Call, CostStatus, Outcome, Processing, Savings
from costconsole.domain.figures import Figures
from costconsole.domain.histogram import Histogram

_IDS = itertools.count(1)
AT_MS = 1_790_000_000_000


def make_call(**changes: object) -> Call:
    """A priced miss; every call has an id of its own."""
    call = Call(
        id=f"call-{next(_IDS)}",
        ts_ms=AT_MS,
        outcome=Outcome.MISS,
        model="gpt-4o",
        provider="openai",
        route="chat",
        tag="support",
        input=100,
        output=20,
        latency_ms=812.5,
        spend_nano=450_000,
        baseline_nano=500_000,
        savings=Savings(routing=50_000),
        cost_status=CostStatus.CATALOG,
        price_version="genai-prices 0.2.3",
        price_input=2_500_000_000,
        price_output=10_000_000_000,
        preview="What is my balance?",
    )
    return replace(call, **changes)  # type: ignore[arg-type]


def hit(key: str = "costconsole:{default}:semantic:1", **changes: object) -> Call:
    return make_call(
        outcome=Outcome.SEMANTIC,
        input=0,
        output=0,
        input_saved=100,
        output_saved=20,
        latency_ms=4.2,
        similarity=0.97,
        threshold=0.95,
        neighbor=key,
        cache_key=key,
        spend_nano=0,
        savings=Savings(semantic=500_000),
        **changes,
    )


_tokens = st.integers(0, 2_000_000)
_nano = st.integers(-(10**12), 10**13)
_names = st.sampled_from(
    ["", "gpt-4o", "llama-3-8b", "a|b", "|total|", "other", "ünï", "x" * 140, "\x1b[31m"]
)


@st.composite
def calls(draw: st.DrawFn, start_ms: int = AT_MS, span_ms: int = 3 * 3_600_000) -> Call:
    """Any call, within `span_ms` from `start_ms`; money sums."""
    saved = Savings(*(draw(_nano) for _ in STRATEGIES))
    status = draw(st.sampled_from(list(CostStatus)))
    spend = draw(st.integers(0, 10**13))
    priced = status is not CostStatus.UNPRICED
    return Call(
        id=f"call-{next(_IDS)}",
        ts_ms=start_ms + draw(st.integers(0, span_ms - 1)),
        outcome=draw(st.sampled_from(list(Outcome))),
        model=draw(_names) or "m",
        provider=draw(_names),
        route=draw(_names),
        tag=draw(_names),
        input=draw(_tokens),
        output=draw(_tokens),
        cached_input=draw(_tokens),
        input_saved=draw(_tokens),
        output_saved=draw(_tokens),
        latency_ms=draw(st.floats(0, 1e7, allow_nan=False)),
        error=draw(st.sampled_from(["", "timeout"])),
        similarity=draw(st.none() | st.floats(-1, 1)),
        spend_nano=spend if priced else None,
        baseline_nano=spend + saved.total if priced else None,
        savings=saved if priced else Savings(),
        cost_status=status,
        processing=draw(st.sampled_from(list(Processing))),
        guard=draw(st.sampled_from(["", "numbers", "numbers,entities", "ratchet"])),
        policy_version=draw(st.integers(0, 50)),
        preview=draw(st.text(max_size=20)),
    )


def recount(found: Iterable[Call]) -> Figures:
    """The figures of some calls, counted one by one and plainly: what every rollup has to agree with."""
    found = list(found)
    priced = [call for call in found if call.cost_status is not CostStatus.UNPRICED]
    hits = [call for call in found if call.outcome.is_hit]
    misses = [call for call in found if not call.outcome.is_hit]
    return Figures(
        calls=len(found),
        errors=sum(1 for call in found if call.error),
        exact=sum(call.outcome is Outcome.EXACT for call in found),
        semantic=sum(call.outcome is Outcome.SEMANTIC for call in found),
        miss=sum(call.outcome is Outcome.MISS for call in found),
        bypass=sum(call.outcome is Outcome.BYPASS for call in found),
        unpriced=len(found) - len(priced),
        input=sum(call.input for call in found),
        output=sum(call.output for call in found),
        cached_input=sum(call.cached_input for call in found),
        input_saved=sum(call.input_saved for call in found),
        output_saved=sum(call.output_saved for call in found),
        spend_nano=sum(call.spend_nano or 0 for call in priced),
        baseline_nano=sum(call.baseline_nano or 0 for call in priced),
        saved=sum((call.savings for call in priced), Savings()),
        hit_latency=Histogram.of(round(call.latency_ms, 6) for call in hits),
        miss_latency=Histogram.of(round(call.latency_ms, 6) for call in misses),
        hit_input=sum(call.input_saved for call in hits),
        guarded=sum(bool(call.guard) for call in found),
    )


def key_of(call: Call, dimension: str) -> str:
    """The value of a call in a dimension."""
    value: str = {
        "total": "",
        "model": call.model,
        "route": call.route,
        "tag": call.tag,
        "outcome": call.outcome.value,
    }[dimension]
    return value[:128]
