"""The semantic cache: the nearest stored prompt of the same scope, with its answer, in one FT.SEARCH.

The threshold is applied by the caller: a KNN look-up knows the best neighbour on a miss too, and finds
every hit, which VECTOR_RANGE on HNSW does not.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from costconsole.cache.answer import Answer, decode_answer, encode_metadata
from costconsole.cache.commands import STORE, Command, Steps, adriven, driven
from costconsole.cache.exact import ttl_ms
from costconsole.cache.indexinfo import parse_index_info
from costconsole.cache.semantic_index import (
    EF_RUNTIME,
    VECTOR,
    SearchUnavailable,
    check_index,
    create_command,
    explain_create,
)
from costconsole.domain.entry import Neighbor
from costconsole.domain.errors import Problem
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text

__all__ = ["IndexMissing", "Match", "SearchUnavailable", "SemanticCache", "best_match", "entry_id"]

_SMALL_SCOPE = 2_000
"""Up to so many entries a scope is compared one by one (at most 1 ms); in larger ones the graph is walked.

Measured at 20,000 entries: walking costs 0.6 ms for a scope of 5% and more, but 15 ms for one of two
entries, and seconds for that at a million; comparing costs 0.3 ms per 1,000 entries. The server's own
choice compares up to the whole index.
"""
_RECOUNT_S = 60.0
_SCOPES_REMEMBERED = 10_000
_SAME = 1e-6
_RETURNED = ("prompt", "response", "metadata", "raw", "model")


class IndexMissing(Problem):
    """The index is gone (dropped, or the server was emptied): call `ensure_index` again."""


@dataclass(frozen=True, slots=True)
class Match:
    """A stored prompt near the vector, and its answer."""

    neighbor: Neighbor
    answer: Answer

    @property
    def similarity(self) -> float:
        return self.neighbor.similarity


def best_match(matches: Sequence[Match], threshold: float) -> Match | None:
    """The nearest match if it is a hit: similarity >= threshold."""
    return matches[0] if matches and matches[0].similarity >= threshold else None


def entry_id(prompt: str, scope: str) -> str:
    """RedisVL's rule for an entry with the one filter `scope`: SHA-256 hex of prompt + "scope" + scope."""
    return hashlib.sha256(f"{prompt}scope{scope}".encode("utf-8", "backslashreplace")).hexdigest()


