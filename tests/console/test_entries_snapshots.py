"""The page of entries as text, for frozen entries.

After a wanted change: `pytest tests/console/test_entries_snapshots.py --snapshot-update`, and read the diff.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from syrupy.assertion import SnapshotAssertion

from costconsole.console.screens.entries import EntriesPage
from tests.console import fakes
from tests.console.harness import lines
from tests.console.test_entries import entries_page, settled

SEARCH = ("slash", *"refund")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    "keys",
    [(), SEARCH, (*SEARCH, "enter", "j", "enter"), ("slash", *"zzz", "ctrl+t")],
    ids=["newest", "search", "open", "none"],
)
async def test_page(
    size: tuple[int, int],
    keys: Sequence[str],
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EntriesPage, "TIMER", lambda: 0.0)
    async with entries_page(size=size) as (app, pilot, page):
        await pilot.press(*keys)
        await settled(pilot, page)
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot


async def test_hostile(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntriesPage, "TIMER", lambda: 0.0)
    source = fakes.FakeSource(search=fakes.FakeSearch(fakes.entries(prompts=fakes.HOSTILE)))
    async with entries_page(source, size=(120, 36)) as (app, pilot, page):
        await settled(pilot, page)
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot


async def test_no_cache(snapshot: SnapshotAssertion) -> None:
    async with entries_page(fakes.FakeSource(known_caches=()), size=(80, 24)) as (app, _pilot, _page):
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot


async def test_ascii(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntriesPage, "TIMER", lambda: 0.0)
    async with entries_page(size=(120, 36), charset="ascii") as (app, pilot, page):
        await pilot.press(*SEARCH)
        await settled(pilot, page)
        shown = "\n".join(line.rstrip() for line in lines(app)[2:-1])
    assert shown == snapshot
