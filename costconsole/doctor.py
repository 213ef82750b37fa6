"""What works with this Redis, this user and this model, what doesn't, and the next step for each."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from costconsole.domain.entry import CacheInfo
from costconsole.domain.format import age, duration
from costconsole.health.finding import Finding, Status
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.cache.commands import Command
    from costconsole.cache.earlier import EarlierLookups
    from costconsole.cache.estimates import UseMeter
    from costconsole.health.collect import Progress
    from costconsole.health.model import Model
    from costconsole.redis_store.acl import Role
    from costconsole.redis_store.probe import ServerInfo

__all__ = ["Finding", "Status", "acl_of", "examine"]

_SKEW_MS = 2_000
_QUIET_MS = 3_600_000
_LOOKUPS = 20_000


async def examine(
    client: Any,
    server: ServerInfo,
    keys: Keys,
    model: Model,
    *,
    deep: bool = False,
    ledger_client: Any = None,
    meter: UseMeter | None = None,
    earlier: EarlierLookups | None = None,
    progress: Progress | None = None,
    mappings: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Finding]:
    """Findings one by one, as they are known. Errors of the connection are the caller's to handle.

    `deep` reads samples of entries and measures look-ups, which takes a few seconds a cache. The ledger is
    looked for in `ledger_client` where it has a server of its own.
    """
    from costconsole.cache.catalog import survey
    from costconsole.health.collect import examine_caches, silent
    from costconsole.health.sample import DEEP, QUICK

    for finding in _server(server):
        yield finding
    yield await _clock(client)
    yield await _ledger(ledger_client or client, keys)
    async for finding in _threshold(client, ledger_client or client, keys):
        yield finding
    (progress or silent)("looking for caches")
    seen = await survey(client, server, keys, mappings=mappings)
    for finding in _caches(seen.caches):
        yield finding
    if seen.left_out:
        yield Finding("caches", "warn", seen.left_out, "costconsole caches --deep")
    async for finding in examine_caches(
        client,
        server,
        keys,
        seen,
        model,
        budget=DEEP if deep else QUICK,
        meter=meter,
        earlier=earlier,
        hits_client=ledger_client,
        progress=progress or silent,
    ):
        yield finding


async def acl_of(
    role: Role,
    client: Any,
    server: ServerInfo,
    keys: Keys,
    *,
    mappings: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """The ACL rule of a role for this server as it is: with the caches and indexes that are there now."""
    from costconsole.cache.catalog import survey
    from costconsole.cache.layouts import layout_of
    from costconsole.redis_store.acl import acl_rule

    seen = await survey(client, server, keys, mappings=mappings)
    prefixes = [cache.prefix for cache in seen.caches]
    of_modules: list[str] = []
    commands: dict[str, None] = {}
    for cache in seen.caches:
        layout = layout_of(cache)
        key = cache.prefix.encode("utf-8", "surrogateescape")
        reads: list[Command | None] = [layout.read(cache, key), layout.read_whole(cache, key)]
        for part in layout.parts(cache):
            reads += [
                layout.read_vector(part, key),
                layout.knn(part, bytes(4 * part.dims), 1) if part.dims else None,
            ]
        reads += [layout.stored_threshold(cache, one.part) for one in layout.thresholds(cache)]
        if cache.detail("window_key"):
            reads.append(("ZRANGE", cache.detail("window_key"), 0, -1))
        names = [str(read[0]) for read in reads if read is not None]
        commands |= dict.fromkeys(names)
        prefixes += layout.beside(cache)
        if any(name.startswith(("JSON.", "V")) for name in names):
            of_modules += [cache.prefix, *layout.beside(cache)]
        prefixes += [zset for zset in layout.usage_keys(cache) or () if not zset.startswith(keys.root)]
    indexes = [cache.index for cache in seen.caches if cache.index]
    covered = {index.name: index.prefixes for index in seen.indexes}
    prefixes += ["" if prefix == "*" else prefix for name in indexes for prefix in covered.get(name, ())]
    return acl_rule(
        role,
        keys,
        prefixes=prefixes,
        of_modules=of_modules,
        indexes=indexes,
        commands=commands,
        search=server.search is not None,
    )


def _server(server: ServerInfo) -> list[Finding]:
    name = f"{server.kind} {server.version}".strip()
    where = ", cluster" if server.cluster else f", {server.role}" if server.role else ""
    findings = [Finding("server", "ok", f"{name}{where}, user {server.username}")]
    if server.search:
        findings.append(Finding("search", "ok", f"search module, version {server.search}"))
    else:
        findings.append(
            Finding(
                "search",
                "warn",
                "no search module: figures, exact entries and text search work, search by meaning doesn't",
                "use Redis 8 (docker run -p 6379:6379 redis:8) or load the search module",
            )
        )
    reads = [name for name in server.denied if name in ("HGETALL", "XREVRANGE", "SCAN", "INFO", "FT.SEARCH")]
    if reads:
        what = f"user {server.username} may not run {', '.join(reads)}"
        findings.append(Finding("reading", "warn", what, f"ACL SETUSER {server.username} +@read +info"))
    if server.can_write:
        findings.append(Finding("writing", "ok", "this user may change policy and entries"))
    else:
        findings.append(Finding("writing", "ok", f"read-only: {server.why_read_only}"))
    if server.evicts:
        findings.append(
            Finding(
                "memory",
                "warn",
                f"maxmemory-policy is {server.maxmemory_policy}: when memory is full, figures can be lost",
                "keep the ledger in a Redis with noeviction (--ledger URL)",
            )
        )
    elif server.maxmemory_policy:
        findings.append(Finding("memory", "ok", "maxmemory-policy is noeviction: no figure is lost"))
    return findings


async def _clock(client: Any) -> Finding:
    from redis.exceptions import ResponseError

    before = time.time()
    try:
        seconds, micros = await client.execute_command("TIME")
    except ResponseError:
        return Finding("clock", "warn", "this user may not run TIME: the clocks can't be compared")
    latency_ms = (time.time() - before) * 1000
    skew_ms = (int(seconds) + int(micros) / 1e6 - before) * 1000 - latency_ms / 2
    if abs(skew_ms) > max(_SKEW_MS, latency_ms):
        return Finding(
            "clock",
            "warn",
            f"this machine's clock and the server's differ by {duration(abs(skew_ms))}",
            "set both by NTP: windows and ages are off by as much",
        )
    return Finding("clock", "ok", f"clocks agree, one round trip takes {duration(latency_ms)}")


async def _ledger(client: Any, keys: Keys) -> Finding:
    from redis.exceptions import ResponseError

    try:
        newest = await client.execute_command("XREVRANGE", keys.calls, "+", "-", "COUNT", 1)
    except ResponseError as error:
        return Finding("ledger", "fail", f"{keys.calls} can't be read: {error}", "see `reading` above")
    if not newest:
        return Finding(
            "ledger",
            "warn",
            f"no call is recorded in namespace {keys.namespace!r}",
            "send calls through costconsole.Gateway, or choose another --namespace",
        )
    quiet_ms = time.time() * 1000 - int(newest[0][0].split(b"-")[0])
    status: Status = "ok" if quiet_ms < _QUIET_MS else "warn"
    what = f"the newest call in namespace {keys.namespace!r} was recorded {age(max(0.0, quiet_ms))} ago"
    return Finding("ledger", status, what, "" if status == "ok" else "is the application still running?")


async def _threshold(client: Any, ledger_client: Any, keys: Keys) -> AsyncIterator[Finding]:
    """What labels say of the threshold in force; nothing where there are none."""
    from redis.exceptions import ResponseError

    from costconsole.calibration.after import after_change
    from costconsole.calibration.evidence import gather_log

    try:
        if not await client.execute_command("HLEN", keys.labels):
            return
        log = await gather_log(client, ledger_client, keys, limit=_LOOKUPS)
    except ResponseError as error:
        yield Finding("threshold", "warn", f"labels or look-ups can't be read: {error}")
        return
    after = after_change(log.events, log.label_events, current=log.of().current)
    if after.alarm:
        yield Finding("threshold", "fail", after.sentence, "costconsole threshold suggest")
    elif after.now is not None and after.now.labels:
        yield Finding("threshold", "ok", after.sentence)


def _caches(caches: tuple[CacheInfo, ...]) -> list[Finding]:
    if not caches:
        return [Finding("caches", "warn", "no cache was found", "send calls through costconsole.Gateway")]
    findings = []
    for cache in caches:
        entries = "entries unknown" if cache.entries is None else f"{cache.entries:,} entries"
        what = f"{cache.name}: {cache.library} {cache.kind}, {entries}"
        findings.append(
            Finding("cache", "warn" if cache.problem else "ok", what, cache.problem, cache=cache.name)
        )
    return findings
