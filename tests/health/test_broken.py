"""Deliberately broken caches on a real Redis: each fault is found, with the keys that show it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from costconsole.cache.catalog import survey
from costconsole.cache.estimates import UseMeter
from costconsole.health.collect import examine_caches
from costconsole.health.finding import Finding, worst_first
from costconsole.health.sample import DEEP, QUICK, Budget
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.target import parse_target
from tests.cache.filling import redisvl_index, redisvl_store
from tests.cache.recording import load, replay
from tests.health.broken import AxisModel, break_everything, put, vector_of


async def examined(
    aclient: Any, *, budget: Budget = DEEP, meter: UseMeter | None = None, progress: Any = None
) -> list[Finding]:
    seen = await survey(aclient, None, Keys("tests"))
    found = examine_caches(
        aclient,
        None,
        Keys("tests"),
        seen,
        AxisModel(),
        budget=budget,
        meter=meter,
        progress=progress or (lambda _words: None),
    )
    return worst_first([finding async for finding in found])


def bad(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check and finding.status != "ok"]


async def test_every_fault_is_found_with_its_keys(client: Any, aclient: Any) -> None:
    shown = break_everything(client)
    words: list[str] = []
    findings = await examined(aclient, progress=words.append)
    for check, keys in shown.items():
        evidence = {key for finding in bad(findings, check) for key in finding.evidence}
        assert set(keys) <= evidence, check
    assert [f.status for f in bad(findings, "prefix bleed")] == ["fail"]
    assert "look-ups in faq do find them" in bad(findings, "prefix bleed")[0].what
    (wrong,) = bad(findings, "wrong vectors")
    assert (wrong.cache, wrong.count, wrong.notes) == ("wide", 1, ("4 dimensions instead of 8",))
    assert {f.status for f in bad(findings, "orphans")} == {"fail", "warn"}
    assert {f.cache for f in bad(findings, "fingerprint")} == {"foreign", "twins"}
    assert [f.status for f in findings] == sorted(
        (f.status for f in findings), key=("fail", "warn", "ok").index
    )
    assert all(f.next_step for f in findings if f.status != "ok")
    assert any(word.startswith("walking over keys") for word in words)
    assert any("nearest neighbours" in word for word in words)


async def test_a_cache_in_good_order_has_nothing_to_do(client: Any, aclient: Any) -> None:
    redisvl_index(client, "good")
    for prompt in ("apples?", "bananas?", "cherries?"):
        client.expire(put(client, "good", prompt), 600)
    findings = await examined(aclient)
    assert {f.status for f in findings} == {"ok"}
    assert all("faq" not in f.what for f in findings)


async def test_a_quick_look_reads_no_entry_but_knows_bleed_orphans_and_failures(
    client: Any, aclient: Any
) -> None:
    break_everything(client)
    findings = await examined(aclient, budget=QUICK)
    checks = {f.check for f in findings if f.status != "ok"}
    assert {"prefix bleed", "indexing", "orphans"} <= checks
    assert not {"memory", "stale", "duplicates", "answers", "never expires"} & {f.check for f in findings}


async def test_each_index_is_asked_for_its_size_once_and_nothing_forbidden_is_sent(
    client: Any, redis_url: str
) -> None:
    break_everything(client)
    client.config_resetstat()
    reader = connect_async(parse_target(redis_url), read_only=True)
    await examined(reader)
    await reader.aclose()
    calls = {name: int(stat["calls"]) for name, stat in client.info("commandstats").items()}
    indexes = len(client.execute_command("FT._LIST"))
    assert calls.get("cmdstat_FT.INFO", calls.get("cmdstat_ft.info")) == indexes
    assert not {"cmdstat_keys", "cmdstat_monitor"} & set(calls)


async def test_a_walk_that_ends_at_its_budget_says_that_it_is_partial(client: Any, aclient: Any) -> None:
    pipe = client.pipeline(transaction=False)
    for number in range(3000):
        pipe.set(f"filler:{number}", 1)
    pipe.execute()
    findings = await examined(aclient, budget=Budget(walk_s=0.0))
    (looked,) = [f for f in findings if f.check == "looked at"]
    assert "partial" in looked.what
    assert looked.count is not None
    assert looked.count < 3000


async def test_a_run_may_be_stopped_at_any_moment(client: Any, aclient: Any) -> None:
    break_everything(client)
    begun = asyncio.Event()
    run = asyncio.create_task(examined(aclient, progress=lambda _words: begun.set()))
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert await aclient.ping()


async def test_hits_are_estimated_between_two_looks_without_counting_our_own(
    client: Any, redis_url: str
) -> None:
    redisvl_index(client, "faq")
    redisvl_store(client, "faq", "apples?")
    now = [1_000_000]
    meter = UseMeter(clock=lambda: now[0])
    looker = connect_async(parse_target(redis_url))
    first = await examined(looker, meter=meter)
    assert "nobody but us looked anything up" in next(f.what for f in first if f.check == "hit rate")
    # The application asks ten times, and stores what it missed three times.
    for _ in range(10):
        client.execute_command("FT.SEARCH", "faq", "*", "NOCONTENT")
    for prompt in ("bananas?", "cherries?", "dates?"):
        redisvl_store(client, "faq", prompt, vector=vector_of(prompt))
    now[0] += 60_000
    second = await examined(looker, meter=meter)
    await looker.aclose()
    (rate,) = [f for f in second if f.check == "hit rate"]
    assert "≈70.0 % hits of 10 look-ups in 1 min" in rate.what
    assert "if every miss is stored once" in rate.what
    assert "Ledger(" in rate.next_step


async def test_betterdb_counts_by_itself(client: Any, aclient: Any) -> None:
    client.hset("__betterdb:caches", "shop", '{"type": "semantic_cache", "stats_key": "shop:__stats"}')
    client.hset("shop:__stats", mapping={"hits": 30, "misses": 10, "cost_saved_micros": 1_230_000})
    (rate,) = [f for f in await examined(aclient) if f.check == "hit rate"]
    assert "75.0 % hits of 40 look-ups, counted by BetterDB" in rate.what
    assert "$ 1.23 saved" in rate.what
    assert not rate.estimated


async def test_vectors_that_outlived_their_entries_are_orphans(client: Any, aclient: Any) -> None:
    replay(client, load("khazad"), lambda _text: b"")
    before = await examined(aclient)
    assert not bad(before, "orphans")
    gone = client.keys("khazad:resp:*")
    client.delete(*gone[:2])
    (orphan,) = bad(await examined(aclient), "orphans")
    assert orphan.cache == "khazad"
    assert {key.decode() for key in gone[:2]} == set(orphan.evidence)
    assert "VREM" in orphan.next_step
    client.delete(*gone[2:])
    assert bad(await examined(aclient), "orphans"), "also when none of its entries is left"


async def test_single_vectors_of_other_libraries_are_no_orphans(client: Any, aclient: Any) -> None:
    client.set("shop:embed:" + "a" * 64, b"\0" * 32)
    assert not bad(await examined(aclient), "orphans")
