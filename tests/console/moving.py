"""Figures that move like those of real traffic: a seeded stream of calls, summed into views.

Used by the byte benchmarks and to look at screens without a server.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace

from costconsole.domain.call import Call, CostStatus, Outcome, Savings
from costconsole.domain.figures import Figures, LedgerView, Point, Policy, Slice
from costconsole.domain.histogram import Histogram
from costconsole.domain.window import GRAIN_MS, Window
from tests.console.fakes import NOW_MS, FakeSource

_MODELS = (
    ("gpt-4o", 0.34, 2.5, 10.0),
    ("gpt-4o-mini", 0.3, 0.15, 0.6),
    ("claude-sonnet-4-5", 0.2, 3.0, 15.0),
    ("claude-haiku-4-5", 0.12, 1.0, 5.0),
    ("o4-mini", 0.04, 1.1, 4.4),
)
_PROMPTS = (
    "How do I return an order that arrived broken?",
    "Can I get a refund after 30 days?",
    "Write a release note for the new billing export",
    "Summarize this thread for the on-call engineer",
    "Which plan includes single sign-on?",
    "Wie ändere ich meine Rechnungsadresse?",
    "返金はいつ届きますか",
)
_TAGS = ("web", "mail", "app", "batch")


def make_call(random_: random.Random, at_ms: int, number: int) -> Call:
    """One plausible call."""
    model, _weight, price_in, price_out = random_.choices(_MODELS, [m[1] for m in _MODELS])[0]
    draw = random_.random()
    outcome = (
        Outcome.EXACT
        if draw < 0.21
        else Outcome.SEMANTIC
        if draw < 0.62
        else Outcome.MISS
        if draw < 0.97
        else Outcome.BYPASS
    )
    tokens_in, tokens_out = random_.randint(80, 900), random_.randint(30, 600)
    baseline = round((tokens_in * price_in + tokens_out * price_out) * 1000)
    hit = outcome.is_hit
    minimized = 0 if hit else baseline // 40
    cached = 0 if hit else random_.choice((0, 0, baseline // 20, -baseline // 60))
    spend = 0 if hit else baseline - minimized - cached
    saved = Savings(
        exact=baseline if outcome is Outcome.EXACT else 0,
        semantic=baseline if outcome is Outcome.SEMANTIC else 0,
        minimization=minimized,
        provider_cache=cached,
    )
    failed = not hit and random_.random() < 0.01
    return Call(
        id=f"{at_ms}-{number}",
        ts_ms=at_ms,
        outcome=outcome,
        model=model,
        provider="openai" if model[0] != "c" else "anthropic",
        requested_model=model,
        route="support" if number % 3 else "",
        tag=random_.choice(_TAGS),
        input=0 if hit else tokens_in,
        output=0 if hit else tokens_out,
        input_saved=tokens_in if hit else 12,
        output_saved=tokens_out if hit else 0,
        latency_ms=random_.lognormvariate(1.8, 0.4) if hit else random_.lognormvariate(6.4, 0.5),
        error="timeout" if failed else "",
        similarity=None
        if outcome is Outcome.EXACT
        else random_.uniform(*((0.93, 0.995) if hit else (0.52, 0.929))),
        threshold=0.93,
        neighbor="costconsole:{support}:semantic:4711" if outcome is Outcome.SEMANTIC else "",
        spend_nano=spend,
        baseline_nano=baseline,
        savings=saved,
        cost_status=CostStatus.CATALOG,
        price_version="2026-11-20",
        price_input=round(price_in * 1e9),
        price_output=round(price_out * 1e9),
        scope="5d41402abc4b",
        preview=random_.choice(_PROMPTS),
    )


def sum_of(calls: list[Call]) -> Figures:
    """The figures of calls, as the ledger sums them."""
    return Figures(
        calls=len(calls),
        errors=sum(bool(c.error) for c in calls),
        exact=sum(c.outcome is Outcome.EXACT for c in calls),
        semantic=sum(c.outcome is Outcome.SEMANTIC for c in calls),
        miss=sum(c.outcome is Outcome.MISS for c in calls),
        bypass=sum(c.outcome is Outcome.BYPASS for c in calls),
        input=sum(c.input for c in calls),
        output=sum(c.output for c in calls),
        input_saved=sum(c.input_saved for c in calls),
        output_saved=sum(c.output_saved for c in calls),
        spend_nano=sum(c.spend_nano or 0 for c in calls),
        baseline_nano=sum(c.baseline_nano or 0 for c in calls),
        saved=sum((c.savings for c in calls), Savings()),
        hit_latency=Histogram.of(c.latency_ms for c in calls if c.outcome.is_hit),
        miss_latency=Histogram.of(c.latency_ms for c in calls if not c.outcome.is_hit),
    )


@dataclass
class MovingSource(FakeSource):
    """A source whose every view is one second later, at `rate` calls a second on average."""

    rate: float = 20.0
    seed: int = 1
    filled_minutes: int = 130
    _minutes: dict[int, dict[str, Figures]] = field(default_factory=dict)
    _recent: deque[Call] = field(default_factory=lambda: deque(maxlen=200))
    _now_ms: int = NOW_MS
    _number: int = 0
    still: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        end = self._now_ms // 60_000 * 60_000
        for minute in range(end - self.filled_minutes * 60_000, end, 60_000):
            # A wave and some noise; a third of the true number is enough to look at.
            weight = 0.7 + 0.3 * ((minute // 60_000) % 40) / 40
            self._add(minute, 60_000, max(1, round(self.rate * 20 * weight)))
        self._add(end, self._now_ms - end, round(self.rate * (self._now_ms - end) / 1000))

    def _add(self, start_ms: int, span_ms: int, calls: int) -> None:
        made = []
        for at in sorted(self._random.randrange(max(1, span_ms)) for _ in range(calls)):
            self._number += 1
            made.append(make_call(self._random, start_ms + at, self._number))
        self._recent.extend(made)
        by_minute: dict[int, list[Call]] = {}
        for call in made:
            by_minute.setdefault(call.ts_ms // 60_000, []).append(call)
        for minute, few in by_minute.items():
            groups = {"": few}
            for call in few:
                for dimension in ("model", "route", "tag", "outcome"):
                    groups.setdefault(f"{dimension}\0{getattr(call, dimension)}", []).append(call)
            known = self._minutes.setdefault(minute, {})
            for name, group in groups.items():
                known[name] = known.get(name, Figures()) + sum_of(group)

    async def view(self, window: Window) -> LedgerView:
        self.asked.append(window)
        if not self.still:
            self._add(self._now_ms, 1000, max(0, round(self._random.gauss(self.rate, self.rate / 5))))
            self._now_ms += 1000
        return self.made(window)

    def made(self, window: Window) -> LedgerView:
        """The view as of now."""
        from_ms, to_ms = window.bounds(self._now_ms)
        size = GRAIN_MS[window.grain]
        span = to_ms - from_ms
        names = {name for minute in self._minutes.values() for name in minute}

        def total(start: int, end: int, name: str = "") -> Figures:
            found = Figures()
            for minute in range(start // 60_000, end // 60_000):
                figures = self._minutes.get(minute, {}).get(name)
                if figures is not None:
                    found += figures
            return found

        slices = {
            dimension: tuple(
                sorted(
                    (
                        Slice(name.partition("\0")[2], total(from_ms, to_ms, name))
                        for name in names
                        if name.startswith(f"{dimension}\0")
                    ),
                    key=lambda s: -s.figures.spend_nano,
                )
            )
            for dimension in ("model", "route", "tag", "outcome")
        }
        return replace(
            LedgerView("support", window, from_ms, to_ms, self._now_ms, present=True),
            total=total(from_ms, to_ms),
            previous=total(from_ms - span, from_ms),
            today=total(self._now_ms - 86_400_000, to_ms),
            series=tuple(
                Point(start, size // 1000, total(start, start + size))
                for start in range(from_ms, to_ms, size)
            ),
            by=slices,
            recent=tuple(reversed(self._recent))[:50],
            calls_per_s=sum(call.ts_ms > self._now_ms - 5000 for call in self._recent) / 5,
            policy=Policy(version=3, threshold=0.93),
        )
