"""Filling caches for tests: own entries, and hashes as RedisVL writes them."""

from __future__ import annotations

import hashlib
from typing import Any

from costconsole.cache.answer import Answer
from costconsole.cache.catalog import find_caches
from costconsole.cache.search import EntrySearch
from costconsole.cache.semantic import SemanticCache
from costconsole.domain.call import Usage
from costconsole.redis_store.keys import Keys
from tests.cache.vectors import DIMS, unit

KEYS = Keys("tests")
NOW = 1_795_376_580_000
OWN = "tests:semantic"
EXACT = "tests:exact"


def own_cache(client: Any, keys: Keys = KEYS) -> SemanticCache:
    cache = SemanticCache(keys, DIMS)
    cache.ensure_index(client)
    return cache


def store(
    client: Any,
    cache: SemanticCache,
    prompt: str,
    *,
    vector: bytes = b"",
    at_ms: int = NOW,
    scope: str = "s",
    response: str = "an answer",
    **options: Any,
) -> str:
    answer = Answer(response, "gpt-x", "openai", Usage(10, 5), b'{"body":1}', "stop")
    return cache.store(client, prompt, vector or unit(1), scope, answer, now_ms=at_ms, **options)


def redisvl_index(
    client: Any, name: str, *, dims: int = DIMS, algorithm: str = "FLAT", metric: str = "COSINE"
) -> None:
    """The index that RedisVL's SemanticCache makes: its prefix is the bare name."""
    client.execute_command(
        "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, name, "SCHEMA", "prompt", "TEXT", "response", "TEXT",
        "inserted_at", "NUMERIC", "updated_at", "NUMERIC", "prompt_vector", "VECTOR", algorithm, 6,
        "TYPE", "FLOAT32", "DIM", dims, "DISTANCE_METRIC", metric,
    )  # fmt: skip


def redisvl_entry(
    name: str, prompt: str, *, vector: bytes = b"", at: str = "1795376580.5"
) -> tuple[str, dict[str, Any]]:
    """Key and fields of an entry as RedisVL writes it."""
    entry_id = hashlib.sha256(prompt.encode()).hexdigest()
    return f"{name}:{entry_id}", {
        "entry_id": entry_id, "prompt": prompt, "response": f"answer to {prompt}", "inserted_at": at,
        "updated_at": at, "prompt_vector": vector or unit(1),
    }  # fmt: skip


def redisvl_store(client: Any, name: str, prompt: str, **options: Any) -> str:
    key, fields = redisvl_entry(name, prompt, **options)
    client.hset(key, mapping=fields)
    return key


async def searching(aclient: Any, **options: Any) -> EntrySearch:
    return EntrySearch(aclient, await find_caches(aclient, None, KEYS), KEYS, **options)
