"""The Overview's tables as raw values, for files and the clipboard."""

from __future__ import annotations

from collections.abc import Sequence

from costconsole.console.page import Export
from costconsole.domain.call import Call
from costconsole.domain.figures import Slice
from costconsole.domain.money import nano_to_usd


def export_slices(dimension: str, slices: Sequence[Slice]) -> Export:
    """A row a value of the dimension. Money in dollars, latency in milliseconds; None where unknown."""
    columns = (
        dimension,
        "calls",
        "errors",
        "exact",
        "semantic",
        "miss",
        "bypass",
        "unpriced",
        "input",
        "output",
        "tokens_saved",
        "spend_usd",
        "saved_usd",
        "p95_ms",
    )
    return Export(f"by-{dimension}", columns, [_slice(s) for s in slices])


def _slice(s: Slice) -> tuple[object, ...]:
    f = s.figures
    known = f.unpriced < f.calls
    return (
        s.value,
        f.calls,
        f.errors,
        f.exact,
        f.semantic,
        f.miss,
        f.bypass,
        f.unpriced,
        f.input,
        f.output,
        f.tokens_saved,
        nano_to_usd(f.spend_nano) if known else None,
        nano_to_usd(f.saved.total) if known else None,
        f.miss_latency.quantile(0.95),
    )


def export_calls(calls: Sequence[Call]) -> Export:
    """The calls' own fields, as the ledger holds them; those that no call has are left out."""
    found = [call.to_fields() for call in calls]
    columns = tuple(dict.fromkeys(name for fields in found for name in fields))
    return Export("calls", columns, [[fields.get(name, "") for name in columns] for fields in found])
