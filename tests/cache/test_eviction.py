"""Evicting and undoing: what goes, what stays, what comes back, and what is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from costconsole.cache.answer import Answer
from costconsole.cache.entryfilter import EntryFilter
from costconsole.cache.eviction import Listed, Progress, Selection
from costconsole.cache.exact import ExactCache
from costconsole.cache.trash import KEPT_MS, Doomed, copy_key, read_member, whole_units
from costconsole.domain.errors import Problem, Refused, UsageProblem
from tests.cache.evicting import audit, evicting, stored
from tests.cache.filling import KEYS, NOW, OWN, own_cache, redisvl_index, redisvl_store, store
from tests.cache.vectors import at_similarity, unit

HOSTILE = "Grüße 🕰 \x1b[31m\x00\xff \u202e {tag} [red]"


async def test_one_entry_goes_and_comes_back_as_it_was(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", HOSTILE)
    client.pexpireat(key, 2_000_000_000_123)
    other = redisvl_store(client, "llmcache", "another")
    before = stored(client, key)
    eviction = await evicting(aclient)

    entry = await eviction._search.entry(key)
    assert entry is not None
    done = await eviction.evict(Selection.of([entry]))
    assert (done.evicted, done.keys, done.skipped, done.stopped) == (1, (key,), (), False)
    assert client.exists(key) == 0
    assert client.exists(other) == 1

    back = await eviction.undo(done.undo_id)
    assert (back.restored, back.skipped, back.remaining, back.note) == (1, (), 0, "")
    assert stored(client, key) == before
    found = await eviction._search.by_vector(unit(1), k=5)
    assert {one.key for one in found} == {key, other}
    assert client.keys("costconsole:trash:*") == []


async def test_strings_json_and_vector_sets_come_back_byte_for_byte(aclient: Any, client: Any) -> None:
    """The trash knows nothing of types: what DUMP gives is what is kept."""
    from costconsole.cache.removal import remove, restore

    client.set("a", b"\x00\xff\r\n" * 50, px=60_000)
    client.set("n", 12)
    client.execute_command("JSON.SET", "j", "$", '{"a":[1,2.5,"\\u00e9\\u0000"],"b":null}')
    client.execute_command("VADD", "v", "VALUES", 3, 0.1, 0.2, 0.3, b"\xfe element", "SETATTR", '{"x":1}')
    client.rpush("l", *range(300))
    client.hset("h", mapping={"small": "hash"})
    client.hset("{b}r}a{ce}s", b"\xff", b"\xfe")
    names = [b"a", b"n", b"j", b"v", b"l", b"h", b"{b}r}a{ce}s"]
    before = [(client.dump(name), client.pexpiretime(name)) for name in names]
    doomed = [Doomed(name, whole_units([name], "id"), ("EXISTS", name)) for name in names]
    words, _ = await remove(aclient, doomed, copies=True)
    assert words == ["done"] * len(names)
    assert client.exists(*names) == 0
    words, _ = await restore(aclient, [one.units for one in doomed])
    assert words == ["restored"] * len(names)
    assert [(client.dump(name), client.pexpiretime(name)) for name in names] == before


async def test_copies_are_kept_for_a_day_and_no_index_sees_them(aclient: Any, client: Any) -> None:
    # An index without a prefix covers every hash there is.
    client.execute_command("FT.CREATE", "all", "ON", "HASH", "SCHEMA", "prompt", "TEXT")
    redisvl_index(client, "costconsole")
    key = redisvl_store(client, "costconsole", "secret word")
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection((Listed(key),)))
    for index in ("all", "costconsole"):
        assert client.execute_command("FT.SEARCH", index, "secret", "NOCONTENT") == [0]
    copy = copy_key(key.encode(), done.undo_id)
    assert copy == f"costconsole:trash:{{{key}}}:{done.undo_id}".encode()
    kept = [copy, KEYS.undo(done.undo_id), KEYS.undo_entries(done.undo_id)]
    assert all(KEPT_MS - 60_000 < client.pttl(name) <= KEPT_MS for name in kept)
    client.delete(*kept[1:])
    with pytest.raises(Problem, match="24 hours"):
        await eviction.undo(done.undo_id)
    with pytest.raises(Problem, match="nothing to undo"):
        await eviction.undo()


async def test_what_changed_since_it_was_listed_stays(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}") for n in range(4)]
    eviction = await evicting(aclient)
    listed = await eviction._search.newest("llmcache")
    client.hset(keys[0], "response", "a better answer")
    client.delete(keys[1])
    client.expire(keys[2], 100)  # a hit makes it live longer: it is the same entry
    done = await eviction.evict(Selection.of(listed))
    assert sorted(done.keys) == sorted(keys[2:])
    reasons = dict(done.skipped)
    assert "changed since it was listed" in reasons[keys[0]]
    assert "removed meanwhile" in reasons[keys[1]]
    assert client.hget(keys[0], "response") == b"a better answer"
    back = await eviction.undo()
    assert (back.restored, back.skipped, back.remaining) == (2, (), 0)


async def test_an_entry_that_exists_again_is_not_overwritten(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}") for n in range(2)]
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection(caches=("llmcache",)))
    client.hset(keys[0], "response", "made anew")
    back = await eviction.undo()
    assert (back.restored, back.remaining) == (1, 1)
    assert back.skipped == ((keys[0], "it exists again, and is not overwritten"),)
    assert client.hgetall(keys[0]) == {b"response": b"made anew"}
    client.delete(keys[0])
    again = await eviction.undo(done.undo_id)
    assert (again.restored, again.remaining) == (1, 0)
    assert client.hget(keys[0], "prompt") == b"prompt 0"
    with pytest.raises(Problem, match="undone already"):
        await eviction.undo(done.undo_id)


async def test_what_has_expired_meanwhile_is_not_brought_back(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}") for n in range(2)]
    client.pexpire(keys[0], 60_000)
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection(caches=("llmcache",)))
    copy = copy_key(keys[0].encode(), done.undo_id)
    content = client.get(copy).partition(b"\n")[2]
    client.set(copy, b"K%d\n" % (client.time()[0] * 1000 - 1) + content, keepttl=True)
    back = await eviction.undo()
    assert back.restored == 1
    assert back.skipped == ((keys[0], "it has expired meanwhile"),)
    assert client.exists(keys[0]) == 0
    assert client.keys("costconsole:trash:*") == []


async def test_entries_of_a_dropped_index_come_back_and_it_is_said(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "prompt")
    before = stored(client, key)
    await (await evicting(aclient)).evict(Selection((Listed(key),)))
    client.execute_command("FT.DROPINDEX", "llmcache")
    back = await (await evicting(aclient)).undo()
    assert back.restored == 1
    assert "llmcache is gone" in back.note
    assert stored(client, key) == before


async def test_prefix_bleed_is_respected(aclient: Any, client: Any) -> None:
    redisvl_index(client, "cache")
    redisvl_index(client, "cache_v2")
    mine = [redisvl_store(client, "cache", f"prompt {n}") for n in range(3)]
    others = [redisvl_store(client, "cache_v2", f"prompt {n}") for n in range(3)]
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("cache",)))
    assert (preview.count, preview.caches) == (3, ("cache",))
    done = await eviction.evict(preview.selection)
    assert sorted(done.keys) == sorted(mine)
    assert client.exists(*others) == 3


async def test_filters_and_searches_choose(aclient: Any, client: Any) -> None:
    cache = own_cache(client)
    near = store(client, cache, "near", vector=at_similarity(0.97), at_ms=NOW)
    store(client, cache, "far", vector=at_similarity(0.5), at_ms=NOW)
    old = store(client, cache, "old words", vector=unit(0, 1), at_ms=NOW - 10 * 86_400_000, scope="t")
    exact = ExactCache(KEYS)
    exact.put(client, "b" * 64, Answer("answer", "other-model"), now_ms=NOW, ttl_s=60)
    eviction = await evicting(aclient)

    async def chosen(**filters: Any) -> set[str]:
        preview = await eviction.preview(Selection(**filters))
        assert preview.complete
        return {listed.key for listed in preview.selection.keys}

    assert await chosen(vector=unit(1), min_similarity=0.9) == {near}
    assert len(await chosen(vector=unit(1), min_similarity=0.4)) == 2
    assert await chosen(text="words") == {old}
    assert await chosen(where=EntryFilter(model="other-model")) == {KEYS.exact("b" * 64)}
    assert await chosen(where=EntryFilter(scope="t")) == {old}
    assert await chosen(caches=(OWN,), where=EntryFilter(older_than_ms=5 * 86_400_000)) >= {old}
    assert KEYS.exact("b" * 64) not in await chosen(where=EntryFilter(never_expires=True))
    for wrong in (Selection(), Selection(caches=("nope",)), Selection(vector=unit(1))):
        with pytest.raises(UsageProblem):
            await eviction.preview(wrong)


async def test_older_than_leaves_what_is_younger(aclient: Any, client: Any) -> None:
    cache = own_cache(client)
    now = client.time()[0] * 1000
    days = 86_400_000
    old = [store(client, cache, f"old {n}", at_ms=now - (8 + n) * days) for n in range(5)]
    young = [store(client, cache, f"young {n}", at_ms=now - n * days) for n in range(5)]
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection(where=EntryFilter(older_than_ms=7 * days)))
    assert sorted(done.keys) == sorted(old)
    assert client.exists(*young) == 5


async def test_entries_stored_after_the_preview_are_not_meant(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    shown = redisvl_store(client, "llmcache", "shown")
    eviction = await evicting(aclient)
    preview = await eviction.preview(Selection(caches=("llmcache",)))
    assert [entry.prompt for entry in preview.sample] == ["shown"]
    assert preview.bytes is not None
    assert 0.5 < preview.bytes / client.memory_usage(shown) < 2
    later = redisvl_store(client, "llmcache", "later", at="1999999999.5")
    done = await eviction.evict(preview.selection)
    assert done.keys == (shown,)
    assert client.exists(later) == 1
    # The same where there are too many to name each.
    again = await eviction.evict(Selection(caches=("llmcache",), listed_ms=NOW))
    assert again.evicted == 0


async def test_thousands_by_filter_with_progress(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    pipe = client.pipeline(transaction=False)
    for n in range(2_500):
        redisvl_store(pipe, "llmcache", f"prompt {n}", at=f"{1_795_376_580 + n / 100}")
    pipe.execute()
    keep = redisvl_store(client, "llmcache_v2", "another cache's")
    eviction = await evicting(aclient)
    told: list[Progress] = []
    done = await eviction.evict(Selection(caches=("llmcache",)), on_progress=told.append, total=2_500)
    assert (done.evicted, done.skipped_count, len(done.keys)) == (2_500, 0, 1_000)
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1] == Progress(2_500, 0, 0, 2_500, "evicting")
    assert client.keys("llmcache*") == [keep.encode()]
    back = await eviction.undo(on_progress=told.append)
    assert back.restored == 2_500
    assert told[-1].phase == "restoring"
    assert len(client.keys("llmcache:*")) == 2_500


async def test_stopped_in_the_middle_it_says_what_was_done_and_that_comes_back(
    aclient: Any, client: Any
) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}", at=f"17953765{n:02}") for n in range(60)]
    eviction = await evicting(aclient)
    stop = asyncio.Event()

    def heard(progress: Progress) -> None:
        if progress.done >= 10:
            stop.set()

    done = await eviction.evict(Selection(caches=("llmcache",)), on_progress=heard, stop=stop)
    assert done.stopped
    assert 10 <= done.evicted < 60
    assert client.exists(*keys) == 60 - done.evicted
    assert audit(client)[-1]["state"] == "stopped"

    stop.clear()
    half = await eviction.undo(done.undo_id, stop=stop, on_progress=lambda _: stop.set())
    assert half.stopped
    assert (half.restored + half.remaining, half.remaining > 0) == (done.evicted, True)
    rest = await eviction.undo()
    assert half.restored + rest.restored == done.evicted
    assert client.exists(*keys) == 60


async def test_a_console_that_dies_in_the_middle_loses_nothing(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}", at=f"17953765{n:02}") for n in range(60)]
    before = {key: stored(client, key) for key in keys}
    eviction = await evicting(aclient)

    class Died(BaseException):
        pass

    def dies(progress: Progress) -> None:
        raise Died

    # Nothing that runs at an orderly end is let run.
    eviction._evicted = lambda *_: asyncio.sleep(0)  # type: ignore[method-assign]
    with pytest.raises(Died):
        await eviction.evict(Selection(caches=("llmcache",)), on_progress=dies)
    gone = 60 - client.exists(*keys)
    assert 0 < gone < 60
    survivor = await evicting(aclient)
    (cut_off,) = await survivor.history()
    assert (cut_off.evicted, cut_off.who) == (None, "ann")
    assert cut_off.remaining >= gone
    back = await survivor.undo()
    assert (back.restored, back.skipped) == (gone, ())
    assert {key: stored(client, key) for key in keys} == before


async def test_both_are_in_the_audit_without_a_prompt(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "secret prompt")
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection(caches=("llmcache",), text="secret"))
    await eviction.undo()
    evicted, undone = audit(client)
    assert (evicted["what"], undone["what"]) == ("evict", "undo")
    for entry in (evicted, undone):
        assert (entry["who"], entry["host"], entry["count"]) == ("ann", "laptop", "1")
        assert entry["undo_id"] == done.undo_id
        assert abs(int(entry["ts_ms"]) / 1000 - client.time()[0]) < 60
        assert "secret" not in str(entry)


async def test_history_names_the_newest_first(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    keys = [redisvl_store(client, "llmcache", f"prompt {n}") for n in range(2)]
    eviction = await evicting(aclient)
    ids = []
    for key in keys:
        ids.append((await eviction.evict(Selection((Listed(key),)))).undo_id)
        await asyncio.sleep(0.002)
    assert [one.undo_id for one in await eviction.history()] == ids[::-1]
    assert (await eviction.undo()).undo_id == ids[1]
    assert (await eviction.undo()).undo_id == ids[0]
    newest, _ = await eviction.history()
    assert (newest.evicted, newest.remaining) == (1, 0)
    assert newest.undone_ms is not None
    with pytest.raises(Problem, match="nothing to undo"):
        await eviction.undo()


async def test_time_to_live_is_set_and_cleared(aclient: Any, client: Any) -> None:
    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "prompt")
    eviction = await evicting(aclient)
    assert await eviction.set_ttl(key, 90) == 90_000
    assert 80_000 < client.pttl(key) <= 90_000
    assert await eviction.set_ttl(key, None) is None
    assert client.pttl(key) == -1
    assert [(entry["what"], entry["key"]) for entry in audit(client)] == [("ttl", key)] * 2
    with pytest.raises(Problem, match="known cache"):
        await eviction.set_ttl("llmcache:other", 5)
    with pytest.raises(UsageProblem):
        await eviction.set_ttl(key, -1)


async def test_keys_of_no_cache_are_never_touched(aclient: Any, client: Any) -> None:
    client.set("important", "x")
    redisvl_index(client, "llmcache")
    eviction = await evicting(aclient)
    done = await eviction.evict(Selection((Listed("important"), Listed("costconsole:namespaces"))))
    assert done.evicted == 0
    assert done.undo_id == ""
    assert [why for _, why in done.skipped] == ["it is not an entry of a known cache"] * 2
    assert client.get("important") == b"x"
    assert audit(client) == []


async def test_nothing_happens_read_only(redis_url: str, client: Any) -> None:
    from costconsole.redis_store.connect import connect_async
    from costconsole.redis_store.target import parse_target

    redisvl_index(client, "llmcache")
    key = redisvl_store(client, "llmcache", "prompt")
    reader = connect_async(parse_target(redis_url), read_only=True)
    eviction = await evicting(reader)
    preview = await eviction.preview(Selection((Listed(key),)))
    assert preview.count == 1
    assert "--read-only" in preview.impossible
    for change in (eviction.evict(Selection((Listed(key),))), eviction.undo(), eviction.set_ttl(key, 1)):
        with pytest.raises(Refused, match="--read-only"):
            await change
    assert client.exists(key) == 1
    await reader.aclose()


@pytest.mark.parametrize("keys", [[b"\xff{"], [b"\xff{", b"\x00}"], [b"K"], [b""]])
def test_members_name_any_bytes(keys: list[bytes]) -> None:
    one = Doomed(keys[0], whole_units(keys, "id"), ("GET", keys[0]))
    assert read_member(one.member(), "id") == (0, one.units)
    other = Doomed(keys[0], one.units, one.read, order=7)
    assert read_member(other.member(), "id") == (7, one.units)
