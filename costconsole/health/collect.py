"""Looking at all caches once: a survey, a walk over the keys, samples, and what the checks make of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from costconsole.cache.catalog import Survey
from costconsole.cache.commands import arun_all
from costconsole.cache.earlier import EarlierLookups
from costconsole.cache.estimates import UseMeter
from costconsole.cache.known import read_known
from costconsole.cache.reading import Readers
from costconsole.cache.search import EntrySearch
from costconsole.domain.entry import CacheInfo
from costconsole.domain.known import KnownFigures, near_misses, spend_line
from costconsole.health.census import take_census
from costconsole.health.entries import last_use, memory, never_expiring, stale, wrong_vectors
from costconsole.health.finding import Finding
from costconsole.health.flat import flat_index
from costconsole.health.keys import bleeding, not_indexed, orphans
from costconsole.health.likeness import contradictions, duplicates, shared_prompts
from costconsole.health.model import Model, fingerprint, model_works
from costconsole.health.reading import look_near, read_sample
from costconsole.health.sample import QUICK, Budget, CacheSample, Census
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.redis_store.probe import ServerInfo

Progress = Callable[[str], None]


def silent(_words: str) -> None:
    """For those who don't want to hear how far it is."""


async def examine_caches(
    client: Any,
    server: ServerInfo | None,
    keys: Keys,
    seen: Survey,
    model: Model,
    *,
    budget: Budget = QUICK,
    meter: UseMeter | None = None,
    earlier: EarlierLookups | None = None,
    hits_client: Any = None,
    progress: Progress = silent,
) -> AsyncIterator[Finding]:
    """Findings one by one, as they are known; may be stopped between any two.

    `seen` must be fresh: each index is asked once a run, and that was it. Errors of the connection are the
    caller's to handle. `progress` gets a few words a couple of times a second.
    """
    caches, indexes = seen.caches, seen.indexes
    census = await take_census(
        client, caches, indexes, budget_s=budget.walk_s, sample=budget.entries, progress=progress
    )
    census = await _without_strings(client, census)
    for finding in not_indexed(caches, indexes, census):
        yield finding
    works, dims = await model_works(model)
    yield works
    samples: list[CacheSample] = []
    readers = Readers(client, hits_client or client)
    docs = {index.name: index.docs for index in indexes}
    for cache in caches:
        sample = await _sample(readers, cache, caches, keys, census, budget, progress)
        samples.append(sample)
        flat = flat_index(cache, docs.get(cache.index or ""), sample)
        for each in (*_of_one(sample, server), flat):
            if each is not None:
                yield each
        if cache.dims and dims is not None and (cache.index or sample.entries):
            progress(f"{cache.name}: embedding a few of its prompts")
            yield await fingerprint(client, keys, cache, model, dims, sample)
    for finding in (
        *bleeding(caches, indexes, census, samples),
        *orphans(caches, indexes, census, samples),
        *shared_prompts(samples),
    ):
        yield finding
    if budget.entries:
        for finding in await _hit_rates(client, server, samples, seen, meter, earlier):
            yield finding
    yield _coverage(census, samples, budget)


async def _without_strings(client: Any, census: Census) -> Census:
    """Keys that only look like entries by their name, such as single vectors, are none of a cache's."""
    first = {prefix: group.examples[0] for prefix, group in census.loose.items()}
    types = await arun_all(client, [("TYPE", key) for key in first.values()])
    kept = {
        prefix: census.loose[prefix]
        for prefix, kind in zip(first, types, strict=True)
        if kind in (b"hash", b"ReJSON-RL", "hash", "ReJSON-RL")
    }
    return replace(census, loose=kept)


async def _sample(
    readers: Readers,
    cache: CacheInfo,
    caches: Sequence[CacheInfo],
    keys: Keys,
    census: Census,
    budget: Budget,
    progress: Progress,
) -> CacheSample:
    count, about = census.entries(cache)
    sample = CacheSample(cache, count, about)
    if not budget.entries:
        return sample
    entries, refused = await read_sample(readers, cache, census.sampled.get(cache.name, ()), progress)
    sample = replace(sample, entries=entries, note=refused)
    if not cache.dims:
        return sample
    search = EntrySearch(readers.caches, caches, keys)

    def owner_of(key: bytes) -> str:
        owner = search.cache_of(key)
        return owner.name if owner is not None else ""

    near, note = await look_near(
        readers,
        cache,
        entries,
        probes=budget.probes,
        budget_s=budget.knn_s,
        owner_of=owner_of,
        progress=progress,
    )
    return replace(sample, near=near, note="; ".join(part for part in (refused, note) if part))


def _of_one(sample: CacheSample, server: ServerInfo | None) -> list[Finding | None]:
    found = [
        wrong_vectors(sample),
        never_expiring(sample, server_evicts=None if server is None else server.evicts),
        stale(sample, int(time.time() * 1000)),
        duplicates(sample),
        contradictions(sample),
        memory(sample),
    ]
    if sample.note:
        found.append(
            Finding(
                "not looked at",
                "warn",
                f"{sample.cache.name}: {sample.note}",
                "costconsole doctor --acl viewer prints the rights that are needed",
                cache=sample.cache.name,
            )
        )
    return found


async def _hit_rates(
    client: Any,
    server: ServerInfo | None,
    samples: Sequence[CacheSample],
    seen: Survey,
    meter: UseMeter | None,
    earlier: EarlierLookups | None,
) -> list[Finding]:
    """What is known of the hits of caches that aren't our own: those are in the ledger."""
    if meter is not None:
        meter.note(seen.indexes)
    known = await read_known(
        client,
        seen,
        meter=meter,
        earlier=earlier,
        uptime_ms=server.uptime_ms if server is not None else None,
    )
    uses = {sample.cache.name: last_use(sample) for sample in samples}
    found = [_hit_rate(one, uses.get(one.cache, "")) for one in known.figures]
    return found + [Finding("spend", "ok", spend_line(gauge), estimated=True) for gauge in known.gauges]


def _hit_rate(known: KnownFigures, use: str) -> Finding:
    what = "; ".join(part for part in (known.sentence, near_misses(known), use) if part)
    step = f"exact figures: {known.code}" if known.code else ""
    return Finding(
        "hit rate", "ok", what, step, known.lookups, estimated=not known.counted, cache=known.cache
    )


def _coverage(census: Census, samples: Sequence[CacheSample], budget: Budget) -> Finding:
    """What this run looked at, so that nobody takes a part for the whole."""
    keys = f"{'all' if census.complete else 'the first'} {census.looked_at:,} keys"
    if not budget.entries:
        what = f"{keys} by name; entries are sampled with --deep"
    else:
        read = sum(len(sample.entries) for sample in samples)
        probes = sum(sample.near.asked for sample in samples)
        what = f"{keys} by name, {read:,} entries, {probes:,} look-ups"
    if census.complete:
        return Finding("looked at", "ok", what)
    return Finding(
        "looked at", "ok", f"{what}; it is partial: counts of keys are lower bounds", count=census.looked_at
    )
