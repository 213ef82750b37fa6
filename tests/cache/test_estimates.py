"""What can be known of hits without a ledger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.cache.catalog import survey
from costconsole.cache.estimates import Reading, UseMeter, counted, estimate, since_made, unknowable
from costconsole.cache.indexinfo import IndexInfo
from costconsole.domain.entry import CacheInfo
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.lookups import note, own_uses
from costconsole.redis_store.target import parse_target
from tests.cache.filling import KEYS, redisvl_index

FAQ = CacheInfo("faq", "redisvl", "semantic", "faq:", entries=10, index="faq", dims=8, algorithm="FLAT")


@given(
    hits=st.integers(0, 10_000),
    misses=st.integers(0, 10_000),
    own=st.integers(0, 1000),
    began=st.integers(0, 99),
)
def test_hits_and_misses_are_told_apart_whatever_we_ask_ourselves(
    hits: int, misses: int, own: int, began: int
) -> None:
    before = Reading(0, began, began, began // 2)
    now = Reading(60_000, began + hits + misses + own, began + misses, began // 2 + own)
    found = estimate("faq", before, now)
    assert found.lookups == hits + misses
    if hits + misses:
        assert found.rate == pytest.approx(hits / (hits + misses))
        assert "≈" in found.sentence
        assert "if every miss is stored once" in found.sentence
    else:
        assert found.rate is None
    assert not found.counted
    assert "Ledger(" in found.code


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Reading(60_000, 10, 30), "something else fills it"),
        (Reading(60_000, 2, 1), "made anew"),
        (Reading(60_000, 5, 5), "nobody looked anything up"),
    ],
)
def test_what_can_not_be_told_is_said(now: Reading, words: str) -> None:
    found = estimate("faq", Reading(0, 5, 5), now)
    assert found.rate is None
    assert words in found.sentence


def test_a_restart_begins_anew() -> None:
    now = [0]
    meter = UseMeter(clock=lambda: now[0])
    for uses, stores in ((100, 50), (3, 2), (13, 7)):
        meter.note([IndexInfo("faq", "HASH", ("faq",), uses=uses, max_doc_id=stores)])
        now[0] += 40_000
    found = meter.hit_rate(FAQ)
    assert found is not None
    assert (found.lookups, found.rate) == (10, 0.5)


def test_readings_less_than_30_seconds_apart_tell_nothing() -> None:
    now = [0]
    meter = UseMeter(clock=lambda: now[0])
    for uses in (10, 20):
        meter.note([IndexInfo("faq", "HASH", ("faq",), uses=uses, max_doc_id=5)])
        now[0] += 29_999
    assert meter.hit_rate(FAQ) is None


async def test_our_own_queries_are_counted_where_they_are_sent(client: Any, redis_url: str) -> None:
    redisvl_index(client, "faq")
    looker = connect_async(parse_target(redis_url))
    (first,) = (await survey(looker, None, KEYS)).indexes
    for _ in range(5):
        await looker.execute_command("FT.SEARCH", "faq", "*")
    async with looker.pipeline(transaction=False) as pipe:
        pipe.execute_command("FT.AGGREGATE", "faq", "*")
        pipe.execute_command("GET", "faq")
        await pipe.execute()
    (second,) = (await survey(looker, None, KEYS)).indexes
    await looker.aclose()
    assert second.own_uses - first.own_uses >= 7, "five searches, an aggregate, and asking"
    assert (second.uses or 0) - (first.uses or 0) == second.own_uses - first.own_uses


def test_what_is_sent_as_bytes_is_counted_too() -> None:
    before = own_uses("b")
    note((b"FT.SEARCH", b"b", b"*"))
    note(("FT.SEARCH", b"b", b"*"))
    note(("HGET", "b", "x"))
    assert own_uses("b") - before == 2


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_librarys_own_counters_are_no_estimate(hits: int, misses: int) -> None:
    found = counted("shop", {"hits": str(hits).encode(), "misses": str(misses).encode()})
    if hits + misses == 0:
        assert found is None
    else:
        assert found is not None
        assert found.rate == hits / (hits + misses)
        assert found.counted


def test_a_cache_without_an_index_tells_which_line_would_help() -> None:
    found = unknowable(CacheInfo("redis:exact", "langchain", "exact", "redis:"))
    assert found.rate is None
    assert "without a search index" in found.sentence
    assert "Ledger(" in found.code


def index(uses: int, stores: int, own: int = 0) -> IndexInfo:
    return IndexInfo("faq", "HASH", ("faq",), uses=uses, max_doc_id=stores, own_uses=own)


@given(
    hits=st.integers(0, 10_000),
    misses=st.integers(0, 10_000),
    own=st.integers(0, 99),
    others=st.integers(0, 99),
)
def test_one_reading_tells_what_happened_since_the_index_was_made(
    hits: int, misses: int, own: int, others: int
) -> None:
    found = since_made(FAQ, index(hits + misses + own + others, misses, own), earlier=others)
    assert found.lookups == hits + misses
    assert not found.counted
    if hits + misses:
        assert found.rate == pytest.approx(hits / (hits + misses))
        assert "if every miss is stored once and nobody else asks and it began empty" in found.sentence
    else:
        assert found.rate is None
        assert "nobody but us" in found.sentence


def test_after_a_restart_one_reading_tells_nothing() -> None:
    found = since_made(FAQ, index(40, 1_000), uptime_ms=3_600_000)
    assert (found.rate, found.lookups) == (None, 40)
    assert "or the server started (1 h)" in found.sentence
    assert "can't be told" in found.sentence
