"""What the Health page says: rows of findings, one finding in full, titles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from costconsole.console.safe import safe
from costconsole.console.screens.entries_wrap import prefixed, wrap_text
from costconsole.console.widgets.columns import Column, Row
from costconsole.console.widgets.painted import Line
from costconsole.domain.format import clock, count
from costconsole.domain.text import first_words, visible
from costconsole.health.finding import Finding, Status

COLUMNS = (
    Column("status", "state", 6, sort=True),
    Column("check", "check", 13, sort=True),
    Column("what", "what", 20, flex=True),
    Column("count", "count", 8, "right", sort=True),
)
_MARKS: dict[Status, tuple[str, str]] = {
    "fail": ("✗ fail", "bad"),
    "warn": ("! warn", "warn"),
    "ok": ("✓ ok", "good"),
}
_SEVERITY: dict[Status, int] = {"fail": 2, "warn": 1, "ok": 0}
_WORD = 300


def rows(findings: Sequence[Finding]) -> list[Row]:
    """A row a finding, in their order."""
    seen: dict[tuple[str, str], int] = {}
    made = []
    for finding in findings:
        name = (finding.check, finding.cache)
        seen[name] = at = seen.get(name, -1) + 1
        mark, ink = _MARKS[finding.status]
        made.append(
            Row(
                f"{finding.check}\0{finding.cache}\0{at}",
                (
                    safe(mark, ink),
                    first_words(finding.check, 40),
                    first_words(finding.what, _WORD),
                    counted(finding),
                ),
                (_SEVERITY[finding.status], finding.check, None, finding.count),
            )
        )
    return made


def counted(finding: Finding) -> str:
    """How many, `≈` before what was extrapolated, empty where nothing is counted."""
    if finding.count is None:
        return ""
    return f"{'≈' if finding.estimated and finding.count else ''}{count(finding.count)}"


def detail_lines(finding: Finding, width: int) -> list[Line]:
    """One finding in full, folded into `width` cells."""
    mark, ink = _MARKS[finding.status]
    blank: Line = ()
    lines: list[Line] = [((mark, ink), (f"  {visible(finding.check)}", "strong")), blank]
    lines += wrap_text(visible(finding.what, multiline=True), width)
    if finding.count is not None:
        words = f"{counted(finding)}{', extrapolated from the sample' if finding.estimated else ''}"
        lines += [blank, (("how many  ", "muted"), (words, "text"))]
    if finding.next_step:
        lines += [blank, (("next step", "muted"),)]
        step = wrap_text(visible(finding.next_step, multiline=True), max(8, width - 2), "accent")
        lines += prefixed(step, (("→ ", "accent"),), (("  ", "text"),))
    if finding.evidence:
        lines += [blank, (("evidence", "muted"),)]
        notes = finding.notes or ("",) * len(finding.evidence)
        for key, note in zip(finding.evidence, notes, strict=False):
            lines += prefixed(
                wrap_text(visible(key), max(8, width - 2)), (("· ", "muted"),), (("  ", "text"),)
            )
            if note:
                lines += prefixed(
                    wrap_text(visible(note), max(8, width - 2), "muted"),
                    (("  ", "text"),),
                    (("  ", "text"),),
                )
    return lines


def summary(findings: Sequence[Finding]) -> str:
    """`3 ✗ · 2 ! · 14 ✓`."""
    counts = {status: sum(1 for f in findings if f.status == status) for status in _MARKS}
    marks = {"fail": "✗", "warn": "!", "ok": "✓"}
    return " · ".join(f"{n} {marks[status]}" for status, n in counts.items() if n) or "nothing found yet"


def ended_words(findings: Sequence[Finding], at_ms: int, tz: tzinfo | None, *, stopped: bool) -> str:
    """What stands in the border once a run has ended."""
    when = f"stopped at {clock(at_ms, tz)}: partial" if stopped else f"looked at {clock(at_ms, tz)}"
    return f"{summary(findings)} · {when}"
