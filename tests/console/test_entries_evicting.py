"""Evicting on a real Redis: found by meaning, gone from the list and the cache, and brought back."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from textual.pilot import Pilot

from costconsole.console.pages import PAGES
from costconsole.console.redis_source import RedisSource
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.entries_confirm import ConfirmSheet
from costconsole.embedding.local import LocalEmbedder
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.cache.filling import KEYS, redisvl_index, redisvl_store
from tests.console.harness import make_app, text
from tests.console.test_entries import prompts, settled

PROMPTS = (
    "Can I get a refund after 30 days?",
    "How do I get my money back?",
    "What is the capital of France?",
    "Wo ist mein Paket? 📦",
)


async def until(pilot: Pilot[None], what: Any, seconds: float = 20) -> None:
    for _ in range(int(seconds / 0.05)):
        if what():
            return
        await pilot.pause(0.05)
    raise AssertionError(text(pilot.app))  # type: ignore[arg-type]


async def test_what_is_found_by_meaning_is_evicted_and_brought_back(
    redis_url: str, client: Any, embedder: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    redisvl_index(client, "llmcache", dims=384)
    keys = [
        redisvl_store(client, "llmcache", prompt, vector=embedding.vector)
        for prompt, embedding in zip(PROMPTS, embedder.embed(PROMPTS), strict=True)
    ]
    client.expire(keys[0], 5_000)
    before = {key: (client.hgetall(key), client.pexpiretime(key)) for key in keys}
    settings = Settings(redis_url=redis_url, refresh_s=0.5, timezone="UTC", namespace=KEYS.namespace)
    source = RedisSource(settings, parse_target(redis_url))
    monkeypatch.setattr(source, "_embedder", embedder)
    app: Any = make_app(source, pages=PAGES, refresh_s=0.5, redis_url=redis_url, namespace=KEYS.namespace)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("2")
        page = app.page
        assert isinstance(page, EntriesPage)
        await until(pilot, lambda: page._listing is not None and len(page._listing) == 4)
        await pilot.press("slash", *"refund my money", "enter")
        await settled(pilot, page)
        assert set(prompts(page)[:2]) == set(PROMPTS[:2])
        await pilot.press("s", "j", "s", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmSheet) and app.screen.ready)
        assert "Evict 2 entries?" in text(app)
        assert all(prompt in text(app) for prompt in PROMPTS[:2])
        await pilot.press("y")
        await until(pilot, lambda: page._actions.words.startswith("evicted 2 · z brings them back"))
        assert not set(PROMPTS[:2]) & set(prompts(page))
        assert [client.exists(key) for key in keys] == [0, 0, 1, 1]
        await settled(pilot, page)
        assert not set(PROMPTS[:2]) & set(prompts(page))

        await pilot.press("z")
        await until(pilot, lambda: page._actions.words == "brought back 2")
        await until(pilot, lambda: set(prompts(page)[:2]) == set(PROMPTS[:2]))
        assert {key: (client.hgetall(key), client.pexpiretime(key)) for key in keys} == before
        said = [
            {name.decode(): value.decode() for name, value in fields.items()}
            for _, fields in client.xrange(KEYS.audit)
        ]
        assert [(one["what"], one["count"]) for one in said] == [("evict", "2"), ("undo", "2")]
        assert {one["who"] for one in said} == {getpass.getuser()}

        # Another writer stores one of them anew while the question is asked.
        await pilot.press("g", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmSheet) and app.screen.ready)
        shown = page._table.cursor_key
        client.hset(shown, "response", "another answer")
        await pilot.press("y")
        await until(pilot, lambda: "1 changed meanwhile and was kept" in page._actions.words)
        assert client.exists(shown) == 1
        monkeypatch.setattr(source, "_embedder", None)  # The session's embedder stays open.
        await app.stop_reading()


async def test_all_that_pass_a_filter_are_evicted_and_nothing_else(redis_url: str, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}", at=str(1795376580 - n)) for n in range(300)]
    for n, key in enumerate(keys):
        if n % 100:
            client.expire(key, 5_000)
    lasting = {key for key in keys if client.ttl(key) == -1}
    settings = Settings(redis_url=redis_url, refresh_s=0.5, timezone="UTC", namespace=KEYS.namespace)
    source = RedisSource(settings, parse_target(redis_url))
    app: Any = make_app(source, pages=PAGES, refresh_s=0.5, redis_url=redis_url, namespace=KEYS.namespace)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("2")
        page = app.page
        assert isinstance(page, EntriesPage)
        await until(pilot, lambda: page._listing is not None and len(page._listing) >= 100)
        await pilot.press("f", *"ttl:none", "enter")
        await until(pilot, lambda: page._listing is not None and len(page._listing) == 3)
        assert {held.entry.key for held in page._listing.held} == lasting  # type: ignore[union-attr]
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmSheet) and app.screen.ready)
        assert "Evict 3 entries?" in text(app)
        await pilot.press("y")
        await until(pilot, lambda: page._actions.words.startswith("evicted 3 "))
        assert {key for key in keys if not client.exists(key)} == lasting
        await until(pilot, lambda: "No entry passes the filter" in text(app))
        await app.stop_reading()
