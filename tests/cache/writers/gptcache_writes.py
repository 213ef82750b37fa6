"""Fills a Redis through GPTCache, all of it on Redis. Run by an interpreter that has it: URL."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from gptcache import Cache, Config
from gptcache.manager import CacheBase, VectorBase, get_data_manager
from gptcache.similarity_evaluation.distance import SearchDistanceEvaluation
from provider import ANSWERS, small_vector


def embed(text: str, **_: Any) -> Any:
    return np.array(small_vector(text), dtype="float32")


def main(url: str) -> None:
    where = urlsplit(url)
    address = {"host": where.hostname, "port": where.port}
    scalar = CacheBase(
        "redis", redis_host=where.hostname, redis_port=where.port, global_key_prefix="gptcache"
    )
    vectors = VectorBase("redis", **address, dimension=8, collection_name="gptcache")
    cache = Cache()
    cache.init(
        embedding_func=embed,
        data_manager=get_data_manager(scalar, vectors),
        similarity_evaluation=SearchDistanceEvaluation(),
        config=Config(similarity_threshold=0.8),
    )
    prompts = [*ANSWERS, "long " * 4_000 + "end"]
    cache.data_manager.import_data(
        prompts,
        [ANSWERS.get(p, "short") for p in prompts],
        [embed(p) for p in prompts],
        [None] * len(prompts),
    )


main(sys.argv[1])
