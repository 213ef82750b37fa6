"""Frozen findings, and a source that gives them one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from costconsole.domain.errors import Problem
from costconsole.health.finding import Finding
from tests.console import fakes

KEY = "llmcache:" + "9f86d081884c7d65" * 4
FINDINGS = (
    Finding("server", "ok", "redis 8.2.3, primary, user default"),
    Finding("memory", "ok", "support: ≈3.20 kB an entry and 1.90 kB of index; ≈53.2 MB together (400 sampled "
            "of ≈10,431 entries)", evidence=(KEY,), notes=("31.2 kB",), cache="support"),
    Finding("never expires", "warn", "llmcache: 62.5 % of its entries never expire (200 sampled of 212 "
            "entries)", "set a ttl where the cache is made: answers age, and without one memory only grows",
            132, (KEY,), estimated=True, cache="llmcache"),
    Finding("prefix bleed", "fail", "llmcache: its index also covers the entries of llmcache_v2, and "
            "look-ups in llmcache do find them",
            "rename one of them so that neither name begins with the other",
            1204, (KEY, KEY[:-1] + "a"), ("", "came back"), cache="llmcache"),
    Finding("hit rate", "ok", "llmcache: ≈70.0 % hits of 10 look-ups in 1 min, if every miss is stored once "
            "and nobody else asks", 'exact figures: Ledger("redis://…").record(Call(…))', 10, estimated=True,
            cache="llmcache"),
    Finding("answers", "warn", "support: pairs of entries above threshold of .950 answer differently",
            "read the pairs: evict the wrong answer, or raise the threshold above their similarity", 7,
            (KEY, KEY[:-1] + "b"), ("", ".973 to the one above"), cache="support"),
)  # fmt: skip
HOSTILE = tuple(
    Finding(text, ("fail", "warn", "ok")[n % 3], text, text, n, (text,), (text,), cache=text)  # type: ignore[arg-type]
    for n, text in enumerate(fakes.HOSTILE)
)


@dataclass
class HealthSource(fakes.FakeSource):
    """Finds `found`; waits for `gate` before each finding from the second on, if there is one."""

    found: tuple[Finding, ...] = FINDINGS
    gate: asyncio.Semaphore | None = None
    examined: int = 0
    fails: Problem | None = None

    async def examine(self, progress: Callable[[str], None]) -> AsyncIterator[Finding]:
        self.examined += 1
        for at, finding in enumerate(self.found):
            progress(f"llmcache: entries, {at} of {len(self.found)}")
            if self.gate is not None and at:
                await self.gate.acquire()
            yield finding
        if self.fails is not None:
            raise self.fails
