"""Fills a Redis through langchain-redis and ChatOpenAI. Run by an interpreter that has them: URL."""

from __future__ import annotations

import sys
from typing import Any

import redis
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAI
from langchain_redis import RedisCache, RedisSemanticCache
from provider import ANSWERS, serve, vector_of


class StandIn(Embeddings):
    """Vectors that depend on the text alone."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector_of(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return vector_of(text)


def chat(base: str, cache: Any, model: str = "gpt-4o-mini", **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=base, api_key="none", cache=cache, **options)


def complete(base: str, cache: Any) -> None:
    """A model that takes plain text: its prompts have no envelope."""
    model = OpenAI(model="gpt-3.5-turbo-instruct", base_url=base, api_key="none", cache=cache)
    model.invoke("Once upon a time")


def fill(base: str, cache: Any) -> None:
    """The same questions through any cache: texts of all kinds, roles, parts, tools, several answers."""
    for prompt in (*ANSWERS, "long " * 4_000 + "end"):
        chat(base, cache).invoke(prompt)
    chat(base, cache).invoke([SystemMessage("Answer like a pirate."), HumanMessage("Who are you?")])
    parts = [{"type": "text", "text": "What is in this picture?"}]
    parts.append({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}})
    chat(base, cache).invoke([HumanMessage(parts)])
    chat(base, cache, n=2, model="gpt-4o").invoke("Two answers, please.")
    tool = {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
    chat(base, cache).bind_tools([tool]).invoke("Will it rain in Köln?")


def main(url: str) -> None:
    base = serve()
    client = redis.Redis.from_url(url)
    fill(base, RedisCache(redis_client=client, ttl=3600))
    other = RedisCache(redis_client=client, prefix="redis:eu")
    chat(base, other).invoke("What is the capital of France?")
    complete(base, other)
    embeddings = StandIn()
    fill(base, RedisSemanticCache(embeddings, redis_client=client, distance_threshold=0.0001, ttl=3600))
    for prefix in ("user_1", "user_10"):
        tenant = RedisSemanticCache(embeddings, redis_client=client, distance_threshold=0.0001, prefix=prefix)
        chat(base, tenant).invoke(f"What does {prefix} owe?")
        chat(base, tenant).invoke("What is the capital of France?")
    plain = RedisSemanticCache(
        embeddings, redis_client=client, distance_threshold=0.0001, name="stories", prefix="en"
    )
    complete(base, plain)


if __name__ == "__main__":
    main(sys.argv[1])
