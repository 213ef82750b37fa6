"""GPTCache on Redis: a JSON key with question and answers, and a hash with the vector under the same number.

The vector store knows nothing of the questions' prefix, and a time to live is on the JSON key alone: the
hash stays for ever. Times are in UTC and name no zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import Family, KeyShape, Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout
from costconsole.cache.layouts.plain import plain_number
from costconsole.cache.layouts.values import from_json, iso_ms, mapping, shown
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import text

_QUESTIONS = KeyShape("ReJSON-RL", "*:questions:*", re.compile(rb"(.+:questions:)[0-9]+\Z", re.DOTALL))
_FARTHEST = 4.0
"""`max_distance` of its SearchDistanceEvaluation, whose range the threshold is a share of."""
_THRESHOLD = (
    "the application keeps it, as Config(similarity_threshold=...), 0.8 unless it says otherwise, which is a "
    "share of what its evaluation gives at most: with SearchDistanceEvaluation(), 0.8 serves from a "
    "similarity of 0.2; another evaluation has another scale"
)
_NUMBER = re.compile(rb"[0-9]+\Z")
_USED_MS = 1_000
"""A question is accessed when it is stored as well; so much later it was a hit."""


class GPTCacheLayout(HashLayout):
    """An entry is the JSON key; `vectors` of the details is the prefix of the hashes beside it."""

    library = "gptcache"
    name = "gptcache"
    vector_field = "vector"
    shapes: tuple[KeyShape, ...] = (_QUESTIONS,)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        found: list[Command] = []
        for family in seen.families:
            found.append(_sample(family))
            found += [_beside(family, index) for index in _vector_indexes(seen)]
        return found

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        families = [family for family in seen.families if self._is_question(family, seen)]
        caches = []
        for family in sorted(families, key=lambda one: one.prefix):
            indexes = _vector_indexes(seen)
            stored = _embedding(mapping(from_json(seen.replies.get(_sample(family)))).get("embedding"))
            same = [i for i in indexes if stored and seen.replies.get(_beside(family, i)) == stored]
            if not same and len(indexes) == len(families) == 1:
                same = indexes
            caches.append(self._cache(family, same[0] if len(same) == 1 else None))
        return tuple(caches)

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode()
        return key.startswith(prefix) and _NUMBER.match(key, len(prefix)) is not None

    def created_field(self, cache: CacheInfo) -> str | None:
        return None

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        return None

    def parse_knn(self, cache: CacheInfo, reply: Any) -> list[tuple[bytes, float]]:
        vectors, questions = cache.detail("vectors").encode(), cache.prefix.encode()
        return [
            (questions + key.removeprefix(vectors), similarity)
            for key, similarity in super().parse_knn(cache, reply)
            if key.startswith(vectors)
        ]

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        # The whole of it: several paths come in another order each time, as if the entry had changed.
        return ("JSON.GET", key)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        return self._entry(cache, key, mapping(from_json(reply)))

    def read_whole(self, cache: CacheInfo, key: bytes) -> Command:
        return self.read(cache, key)

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        stored = mapping(from_json(reply))
        entry = self._entry(cache, key, stored)
        if entry is None:
            return None
        fields = ((name, shown(value)) for name, value in stored.items() if name != "embedding")
        return replace(entry, fields=tuple(fields))

    def read_vector(self, cache: CacheInfo, key: bytes) -> Command | None:
        if cache.detail("vectors"):
            return ("HGET", self.siblings(cache, key)[1], self.vector_field)
        return ("JSON.GET", key, "$.embedding")

    def parse_vector(self, cache: CacheInfo, reply: Any) -> bytes | None:
        if cache.detail("vectors"):
            return super().parse_vector(cache, reply)
        found = from_json(reply)
        vector = _embedding(found[0]) if isinstance(found, list) and found else None
        return vector if vector and len(vector) % 4 == 0 else None

    def siblings(self, cache: CacheInfo, key: bytes) -> Sequence[bytes]:
        vectors = cache.detail("vectors").encode()
        return (key, vectors + key.removeprefix(cache.prefix.encode())) if vectors else (key,)

    def beside(self, cache: CacheInfo) -> Sequence[str]:
        return tuple(prefix for prefix in (cache.detail("vectors"), cache.detail("reports")) if prefix)

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return (Threshold(default=0.2, sentence=_THRESHOLD),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return f"Config(similarity_threshold={plain_number(1.0 - (1.0 - similarity) / _FARTHEST)})"

    def _entry(self, cache: CacheInfo, key: bytes, stored: Mapping[str, Any]) -> CacheEntry | None:
        # What is marked deleted is never served again; the library removes it later.
        if "question" not in stored or stored.get("deleted") in (-1, "-1"):
            return None
        answers = [mapping(answer).get("answer") for answer in stored.get("answers") or ()]
        created, used = iso_ms(stored.get("create_on")), iso_ms(stored.get("last_access"))
        hit = created is not None and used is not None and used - created >= _USED_MS
        return CacheEntry(
            key=text(key),
            cache=cache.name,
            library=self.library,
            prompt=shown(stored["question"]),
            response="\n".join(shown(answer) for answer in answers) if answers else None,
            created_ms=created,
            last_hit_ms=used if hit else None,
        )

    def _is_question(self, family: Family, seen: Surroundings) -> bool:
        stored = mapping(from_json(seen.replies.get(_sample(family))))
        return "question" in stored and isinstance(stored.get("answers"), list)

    def _cache(self, family: Family, index: IndexInfo | None) -> CacheInfo:
        count = family.count if family.complete else None
        problem = ""
        if index is not None and count is not None and (index.docs or 0) > count:
            problem = (
                f"{(index.docs or 0) - count:,} vectors have outlived their answers: GPTCache finds them "
                f"and has nothing to serve"
            )
        return self.known_by(
            index,
            name=family.prefix.removesuffix(":questions:"),
            prefix=family.prefix,
            entries=count,
            problem=problem,
            details=(
                ("vectors", index.prefixes[0] if index else ""),
                ("reports", family.prefix.removesuffix("questions:") + "report:"),
            ),
        )


def _vector_indexes(seen: Surroundings) -> list[IndexInfo]:
    """The indexes of GPTCache's vector store: hashes of a vector and a tag under `…doc:`."""
    return [
        index
        for index in seen.indexes
        if index.storage == "HASH"
        and index.has("vector", "VECTOR")
        and index.has("tag", "TAG")
        and len(index.prefixes) == 1
        and index.prefixes[0].endswith("doc:")
    ]


def _sample(family: Family) -> Command:
    return ("JSON.GET", family.sample)


def _beside(family: Family, index: IndexInfo) -> Command:
    return ("HGET", index.prefixes[0] + family.sample.removeprefix(family.prefix), "vector")


def _embedding(stored: Any) -> bytes | None:
    """The bytes that the JSON key keeps as one character each."""
    try:
        return stored.encode("latin-1") if isinstance(stored, str) and stored else None
    except UnicodeEncodeError:
        return None
