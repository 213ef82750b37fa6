"""Checks on entries that are near one another: duplicates, contradicting answers, and shared prompts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from costconsole.domain.entry import CacheEntry
from costconsole.domain.format import percent, similarity
from costconsole.health.finding import EVIDENCE, Finding
from costconsole.health.sample import CacheSample, Pair

DUPLICATE = 0.99
_SERVED = 0.9
"""What is taken for served where nobody knows the writer's threshold: RedisVL's own default."""
_MANY = 0.05
_SCOPED = ("costconsole", "litellm")
"""Libraries whose every look-up is filtered by scope."""
_WORDS = re.compile(r"\w+")
_SAME_WORDS = 0.8


def plain(text: str | None) -> str:
    """A text without what doesn't change its meaning: case and white space."""
    return " ".join((text or "").split()).casefold()


def difference(a: str | None, b: str | None) -> float:
    """How far two answers differ: 1 minus the share of words that they have in common (Jaccard)."""
    if plain(a) == plain(b):
        return 0.0
    one, other = set(_WORDS.findall(plain(a))), set(_WORDS.findall(plain(b)))
    return 1.0 - len(one & other) / len(one | other) if one | other else 1.0


def served_from(sample: CacheSample) -> float:
    """The similarity from which this cache is taken to serve an entry."""
    return sample.cache.threshold if sample.cache.threshold is not None else _SERVED


def duplicates(sample: CacheSample) -> Finding | None:
    """Entries with another one so near that either would be served, and with the same answer."""
    pairs = [
        pair
        for pair in sample.near.pairs
        if _meet(pair) and pair.similarity >= DUPLICATE and plain(pair.a.response) == plain(pair.b.response)
    ]
    if not pairs:
        return None
    twice = {pair.a.key for pair in pairs}
    asked = sample.near.asked
    count, about = sample.scaled(min(len(twice), asked), asked)
    share = min(len(twice), asked) / asked
    return Finding(
        "duplicates",
        "warn" if share > _MANY else "ok",
        f"{sample.cache.name}: {percent(share)} % of {asked:,} entries have another one with the same answer "
        f"and a similarity of {similarity(DUPLICATE)} or more",
        "store only after a miss, and fold white space and case before the look-up",
        count,
        *_evidence(pairs, lambda pair: f"{similarity(pair.similarity)} to the one above"),
        estimated=about,
        cache=sample.cache.name,
    )


def contradictions(sample: CacheSample) -> Finding | None:
    """Alike questions with answers that differ: either may be served for the other. Riskiest first."""
    served = served_from(sample)
    pairs = [
        (difference(pair.a.response, pair.b.response), pair)
        for pair in sample.near.pairs
        if _meet(pair) and pair.similarity >= served and pair.a.response and pair.b.response
    ]
    risky = [(risk, pair) for risk, pair in pairs if risk > 1 - _SAME_WORDS]
    if not risky:
        return None
    risky.sort(key=lambda found: -found[0] * found[1].similarity)
    same = sum(1 for _, pair in risky if plain(pair.a.prompt) == plain(pair.b.prompt))
    words = f", {same:,} of them for the very same prompt" if same else ""
    count, about = sample.scaled(len(risky), sample.near.asked)
    how = "threshold" if sample.cache.threshold is not None else "a usual threshold"
    return Finding(
        "answers",
        "warn",
        f"{sample.cache.name}: pairs of entries above {how} of {similarity(served)} answer differently"
        f"{words}",
        "read the pairs: evict the wrong answer, or raise the threshold above their similarity",
        count,
        *_evidence(
            [pair for _, pair in risky], lambda pair: f"{similarity(pair.similarity)} to the one above"
        ),
        estimated=about,
        cache=sample.cache.name,
    )


def shared_prompts(samples: Sequence[CacheSample]) -> list[Finding]:
    """The same prompt in two scopes of a cache, or in two caches: paid for twice, or one tenant's at another.

    Some libraries never leave a scope when they look up; where it is only a field that the application may
    forget to filter by, the other tenant's answer is served.
    """
    found = []
    for sample in samples:
        entries = [one.entry for one in sample.entries]
        entries += [entry for pair in sample.near.pairs for entry in (pair.a, pair.b)]
        groups = _grouped(entries, lambda entry: entry.scope)
        if not groups:
            continue
        own = sample.cache.library in _SCOPED
        what = f"{sample.cache.name}: prompts that are stored in more than one scope"
        found.append(
            Finding(
                "scopes",
                "ok" if own else "warn",
                what + ("; look-ups never leave a scope, so each pays for its own" if own else ""),
                "" if own else "make sure that every look-up filters by the scope, or use a cache a tenant",
                len(groups),
                *_keys(groups, lambda entry: f"scope {entry.scope or '(none)'}"),
                cache=sample.cache.name,
            )
        )
    groups = _grouped((one.entry for sample in samples for one in sample.entries), lambda entry: entry.cache)
    if groups:
        found.append(
            Finding(
                "scopes",
                "ok",
                "prompts that are stored in more than one cache",
                "is it one application? then one cache would save it the second call",
                len(groups),
                *_keys(groups, lambda entry: f"in {entry.cache}"),
            )
        )
    return found


def _meet(pair: Pair) -> bool:
    """Whether a look-up could serve one entry in place of the other."""
    return pair.a.scope == pair.b.scope and pair.a.route == pair.b.route


def _grouped(entries: Iterable[CacheEntry], part: Callable[[CacheEntry], str]) -> list[list[CacheEntry]]:
    """Entries with equal prompts in different parts, one of each part, the widest spread first."""
    groups: dict[str, dict[str, CacheEntry]] = defaultdict(dict)
    for entry in entries:
        if entry.prompt:
            groups[plain(entry.prompt)].setdefault(part(entry), entry)
    return sorted((list(g.values()) for g in groups.values() if len(g) > 1), key=lambda g: -len(g))


def _keys(
    groups: Sequence[Sequence[CacheEntry]], note: Callable[[CacheEntry], str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    chosen = [entry for group in groups for entry in group[:3]][:EVIDENCE]
    return tuple(entry.key for entry in chosen), tuple(note(entry) for entry in chosen)


def _evidence(pairs: Sequence[Pair], note: Callable[[Pair], str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both keys of each pair, one below the other."""
    chosen = pairs[: EVIDENCE // 2]
    keys = tuple(key for pair in chosen for key in (pair.a.key, pair.b.key))
    return keys, tuple(words for pair in chosen for words in ("", note(pair)))
