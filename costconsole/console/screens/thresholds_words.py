"""What the page of thresholds says: figures of a line, examples, what stands beside. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from rich.cells import cell_len

from costconsole.cache.guards import differences
from costconsole.calibration.curve import Point, State
from costconsole.calibration.replay import Replayed
from costconsole.console.screens.entries_wrap import prefixed, wrap, wrap_text
from costconsole.console.threshold_view import Example, Step, ThresholdView
from costconsole.console.widgets.painted import Line, Span, fit
from costconsole.domain.format import (
    UNKNOWN,
    age,
    clock_minute,
    count,
    date,
    decimals_for,
    dollars,
    percent,
    points,
    similarity,
)
from costconsole.domain.text import visible

STATES: dict[State, tuple[str, str]] = {
    "certified": ("✓ certified", "good"),
    "likely": ("≈ likely", "text"),
    "unknown": ("? unknown", "muted"),
    "refuted": ("✗ refuted", "bad"),
}
_LABEL, _CELL = 28, 12
_DAY_MS = 86_400_000
_LONGEST = 600


def number(threshold: float) -> str:
    """A threshold as it is written here: `.95`, `.9325`."""
    return f"{threshold:.4f}".rstrip("0").ljust(4, "0").removeprefix("0") if threshold < 1 else "1.0"


def title_words(view: ThresholdView) -> str:
    """What was looked at: scope, look-ups, and over which time."""
    scope = view.scope.words
    inherits = f" (as {view.inherits})" if view.inherits else ""
    newest = "the newest " if view.truncated else ""
    looked = f"{newest}{count(view.lookups)} look-ups under {number(view.current)}"
    return f"{scope}{inherits} · {looked} in {age(view.to_ms - view.from_ms)}"


def figure_lines(view: ThresholdView, line: Step | None, width: int) -> list[Line]:
    """Threshold in force against the moved line; what isn't known is –."""
    now = view.now
    known = view.proposal.labels > 0
    label = max(14, min(_LABEL, width - 3 * _CELL))

    def row(name: str, one: str, other: str, change: str = "", ink: str = "text", ink2: str = "text") -> Line:
        return (
            (fit(name, label), "muted"),
            (fit(one, _CELL, right=True), ink),
            (fit(other, _CELL, right=True), ink2),
            (fit(change, _CELL, right=True), "strong"),
        )

    about = "≈" if view.to_ms - view.from_ms < _DAY_MS else ""
    lines: list[Line] = [
        (
            (" " * label, "muted"),
            (fit("in force", _CELL, right=True), "muted"),
            (fit("line", _CELL, right=True), "accent"),
            (fit("change", _CELL, right=True), "muted"),
        )
    ]
    moved = line.point.threshold - view.current if line else 0.0
    lines.append(
        row(
            "threshold",
            number(view.current),
            number(line.point.threshold) if line else UNKNOWN,
            f"{moved:+.4f}" if abs(moved) > 1e-9 else "=",
            "strong",
            "accent",
        )
    )
    rates = [None if s is None or not view.lookups else s.point.hit_rate for s in (now, line)]
    change = rates[1] - rates[0] if rates[0] is not None and rates[1] is not None else None
    lines.append(row("hit rate, %", percent(rates[0]), percent(rates[1]), points(change)))
    hits = [None if s is None or not view.lookups else s.hits_a_day for s in (now, line)]
    gained = f"{hits[1] - hits[0]:+,.0f}" if hits[0] is not None and hits[1] is not None else ""
    lines.append(row("hits a day", _about(about, hits[0]), _about(about, hits[1]), gained))
    money = [None if s is None else s.saved_nano_a_day for s in (now, line)]
    places = decimals_for(*money)
    more = ""
    if money[0] is not None and money[1] is not None:
        more = ("+" if money[1] >= money[0] else "") + dollars(money[1] - money[0], places)
    lines.append(
        row(
            "$ saved a day",
            UNKNOWN if money[0] is None else about + dollars(money[0], places),
            UNKNOWN if money[1] is None else about + dollars(money[1], places),
            more,
        )
    )
    lines.append(row("wrong / 1,000 hits", *(_expected(s, known) for s in (now, line))))
    lines.append(row("wrong / 1,000 look-ups", *(_per_lookup(s, known) for s in (now, line))))
    lines.append(row("at most wrong, %", *(_at_most(s) for s in (now, line))))
    lines.append(row("wrong of labels", *(_labels(s) for s in (now, line))))
    states = [_state(s, known) for s in (now, line)]
    lines.append(row("state", states[0][0], states[1][0], "", states[0][1], states[1][1]))
    return lines


def _about(sign: str, value: float | None) -> str:
    return UNKNOWN if value is None else f"{sign}{count(round(value))}"


