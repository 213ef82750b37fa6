"""What is known of other libraries' caches without a ledger."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from costconsole.cache.catalog import find_caches, survey
from costconsole.cache.earlier import EarlierLookups
from costconsole.cache.gauges import gauge_keys, read_gauges
from costconsole.cache.known import read_known
from costconsole.domain.known import Known, near_misses, spend_line, used_last
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.lookups import own_uses
from costconsole.redis_store.target import parse_target
from tests.cache.filling import KEYS, own_cache, redisvl_index, redisvl_store
from tests.cache.recording import load, replay
from tests.cache.vectors import unit


async def known_of(aclient: Any, **options: Any) -> Known:
    return await read_known(aclient, await survey(aclient, None, KEYS), **options)


def look_up(client: Any, index: str, times: int) -> None:
    for _ in range(times):
        client.execute_command("FT.SEARCH", index, "*", "NOCONTENT")


async def test_hits_of_an_index_are_estimated_from_what_it_counts(client: Any, redis_url: str) -> None:
    """However often this or another console has asked it, before and now."""
    redisvl_index(client, "first_seen_here")
    look_up(client, "first_seen_here", 10)
    for prompt in ("a", "b", "c"):
        redisvl_store(client, "first_seen_here", prompt)
    looker = connect_async(parse_target(redis_url))
    for _ in range(3):
        (known,) = (await known_of(looker)).figures
        assert (known.lookups, known.rate, known.counted) == (10, pytest.approx(0.7), False)
    assert "≈70.0 % hits of 10 look-ups" in known.sentence
    assert "Ledger(" in known.code
    await looker.aclose()


async def test_what_earlier_consoles_asked_is_taken_off(client: Any, redis_url: str, tmp_path: Path) -> None:
    redisvl_index(client, "seen_before")
    looker = connect_async(parse_target(redis_url))
    file = tmp_path / "lookups.json"
    mine = EarlierLookups(file, "run-1")
    await known_of(looker)
    await looker.aclose()
    mine.keep()
    mine.keep()
    (asked,) = [json.loads(file.read_text())["run-1"]["seen_before"]]
    assert asked == own_uses("seen_before") >= 2, "FT.INFO, and a look at its keys; nothing twice"
    assert EarlierLookups(file, "run-1").of("seen_before") == 0, "this process counts its own itself"
    told = "import sys; from pathlib import Path; from costconsole.cache.earlier import EarlierLookups as E"
    ask = f"{told}; print([E(Path(sys.argv[1]), run).of('seen_before') for run in ('run-1', 'run-2', '')])"
    said = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", ask, str(file)])
    assert json.loads(said) == [asked, 0, 0], "another process takes them off, until a restart"
    file.write_text("{broken")
    assert EarlierLookups(file, "run-1").of("seen_before") == 0


async def test_betterdb_counts_itself_by_tier_and_keeps_its_misses(client: Any, aclient: Any) -> None:
    replay(client, load("betterdb"), lambda _text: unit(1))
    client.hset(
        "agents:__stats",
        mapping={
            "llm:hits": 3, "llm:misses": 1, "tool:hits": 1, "tool:misses": 4, "tool:weather:hits": 1,
            "tool:weather:misses": 4, "tool:weather:cost_saved_micros": 200, "cost_saved_micros": 900,
        },
    )  # fmt: skip
    misses = (0.13, 0.17, 0.18, 0.5)
    for at, distance in enumerate(misses):
        member = json.dumps({"score": distance, "result": "miss", "category": "", "_n": str(at)})
        client.zadd("betterdb_scache:__similarity_window", {member: 1_795_399_571_800 + at})
    known = (await known_of(aclient)).by_name
    semantic = known["betterdb_scache"]
    assert (semantic.rate, semantic.lookups, semantic.counted, semantic.saved_nano) == (0.5, 2, True, 450_000)
    assert semantic.code == ""
    window = semantic.near
    assert window is not None
    assert (window.hits, window.misses, window.near) == (1, 5, 2), "the threshold is at 0.88"
    assert window.nearest == pytest.approx(0.87)
    assert "5 missed, the nearest at a similarity of 0.870, 2 within 0.05 of the threshold" in near_misses(
        semantic
    )
    llm, tool = known["agents:llm"], known["agents:tool"]
    assert (llm.rate, llm.lookups, llm.saved_nano) == (0.75, 4, 700_000)
    assert (tool.rate, tool.lookups, tool.saved_nano) == (0.2, 5, 200_000)


async def test_gptcache_reports_its_hits(client: Any, aclient: Any) -> None:
    replay(client, load("gptcache"), lambda _text: unit(1))
    (before,) = (await known_of(aclient)).figures
    assert before.hits == 0
    for at in range(3):
        report = {"pk": str(at), "user_question": "q", "cache_question_id": 1, "similarity": 3.9}
        client.execute_command(
            "JSON.SET", f"gptcache:report:01ARZ3NDEKTSV4RRFFQ69G5FA{at}", "$", json.dumps(report)
        )
    (known,) = (await known_of(aclient)).figures
    assert (known.cache, known.hits) == ("gptcache", 3)
    assert "3 hits reported by GPTCache, which reports no misses" in known.sentence
    assert [c.name for c in await find_caches(aclient, None, KEYS)] == ["gptcache"], "reports are no cache"


async def test_litellms_spend_is_read_while_it_is_there(client: Any, aclient: Any) -> None:
    replay(client, load("litellm"), lambda _text: unit(1).ljust(1536, b"\0"))
    client.set("provider_spend:openai:1d", "12.5")
    client.set("tag_spend:team:red:30d", "0.25", ex=60)
    client.set("spend:key:" + "ab" * 32, "1.5", ex=60)
    client.set("proxy:spend:team:blue:window:7d", "3", ex=60)
    client.set("provider_budget_start_time:openai", "1795376580")
    client.set("spend:user:ann", "no number")
    client.set("spend:weekly:ann", "1")
    found = await survey(aclient, None, KEYS)
    gauges = await read_gauges(aclient, gauge_keys(found.families))
    assert [(g.of, g.name, g.window, g.spend_nano) for g in gauges] == [
        ("provider", "openai", "1d", 12_500_000_000),
        ("team", "blue", "7d", 3_000_000_000),
        ("key", "abababababab…", "", 1_500_000_000),
        ("tag", "team:red", "30d", 250_000_000),
    ]
    assert "$ 12.5000 spent in its budget's 1d by provider openai" in spend_line(gauges[0])
    client.delete("provider_spend:openai:1d")
    assert len(await read_gauges(aclient, gauge_keys(found.families))) == 3


async def test_the_last_use_is_that_of_the_youngest_idle_time(client: Any, aclient: Any) -> None:
    replay(client, load("langchain"), lambda _text: unit(1).ljust(1536, b"\0"))
    known = (await known_of(aclient)).by_name
    exact = known["redis:exact"]
    assert (exact.rate, exact.lookups) == (None, None)
    assert "without a search index" in exact.sentence
    assert exact.sampled == 10
    assert exact.idle_ms is not None
    assert exact.idle_ms < 60_000
    assert "stored or used" in used_last(exact)
    assert known["llmcache"].sampled > 0


async def test_what_is_ours_is_left_to_the_ledger(client: Any, aclient: Any) -> None:
    own_cache(client)
    assert (await known_of(aclient)).figures == ()
