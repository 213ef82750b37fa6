"""A router of RedisVL's, decided by its own rule here and by RedisVL itself on a real Redis."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costconsole.embedding.embedder import Embedding
from costconsole.routing.choice import Ask
from costconsole.routing.redisvl import parse_route_config
from costconsole.routing.router import Router

DIMS = 8
ROUTER = """
import json, sys, redis
from redisvl.extensions.router import Route, SemanticRouter
from redisvl.extensions.router.schema import RoutingConfig
from redisvl.utils.vectorize import CustomVectorizer
url, given = sys.argv[1], json.load(sys.stdin)
vectors = given["vectors"]
def embed(content, **kwargs):
    return list(vectors.get(content, [1.0] + [0.0] * 7))
vectorizer = CustomVectorizer(embed=embed, embed_many=lambda contents, **kwargs: [embed(c) for c in contents])
client = redis.Redis.from_url(url, protocol=2)
found = {}
for name, one in given["routers"].items():
    routes = [Route(**route) for route in one["routes"]]
    rule = RoutingConfig(**one["routing_config"])
    router = SemanticRouter(name=name, routes=routes, vectorizer=vectorizer, redis_client=client,
        routing_config=rule, overwrite=True)
    found[name] = []
    for question in given["questions"]:
        match = router(question)
        found[name].append([match.name, match.distance])
print(json.dumps(found))
"""


class Known:
    """An embedder of given vectors."""

    name, dims, status = "known", DIMS, "ready"

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self._vectors = vectors

    def embed(self, texts: Sequence[str]) -> list[Embedding]:
        rows = [np.array(self._vectors.get(text, [1.0] + [0.0] * (DIMS - 1)), "<f4") for text in texts]
        return [Embedding(row.tobytes(), 1, False) for row in rows]

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        return self.embed(texts)

    def start(self) -> None: ...

    def close(self) -> None: ...


def direction(rng: random.Random, near: Sequence[float] | None = None) -> list[float]:
    """A random vector of length 1, around another one if that is given."""
    row = np.array([rng.gauss(0, 1) for _ in range(DIMS)])
    if near is not None:
        row = np.array(near) + 0.45 * row
    return [float(value) for value in row / np.linalg.norm(row)]


def routers(rng: random.Random, vectors: dict[str, list[float]]) -> dict[str, Any]:
    """Routers of every aggregation, whose routes lie among each other and differ in reach and size."""
    found = {}
    for at, aggregation in enumerate(("avg", "min", "sum") * 2):
        routes = []
        for number in range(4):
            middle = direction(rng)
            references = [f"{at} {number} {text}" for text in range(rng.randint(1, 4))]
            vectors |= {reference: direction(rng, middle) for reference in references}
            routes.append(
                {
                    "name": f"r{number}",
                    "references": references,
                    "distance_threshold": round(rng.uniform(0.3, 1.1), 3),
                }
            )
        config = {"max_k": rng.randint(1, 3), "aggregation_method": aggregation}
        found[f"router{at}"] = {"routes": routes, "routing_config": config}
    return found


def test_it_decides_as_redisvl_does(
    redis_url: str, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("redisvl")
    monkeypatch.setenv("COSTCONSOLE_CACHE_DIR", str(tmp_path))
    rng = random.Random(11)
    questions = [f"question {number}" for number in range(60)]
    vectors = {question: direction(rng) for question in questions}
    made = routers(rng, vectors)
    given = {"vectors": vectors, "routers": made, "questions": questions}
    done = subprocess.run(
        [sys.executable, "-c", ROUTER, redis_url],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    theirs = json.loads(done.stdout)
    taken = set()
    for name, answers in theirs.items():
        kept = json.loads(client.execute_command("JSON.GET", f"{name}:route_config"))
        router = Router(parse_route_config(kept, f"{name}:route_config"), embedder=Known(vectors))
        router.start()
        assert router.wait(60), router.status
        for question, (route, distance) in zip(questions, answers, strict=True):
            ask = Ask(messages=({"role": "user", "content": question},), requested="auto")
            choice = router.decide(router.with_vector(ask))
            assert choice.route == (route or ""), (name, question, distance, choice.reason)
            if route:
                assert choice.similarity == pytest.approx(1 - distance, abs=1e-5)
            taken.add((made[name]["routing_config"]["aggregation_method"], bool(route)))
    assert taken == {(way, hit) for way in ("avg", "min", "sum") for hit in (True, False)}