def _expected(step: Step | None, known: bool) -> str:
    if step is None or not known or step.point.fhr is None:
        return UNKNOWN
    low, high = step.point.fhr_low or 0.0, step.point.fhr_high or 0.0
    return f"{_mille(step.point.fhr)} ({_mille(low)}-{_mille(high)})"


def _per_lookup(step: Step | None, known: bool) -> str:
    if step is None or not known or step.point.fhr is None:
        return UNKNOWN
    return _mille(step.point.fhr * step.point.hit_rate)


def _mille(share: float) -> str:
    value = share * 1000
    return f"{value:.1f}" if 0.05 <= value < 9.95 else "<0.1" if 0 < value < 0.05 else f"{value:.0f}"


def _at_most(step: Step | None) -> str:
    return UNKNOWN if step is None or not step.point.labels else percent(step.point.bound)


def _labels(step: Step | None) -> str:
    return UNKNOWN if step is None else f"{step.point.wrong:,} of {step.point.labels:,}"


def _state(step: Step | None, known: bool) -> tuple[str, str]:
    if step is None:
        return UNKNOWN, "muted"
    return STATES[step.point.state] if known else STATES["unknown"]


def state_of(view: ThresholdView, point: Point) -> str:
    """A point's state in words, with what it rests on."""
    if not view.proposal.labels:
        return "unknown: nobody has labelled anything yet"
    if point.state == "certified":
        return f"certified: at most {percent(point.bound)} % of its hits are wrong, with 95 % confidence"
    if point.state == "refuted":
        return f"refuted: at least {percent(point.lower)} % of its hits are wrong"
    if point.state == "likely":
        return f"likely to keep {100 * view.max_error:g} %, but not certified: too few labels"
    return f"unknown: {point.wrong} of {point.labels} labels there are wrong, which shows nothing yet"


def missing_words(view: ThresholdView) -> list[Line]:
    """How many labels each bound still takes, or from which threshold on it holds."""
    spans: list[Span] = [("missing  ", "muted")]
    for n, one in enumerate(view.missing):
        ink = "strong" if abs(one.max_error - view.max_error) < 1e-9 else "text"
        if one.threshold is not None:
            said = f"✓ {number(one.threshold)}"
        elif view.proposal.labels and one.labels is not None:
            # As few as could do at all: that is, if every one of them is right.
            sign = "≥" if one.least is not None and one.labels <= one.least else ""
            said = f"{sign}{one.labels:,}"
        elif one.least is not None:
            said = f"≥{one.least:,}"
        else:
            said = "no way"
        spans += [("  " if n else "", "text"), (f"{100 * one.max_error:g}\u00a0%:\u00a0{said}", ink)]
    return [tuple(spans)]


def proposal_lines(view: ThresholdView, width: int) -> list[Line]:
    """What is proposed, or how many labels that takes; what other ways of choosing would risk."""
    proposal = view.proposal
    ink = "bad" if proposal.alarm else "strong"
    lines: list[Line] = []
    reason = proposal.reason
    if not proposal.labels:
        least = next((m.least for m in view.missing if abs(m.max_error - view.max_error) < 1e-9), None)
        reason = (
            f"Not enough labels: there is none yet; {least or 0:,} would do for {100 * view.max_error:g} % "
            "with 95 % confidence if all of them are right."
        )
    lines += wrap_text(reason, width, ink)
    lines += [wrapped for line in missing_words(view) for wrapped in wrap(line, width)]
    for name, choice in (("naive", proposal.naive), ("best F1", proposal.f1)):
        if choice.threshold is not None:
            words = (
                f"{number(choice.threshold)}, hit rate {percent(choice.hit_rate)} %; {choice.wrong} of "
                f"{choice.labels} labels wrong: up to {percent(choice.upper)} % of hits may be"
            )
            lines += prefixed(
                wrap_text(words, max(8, width - 9)), ((fit(name, 9), "muted"),), ((" " * 9, "muted"),)
            )
    if view.families > 1:
        each = 100 * (1 - 0.05 / view.families)
        words = f"each of {view.families} {view.scope.kind}s with {each:.1f} %, so that all hold with 95 %"
        lines += wrap_text(words, width, "muted")
    if view.elsewhere:
        words = f"{view.elsewhere:,} labels are of other thresholds, which cached other entries: not counted"
        lines += wrap_text(words, width, "muted")
    return lines


def guard_lines(view: ThresholdView, width: int) -> list[Line]:
    """The guards' switches, what they refused, and on which labelled pairs they fire."""
    lines: list[Line] = [(("guards  fire on same / different labels · refused in the log", "muted"),)]
    for guard in view.guards:
        effect = guard.effect
        fires = "no labels"
        if effect.n:
            fires = f"{effect.fires_same} of {effect.same} / {effect.fires_different} of {effect.different}"
        mark, ink = ("✓ on ", "good") if guard.on else ("– off", "warn")
        name = (fit(guard.name, 9), "text")
        lines.append((name, (mark, ink), (f"  {fires}", "text"), (f" · {count(guard.refused)}", "muted")))
    return lines


