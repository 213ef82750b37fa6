"""The Health page over a real Redis whose caches are broken on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.console.pages import PAGES
from costconsole.console.redis_source import RedisSource
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.health import HealthPage
from costconsole.console.widgets.table import LiveTable
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.console.harness import make_app, text
from tests.console.test_health import settled, states
from tests.health.broken import AxisModel, break_everything


@pytest.mark.parametrize("read_only", [False, True])
async def test_broken_caches_are_seen_with_their_keys(redis_url: str, client: Any, read_only: bool) -> None:
    shown = break_everything(client)
    source = RedisSource(Settings(redis_url=redis_url, read_only=read_only), parse_target(redis_url))
    source._embedder = AxisModel()  # type: ignore[assignment]
    app: Any = make_app(source, pages=PAGES, refresh_s=0.5, redis_url=redis_url)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("8")
        page = app.page
        assert isinstance(page, HealthPage)
        for _ in range(200):
            if "looked at" in text(app):
                break
            await pilot.pause(0.05)
        await settled(pilot, page)
        assert "looked at" in text(app)
        table = page.query_one(LiveTable)
        for check in shown:
            keys = [key for key in page._by_row if key.startswith(check) and page._by_row[key].status != "ok"]
            seen = ""
            for key in keys:
                table.move_to(key)
                await pilot.pause()
                seen += page.query_one(Reader).whole_text.replace("\n  ", "")
            assert all(evidence in seen for evidence in shown[check]), check
        first = states(page)
        assert first[0].startswith("✗ fail")
        await pilot.press("x")
        await settled(pilot, page)
        # Readings change (the clock, what hits cost), findings don't.
        assert sorted(states(page)) == sorted(first)
        await app.stop_reading()
