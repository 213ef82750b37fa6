"""What the gateway adds to the work that a hit can't do without, as ratios within one run.

`python -m benchmarks.gateway` starts a Redis of its own, fills a semantic index, and measures alternately,
so that a busy machine slows both sides:
- a semantic hit against one embedding and one KNN 1 at EF 64 (target: at most 1.15x),
- the same against RedisVL's SemanticCache.check with its own embedding (at least 1.6x faster), `--redisvl`,
- an exact hit against one HGET of the same answer (at most 1.5x),
each with the ledger recording every call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import redis

from costconsole.cache.answer import Answer
from costconsole.cache.canonical import scope_of
from costconsole.cache.request import Request
from costconsole.cache.semantic import SemanticCache
from costconsole.demo.provider import StandInProvider
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.call import Outcome, Usage
from costconsole.domain.figures import Policy
from costconsole.embedding.embedder import DEFAULT_MODEL
from costconsole.embedding.local import LocalEmbedder
from costconsole.embedding.models import local_folder
from costconsole.gateway.pipeline import Gateway
from costconsole.gateway.provider import Provider
from costconsole.redis_store.connect import connect
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target

MODEL = "gpt-4o-mini"
ANSWER = "Open the settings, choose Security, then Reset, and follow the link that we send you. " * 7
VERBS = ("reset", "change", "find", "delete", "export", "share", "print", "cancel", "renew", "pause")
THINGS = (
    "password",
    "invoice",
    "subscription",
    "address",
    "delivery",
    "profile picture",
    "calendar",
    "report",
)


def questions() -> list[tuple[str, str]]:
    """Prompts that are stored, each with a paraphrase that is not."""
    return [
        (f"How do I {verb} my {thing}?", f"How can I {verb} my {thing} please?")
        for verb in VERBS
        for thing in THINGS
    ]


def filler(count: int, dims: int) -> Iterable[bytes]:
    """Random unit vectors: far from every question, as most of a cache is."""
    rng = random.Random(1)
    for _ in range(count):
        values = [rng.gauss(0, 1) for _ in range(dims)]
        length = sum(v * v for v in values) ** 0.5
        yield struct.pack(f"<{dims}f", *(v / length for v in values))


def alternate(
    sides: dict[str, Callable[[str], Any]], texts: list[str], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each side; sides take turns at every text, in changing order."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides.items())
    for at in range(rounds):
        text = texts[at % len(texts)]
        for name, work in order:
            started = time.perf_counter()
            work(text)
            taken[name].append((time.perf_counter() - started) * 1000)
        order.append(order.pop(0))
    return taken


def summary(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {"p50": statistics.median(ordered), "p95": ordered[int(len(ordered) * 0.95)]}


def cpu_ms(work: Callable[[], Any], times: int) -> float:
    """CPU milliseconds of this process a call: what a busy neighbour disturbs least."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) * 1000 / times


def measure(entries: int, rounds: int, with_redisvl: bool) -> dict[str, Any]:
    with EmbeddedRedis() as server, StandInProvider(lambda m, t: ANSWER, speedup=0) as stand_in:
        embedder = LocalEmbedder()
        gateway = Gateway(
            server.url,
            model=MODEL,
            providers=[Provider("openai", "openai", base_url=stand_in.openai_url, api_key="k")],
            embedder=embedder,
            policy=Policy(threshold=0.9),
        )
        gateway.warm()
        stored = [asked for asked, _ in questions()]
        near = [paraphrase for _, paraphrase in questions()]
        scope = scope_of(Request(MODEL, ({"role": "user", "content": "x"},), provider="openai"))
        target = parse_target(server.url)
        client: Any = connect(target)
        dims = embedder.dims or 384
        cache = SemanticCache(Keys(), dims)
        fill = Answer(ANSWER, MODEL, "openai", Usage(20, 100), raw=ANSWER.encode() * 2)
        for at, vector in enumerate(filler(entries, dims)):
            cache.store(client, f"filler {at}", vector, scope, fill, now_ms=1)
        # Only now: a cache remembers for a minute whether a scope is large.
        for prompt in stored:
            gateway.complete(prompt)
        near = [p for p in near if gateway.complete(p).outcome is Outcome.SEMANTIC]
        found: dict[str, Any] = {"entries": entries + len(stored), "paraphrases": len(near)}
        found["semantic"] = semantic(gateway, embedder, client, near, rounds)
        found["exact"] = exact(gateway, client, stored, rounds * 5)
        found["exact_async"] = asyncio.run(exact_async(gateway, target, stored, rounds * 5))
        if with_redisvl:
            found["redisvl"] = against_redisvl(gateway, server.url, stored, near, entries, rounds)
        gateway.close()
        embedder.close()
        client.close()
        return found


