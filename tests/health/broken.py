"""Caches with one fault of each kind, and a model that wrote some of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from costconsole.embedding.embedder import Embedding
from tests.cache.filling import KEYS, own_cache, redisvl_entry, redisvl_index, store
from tests.cache.vectors import DIMS, at_similarity, unit

DAY_S = 86_400


class AxisModel:
    """Every text lies on an axis of its own, the one named by its first letter."""

    name = "axis"
    dims = DIMS
    status = "ready"

    def start(self) -> None:
        """It is there."""

    def close(self) -> None:
        """It stays."""

    async def aembed(self, texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(vector_of(text), 3, False) for text in texts]


def vector_of(text: str) -> bytes:
    numbers = [0.0] * DIMS
    numbers[ord(text[:1] or "a") % DIMS] = 1.0
    return unit(*numbers)


def put(client: Any, name: str, prompt: str, *, answer: str = "", days: float = 1, **fields: Any) -> str:
    """An entry as RedisVL writes it, `days` old; its vector is the model's unless one is given."""
    vector = fields.pop("vector", vector_of(prompt))
    key, stored = redisvl_entry(name, prompt, vector=vector, at=str(time.time() - days * DAY_S))
    client.hset(key, mapping={**stored, "response": answer or stored["response"], **fields})
    return key


def break_everything(client: Any) -> dict[str, list[str]]:
    """Make the caches; the keys that show each fault, by the name of its check."""
    shown: dict[str, list[str]] = {}
    # An index that covers the entries of another cache.
    redisvl_index(client, "faq")
    redisvl_index(client, "faq_v2")
    put(client, "faq", "apples?")
    shown["prefix bleed"] = [put(client, "faq_v2", "apples, please?")]
    # Vectors of another length.
    redisvl_index(client, "wide")
    put(client, "wide", "bananas?")
    shown["wrong vectors"] = [put(client, "wide", "cherries?", vector=unit(1)[:16])]
    shown["indexing"] = shown["wrong vectors"]
    # Keys that no index covers, and a semantic cache whose index is gone.
    shown["orphans"] = [put(client, "ghost", "dates?")]
    lost = own_cache(client)
    shown["orphans"].append(store(client, lost, "lost", vector=unit(1)))
    client.execute_command("FT.DROPINDEX", KEYS.semantic_index)
    # The same answer stored twice, and alike questions that are answered differently.
    redisvl_index(client, "twins")
    shown["duplicates"] = [
        put(client, "twins", "elderberries?", answer="They are ripe."),
        put(client, "twins", "elderberries ?", answer="They are  RIPE."),
    ]
    near = at_similarity(0.96)
    shown["answers"] = [
        put(client, "twins", "hours on Monday?", answer="from nine to five", vector=unit(1)),
        put(client, "twins", "hours on Sunday?", answer="we are closed", vector=near),
    ]
    # One prompt of two tenants in an index that both use.
    redisvl_index(client, "tenants")
    client.execute_command("FT.ALTER", "tenants", "SCHEMA", "ADD", "scope", "TAG")
    shown["scopes"] = []
    for tenant in ("acme", "umbrella"):
        key = put(client, "tenants", "figs?", scope=tenant)
        client.rename(key, key[:-64] + (tenant.encode().hex() * 64)[:64])
        shown["scopes"].append(key[:-64] + (tenant.encode().hex() * 64)[:64])
    # Old, and still used.
    redisvl_index(client, "old")
    shown["stale"] = [put(client, "old", "grapes?", days=90)]
    # Another model's vectors.
    redisvl_index(client, "foreign")
    shown["fingerprint"] = [put(client, "foreign", "honey?", vector=vector_of("a"))]
    return shown
