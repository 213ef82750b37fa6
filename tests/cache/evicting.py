"""An `Eviction` on the tests' Redis, and a look at entries as they are stored."""

from __future__ import annotations

from typing import Any

from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction
from costconsole.cache.policy import Author
from costconsole.cache.search import EntrySearch
from costconsole.redis_store.probe import probe
from tests.cache.filling import KEYS

WHO = Author("ann", "laptop")


async def evicting(aclient: Any) -> Eviction:
    server = await probe(aclient, namespace=KEYS.namespace)
    search = EntrySearch(aclient, await find_caches(aclient, server, KEYS), KEYS)
    return Eviction(aclient, search, KEYS, server, WHO)


def stored(client: Any, key: str | bytes) -> Any:
    """All that can be known of a key: its type, its content, and when it expires."""
    kind = client.type(key)
    if kind == b"hash":
        content: Any = client.hgetall(key)
    elif kind == b"none":
        return None
    else:
        content = client.dump(key)
    return kind, content, client.pexpiretime(key)


def audit(client: Any) -> list[dict[str, str]]:
    """The audit's entries, oldest first."""
    return [
        {name.decode(): value.decode() for name, value in fields.items()}
        for _, fields in client.xrange(KEYS.audit)
    ]
