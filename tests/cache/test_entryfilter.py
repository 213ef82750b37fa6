"""Filters: what a person writes, what passes, and that an index and a walk let the same pass."""

from __future__ import annotations

import time
from typing import Any

import pytest

from costconsole.cache.entryfilter import EntryFilter, parse_filter
from costconsole.cache.search import EntrySearch
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.domain.errors import UsageProblem
from tests.cache.filling import EXACT, OWN, own_cache, redisvl_entry, redisvl_index, searching, store
from tests.cache.vectors import at_similarity, unit

DAY = 86_400_000
CACHES = (
    CacheInfo("llmcache", "redisvl", "semantic", "llmcache:"),
    CacheInfo("support:semantic", "costconsole", "semantic", "costconsole:{support}:semantic:"),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", EntryFilter()),
        ("model:gpt-4o age:>7d", EntryFilter(model="gpt-4o", older_than_ms=7 * DAY)),
        ('MODEL:"my own model"  ttl:none', EntryFilter(model="my own model", never_expires=True)),
        ("age:<1h30m ttl:>=1d", EntryFilter(younger_than_ms=5_400_000, ttl_over_ms=DAY)),
        ("ttl:<60s library:redisvl", EntryFilter(ttl_under_ms=60_000, library="redisvl")),
        ("model:none scope:3fa9*", EntryFilter(model="", scope="3fa9*")),
        ("cache:support:semantic tag:a:b", EntryFilter(cache="support:semantic", tag="a:b")),
        ("age:>1d age:<7d", EntryFilter(older_than_ms=DAY, younger_than_ms=7 * DAY)),
    ],
)
def test_what_is_written_is_meant(written: str, meant: EntryFilter) -> None:
    assert parse_filter(written, CACHES) == meant
    assert parse_filter(" ".join(meant.tokens())) == meant
    assert bool(meant) == bool(written)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("modle:gpt-4o", ["modle", "did you mean model:?"]),
        ("refund", ["refund", "is no filter", "model:", "ttl:"]),
        ("age:7d", ["age:7d", "age:>7d"]),
        ("age:>soon", ["age:", "soon"]),
        ("ttl:<0s", ["ttl:", "0s"]),
        ("model:", ["model: has no value", "model:gpt-4o"]),
        ("model:a model:b", ["model: is given twice"]),
        ("library:redisvll", ["redisvll", "did you mean redisvl?"]),
        ("cache:nope", ["nope", "llmcache", "support:semantic"]),
        ("age:>7d age:<1d", ["age:", "7d", "1d"]),
        ("ttl:none ttl:<1h", ["ttl:"]),
    ],
)
def test_what_is_wrong_is_named(written: str, says: list[str]) -> None:
    with pytest.raises(UsageProblem) as problem:
        parse_filter(written, CACHES)
    for words in says:
        assert words in str(problem.value)


def test_unknown_ages_pass_no_bound_and_what_never_expires_outlives_each() -> None:
    entry = CacheEntry("k", "c", "l")
    assert not EntryFilter(older_than_ms=1).holds(entry, 1e15)
    assert not EntryFilter(younger_than_ms=1).holds(entry, 1e15)
    assert EntryFilter(ttl_over_ms=DAY).holds(entry, 0)
    assert not EntryFilter(ttl_under_ms=DAY).holds(entry, 0)
    assert not EntryFilter(model="x*").holds(entry, 0)


def fill(client: Any) -> dict[str, dict[str, Any]]:
    """Entries of three caches that differ in everything that can be filtered by; what is known of each."""
    own, now = own_cache(client), round(time.time() * 1000)
    redisvl_index(client, "llmcache")
    known: dict[str, dict[str, Any]] = {}
    for n in range(60):
        at, ttl = now - n * DAY // 4 - 60_000, 5_000 if n % 3 else None
        scope = ("a,b", "s 1", "3fa9", "3fb0")[n % 4]
        key = store(client, own, f"own {n}", at_ms=at, scope=scope, ttl_s=ttl, route=("faq", "")[n % 2],
                    vector=at_similarity(0.9 - n / 100))  # fmt: skip
        known[key] = {"at": at, "ttl": ttl, "scope": scope, "model": "gpt-x", "cache": OWN}
        key, fields = redisvl_entry(
            "llmcache", f"p{n}", at=f"{at / 1000}", vector=at_similarity(0.9 - n / 100)
        )
        model = ("gpt-4o", "gpt-4o-mini", "")[n % 3]
        client.hset(key, mapping={**fields, **({"model": model} if model else {})})
        if ttl:
            client.expire(key, ttl)
        known[key] = {"at": at, "ttl": ttl, "scope": "", "model": model, "cache": "llmcache"}
    return known


