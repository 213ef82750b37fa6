"""Listing, searching and reading entries: exact, across caches, and through whatever stands in them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from costconsole.cache.answer import Answer
from costconsole.cache.exact import ExactCache
from costconsole.cache.search import EntrySearch
from tests.cache.filling import (
    EXACT,
    KEYS,
    NOW,
    OWN,
    own_cache,
    redisvl_entry,
    redisvl_index,
    redisvl_store,
    searching,
    store,
)  # fmt: skip
from tests.cache.vectors import at_similarity, unit


async def every_page(search: EntrySearch, limit: int, cache: str | None = None, query: str = "") -> list[str]:
    """Keys of all pages in order."""
    keys: list[str] = []
    cursor = None
    for _ in range(10_000):
        page = await (
            search.by_text(query, cache, limit, cursor) if query else search.newest(cache, limit, cursor)
        )
        keys += [entry.key for entry in page]
        cursor = page.next
        if cursor is None:
            return keys
    raise AssertionError("the pages never end")


async def test_paging_neither_loses_nor_repeats_an_entry(client: Any, aclient: Any) -> None:
    """2,500 entries, most of them sharing their time with others, in a bulk of 600 and in small groups."""
    redisvl_index(client, "llmcache")
    rng = random.Random(7)
    expected: dict[str, float] = {}
    pipe = client.pipeline(transaction=False)
    for number in range(2_500):
        at = (
            "1795376580" if number < 600 else f"{1795376000 + rng.randrange(1_000) / rng.choice([1, 3, 7])!r}"
        )
        key, fields = redisvl_entry("llmcache", f"p{number}", at=at)
        pipe.hset(key, mapping=fields)
        expected[key] = float(at)
    pipe.execute()
    keys = await every_page(await searching(aclient), 73)
    assert len(keys) == len(set(keys)) == 2_500
    ages = [expected[key] for key in keys]
    assert ages == sorted(ages, reverse=True)


async def test_paging_over_several_caches_merges_by_age(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    redisvl_index(client, "llmcache")
    ages: dict[str, int] = {}
    for number in range(40):
        at = NOW + number % 17 * 1_000
        ages[store(client, own, f"own {number}", at_ms=at)] = at
        ages[redisvl_store(client, "llmcache", f"p{number}", at=f"{at / 1000}")] = at
        key = ExactCache(KEYS).put(client, f"{number:064x}", Answer("a"), now_ms=at)
        ages[key] = at
    search = await searching(aclient)
    keys = await every_page(search, 7)
    assert len(keys) == 120
    assert set(keys) == set(ages)
    assert [ages[key] for key in keys] == sorted(ages.values(), reverse=True)
    page = await search.newest(None, 10)
    assert (page.total, page.partial, page.note) == (120, False, "")


async def test_stores_and_evictions_while_paging_do_not_disturb_it(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"p{n}", at=str(1795376000 + n // 3)) for n in range(60)]
    search = await searching(aclient)
    first = await search.newest("llmcache", 20)
    for late in range(5):
        redisvl_store(client, "llmcache", f"late {late}", at=str(1795376500 + late))
    shown = {entry.key for entry in first}
    client.delete(*list(shown)[:7], keys[0])
    rest: list[str] = []
    cursor = first.next
    while cursor is not None:
        page = await search.newest("llmcache", 20, cursor)
        rest += [entry.key for entry in page]
        cursor = page.next
    assert sorted(rest) == sorted(set(keys[1:]) - shown)


async def test_an_entry_shows_what_is_known_of_it(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    key = store(client, own, "capital of France?", response="Paris", route="faq", tag="web", ttl_s=100)
    client.zadd(KEYS.hits, {key: 3})
    client.zadd(KEYS.last_hit, {key: NOW + 5})
    search = await searching(aclient)
    (listed,) = await search.newest(OWN)
    whole = await search.entry(key)
    assert whole is not None
    for entry in (listed, whole):
        assert (entry.prompt, entry.response, entry.model) == ("capital of France?", "Paris", "gpt-x")
        assert (entry.created_ms, entry.scope, entry.route, entry.tag) == (NOW, "s", "faq", "web")
        assert (entry.hits, entry.last_hit_ms, entry.cache) == (3, NOW + 5, OWN)
        assert entry.ttl_ms is not None
        assert 90_000 < entry.ttl_ms <= 100_000
        assert entry.usage is not None
        assert (entry.usage.input, entry.usage.output) == (10, 5)
    assert listed.fields == ()
    assert dict(whole.fields)["raw"] == '{"body":1}'
    assert "prompt_vector" not in dict(whole.fields)
    assert whole.size_bytes is not None
    unused = store(client, own, "other")
    other = await search.entry(unused)
    assert other is not None
    assert (other.hits, other.last_hit_ms, other.ttl_ms) == (0, None, None)


async def test_the_ledger_may_have_a_redis_of_its_own(client: Any, aclient: Any, fresh_server: Any) -> None:
    import redis.asyncio

    key = store(client, own_cache(client), "p")
    ledger = fresh_server(modules=False)
    async with redis.asyncio.Redis.from_url(ledger.url, protocol=2) as hits:
        await hits.zadd(KEYS.hits, {key: 7})
        (entry,) = await (await searching(aclient, hits_client=hits)).newest(OWN)
        assert (entry.hits, entry.last_hit_ms) == (7, None)


async def test_search_by_meaning_merges_caches_best_first(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    redisvl_index(client, "llmcache")
    redisvl_index(client, "other_model", dims=16)
    store(client, own, "0.9", vector=at_similarity(0.9))
    redisvl_store(client, "llmcache", "0.95", vector=at_similarity(0.95))
    store(client, own, "0.5", vector=at_similarity(0.5))
    search = await searching(aclient)
    page = await search.by_vector(unit(1), k=2)
    assert [(entry.prompt, round(entry.similarity or 0, 5)) for entry in page] == [
        ("0.95", 0.95),
        ("0.9", 0.9),
    ]
    assert page.note == "other_model holds vectors of 16 dimensions, the model in use gives 8"
    one = await search.by_vector(unit(1), OWN)
    assert [entry.prompt for entry in one] == ["0.9", "0.5"]
    assert one.note == ""


async def test_search_by_meaning_in_one_scope(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    for number in range(40):
        store(client, own, f"theirs {number}", scope="other", vector=unit(1, number / 1000))
    store(client, own, "mine", scope="one", vector=at_similarity(0.3))
    page = await (await searching(aclient)).by_vector(unit(1), OWN, 5, scope="one")
    assert [entry.prompt for entry in page] == ["mine"]


async def test_pages_are_whole_after_many_evictions(client: Any, aclient: Any) -> None:
    """The index still counts what was evicted; its shortcut for the newest entries stops short then."""
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"p{n}", at=f"{1795376000 + n / 3!r}") for n in range(120)]
    client.delete(*keys[60:])
    search = await searching(aclient)
    for limit in (7, 50, 73):
        assert [e.key for e in await search.newest("llmcache", limit)] == keys[
            59 : 59 - limit if limit < 60 else None : -1
        ]
        assert await every_page(search, limit, "llmcache") == keys[59::-1]


async def test_a_cache_that_compares_otherwise_says_so(client: Any, aclient: Any) -> None:
    redisvl_index(client, "euclid", metric="L2")
    redisvl_store(client, "euclid", "here")
    page = await (await searching(aclient)).by_vector(unit(1))
    assert len(page) == 0
    assert "euclid compares by L2, not by cosine" in page.note


async def test_neighbors_are_the_nearest_others_of_the_cache(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    keys = [store(client, own, f"{s}", vector=at_similarity(s)) for s in (1.0, 0.9, 0.7, 0.2)]
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "not mine")
    ExactCache(KEYS).put(client, "0" * 64, Answer("a"), now_ms=NOW)
    search = await searching(aclient)
    entry = await search.entry(keys[0])
    assert entry is not None
    found = await search.neighbors(entry, k=2)
    assert [(n.key, round(n.similarity, 5), n.prompt) for n in found] == [
        (keys[1], 0.9, "0.9"),
        (keys[2], 0.7, "0.7"),
    ]
    exact = await search.entry(KEYS.exact("0" * 64))
    assert exact is not None
    assert await search.neighbors(exact) == ()


async def test_index_a_does_not_show_entries_of_a_v2(client: Any, aclient: Any) -> None:
    """The index of `a` covers `a_v2` as well; 30 nearer and newer entries of that must not hide its own."""
    for name in ("a", "a_v2"):
        redisvl_index(client, name)
    for number in range(30):
        redisvl_store(client, "a_v2", f"theirs {number}", at=f"{1795376900 + number}")
    for number in range(3):
        redisvl_store(client, "a", f"mine {number}", at=f"{1795376100 + number}", vector=at_similarity(0.5))
    search = await searching(aclient)
    assert [entry.prompt for entry in await search.newest("a", 2)] == ["mine 2", "mine 1"]
    assert len(await every_page(search, 2, "a")) == 3
    assert len(await every_page(search, 4, "a", "mine")) == 3
    assert {entry.cache for entry in await search.by_vector(unit(1), "a", k=5)} == {"a"}
    assert len(await search.newest()) == 33
    mine = await search.entry((await search.newest("a", 1))[0].key)
    assert mine is not None
    assert {near.prompt for near in await search.neighbors(mine, 5)} == {"mine 1", "mine 0"}


async def test_search_by_text_covers_every_cache(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    store(client, own, "How do refunds work?", at_ms=NOW + 1)
    store(client, own, "unrelated", response="you get a refund", at_ms=NOW + 2)
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "Refund, please!", at=f"{NOW / 1000 + 3}")
    ExactCache(KEYS).put(client, "0" * 64, Answer("a"), prompt="a refund?", now_ms=NOW)
    search = await searching(aclient)
    page = await search.by_text("refund")
    assert [entry.prompt for entry in page] == [
        "Refund, please!",
        "unrelated",
        "How do refunds work?",
        "a refund?",
    ]
    assert page.total is None
    assert [entry.prompt for entry in await search.by_text("?!", OWN)] == []
    assert [entry.prompt for entry in await search.by_text("e!", "llmcache")] == []
    assert [entry.prompt for entry in await search.by_text("?", OWN)] == ["How do refunds work?"]
    assert (await search.by_text("  ")).note


async def test_text_pages_are_exact_too(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    pipe = client.pipeline(transaction=False)
    for number in range(1_200):
        key, fields = redisvl_entry(
            "llmcache", f"{'tea' if number % 3 else 'coffee'} {number}", at=str(10**9 + number // 50)
        )
        pipe.hset(key, mapping=fields)
    pipe.execute()
    keys = await every_page(await searching(aclient), 31, "llmcache", "tea")
    assert len(keys) == len(set(keys)) == 800


async def test_search_by_key(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    keys = [store(client, own, f"p{number}") for number in range(5)]
    client.set("unrelated:" + keys[0], 1)
    search = await searching(aclient)
    assert [entry.key for entry in await search.by_key(f"  {keys[3]} ")] == [keys[3]]
    assert sorted(entry.key for entry in await search.by_key("*:semantic:*")) == sorted(keys)
    assert [entry.key for entry in await search.by_key(keys[2][-12:])] == [keys[2]]
    assert len(await search.by_key("[")) == 0
    assert await search.entry("unrelated:" + keys[0]) is None
    assert await search.entry(KEYS.semantic("f" * 64)) is None
    first = await search.by_key("semantic", limit=2)
    rest = await search.by_key("semantic", limit=9, before=first.next)
    assert sorted(entry.key for entry in (*first, *rest)) == sorted(keys)


async def test_walks_end_at_their_budget_and_go_on(client: Any, aclient: Any) -> None:
    pipe = client.pipeline(transaction=False)
    for number in range(3_000):
        fields = {"response": "a", "prompt": f"p{number}", "created_ms": NOW + number}
        pipe.hset(KEYS.exact(f"{number:064x}"), mapping=fields)
    pipe.execute()
    search = await searching(aclient, budget_s=0.0)
    page = await search.newest(EXACT, 10)
    assert page.partial
    assert "of 3,000 entries of tests:exact so far" in page.note
    keys = [entry.key for entry in page]
    while page.next is not None:
        page = await search.newest(EXACT, 500, page.next)
        keys += [entry.key for entry in page]
    assert len(keys) == len(set(keys)) == 3_000
    whole = await searching(aclient, budget_s=30)
    assert [entry.prompt for entry in await whole.newest(EXACT, 3)] == ["p2999", "p2998", "p2997"]


async def test_hostile_and_broken_entries_are_text(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "x")
    client.hset(
        key,
        mapping={"prompt": b"\x1b[2J\xff\x00", "response": b"\x80", "metadata": b"\xfe{", b"\xff": b"\xff"},
    )
    gone = redisvl_store(client, "llmcache", "not a time", at="later")
    search = await searching(aclient)
    (entry,) = await search.newest("llmcache")
    assert (entry.prompt, entry.response) == ("\x1b[2J\\xff\x00", "\\x80")
    whole = await search.entry(key)
    assert whole is not None
    assert ("\\xff", "\\xff") in whole.fields
    odd = await search.entry(gone)
    assert odd is not None
    assert odd.created_ms is None


async def test_a_dropped_index_is_a_note_and_no_error(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    redisvl_index(client, "lost")
    redisvl_store(client, "llmcache", "here")
    search = await searching(aclient)
    client.execute_command("FT.DROPINDEX", "lost")
    for page in (await search.newest(), await search.by_text("here"), await search.by_vector(unit(1))):
        assert [entry.prompt for entry in page] == ["here"]
        assert "lost can't be" in page.note
        assert page.partial


async def test_a_cancelled_search_leaves_the_next_one_right(client: Any, aclient: Any) -> None:
    own = own_cache(client)
    for number in range(50):
        store(client, own, f"p{number}", vector=unit(1, number))
    search = await searching(aclient)
    for number in range(60):
        task = asyncio.create_task(search.by_vector(unit(1, number % 50)))
        for _ in range(number % 12):
            await asyncio.sleep(0)
        if task.done():
            continue
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    page = await search.by_vector(unit(1, 7), k=1)
    assert [entry.prompt for entry in page] == ["p7"]


async def test_reading_writes_nothing(client: Any, aclient: Any) -> None:
    key = store(client, own_cache(client), "p", ttl_s=100)
    before = client.hgetall(key)
    client.config_resetstat()
    search = await searching(aclient)
    entry = await search.entry(key)
    assert entry is not None
    await search.newest()
    await search.by_text("p")
    await search.by_vector(unit(1))
    await search.by_key("*")
    await search.neighbors(entry)
    written = {
        "hset",
        "expire",
        "pexpire",
        "del",
        "unlink",
        "set",
        "zadd",
        "zincrby",
        "eval",
        "evalsha",
        "keys",
    }
    sent = {name.removeprefix("cmdstat_").lower() for name in client.info("commandstats")}
    assert not sent & written
    assert client.hgetall(key) == before


async def test_emoji_and_words_in_typographic_quotes_are_found(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    prompts = [
        "say “refund” twice", "thanks🎉 a lot", "party 🎉 tonight", "the carrier’s fault", "a heart ❤️ here",
        *(f"other prompt {n}" for n in range(400)),
    ]  # fmt: skip
    for n, prompt in enumerate(prompts):
        redisvl_store(client, "llmcache", prompt, at=str(1795376580 - n))
    search = await searching(aclient)

    async def found(query: str) -> list[str]:
        keys: list[str] = []
        before = None
        while True:
            page = await search.by_text(query, None, 50, before)
            keys += [entry.prompt or "" for entry in page]
            before = page.next
            if before is None:
                return keys

    assert await found("refund") == await found("“refund”") == [prompts[0]]
    assert await found("🎉") == [prompts[1], prompts[2]]
    assert await found("party 🎉") == [prompts[2]]
    assert await found("carrier's fault") == await found("carrier’s") == [prompts[3]]
    assert await found("❤") == await found("❤️") == [prompts[4]]
    assert await found("carrier’x") == []


@pytest.mark.parametrize("unit_s", [1e-3, 1e-6, 1e-9], ids=["ms", "us", "ns"])
async def test_a_page_sorts_few_entries_however_far_times_lie_apart(
    client: Any, aclient: Any, monkeypatch: pytest.MonkeyPatch, unit_s: float
) -> None:
    """150 entries have their times in another unit, so that they seem to lie thousands of years ahead."""
    redisvl_index(client, "llmcache")
    ages: dict[str, float] = {}
    pipe = client.pipeline(transaction=False)
    for number in range(3_000):
        at = 1795376580 + number * 7
        written = f"{at / unit_s:.0f}" if number % 20 == 7 else f"{at}.25"
        key, fields = redisvl_entry("llmcache", f"p{number}", at=written)
        pipe.hset(key, mapping=fields)
        ages[key] = float(written)
    pipe.execute()
    search = await searching(aclient, budget_s=30)
    sorted_at_once: list[int] = []
    plain = aclient.execute_command

    async def watched(*words: Any, **options: Any) -> Any:
        reply = await plain(*words, **options)
        if words[0] == "FT.SEARCH" and "SORTBY" in words and "WITHOUTCOUNT" not in words:
            sorted_at_once.append(reply[0])
        return reply

    monkeypatch.setattr(aclient, "execute_command", watched)
    found: list[str] = []
    cursor = None
    for _ in range(5):
        page = await search.newest("llmcache", 100, cursor)
        found += [entry.key for entry in page]
        cursor = page.next
    assert [ages[key] for key in found] == sorted(ages.values(), reverse=True)[:500]
    assert len(set(found)) == 500
    assert sorted_at_once
    assert max(sorted_at_once) <= 1_000
