"""Entries written by RedisVL itself, in a process of its own, with our embedder's vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from costconsole.cache.answer import Answer
from costconsole.cache.semantic import SemanticCache, entry_id
from tests.cache.filling import KEYS, NOW, OWN, searching

WRITER = """
import json, sys
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.utils.vectorize import CustomVectorizer
import redis
import struct

url, name, dtype, entries = sys.argv[1], sys.argv[2], sys.argv[3], json.load(sys.stdin)
vectors = {p: struct.unpack("<%df" % (len(v) // 8), bytes.fromhex(v)) for p, v in entries}
first = next(iter(vectors))
vectors["dimension test"] = vectors[first]

def embed(content, **kwargs):
    return list(vectors.get(content, vectors[first]))

cache = SemanticCache(name=name, redis_client=redis.Redis.from_url(url, protocol=2),
    vectorizer=CustomVectorizer(embed=embed, dtype=dtype), ttl=600,
    filterable_fields=[{"name": "model", "type": "tag"}])
for prompt in vectors:
    if prompt != "dimension test":
        cache.store(prompt, "answer to " + prompt, metadata={"city": "x"}, filters={"model": "gpt-y"})
"""
PROMPTS = ["What is the capital of France?", "How do I get a refund?", "Wie spät ist es? 🕰 \x1b[31m"]


def write(redis_url: str, embedder: Any, name: str, dtype: str = "float32") -> None:
    vectors = [embedding.vector.hex() for embedding in embedder.embed(PROMPTS)]
    subprocess.run(
        [sys.executable, "-c", WRITER, redis_url, name, dtype],
        input=json.dumps(list(zip(PROMPTS, vectors, strict=True))),
        text=True,
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
async def test_what_redisvl_writes_is_found_listed_and_searched(
    redis_url: str, aclient: Any, client: Any, embedder: Any, dtype: str
) -> None:
    write(redis_url, embedder, "llmcache", dtype)
    search = await searching(aclient)
    (cache,) = search.caches
    assert (cache.library, cache.kind, cache.entries, cache.dims) == ("redisvl", "semantic", 3, 384)
    assert cache.datatype == dtype.upper()
    listed = await search.newest()
    assert {entry.prompt for entry in listed} == set(PROMPTS)
    assert {(entry.model, entry.response == f"answer to {entry.prompt}") for entry in listed} == {
        ("gpt-y", True)
    }
    assert all(590_000 < (entry.ttl_ms or 0) <= 600_000 for entry in listed)
    assert all(abs((entry.created_ms or 0) / 1000 - client.time()[0]) < 60 for entry in listed)

    (asked,) = await embedder.aembed(["Which city is France's capital?"])
    nearest = (await search.by_vector(asked.vector, k=1))[0]
    assert nearest.prompt == PROMPTS[0]
    assert (nearest.similarity or 0) > 0.85
    assert [entry.prompt for entry in await search.by_text("refund")] == [PROMPTS[1]]
    whole = await search.entry(nearest.key)
    assert whole is not None
    assert json.loads(dict(whole.fields)["metadata"]) == {"city": "x"}
    others = await search.neighbors(whole)
    assert {near.prompt for near in others} == set(PROMPTS[1:])
    itself = (await search.by_vector(embedder.embed([PROMPTS[1]])[0].vector, k=1))[0]
    assert itself.similarity == pytest.approx(1.0, abs=1e-6 if dtype == "float32" else 1e-3)


def test_our_entries_have_the_keys_and_the_layout_of_redisvl(client: Any, embedder: Any) -> None:
    """RedisVL's own index object reads our cache."""
    from redisvl.index import SearchIndex
    from redisvl.query import VectorQuery
    from redisvl.redis.utils import hashify

    cache = SemanticCache(KEYS, 384)
    cache.ensure_index(client)
    (embedding,) = embedder.embed([PROMPTS[0]])
    key = cache.store(client, PROMPTS[0], embedding.vector, "abc", Answer("Paris", "m"), now_ms=NOW)
    assert (
        key
        == KEYS.semantic(hashify(PROMPTS[0], {"scope": "abc"}))
        == KEYS.semantic(entry_id(PROMPTS[0], "abc"))
    )
    index = SearchIndex.from_existing(KEYS.semantic_index, redis_client=client)
    query = VectorQuery(embedding.vector, "prompt_vector", ["prompt", "response", "entry_id"], num_results=1)
    (found,) = index.query(query)
    assert (found["prompt"], found["response"]) == (PROMPTS[0], "Paris")


async def test_real_paraphrases_meet_and_scopes_hold(client: Any, aclient: Any, embedder: Any) -> None:
    cache = SemanticCache(KEYS, 384)
    cache.ensure_index(client)
    for prompt, vector in zip(PROMPTS, embedder.embed(PROMPTS), strict=True):
        cache.store(client, prompt, vector.vector, "abc", Answer(f"answer to {prompt}"), now_ms=NOW)
    (asked,) = await embedder.aembed(["How can I get a refund?"])
    (match,) = await cache.alookup(aclient, asked.vector, "abc")
    assert match.answer.text == "answer to How do I get a refund?"
    assert match.similarity > 0.95
    assert await cache.alookup(aclient, asked.vector, "abd") == ()
    listed = await (await searching(aclient)).by_vector(asked.vector, OWN, k=1)
    assert listed[0].similarity == pytest.approx(match.similarity, abs=1e-6)