class SemanticCache:
    """Answers by meaning. Vectors are L2-normalized little-endian float32 of `dims` numbers.

    Methods come in twins, `lookup` for a sync and `alookup` for an async client. `slide_ttl_s` (seconds)
    is used by `touch`, for those who want a hit to start the time to live afresh.
    """

    def __init__(self, keys: Keys, dims: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self.dims = dims
        self._clock = clock
        self._served = re.compile(re.escape(keys.semantic_prefix.encode()) + rb"[0-9a-f]{64}\Z")
        self._large: dict[str, tuple[bool, float]] = {}
        self._templates: dict[tuple[bool, int], Command] = {}

    def ensure_index(self, client: Any) -> None:
        """Make the index if it isn't there, else check it, once per process.

        Raises SearchUnavailable when there is no search here, Problem when the index is another's or holds
        vectors of other dimensions.
        """
        try:
            client.execute_command(*create_command(self._keys, self.dims))
        except ResponseError as error:
            if "already exists" not in str(error):
                raise explain_create(error, self._keys) from None
            try:
                reply = client.execute_command("FT.INFO", self._keys.semantic_index)
            except ResponseError as refused:
                raise explain_create(refused, self._keys) from None
            check_index(parse_index_info(self._keys.semantic_index, reply), self._keys, self.dims)
        self._template(True, 1)

    async def aensure_index(self, client: Any) -> None:
        """`ensure_index` for an async client."""
        try:
            await client.execute_command(*create_command(self._keys, self.dims))
        except ResponseError as error:
            if "already exists" not in str(error):
                raise explain_create(error, self._keys) from None
            try:
                reply = await client.execute_command("FT.INFO", self._keys.semantic_index)
            except ResponseError as refused:
                raise explain_create(refused, self._keys) from None
            check_index(parse_index_info(self._keys.semantic_index, reply), self._keys, self.dims)
        self._template(True, 1)

    def lookup(self, client: Any, vector: bytes, scope: str, k: int = 1) -> tuple[Match, ...]:
        """The `k` nearest entries of the scope, best first, however far.

        Raises IndexMissing when the index is gone; other errors of the client are the caller's to handle.
        """
        return driven(client, self.looking(vector, scope, k))

    async def alookup(self, client: Any, vector: bytes, scope: str, k: int = 1) -> tuple[Match, ...]:
        """`lookup` for an async client."""
        return await adriven(client, self.looking(vector, scope, k))

    def looking(self, vector: bytes, scope: str, k: int = 1) -> Steps[tuple[Match, ...]]:
        """The steps of `lookup`, for those who have more to ask on the way."""
        try:
            large = self._known_size(scope)
            if large is None:
                large = self._learn_size(scope, (yield self._count(scope)))
            reply = yield self._search(vector, scope, k, large)
            if _has_ghosts(reply, k):
                reply = yield self._search(vector, scope, k + 10, large)
        except ResponseError as error:
            raise self._explain_lookup(error) from None
        return self._matches(reply, scope)[:k]

    def store(
        self,
        client: Any,
        prompt: str,
        vector: bytes,
        scope: str,
        answer: Answer,
        *,
        route: str = "",
        tag: str = "",
        ttl_s: float | None = None,
        now_ms: int,
    ) -> str:
        """Keep an answer for `ttl_s` seconds (None: for ever) and return its key.

        The same prompt in the same scope overwrites its entry; an equal answer isn't written again.
        Raises Problem when the vector has other dimensions than the index.
        """
        key, fields = self._entry(prompt, vector, scope, answer, route, tag, now_ms)
        STORE.run(client, [key], [ttl_ms(ttl_s), *fields])
        return key

    async def astore(
        self,
        client: Any,
        prompt: str,
        vector: bytes,
        scope: str,
        answer: Answer,
        *,
        route: str = "",
        tag: str = "",
        ttl_s: float | None = None,
        now_ms: int,
    ) -> str:
        """`store` for an async client."""
        key, fields = self._entry(prompt, vector, scope, answer, route, tag, now_ms)
        await STORE.arun(client, [key], [ttl_ms(ttl_s), *fields])
        return key

    @staticmethod
    def touch(key: str, ttl_s: float) -> Command:
        """The command that starts an entry's time to live afresh (EXPIRE does not index it again)."""
        return ("PEXPIRE", key, ttl_ms(ttl_s))

    def _entry(
        self, prompt: str, vector: bytes, scope: str, answer: Answer, route: str, tag: str, now_ms: int
    ) -> tuple[str, list[Any]]:
        if len(vector) != self.dims * 4:
            raise Problem(
                f"The embedding has {len(vector) // 4} dimensions, but index {self._keys.semantic_index} "
                f"holds {self.dims}: use the model that filled this cache, or another --namespace."
            )
        name = entry_id(prompt, scope)
        at = f"{now_ms / 1000:.3f}"
        fields = {
            "entry_id": name,
            "prompt": _utf8(prompt),
            "response": _utf8(answer.text),
            "inserted_at": at,
            "updated_at": at,
            "metadata": encode_metadata(answer),
            "model": _utf8(answer.model),
            "scope": scope,
            "route": _utf8(route),
            "tag": _utf8(tag),
            "raw": answer.raw or b"",
            VECTOR: vector,
        }
        return self._keys.semantic(name), [word for pair in fields.items() for word in pair]

    def _search(self, vector: bytes, scope: str, k: int, large: bool) -> Command:
        params: tuple[Any, ...] = ("PARAMS", 4, "vector", vector, "scope", scope)
        if large:
            params = ("PARAMS", 6, *params[2:], "EF", EF_RUNTIME)
        return (*self._template(large, k), *params)

    def _template(self, large: bool, k: int) -> Command:
        """RedisVL's KNN query with the scope as its filter, built once: only its parameters change."""
        if (large, k) not in self._templates:
            from redisvl.query import VectorQuery

            query = VectorQuery(
                vector=b"",
                vector_field_name=VECTOR,
                return_fields=list(_RETURNED),
                filter_expression="@scope:{$scope}",
                num_results=k,
                hybrid_policy="BATCHES" if large else "ADHOC_BF",
                ef_runtime=EF_RUNTIME if large else None,
            )
            self._templates[large, k] = ("FT.SEARCH", self._keys.semantic_index, *query.get_args())
        return self._templates[large, k]

    def _count(self, scope: str) -> Command:
        """Whether a scope has more than _SMALL_SCOPE entries, in a time that doesn't grow with it."""
        query = ("@scope:{$scope}", "PARAMS", 2, "scope", scope, "LIMIT", _SMALL_SCOPE, 1, "DIALECT", 2)
        return ("FT.AGGREGATE", self._keys.semantic_index, *query)

    def _known_size(self, scope: str) -> bool | None:
        large, until = self._large.get(scope, (False, 0.0))
        return large if self._clock() < until else None

    def _learn_size(self, scope: str, reply: Sequence[Any]) -> bool:
        large = int(reply[0]) > _SMALL_SCOPE
        if len(self._large) >= _SCOPES_REMEMBERED:
            self._large.clear()
        self._large[scope] = (large, self._clock() + _RECOUNT_S)
        return large

    def _matches(self, reply: Sequence[Any], scope: str) -> tuple[Match, ...]:
        found = []
        for key, fields in _rows(reply):
            if not self._served.match(key) or b"response" not in fields or b"vector_distance" not in fields:
                continue
            answer = decode_answer(fields[b"response"], fields.get(b"metadata"), fields.get(b"raw"))
            similarity = similarity_of(fields[b"vector_distance"])
            prompt = text(fields.get(b"prompt"))
            found.append(Match(Neighbor(key.decode(), similarity, prompt, answer.model, scope), answer))
        return tuple(found)

    def _explain_lookup(self, error: ResponseError) -> Exception:
        said = str(error).lower()
        if "no such index" in said or "unknown index name" in said or "index not found" in said:
            self._large.clear()
            return IndexMissing(f"Index {self._keys.semantic_index} is gone; it is made again when needed.")
        return error


def similarity_of(distance: bytes | str | float) -> float:
    """Cosine similarity from a cosine distance; what float32 can't tell from the same text is 1."""
    away = float(distance)
    return 1.0 if away < _SAME else max(-1.0, 1.0 - away)


def _rows(reply: Sequence[Any]) -> list[tuple[bytes, dict[bytes, bytes]]]:
    rows = []
    for at in range(1, len(reply) - 1, 2):
        key, words = reply[at], reply[at + 1]
        if isinstance(words, list):
            rows.append((key, {words[i]: words[i + 1] for i in range(0, len(words) - 1, 2)}))
    return rows


def _has_ghosts(reply: Sequence[Any], k: int) -> bool:
    """Entries that expired but still stand in the index take places of living ones."""
    living = sum(1 for _, fields in _rows(reply) if b"response" in fields)
    return living < min(k, int(reply[0]) if reply else 0)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
