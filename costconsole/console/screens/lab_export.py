"""What the Lab writes to a file: neighbours where a cache has the cursor, else the models' prices."""

from __future__ import annotations

from costconsole.console.page import Export
from costconsole.console.screens.lab_way import SEMANTIC
from costconsole.domain.money import nano_to_usd
from costconsole.gateway.checked import Check


def export_check(found: Check, key: str) -> Export:
    """A table of raw values."""
    if key.startswith(SEMANTIC):
        return Export(
            "lab-neighbours",
            ("cache", "key", "similarity", "threshold", "verdict", "why", "model", "prompt"),
            [
                (
                    cache.name,
                    one.key,
                    one.similarity,
                    cache.threshold,
                    one.verdict,
                    one.why,
                    one.model,
                    one.prompt,
                )
                for cache in found.caches
                for one in cache.near
            ],
        )

    def usd(nano: int | None, times: int = 1) -> float | None:
        return None if nano is None else nano_to_usd(nano * times)

    return Export(
        "lab-costs",
        ("model", "provider", "provider_model", "call_usd", "per_1000_usd", "batch_per_1000_usd", "chosen"),
        [
            (
                row.name or row.model,
                row.provider,
                row.model,
                usd(row.nano),
                usd(row.nano, 1000),
                usd(row.batch_nano, 1000),
                row.chosen,
            )
            for row in found.costs
        ],
    )
