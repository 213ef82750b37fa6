"""What is said before a switch is turned, and what of the Routing page's tables can be taken away."""

from __future__ import annotations

import json
from collections.abc import Iterable

from costconsole.console.page import Export
from costconsole.console.screens.routing_tables import ModelLine, RouteLine

_TURNED = {
    ("routing", False): "calls that leave the choice to the router go to the config's default model",
    ("routing", True): "calls that leave the choice to the router are routed again",
    ("minimization", False): "prompts are sent as they come",
    ("minimization", True): "prompts are shortened again before they go out",
}
_NAMES = (
    "name", "known_to", "calls", "errors", "hits", "spend_usd", "saved_by_routing_usd", "unpriced", "p50_ms",
    "p95_ms",
)  # fmt: skip


def switch_words(name: str, on: bool, namespace: str) -> tuple[str, str]:
    """What turning a switch means that is `on` now."""
    word = "off" if on else "on"
    return (
        f"It is {'on' if on else 'off'} in namespace {namespace}. Turned {word}, {_TURNED[name, not on]}.",
        "Running applications that follow the policy do so within a second. It is written down in the audit; "
        "the same key takes it back.",
    )


def row_document(line: RouteLine | ModelLine) -> str:
    """One row, as JSON."""
    return json.dumps(dict(zip(_NAMES, _values(line), strict=True)))


def table_export(lines: Iterable[RouteLine | ModelLine]) -> Export:
    """A table with raw values."""
    found = list(lines)
    models = bool(found) and isinstance(found[0], ModelLine)
    return Export("models" if models else "routes", _NAMES, [_values(line) for line in found])


def _values(line: RouteLine | ModelLine) -> tuple[object, ...]:
    f = line.figures
    return (
        line.name, line.standing, f.calls, f.errors, f.hits, f.spend_nano / 1e9, f.saved.routing / 1e9,
        f.unpriced, f.miss_latency.quantile(0.5), f.miss_latency.quantile(0.95),
    )  # fmt: skip
