"""One walk over the keys, by name alone, within a budget: whose entries they are, which index has them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts import layout_of
from costconsole.cache.scan import walk
from costconsole.domain.entry import CacheInfo
from costconsole.health.finding import EVIDENCE
from costconsole.health.sample import Census, Group
from costconsole.redis_store.replies import text

_LIKE_AN_ENTRY = re.compile(rb":[0-9a-f]{32}(?:[0-9a-f]{32})?\Z")
_OURS = b"costconsole:"
_MOST_FAMILIES = 20_000
_MOST_LOOSE = 50


async def take_census(
    client: Any,
    caches: Sequence[CacheInfo],
    indexes: Sequence[IndexInfo],
    *,
    budget_s: float,
    sample: int,
    progress: Callable[[str], None],
) -> Census:
    """Walk over all keys, for `budget_s` seconds at most."""
    from redis.exceptions import ResponseError

    count = _Count(caches, indexes, sample)
    complete = False
    try:
        async for step in walk(client, "*", budget_s=budget_s):
            count.add(step.keys)
            complete = step.after is None
            progress(f"walking over keys, {count.looked_at:,} so far")
    except ResponseError:
        complete = False  # a user who may not scan
    return count.result(complete)


@dataclass(slots=True)
class _Family:
    """Keys with the same words up to the last colon: they share nearly all answers."""

    caches: list[CacheInfo]
    covering: list[tuple[str, bytes]]
    """Index and prefix; the prefix is empty where it is known to fit every key of the family."""


@dataclass(slots=True)
class _Count:
    caches: Sequence[CacheInfo]
    indexes: Sequence[IndexInfo]
    sample: int
    looked_at: int = 0
    _owned: Counter[str] = field(default_factory=Counter)
    _sampled: dict[str, list[bytes]] = field(default_factory=dict)
    _covered: Counter[str] = field(default_factory=Counter)
    _strangers: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    _loose: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    _families: dict[bytes, _Family] = field(default_factory=dict)
    # Always the same sample of the same keys, so that two runs can be compared.
    _dice: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self.looked_at += 1
            name = key[: key.rfind(b":") + 1]
            family = self._families.get(name)
            if family is None:
                family = self._family(name)
                if len(self._families) < _MOST_FAMILIES:
                    self._families[name] = family
            self._one(key, name, family)

    def _family(self, name: bytes) -> _Family:
        def may_fit(prefix: bytes) -> bool:
            return name.startswith(prefix) or prefix.startswith(name)

        covering = [
            (index.name, b"" if name.startswith(prefix) else prefix)
            for index in self.indexes
            for prefix in _prefixes(index)
            if may_fit(prefix)
        ]
        return _Family([cache for cache in self.caches if may_fit(cache.prefix.encode())], covering)

    def _one(self, key: bytes, name: bytes, family: _Family) -> None:
        owner = next((c for c in family.caches if layout_of(c).owns(c, key)), None)
        if owner is not None:
            self._keep(owner.name, key)
        covered = False
        for index, prefix in family.covering:
            if not key.startswith(prefix):
                continue
            covered = True
            self._covered[index] += 1
            if owner is not None and owner.index != index:
                _tell(self._strangers, (index, owner.name), key)
        if owner is None and not covered and not key.startswith(_OURS) and _LIKE_AN_ENTRY.search(key):
            prefix_text = text(name)
            if prefix_text in self._loose or len(self._loose) < _MOST_LOOSE:
                _tell(self._loose, prefix_text, key)

    def _keep(self, cache: str, key: bytes) -> None:
        """Each entry has the same chance to be in the sample (reservoir sampling, Vitter's algorithm R)."""
        self._owned[cache] += 1
        kept = self._sampled.setdefault(cache, [])
        if len(kept) < self.sample:
            kept.append(key)
        elif self.sample:
            at = self._dice.randrange(self._owned[cache])
            if at < self.sample:
                kept[at] = key

    def result(self, complete: bool) -> Census:
        return Census(
            looked_at=self.looked_at,
            complete=complete,
            owned=dict(self._owned),
            sampled={name: tuple(keys) for name, keys in self._sampled.items()},
            covered=dict(self._covered),
            strangers={k: Group(n, tuple(keys)) for k, (n, keys) in self._strangers.items()},
            loose={k: Group(n, tuple(keys)) for k, (n, keys) in self._loose.items()},
        )


def _prefixes(index: IndexInfo) -> list[bytes]:
    return [b"" if prefix == "*" else prefix.encode() for prefix in index.prefixes]


def _tell(groups: dict[Any, tuple[int, list[str]]], name: Any, key: bytes) -> None:
    count, examples = groups.get(name, (0, []))
    if len(examples) < EVIDENCE:
        examples.append(text(key))
    groups[name] = (count + 1, examples)
