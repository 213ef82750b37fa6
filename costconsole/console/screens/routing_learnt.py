"""What the Routing page says of what was learnt: how often it is right, and what a strong call buys."""

from __future__ import annotations

from costconsole.console.routing_values import Learnt
from costconsole.console.screens.entries_wrap import prefixed, wrap
from costconsole.console.widgets.bars import Charset
from costconsole.console.widgets.painted import Line, Span
from costconsole.domain.format import count, percent
from costconsole.domain.text import visible
from costconsole.routing.gain import ENOUGH, Point, Quality

_HEIGHT = 9
_TRAIN = "costconsole routing train FILE"
_MARKS = {"braille": ("●", "│", "·"), "block": ("●", "│", "·"), "ascii": ("o", "|", ".")}


def learnt_lines(learnt: Learnt | None, width: int, charset: Charset) -> list[Line]:
    """The head and the gain score, as far as they were learnt."""
    if learnt is None:
        return [(("looking for what was learnt…", "muted"),)]
    made: list[Line] = [(("What the router has learnt", "strong"),), ()]
    made += _labels(learnt, width)
    made += [(), *_outcomes(learnt.quality, width, charset)]
    for finding in learnt.findings:
        made += prefixed(wrap(((visible(finding), "warn"),), width - 2), (("! ", "warn"),), (("  ", "text"),))
    if learnt.folders:
        made += [(), *wrap(((f"kept in {visible(' or '.join(learnt.folders))}", "muted"),), width)]
    return made


def _labels(learnt: Learnt, width: int) -> list[Line]:
    made: list[Line] = [(("Tasks, by labelled prompts", "accent"),)]
    if not learnt.labels or learnt.accuracy is None:
        return [
            *made,
            *wrap(
                (
                    ("Nothing yet: the shipped examples decide. From 200 labelled prompts on ", "text"),
                    (_TRAIN, "accent"),
                    (" learns your own.", "text"),
                ),
                width,
            ),
        ]
    band = "" if learnt.low is None else f" [{percent(learnt.low)}, {percent(learnt.high)}]"
    made += wrap(
        (
            (f"{percent(learnt.accuracy)} %{band}", "strong"),
            (
                " right (95 % interval) on prompts that were not learnt from, of "
                f"{count(learnt.labels)} labels",
                "text",
            ),
        ),
        width,
    )
    if learnt.tier is not None:
        made += wrap(
            ((f"{percent(learnt.tier)} %", "strong"), (" right about cheap or strong", "text")), width
        )
    return made


def _outcomes(quality: Quality | None, width: int, charset: Charset) -> list[Line]:
    made: list[Line] = [(("Gain of the strong model, by logged outcomes", "accent"),)]
    if quality is None:
        return [
            *made,
            *wrap(
                (
                    ("Nothing yet: log whether each model's answer was good enough, and ", "text"),
                    (_TRAIN, "accent"),
                    (f" learns which prompts need the strong one; below {ENOUGH} it can't say.", "text"),
                ),
                width,
            ),
        ]
    words, ink = quality.sentence, "text" if quality.informative else "warn"
    made += wrap(((words[0].upper() + words[1:] + ".", ink),), width)
    if quality.apgr is not None and quality.curve:
        made += [(), *curve_lines(quality.curve, width, charset)]
    return made


def curve_lines(curve: tuple[Point, ...], width: int, charset: Charset) -> list[Line]:
    """Cost against quality: strong calls to the right, what they recover upwards, with the 95 % band."""
    dot, band, coin = _MARKS[charset]
    across = max(20, min(60, width - 8))
    rows = [[(" ", "text") for _ in range(across)] for _ in range(_HEIGHT)]

    def row_of(value: float) -> int:
        return _HEIGHT - 1 - round(max(0.0, min(1.0, value)) * (_HEIGHT - 1))

    for x in range(across):
        share = x / (across - 1)
        point = min(curve, key=lambda one: abs(one.share - share))
        for y in range(row_of(point.high), row_of(point.low) + 1):
            rows[y][x] = (band, "faint")
        rows[row_of(share)][x] = (coin, "muted")
        rows[row_of(point.recovered)][x] = (dot, "accent")
    made: list[Line] = [(("quality gap recovered, %", "muted"),)]
    for y, cells in enumerate(rows):
        label = {0: "100", _HEIGHT // 2: "50", _HEIGHT - 1: "0"}.get(y, "")
        made.append(((f"{label:>5} ", "muted"), *_joined(cells)))
    left, middle, right = "0", "50", "strong calls, % 100"
    gap = across // 2 - len(left)
    made.append(((f"{'':6}{left}{'':{gap - 1}}{middle}{right:>{across - across // 2 - 1}}", "muted"),))
    made.append(((f"{'':6}{dot} by the score  {band} 95 %  {coin} a coin", "muted"),))
    return made


def _joined(cells: list[Span]) -> list[Span]:
    """Cells of the same ink as one span."""
    found: list[Span] = []
    for text, ink in cells:
        if found and found[-1][1] == ink:
            found[-1] = (found[-1][0] + text, ink)
        else:
            found.append((text, ink))
    return found
