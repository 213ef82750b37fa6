"""The Routing page's data side on a real Redis, with real files and a router that RedisVL made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from costconsole.console.redis_source import RedisSource
from costconsole.console.routing_source import interval
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.errors import Refused, UsageProblem
from costconsole.embedding.embedder import Embedding
from costconsole.ledger.ledger import Ledger
from costconsole.redis_store.target import parse_target
from costconsole.routing.replay import Progress
from costconsole.settings import Settings
from tests.cache.test_redisvl_others import READ_ROUTER, ROUTER, routes, run
from tests.cache.vectors import unit
from tests.commands.test_routing_whatif import WITH_PRICES
from tests.ledger.calls import hit
from tests.routing.test_whatif import call


class AxisEmbedder:
    """Every text is near the first reference."""

    name = "all-MiniLM-L6-v2"
    status = "ready"

    def start(self) -> None: ...

    def close(self) -> None: ...

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(unit(0.9, 0.1), 3, False) for _ in texts]


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[RedisSource]:
    source = RedisSource(Settings(redis_url=url, **settings), parse_target(url))
    source._embedder = AxisEmbedder()  # type: ignore[assignment]
    await source.open()
    try:
        yield source
    finally:
        await source.close()


async def test_the_config_is_followed_and_a_broken_one_is_told(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    path = tmp_path / "routing.yaml"
    path.write_text(WITH_PRICES)
    async with opened(redis_url, routing=str(path), origins={"routing": "--routing"}) as source:
        first = await source.routing.state()
        assert (first.path, first.origin, first.problems, first.previous) == (
            str(path),
            "--routing",
            (),
            None,
        )
        assert first.keys == {"OPENAI_API_KEY": True, "ANTHROPIC_API_KEY": False}
        small = first.prices["small"]
        assert small is not None
        assert (small.input, small.output) == (1_000_000_000, 4_000_000_000)
        assert first.overridden == {"small", "large", "other"}
        assert await source.routing.state() is first
        path.write_text(WITH_PRICES.replace("tier: cheap", "tier: chaep", 1))
        told = await source.routing.state()
        assert told.config is first.config
        assert [(one.line, one.key) for one in told.problems] == [(2, "models.small.tier")]
        path.write_text(WITH_PRICES.replace("task: qa, use: small", "task: qa, use: other"))
        live = await source.routing.state()
        assert live.problems == ()
        assert live.config.routes[0].use == "other"
        assert live.previous is first.config


async def test_without_a_file_the_defaults_count(redis_url: str) -> None:
    async with opened(redis_url) as source:
        found = await source.routing.state()
        assert found.path is None
        assert found.config.format == "default"
        assert any(price is not None for price in found.prices.values())
        assert "sk-" not in repr(found)


async def test_a_switch_is_written_audited_and_announced(redis_url: str, client: Any) -> None:
    async with opened(redis_url) as source:
        heard = client.pubsub()
        heard.subscribe("costconsole:{default}:policy:changed")
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        policy = await source.routing.switch("routing", False)
        assert not policy.routing
        assert policy.minimization
        assert heard.get_message(timeout=5)["type"] == "message"
        heard.close()
        (entry,) = client.xrange("costconsole:{default}:audit")
        assert json.loads(entry[1][b"after"]) == {"routing": "0"}
        with pytest.raises(UsageProblem):
            await source.routing.switch("exact", False)


async def test_the_policy_is_that_of_the_caches_server(
    redis_url: str, fresh_server: Callable[..., EmbeddedRedis]
) -> None:
    async with opened(redis_url, ledger_url=fresh_server().url) as source:
        await source.routing.switch("minimization", False)
        found = await source.routing.policy()
        assert found is not None
        assert not found.minimization
    async with opened(redis_url) as source:
        assert await source.routing.policy() is None


async def test_read_only_changes_nothing(redis_url: str, client: Any) -> None:
    async with opened(redis_url, read_only=True) as source:
        for change in (
            source.routing.switch("routing", False),
            source.routing.set_threshold("topic", "greeting", 0.9),
            source.routing.undo_threshold("1-1"),
        ):
            with pytest.raises(Refused, match="read-only"):
                await change
        assert client.keys("*") == []


async def test_a_router_is_tried_changed_and_changed_back(redis_url: str, client: Any) -> None:
    run(ROUTER, redis_url, "topic", given=routes())
    async with opened(redis_url) as source:
        (found,) = await source.routing.routers()
        assert (found.name, found.references) == ("topic", 4)
        assert [(one.route, round(one.threshold, 6)) for one in found.routes] == [
            ("greeting", 0.7), ("re: fund", 0.3),
        ]  # fmt: skip
        before = await source.routing.try_phrase("topic", "good morning")
        assert before.max_k == 2
        changed = await source.routing.set_threshold("topic", "greeting", 0.05)
        assert changed.takes_effect == "next start"
        (found,) = await source.routing.routers()
        assert found.routes[0].threshold == pytest.approx(0.05)
        after = await source.routing.try_phrase("topic", "good morning")
        assert after.thresholds["greeting"] == pytest.approx(0.05)
        assert "greeting" in after.routes
        assert run(READ_ROUTER, redis_url, "topic")["greeting"][0] == pytest.approx(0.95)
        back = await source.routing.undo_threshold(changed.undo_id)
        assert back.after == pytest.approx(0.7)
        (found,) = await source.routing.routers()
        assert found.routes[0].threshold == pytest.approx(0.7)
        assert client.xlen("costconsole:{default}:audit") == 2


async def test_what_if_reads_the_ledger(redis_url: str, tmp_path: Path) -> None:
    used, edited = tmp_path / "routing.yaml", tmp_path / "edited.yaml"
    used.write_text(WITH_PRICES)
    edited.write_text(WITH_PRICES.replace("task: qa, use: small", "task: qa, use: other"))
    ledger = Ledger(redis_url)
    for n in range(12):
        ledger.record(hit(requested_model="auto") if n % 3 == 0 else call())
    assert ledger.flush()
    ledger.close()
    told: list[Progress] = []
    async with opened(redis_url, routing=str(used)) as source:
        state = await source.routing.state()
        found = await source.routing.what_if(
            state.config, str(edited), "", 10_000, told.append, asyncio.Event()
        )
        assert (found.calls, found.moved, found.hits) == (12, 8, 4)
        assert found.after_nano == 2 * found.before_nano
        same = await source.routing.what_if(
            state.config, state.config, "", 5, lambda _progress: None, asyncio.Event()
        )
        assert (same.calls, same.moved) == (5, 0)
    assert told[-1].done == 12


async def test_nothing_learnt_is_nothing(redis_url: str, tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text(WITH_PRICES)
    async with opened(redis_url, routing=str(path)) as source:
        state = await source.routing.state()
        found = await source.routing.learnt(state.config)
        assert (found.labels, found.accuracy, found.quality) == (0, None, None)
        assert str(tmp_path / "routing.trained") in found.folders


def test_the_interval_of_a_share() -> None:
    low, high = interval(0.69, 412)
    # Wilson's, worked out by hand with z = 1.96.
    assert (round(low, 3), round(high, 3)) == (0.644, 0.733)
    assert interval(1.0, 10)[1] == pytest.approx(1.0)
    assert interval(0.0, 10)[0] == pytest.approx(0.0)
