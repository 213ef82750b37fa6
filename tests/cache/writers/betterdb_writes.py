"""Fills a Redis through BetterDB's two caches. Run by an interpreter that has them: URL."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

os.environ["BETTERDB_TELEMETRY"] = "false"
os.getpid = lambda: 4711
socket.gethostname = lambda: "app-1"

import redis.asyncio  # noqa: E402
from betterdb_agent_cache import AgentCache  # noqa: E402
from betterdb_agent_cache.types import AgentCacheOptions, LlmStoreOptions, ToolPolicy, ToolStoreOptions  # noqa: E402
from betterdb_semantic_cache import SemanticCache  # noqa: E402
from betterdb_semantic_cache.types import CacheCheckOptions, CacheStoreOptions, SemanticCacheOptions  # noqa: E402
from provider import ANSWERS, small_vector  # noqa: E402


async def embed(text: str) -> list[float]:
    return small_vector(text)


async def semantic(client: redis.asyncio.Redis, name: str, count: int) -> None:
    options = SemanticCacheOptions(
        client=client,
        embed_fn=embed,
        name=name,
        default_threshold=0.12,
        default_ttl=3_600,
        category_thresholds={"faq": 0.2},
    )
    cache = SemanticCache(options)
    await cache.initialize()
    for prompt, answer in list(ANSWERS.items())[:count]:
        stored = CacheStoreOptions(
            category="faq",
            model="gpt-4o-mini",
            metadata={"clé": "é ✓"},
            input_tokens=1_000,
            output_tokens=500,
            temperature=0.5,
        )
        await cache.store(prompt, answer, stored)
    await cache.store("long " * 4_000 + "end", "short", CacheStoreOptions(ttl=60))
    await cache.check("What is the capital of France?", CacheCheckOptions(category="faq"))
    await cache.check("nothing alike")


async def agent(client: redis.asyncio.Redis) -> None:
    cache = AgentCache(AgentCacheOptions(client=client, name="agents", default_ttl=3_600))
    for prompt, answer in ANSWERS.items():
        messages = [{"role": "user", "content": prompt}]
        await cache.llm.store(
            {"model": "gpt-4o-mini", "messages": messages},
            answer,
            LlmStoreOptions(tokens={"input": 12, "output": 34}),
        )
    await cache.tool.store("weather", {"city": "Köln", "days": 2}, "15 °C 🌧", ToolStoreOptions(cost=0.0025))
    await cache.tool.set_policy("weather", ToolPolicy(ttl=300))
    await cache.session.set("thread-1", "last_topic", "tea")
    await asyncio.sleep(0.3)


async def main(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url, protocol=2) as client:
        await semantic(client, "betterdb_scache", 5)
        await semantic(client, "betterdb_scache_v2", 1)
        await agent(client)


asyncio.run(main(sys.argv[1]))
