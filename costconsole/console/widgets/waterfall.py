"""The waterfall from what calls would have cost to what they did, a row a step."""

from __future__ import annotations

from dataclasses import dataclass

from costconsole.console.widgets.bars import Charset, floating
from costconsole.console.widgets.painted import Line, fit
from costconsole.domain.call import Savings
from costconsole.domain.format import decimals_for, dollars, percent

STEPS = ("routing", "minimization", "provider_cache", "batch", "exact", "semantic")
"""The order in which a call goes through the house, and in which its waterfall falls."""
_INKS = {"exact": "accent", "semantic": "second"}
_LABEL = 17
_SHARE = 6


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`baseline_nano - saved.total == spend_nano`, in nano-dollars; None: the price is unknown."""

    baseline_nano: int | None
    saved: Savings
    spend_nano: int | None


def waterfall_lines(fall: Waterfall, width: int, height: int, charset: Charset = "braille") -> list[Line]:
    """A row for the baseline, one a step, one for the spend, with free rows between them where there is room.

    A step that saved is marked `−`, one that cost `+`. Where rows are short, steps of zero go first.
    """
    steps = [(name, getattr(fall.saved, name)) for name in STEPS]
    while len(steps) + 2 > height and any(not amount for _name, amount in steps):
        steps.remove(next(step for step in reversed(steps) if not step[1]))
    decimals = max(2, decimals_for(fall.baseline_nano, fall.spend_nano))
    known = fall.baseline_nano is not None and fall.spend_nano is not None
    amounts = [fall.baseline_nano, fall.spend_nano, *(amount for _name, amount in steps)]
    money = max(6, *(len(_money(amount, decimals, known=known)) for amount in amounts))
    with_share = width >= _LABEL + money + _SHARE + 16
    room = width - _LABEL - money - 2 - (_SHARE if with_share else 0)
    # A step that costs more than the baseline reaches beyond it.
    level, top = fall.baseline_nano or 0, fall.baseline_nano or 0
    for _name, amount in steps:
        level -= amount
        top = max(top, level)

    def row(label: str, amount: int | None, start: int, end: int, ink: str, text_ink: str) -> Line:
        share = percent(amount / fall.baseline_nano) if amount is not None and fall.baseline_nano else "–"
        return (
            (fit(label, _LABEL), text_ink),
            (fit(_money(amount, decimals, known=known), money, right=True), text_ink),
            (fit(share, _SHARE, right=True) if with_share else "", "muted"),
            ("  ", "text"),
            (floating(start / top, end / top, room, charset) if top > 0 and known else " " * room, ink),
        )

    lines = [row("baseline", fall.baseline_nano, 0, fall.baseline_nano or 0, "muted", "text")]
    level = fall.baseline_nano or 0
    minus = "-" if charset == "ascii" else "−"
    for name, amount in steps:
        sign, ink = (minus, _INKS.get(name, "good")) if amount >= 0 else ("+", "bad")
        label = f"{sign} {name.replace('_', ' ')}"
        lines.append(row(label, abs(amount), level, level - amount, ink, "text" if amount else "muted"))
        level -= amount
    lines.append(row("= spend", fall.spend_nano, 0, fall.spend_nano or 0, "strong", "strong"))
    if height >= 2 * len(lines) - 1:
        return [row for line in lines for row in (line, ())][:-1]
    if height >= len(lines) + 2:
        return [lines[0], (), *lines[1:-1], (), lines[-1]]
    return lines


def _money(amount: int | None, decimals: int, *, known: bool) -> str:
    return dollars(amount if known else None, decimals)