def period_lines(view: ThresholdView, width: int, tz: tzinfo | None) -> list[Line]:
    """What happened since the threshold in force came, and before it."""
    if not view.periods:
        return []
    lines: list[Line] = [(("before and after  hit rate %, labelled hits", "muted"),)]
    for period in view.periods:
        rate = period.hits / period.lookups if period.lookups else None
        wrong = f"{period.wrong} of {period.labels} wrong" if period.labels else "no label"
        name = "in force" if abs(period.threshold - view.current) < 1e-6 else "before"
        since = clock_minute(period.from_ms, tz)
        if period.to_ms - period.from_ms > _DAY_MS:
            since = date(period.from_ms, tz)
        lines.append(
            (
                (fit(name, 9), "muted"),
                (f"{number(period.threshold):<6}", "text"),
                (fit(percent(rate), 5, right=True), "strong"),
                (f"  {wrong}", "text"),
                (f"  {period.marked} marked" if period.marked else "", "warn"),
                (f"  {count(period.lookups)} look-ups from {since}", "muted"),
            )
        )
    return lines


def replay_lines(replayed: Sequence[Replayed], width: int) -> list[Line]:
    """Replayed against read off the log."""
    if not replayed:
        return []
    first = replayed[0]
    lines: list[Line] = [
        ((f"replayed {count(first.prompts)} prompts  hit rate % replayed / read off", "muted"),)
    ]
    for one in replayed:
        known = one.right + one.wrong
        said = f"{one.wrong} of {known} labelled hits wrong" if known else "no label says if hits are right"
        lines.append(
            (
                (f"{number(one.threshold):<7}", "text"),
                (f"{percent(one.hit_rate)} / {percent(one.read_off)}", "strong"),
                (f"  {said}", "text"),
            )
        )
    if first.clipped:
        words = (
            f"{count(first.clipped)} of the prompts are only beginnings: nearer to each other than whole ones"
        )
        lines += wrap_text(words, width, "warn")
    return lines


def example_lines(view: ThresholdView, threshold: float, width: int, height: int) -> list[Line]:
    """Pairs just above and just below a threshold, two rows each; differing words are marked."""
    if view.texts == "off":
        return wrap_text(
            "The ledger keeps no prompts (prompts=off): there is nothing to show.", width, "muted"
        )
    each = max(1, (height - 2) // 4)
    above, below = view.around(threshold, each)
    lines: list[Line] = [((f"just above {number(threshold)}: hits", "muted"),)]
    for example in reversed(above):
        lines += _pair_lines(example, width)
    if not above:
        lines.append((("  none is logged", "muted"),))
    lines.append(((f"just below {number(threshold)}: not hits", "muted"),))
    for example in below:
        lines += _pair_lines(example, width)
    if not below:
        lines.append((("  none is logged", "muted"),))
    return lines


def _pair_lines(example: Example, width: int) -> list[Line]:
    said = {"same": "✓", "different": "✗", "unsure": "?"}.get(example.verdict or "", " ")
    head: Line = ((f"{similarity(example.similarity):>4}", "strong"), (f"{said} ", "text"))
    query, cached = marked(example.query[:_LONGEST], example.cached[:_LONGEST])
    room = max(10, width - 6)
    return [(*head, *_cut(query, room)), (("      ", "text"), *_cut(cached, room))]


def marked(query: str, cached: str) -> tuple[Line, Line]:
    """Both texts with what differs marked: numbers, names, negations and opposites in ‹ ›, words in bold."""
    spans = differences(query, cached)
    found = []
    for side, whole in (("query", query), ("cached", cached)):
        line: list[Span] = []
        at = 0
        for span in spans:
            if span.side != side:
                continue
            if span.start > at:
                line.append((visible(whole[at : span.start]), "text"))
            word = visible(whole[span.start : span.end])
            line.append((word, "strong") if span.kind == "word" else (f"‹{word}›", "warn"))
            at = span.end
        line.append((visible(whole[at:]), "text"))
        found.append(tuple(line))
    return found[0], found[1]


def _cut(line: Line, width: int) -> Line:
    """A line in at most `width` cells."""
    found: list[Span] = []
    used = 0
    for words, ink in line:
        length = cell_len(words)
        if used + length > width:
            found.append((fit(words, width - used), ink))
            break
        found.append((words, ink))
        used += length
    return tuple(found)


def text_words(view: ThresholdView) -> str:
    """What the ledger keeps of prompts, where that stands in the way of labelling."""
    if view.texts == "off":
        return "The ledger keeps no prompts (prompts=off): there is nothing to label."
    if view.texts == "preview":
        return (
            "The ledger keeps the first 120 characters of prompts, masked (prompts=preview): judge by these."
        )
    return ""