async def listed(search: EntrySearch, written: str, limit: int = 7, **options: Any) -> list[str]:
    where, keys, before = parse_filter(written), list[str](), None
    for _ in range(1000):
        page = await search.newest(None, limit, before, where=where, **options)
        keys += [entry.key for entry in page]
        before = page.next
        if before is None:
            return keys
    raise AssertionError("the pages never end")


@pytest.mark.parametrize(
    ("written", "passes"),
    [
        ("model:gpt-4o", lambda e, _age: e["model"] == "gpt-4o"),
        ("model:gpt-4*", lambda e, _age: e["model"].startswith("gpt-4")),
        ("model:none", lambda e, _age: not e["model"]),
        ("model:gpt-x scope:3fa9", lambda e, _age: e["scope"] == "3fa9"),
        ("scope:a,b", lambda e, _age: e["scope"] == "a,b"),
        ('scope:"s 1"', lambda e, _age: e["scope"] == "s 1"),
        ("scope:3f*", lambda e, _age: e["scope"].startswith("3f")),
        ("ttl:none", lambda e, _age: e["ttl"] is None),
        ("ttl:<2h age:>3d", lambda e, age: e["ttl"] is not None and age > 3 * DAY),
        ("age:<2d library:redisvl", lambda e, age: e["cache"] == "llmcache" and age < 2 * DAY),
        ("age:>2d age:<6d", lambda e, age: 2 * DAY < age < 6 * DAY),
        ("cache:tests:semantic ttl:none age:>5d", lambda e, age: e["cache"] == OWN and e["ttl"] is None
            and age > 5 * DAY),
        ("model:nobody", lambda _e, _age: False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize("indexed", [True, False])
async def test_what_passes_is_listed_in_order(
    client: Any, aclient: Any, written: str, passes: Any, oldest: bool, indexed: bool
) -> None:
    known = fill(client)
    if not indexed:
        client.execute_command("FT.DROPINDEX", "costconsole:{tests}:semantic")
    now = time.time() * 1000
    expected = [key for key, entry in known.items() if passes(entry, now - entry["at"])]
    search = await searching(aclient)
    if not indexed:
        expected = [key for key in expected if known[key]["cache"] == OWN]
        found = await listed(
            search, f"{written} cache:{OWN}" if "cache:" not in written else written, oldest=oldest
        )
        if "library:" in written:
            expected = []
    else:
        found = await listed(search, written, oldest=oldest)
    assert len(found) == len(set(found))
    assert sorted(found) == sorted(expected)
    ages = [known[key]["at"] for key in found]
    assert ages == sorted(ages, reverse=not oldest)


async def test_the_oldest_come_first_over_all_pages(client: Any, aclient: Any) -> None:
    """2,500 entries, a fifth of them of one time, so that no window of values tells those apart."""
    redisvl_index(client, "llmcache")
    pipe = client.pipeline(transaction=False)
    at: dict[str, float] = {}
    for n in range(2_500):
        value = 1795376580.0 if n % 5 == 0 else 1795376000 + (n * 7919 % 2500) / 3
        key, fields = redisvl_entry("llmcache", f"p{n}", at=repr(value))
        pipe.hset(key, mapping=fields)
        at[key] = value
    pipe.execute()
    found = await listed(await searching(aclient), "", 73, oldest=True)
    assert len(found) == len(set(found)) == 2_500
    assert [at[key] for key in found] == sorted(at.values())


async def test_a_search_by_meaning_keeps_to_the_filter(client: Any, aclient: Any) -> None:
    known = fill(client)
    search = await searching(aclient)
    for written in ("model:gpt-4o", "scope:3fa9", "ttl:none", "age:>10d", "scope:3fa9 ttl:none age:>5d"):
        where = parse_filter(written)
        page = await search.by_vector(unit(1), None, 8, where=where)
        now = time.time() * 1000
        passing = [
            key
            for key, e in known.items()
            if (where.model in (None, e["model"]))
            and (where.scope in (None, e["scope"]))
            and (not where.never_expires or e["ttl"] is None)
            and now - e["at"] >= (where.older_than_ms or 0)
        ]
        everything = {e.key: e.similarity for e in await search.by_vector(unit(1), None, 1000)}
        best = sorted((everything[key] for key in passing), reverse=True)[:8]
        assert [e.similarity for e in page] == pytest.approx(best)
        assert {e.key for e in page} <= set(passing)


async def test_searches_by_words_and_keys_keep_to_the_filter(client: Any, aclient: Any) -> None:
    known = fill(client)
    search = await searching(aclient)
    where = parse_filter("ttl:none scope:3fa9")
    wanted = {key for key, e in known.items() if e["scope"] == "3fa9" and e["ttl"] is None}
    assert {e.key for e in await search.by_text("own", None, 100, where=where)} == wanted
    by_key = await search.by_key("costconsole", 1000, where=where)
    assert {e.key for e in by_key} == wanted


async def test_a_long_look_says_how_far_it_came_and_goes_on(client: Any, aclient: Any) -> None:
    """One entry in 3,000 passes, and there is no time: pages come empty until it is found."""
    redisvl_index(client, "llmcache")
    pipe = client.pipeline(transaction=False)
    for n in range(3_000):
        key, fields = redisvl_entry("llmcache", f"p{n}", at=str(1795376000 + n))
        pipe.hset(key, mapping=fields)
        if n != 5:
            pipe.expire(key, 5_000)
        else:
            wanted = key
    pipe.execute()
    search = await searching(aclient, budget_s=0.0)
    where, before, notes, found = EntryFilter(never_expires=True), None, list[str](), list[str]()
    while True:
        page = await search.newest(None, 50, before, where=where)
        found += [entry.key for entry in page]
        before = page.next
        if before is None:
            break
        assert page.partial
        notes.append(page.note)
    assert found == [wanted]
    assert notes[0] == "looked at 50 of 3,000 entries of llmcache so far"
    counts = [int(note.split()[2].replace(",", "")) for note in notes]
    assert counts == sorted(counts)
    assert counts[-1] > 2_500


async def test_caches_that_are_slow_to_look_through_keep_their_place_in_the_order(
    client: Any, aclient: Any
) -> None:
    known = fill(client)
    search = await searching(aclient, budget_s=0.0)
    found = await listed(search, "ttl:none", 5)
    ages = [known[key]["at"] for key in found]
    assert len(found) == sum(1 for e in known.values() if e["ttl"] is None)
    assert ages == sorted(ages, reverse=True)


async def test_the_most_hit_of_all_come_first(client: Any, aclient: Any) -> None:
    known = fill(client)
    own = [key for key, e in known.items() if e["cache"] == OWN]
    client.zadd("costconsole:{tests}:hits", {key: n for n, key in enumerate(own)})
    client.zadd("costconsole:{tests}:hits", {"costconsole:{tests}:semantic:" + "0" * 64: 999})
    search = await searching(aclient)
    page = await search.most_hit(None, 10)
    assert [entry.hits for entry in page] == list(range(59, 49, -1))
    assert "llmcache" in page.note
    scoped = await search.most_hit(None, 10, where=parse_filter("scope:3fa9"))
    assert {entry.scope for entry in scoped} == {"3fa9"}


async def test_sizes_and_idle_times_are_read_without_touching(client: Any, aclient: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = []
    for n in (1, 100):
        key, fields = redisvl_entry("llmcache", "x" * n)
        client.hset(key, mapping={**fields, "response": "y" * 10_000 * n})
        keys.append(key)
    search = await searching(aclient)
    weights = await search.weights([*keys, "llmcache:gone"])
    small, large = (weights[key].size_bytes for key in keys)
    assert small is not None
    assert large is not None
    assert large > 50 * small > 50 * 10_000
    assert weights[keys[0]].idle_ms in (0, 1000)
    assert weights["llmcache:gone"].size_bytes is None
    assert EXACT not in weights
