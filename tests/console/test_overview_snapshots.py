"""The whole page as text, for frozen figures: what a review of its looks can read.

After a wanted change: `pytest tests/console/test_overview_snapshots.py --snapshot-update`, and read the diff.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.console import fakes
from tests.console.harness import console, lines
from tests.console.test_overview import OVERVIEW, drawn, shown


def absent(window: Any) -> Any:
    return fakes.empty_view(window, present=False)


@pytest.mark.parametrize(
    ("size", "view", "keys"),
    [
        ((80, 24), fakes.view, ()),
        ((80, 24), fakes.view, ("c", "c")),
        ((80, 24), fakes.view, ("t",)),
        ((80, 24), fakes.hostile_view, ()),
        ((80, 24), fakes.huge_view, ()),
        ((80, 24), absent, ()),
        ((100, 50), fakes.view, ()),
        ((120, 36), fakes.view, ()),
        ((120, 36), fakes.view, ("enter",)),
        ((120, 36), fakes.view, ("tab", "j", "enter")),
        ((120, 36), fakes.hostile_view, ()),
        ((120, 36), fakes.huge_view, ()),
        ((120, 36), fakes.unpriced_view, ()),
        ((120, 36), fakes.empty_view, ()),
        ((200, 60), fakes.view, ()),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "-".join(map(str, value)) or "none",
)
async def test_page(
    size: tuple[int, int], view: Any, keys: Sequence[str], snapshot: SnapshotAssertion
) -> None:
    async with console(shown(view), size=size, pages=OVERVIEW) as (app, pilot):
        await drawn(app, pilot)
        for key in keys:
            await pilot.press(key)
        await drawn(app, pilot)
        page = "\n".join(row.rstrip() for row in lines(app)[2:-1])
    assert page == snapshot


async def test_ascii(snapshot: SnapshotAssertion) -> None:
    async with console(shown(), size=(120, 36), pages=OVERVIEW, charset="ascii") as (app, pilot):
        await drawn(app, pilot)
        page = "\n".join(row.rstrip() for row in lines(app)[2:-1])
    assert page == snapshot
