"""What models answered, as it comes: one answer, or two side by side with their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costconsole.console.lab import Sent
from costconsole.console.screens.entries_wrap import wrap_text
from costconsole.console.widgets.painted import Line, fit, width_of
from costconsole.domain.format import ESTIMATE, count, duration
from costconsole.domain.money import format_usd
from costconsole.domain.text import visible

_SHOWN = 60_000
"""Characters of an answer that are drawn while it comes."""
_BLANK: Line = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """An answer on its way, or at its end (`sent`). `waited_ms` since the key was pressed."""

    model: str
    text: str = ""
    waited_ms: float = 0.0
    first_ms: float | None = None
    sent: Sent | None = None
    note: str = ""
    """Such as where it was stored."""


def answer_lines(coming: Coming, width: int) -> list[Line]:
    """One answer: its figures, then its text as far as it came."""
    return [*_figures(coming, width), _BLANK, *_text(coming, width)]


def compared_lines(answers: Sequence[Coming], width: int) -> list[Line]:
    """Two answers side by side, each above its figures."""
    half = max(16, (width - 3) // 2)
    first, second = (_block(one, half) for one in answers[:2])
    blank: Line = ()
    lines: list[Line] = []
    for at in range(max(len(first), len(second))):
        one = first[at] if at < len(first) else blank
        other = second[at] if at < len(second) else blank
        space = " " * max(0, half - width_of(one))
        lines.append((*one, (space + " │ ", "faint"), *other))
    return lines


def _block(coming: Coming, width: int) -> list[Line]:
    head: Line = ((fit(visible(coming.model), width), "strong"),)
    return [head, *_figures(coming, width), _BLANK, *_text(coming, width)]


def _text(coming: Coming, width: int) -> list[Line]:
    text = coming.sent.text if coming.sent is not None else coming.text
    lines = wrap_text(visible(text[:_SHOWN], multiline=True), width) if text else []
    if len(text) > _SHOWN:
        lines.append(((f"… {len(text) - _SHOWN:,} more characters; y copies all", "muted"),))
    return lines


def _figures(coming: Coming, width: int) -> list[Line]:
    sent = coming.sent
    if sent is None:
        first = "no text yet" if coming.first_ms is None else f"first text after {duration(coming.first_ms)}"
        return [((f"… {duration(coming.waited_ms)}", "accent"), (f"  {first}", "muted"))]
    lines: list[Line] = []
    if sent.error:
        lines += wrap_text(visible(f"✗ {sent.error}"), width, "bad")
        if sent.text:
            lines += wrap_text("What came until then:", width, "muted")
    elif sent.stopped:
        lines += wrap_text("‖ stopped; what came until then is paid for", width, "warn")
    if not sent.total_ms:
        return lines  # It was never asked.
    about = ESTIMATE if sent.usage.estimated else ""
    first = "–" if sent.first_ms is None else duration(sent.first_ms)
    facts = (
        f"first text {first}",
        f"whole {duration(sent.total_ms)}",
        f"tokens in {about}{count(sent.usage.input)}, out {about}{count(sent.usage.output)}",
        f"cost {about}{format_usd(sent.cost_nano)}",
    )
    lines += wrap_text(" · ".join(facts), width, "muted")
    if sent.finish and sent.finish not in ("stop", "end_turn"):
        lines += wrap_text(visible(f"ended: {sent.finish}"), width, "warn")
    if coming.note:
        lines += wrap_text(visible(coming.note), width, "good")
    return lines


def copied(answers: Sequence[Coming]) -> str:
    """The answers as plain text."""
    texts = [one.sent.text if one.sent is not None else one.text for one in answers]
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(f"## {one.model}\n\n{text}" for one, text in zip(answers, texts, strict=True))
