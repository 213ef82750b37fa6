"""One question over caches whose writers embed different texts for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from costconsole.cache.eviction import Selection
from costconsole.cache.meaning import by_meaning, texts_for, vectors_for, with_text_similarity
from tests.cache.evicting import evicting
from tests.cache.filling import own_cache, searching, store
from tests.cache.recording import load, replay
from tests.cache.test_langchain import FRANCE


async def test_each_cache_is_asked_as_its_writer_would(client: Any, aclient: Any, embedder: Any) -> None:
    """LangChain's envelope and LiteLLM's bare prompt both meet their own entry with similarity 1."""

    def vector(text: str) -> bytes:
        return embedder.embed([text])[0].vector

    async def embed(texts: Sequence[str]) -> list[bytes]:
        return [one.vector for one in await embedder.aembed(list(texts))]

    replay(client, load("langchain"), vector)
    replay(client, load("litellm"), vector)
    search = await searching(aclient, budget_s=5)
    assert len(texts_for(FRANCE, search.caches)) == 2
    page = await by_meaning(search, FRANCE, search.caches, 7, embed)
    assert {(entry.prompt, round(entry.similarity or 0, 5)) for entry in page} == {(FRANCE, 1.0)}
    assert {entry.cache for entry in page} == {
        "llmcache", "user_1", "user_10", "litellm_semantic_cache_index", "valkey_llm"
    }  # fmt: skip

    italy = "What is the capital of Italy?"
    page = await by_meaning(search, italy, search.caches, 5, embed)
    page = await with_text_similarity(page, italy, search.caches, embed)
    assert page[0].library == "langchain"
    france = next(entry for entry in page if entry.prompt == FRANCE)
    assert (france.similarity or 0) > 0.95
    assert france.text_similarity == pytest.approx(0.66, abs=0.05)
    litellm = await by_meaning(search, italy, [c for c in search.caches if c.library == "litellm"], 1, embed)
    assert litellm[0].similarity == pytest.approx(france.text_similarity, abs=1e-4)
    assert (await with_text_similarity(litellm, italy, search.caches, embed)).entries == litellm.entries


async def test_one_text_is_embedded_once_for_all_caches_that_share_it(client: Any, aclient: Any) -> None:
    from tests.cache.vectors import unit

    store(client, own_cache(client), "hello", vector=unit(1))
    search = await searching(aclient)
    asked: list[Sequence[str]] = []

    async def embed(texts: Sequence[str]) -> list[bytes]:
        asked.append(texts)
        return [unit(1)] * len(texts)

    page = await by_meaning(search, "hi", search.caches, 5, embed)
    assert [entry.prompt for entry in page] == ["hello"]
    assert asked == [["hi"]]


async def test_what_is_evicted_by_meaning_is_what_a_search_shows(
    client: Any, aclient: Any, embedder: Any
) -> None:
    replay(client, load("langchain"), lambda text: embedder.embed([text])[0].vector)
    eviction = await evicting(aclient)
    search = eviction._search
    vector, vectors = await vectors_for(FRANCE, search.caches, embedder)
    assert set(vectors) == {"llmcache", "user_1", "user_10"}
    done = await eviction.evict(
        Selection(caches=("llmcache",), vector=vector, vectors=tuple(vectors.items()), min_similarity=0.99999)
    )
    assert done.evicted == 1
    assert FRANCE not in [entry.prompt for entry in await search.newest("llmcache")]
    assert FRANCE in [entry.prompt for entry in await search.newest("user_1")]
