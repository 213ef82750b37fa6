"""Which of the nearest entries is served: the threshold, the guards and the ratchet decide."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from costconsole.cache import ratchet
from costconsole.cache.commands import Steps, adriven, driven
from costconsole.cache.guards import fired
from costconsole.cache.semantic import Match, SemanticCache
from costconsole.domain.call import RATCHET
from costconsole.redis_store.keys import Keys

NEXT = 10
"""So many neighbours are looked at where the nearest is refused: on identifier-laden traffic they bring
back most of the right answers that a refusal of the nearest alone would lose (benchmarks.guards)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: the prompt as it was embedded, and what the policy asks of an answer to it."""

    prompt: str
    vector: bytes
    scope: str
    threshold: float
    guards: Collection[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`nearest` is the nearest entry, however far; `served` the one to answer with, if any.

    `refused` names what kept `nearest` from being served although it reached the threshold: guards, or
    RATCHET alone.
    """

    nearest: Match | None
    served: Match | None = None
    refused: tuple[str, ...] = ()


def serve(client: Any, keys: Keys, cache: SemanticCache, wanted: Wanted) -> Verdict:
    """Look up and decide. Raises what `SemanticCache.lookup` raises."""
    return driven(client, _serving(keys, cache, wanted))


async def aserve(client: Any, keys: Keys, cache: SemanticCache, wanted: Wanted) -> Verdict:
    """`serve` for an async client."""
    return await adriven(client, _serving(keys, cache, wanted))


def _serving(keys: Keys, cache: SemanticCache, wanted: Wanted) -> Steps[Verdict]:
    found = yield from cache.looking(wanted.vector, wanted.scope)
    if not found or found[0].similarity < wanted.threshold:
        return Verdict(found[0] if found else None)
    nearest = found[0]
    refused = _refused(nearest, wanted)
    if not refused:
        if (yield from _allowed(keys, (nearest,))):
            return Verdict(nearest, nearest)
        refused = (RATCHET,)
    others = yield from cache.looking(wanted.vector, wanted.scope, NEXT)
    passing = tuple(
        match
        for match in others
        if match.similarity >= wanted.threshold
        and match.neighbor.key != nearest.neighbor.key
        and not _refused(match, wanted)
    )
    allowed = yield from _allowed(keys, passing)
    return Verdict(nearest, allowed[0], ()) if allowed else Verdict(nearest, None, refused)


def _refused(match: Match, wanted: Wanted) -> tuple[str, ...]:
    cached = match.neighbor.prompt
    return fired(wanted.prompt, cached, match.similarity, wanted.guards) if cached else ()


def _allowed(keys: Keys, matches: tuple[Match, ...]) -> Steps[tuple[Match, ...]]:
    """Those that reach their own threshold, where a wrong hit has given them one."""
    if not matches:
        return ()
    names = [match.neighbor.key for match in matches]
    raised = ratchet.parse(names, (yield ratchet.read_command(keys, names)))
    return tuple(match for match in matches if match.similarity >= raised.get(match.neighbor.key, 0.0))
