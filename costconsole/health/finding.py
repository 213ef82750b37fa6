"""What a check says: how bad, what, how many, which keys show it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]
_RANK = {"fail": 0, "warn": 1, "ok": 2}
EVIDENCE = 10
"""At most so many keys are named as evidence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `next_step` is empty when there is nothing to do.

    `count` is how many things (entries, keys, pairs) it is about, None where nothing is counted; with
    `estimated` it was extrapolated from a sample. `evidence` names keys, `notes` says something of each of
    them, in the same order (or is empty).
    """

    check: str
    status: Status
    what: str
    next_step: str = ""
    count: int | None = None
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    estimated: bool = False
    cache: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """What fails, then what is to be watched, then what is well; among equals as they were found."""
    return sorted(findings, key=lambda finding: _RANK[finding.status])
