"""The page of entries over a real Redis and the real model, while another library writes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import redis
from textual.pilot import Pilot

from costconsole.console.pages import PAGES
from costconsole.console.redis_source import RedisSource
from costconsole.console.screens.entries import EntriesPage
from costconsole.console.screens.entries_query import EntryTable
from costconsole.console.screens.entries_reader import Reader
from costconsole.embedding.local import LocalEmbedder
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target
from costconsole.settings import Settings
from tests.cache.test_redisvl import WRITER
from tests.console.harness import make_app, text
from tests.console.terminal import Terminal
from tests.console.test_entries import prompts, settled


def store(url: str, name: str, entries: list[str], embedder: LocalEmbedder) -> None:
    """Let RedisVL, in a process of its own, store prompts with our model's vectors."""
    vectors = [embedding.vector.hex() for embedding in embedder.embed(entries)]
    subprocess.run(
        [sys.executable, "-c", WRITER, url, name, "float32"],
        input=json.dumps(list(zip(entries, vectors, strict=True))),
        text=True,
        check=True,
        timeout=60,
    )


async def until(pilot: Pilot[None], page: EntriesPage, wanted: str, seconds: float = 20) -> None:
    """Wait until a row begins with these words."""
    for _ in range(int(seconds / 0.1)):
        if any(prompt.startswith(wanted) for prompt in prompts(page)):
            return
        await pilot.pause(0.1)
    raise AssertionError(f"{wanted!r} never appeared among {prompts(page)}")


async def test_what_another_process_stores_appears_by_itself_and_is_found_by_meaning(
    redis_url: str, embedder: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(redis_url=redis_url, refresh_s=0.5, timezone="UTC")
    source = RedisSource(settings, parse_target(redis_url))
    monkeypatch.setattr(source, "_embedder", embedder)
    monkeypatch.setattr("costconsole.console.screens.entries_feed.CACHES_S", 0.5)
    monkeypatch.setattr("costconsole.console.screens.entries_feed.NO_CACHES_S", 0.5)
    app: Any = make_app(source, pages=PAGES, refresh_s=0.5, redis_url=redis_url)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("2")
        page = app.page
        assert isinstance(page, EntriesPage)
        for _ in range(100):
            if "No cache here yet" in text(app):
                break
            await pilot.pause(0.1)
        assert "No cache here yet" in text(app)

        # A cache that is made while the console looks on, and entries that come one after another.
        store(
            redis_url, "llmcache", ["How do I reset my password?", "What is the capital of France?"], embedder
        )
        await until(pilot, page, "What is the capital of France?")
        store(redis_url, "llmcache", ["Can I return shoes that I have worn?"], embedder)
        await until(pilot, page, "Can I return shoes")
        assert prompts(page)[0] == "Can I return shoes that I have worn?"

        # A second cache of another name.
        store(redis_url, "second", ["Wo ist mein Paket? 📦"], embedder)
        await until(pilot, page, "Wo ist mein Paket?")

        await pilot.press("slash", *"forgot my login secret", "enter")
        await settled(pilot, page)
        assert prompts(page)[0] == "How do I reset my password?"
        table = page.query_one(EntryTable)
        assert table.cursor_key is not None
        assert table.cursor_key.startswith("llmcache:")
        shown = page.query_one(Reader).whole_text
        assert "answer to How do I reset my password?" in shown
        assert "llmcache (redisvl)" in shown
        assert page._panel.near.row_count == 2
        monkeypatch.setattr(source, "_embedder", None)  # The session's embedder stays open.
        await app.stop_reading()


def test_what_is_typed_in_one_go_with_its_key_is_searched_for(redis_url: str, client: redis.Redis) -> None:
    """On a slow line keys come in bursts: none of a word may be taken for a command of the list."""
    client.hset(Keys().exact("a" * 64), mapping={"prompt": "Hello?", "response": "Yes.", "created_ms": "1"})
    with Terminal(["-m", "costconsole", "--redis", redis_url]) as terminal:
        terminal.until("● live")
        terminal.type("2")
        terminal.until("Hello")
        terminal.type("/refund/d")
        terminal.until("›  refund/d")
        assert "Evict" not in terminal.text
