"""Fills a Redis through LiteLLM's caches. Run by an interpreter that has it: URL of a TCP server."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import redis.commands.search.index_definition as _renamed

# Its valkey cache was written for an older client, in which this module had another name.
sys.modules["redis.commands.search.indexDefinition"] = _renamed

import litellm  # noqa: E402
from litellm.caching.caching import Cache  # noqa: E402
from provider import ANSWERS, serve  # noqa: E402


def ask(base: str, prompt: Any, **options: Any) -> dict[str, Any]:
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return {
        "model": "openai/gpt-4o-mini",
        "messages": messages,
        "api_base": base,
        "api_key": "none",
        "caching": True,
        **options,
    }


def fill_sync(base: str) -> None:
    """Values that the synchronous path writes: Python's spelling."""
    for prompt in (*ANSWERS, "long " * 4_000 + "end"):
        litellm.completion(**ask(base, prompt))
    litellm.completion(**ask(base, "How warm is it?", temperature=0.9, model="openai/gpt-4o"))
    for _ in litellm.completion(**ask(base, "Stream it, please.", stream=True)):
        pass
    litellm.embedding(
        model="openai/text-embedding-3-small", input=["first", "zweitens"], api_base=base, api_key="none",
        caching=True,
    )  # fmt: skip


async def fill_async(base: str) -> None:
    """Values that the asynchronous path, and so the proxy, writes."""
    for prompt in (*ANSWERS, 'It\'s "quoted" & async'):
        await litellm.acompletion(**ask(base, prompt, user="async"))
    async for _ in await litellm.acompletion(**ask(base, "Stream it, please.", stream=True, user="async")):
        pass
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    messages = [{"role": "system", "content": "Be brief. "}, {"role": "user", "content": parts}]
    await litellm.acompletion(**ask(base, messages))
    await litellm.aembedding(
        model="openai/text-embedding-3-small", input=["third", "viertens"], api_base=base, api_key="none",
        caching=True,
    )  # fmt: skip
    await asyncio.sleep(1)


def main(url: str) -> None:
    base = serve()
    where = urlsplit(url)
    server = {"host": where.hostname, "port": str(where.port)}
    os.environ.update(OPENAI_API_KEY="none", OPENAI_API_BASE=base, REDIS_SSL="False")
    types = ["completion", "acompletion", "embedding", "aembedding"]
    litellm.cache = Cache(type="redis", ttl=3600, supported_call_types=types, **server)
    fill_sync(base)
    litellm.cache = Cache(type="redis", namespace="team:a", supported_call_types=types, **server)
    asyncio.run(fill_async(base))
    for kind in ("redis-semantic", "valkey-semantic"):
        options: dict[str, Any] = {"redis_semantic_cache_embedding_model": "openai/text-embedding-3-small"}
        if kind == "valkey-semantic":
            options = {
                "valkey_semantic_cache_embedding_model": "openai/text-embedding-3-small",
                "valkey_semantic_cache_index_name": "valkey_llm",
            }
        else:
            options["redis_url"] = url
        litellm.cache = Cache(
            type=kind, similarity_threshold=0.99, supported_call_types=types, **server, password="", **options
        )
        fill_sync(base)
        asyncio.run(fill_async(base))


if __name__ == "__main__":
    main(sys.argv[1])