def semantic(
    gateway: Gateway, embedder: LocalEmbedder, client: Any, near: list[str], rounds: int
) -> dict[str, Any]:
    index = Keys().semantic_index
    query = "*=>[KNN 1 @prompt_vector $v EF_RUNTIME 64 AS d]"
    returned = ("RETURN", 6, "d", "prompt", "response", "metadata", "raw", "model")

    def least(text: str) -> None:
        vector = embedder.embed([text])[0].vector
        client.execute_command("FT.SEARCH", index, query, *returned, "PARAMS", 2, "v", vector, "DIALECT", 2)

    def ours(text: str) -> None:
        if gateway.complete(text).outcome is not Outcome.SEMANTIC:
            raise AssertionError(f"{text!r} was no semantic hit")

    taken = alternate({"embedding + KNN 1": least, "semantic hit": ours}, near, rounds)
    return compared(taken, "semantic hit", "embedding + KNN 1")


def exact(gateway: Gateway, client: Any, stored: list[str], rounds: int) -> dict[str, Any]:
    keys = {prompt: gateway.complete(prompt).cached_key for prompt in stored}

    def least(text: str) -> None:
        client.hget(keys[text], "response")

    def ours(text: str) -> None:
        if gateway.complete(text).outcome is not Outcome.EXACT:
            raise AssertionError(f"{text!r} was no exact hit")

    taken = alternate({"HGET": least, "exact hit": ours}, stored, rounds)
    return compared(taken, "exact hit", "HGET") | {
        "cpu_ms": {
            "HGET": cpu_ms(lambda: least(stored[0]), 2000),
            "exact hit": cpu_ms(lambda: ours(stored[0]), 2000),
        }
    }


async def exact_async(gateway: Gateway, target: Any, stored: list[str], rounds: int) -> dict[str, Any]:
    from costconsole.redis_store.connect import connect_async

    client: Any = connect_async(target)
    keys = {prompt: (await gateway.acomplete(prompt)).cached_key for prompt in stored}
    taken: dict[str, list[float]] = {"HGET": [], "exact hit": []}
    for at in range(rounds):
        text = stored[at % len(stored)]
        started = time.perf_counter()
        await client.hget(keys[text], "response")
        middle = time.perf_counter()
        await gateway.acomplete(text)
        taken["HGET"].append((middle - started) * 1000)
        taken["exact hit"].append((time.perf_counter() - middle) * 1000)
    await client.aclose()
    return compared(taken, "exact hit", "HGET")


def against_redisvl(
    gateway: Gateway, url: str, stored: list[str], near: list[str], entries: int, rounds: int
) -> dict[str, Any]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import numpy as np
    import torch
    from redisvl.extensions.cache.llm import SemanticCache as TheirCache
    from redisvl.utils.vectorize import HFTextVectorizer

    torch.set_num_threads(1)
    client: Any = redis.Redis.from_url(url, protocol=2)
    theirs = TheirCache(
        name="theirs",
        redis_client=client,
        distance_threshold=0.1,
        vectorizer=HFTextVectorizer(model=str(local_folder(DEFAULT_MODEL))),
    )
    for prompt in stored:
        theirs.store(prompt, ANSWER)
    for at, vector in enumerate(filler(entries, 384)):
        theirs.store(f"filler {at}", ANSWER, vector=np.frombuffer(vector, dtype="<f4").tolist())

    def check(text: str) -> None:
        if not theirs.check(text):
            raise AssertionError(f"{text!r} was no hit of RedisVL's")

    near = [text for text in near if theirs.check(text)]
    taken = alternate({"RedisVL check": check, "semantic hit": gateway.complete}, near, rounds)
    return compared(taken, "RedisVL check", "semantic hit")


def compared(taken: dict[str, list[float]], of: str, to: str) -> dict[str, Any]:
    """Medians, and the ratio of the medians. Rounds are paired, so their ratios' median is told as well."""
    pairs = [a / b for a, b in zip(taken[of], taken[to], strict=True)]
    return {
        "ms": {name: summary(values) for name, values in taken.items()},
        "ratio": statistics.median(taken[of]) / statistics.median(taken[to]),
        "paired_ratio": statistics.median(pairs),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=10_000, help="entries in the index (default 10,000)")
    parser.add_argument("--rounds", type=int, default=400, help="measured semantic hits (default 400)")
    parser.add_argument("--redisvl", action="store_true", help="also RedisVL's check (loads torch)")
    chosen = parser.parse_args()
    found = measure(chosen.entries, chosen.rounds, chosen.redisvl)
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
