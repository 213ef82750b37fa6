"""Content nobody has seen yet: listed, read, searched, evicted and restored as it was, in every format."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from costconsole.cache.catalog import find_caches
from costconsole.cache.eviction import Eviction, Selection
from costconsole.cache.search import EntrySearch
from costconsole.redis_store.connect import connect_async
from costconsole.redis_store.probe import probe
from costconsole.redis_store.target import parse_target
from tests.cache.contents import MAPPINGS, WRITERS
from tests.cache.evicting import WHO, stored
from tests.cache.filling import KEYS, redisvl_entry, redisvl_index
from tests.cache.vectors import unit

Pairs = list[tuple[str, str]]
SEEN_NOWHERE: Pairs = [
    ("日本の首都はどこですか？", "東京です。🗼"),
    ("كم الساعة الآن؟", "الساعة الثالثة ‏مساءً"),
    ("Grüße aus Ελλάδα, Київ и 서울", "👩‍👩‍👧‍👦 🇪🇺 e\u0301 \u200b\u2060"),
    ("quotes ' \" ` ''' \"\"\" and \\ \\n \\u0041 \\x00 %s {} {{x}} $1", 'it\'s "so" \\" \\\\ \\u00e9'),
    ("\x1b[31mred\x07 \x00 null \u202egnp.exe\r\n\ttab", "\x00\x01\x7f\x9b2J \ufeff\uffff"),
    ("{'timestamp': 1, 'response': 'no'}", '{"choices": [], "response": null}'),
    ("an empty answer", ""),
    ("   \n\t  ", "   "),
    ("long " * 9_000, "word " * 50_000),
    ('@prompt:{x} -(a|b) *~ %fuzzy% [1 2] "exact"', "$.. [*] ~1 /a"),
]
# JSON has no lone surrogates, and neither has what a library is given by an application.
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
PAIRS = st.lists(
    st.tuples(TEXT.filter(lambda text: text != ""), TEXT), min_size=1, max_size=5, unique_by=lambda p: p[0]
)


async def there_and_back(url: str, client: Any, library: str, pairs: Pairs) -> None:
    writer = WRITERS[library]
    writer.prepare(client)
    keys = {writer.write(client, prompt, answer, unit(1)): (prompt, answer) for prompt, answer in pairs}
    before = {key: stored(client, key) for key in client.scan_iter(count=1_000)}
    aclient = connect_async(parse_target(url))
    server = await probe(aclient, namespace=KEYS.namespace)
    caches = await find_caches(aclient, server, KEYS, mappings=MAPPINGS)
    search = EntrySearch(aclient, caches, KEYS, budget_s=5)
    if writer.cache:
        listed = list(await search.newest(writer.cache, 100))
    else:
        listed = list(await search.newest(None, 100))
    assert {entry.key for entry in listed} == set(keys)
    for entry in listed:
        prompt, answer = keys[entry.key]
        whole = await search.entry(entry.key)
        assert whole is not None
        for found in (entry, whole):
            if writer.prompts:
                assert found.prompt == prompt
            if writer.answers:
                assert found.response == answer
    if writer.vectors:
        near = await search.by_vector(unit(1), writer.cache, k=100)
        assert {entry.key for entry in near} == set(keys)
    eviction = Eviction(aclient, search, KEYS, server, WHO)
    preview = await eviction.preview(Selection.of(listed))
    assert (preview.count, preview.complete, preview.impossible) == (len(keys), True, "")
    done = await eviction.evict(preview.selection)
    assert (done.evicted, done.skipped) == (len(keys), ())
    assert not any(client.exists(key) for key in keys)
    back = await eviction.undo(done.undo_id)
    assert (back.restored, back.skipped, back.remaining) == (len(keys), (), 0)
    after = {key: stored(client, key) for key in client.scan_iter(count=1_000) if key in before}
    assert not_sets(after) == not_sets(before)
    if writer.vectors:
        near = await search.by_vector(unit(1), writer.cache, k=100)
        assert {entry.key for entry in near} == set(keys)
    again = list(await search.newest(writer.cache or None, 100))
    assert {entry.key: entry.fingerprint for entry in again} == {e.key: e.fingerprint for e in listed}
    await aclient.aclose()


def not_sets(found: dict[bytes, Any]) -> dict[bytes, Any]:
    """Without vector sets, whose graphs are built anew: a search in them says whether all is back."""
    return {key: value for key, value in found.items() if value[0] != b"vectorset"}


@pytest.mark.parametrize("library", WRITERS)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(pairs=PAIRS)
@example(pairs=SEEN_NOWHERE)
def test_any_content_is_read_evicted_and_restored_as_it_was(
    redis_url: str, client: redis.Redis, library: str, pairs: Pairs
) -> None:
    for index in client.execute_command("FT._LIST"):
        client.execute_command("FT.DROPINDEX", index)
    client.flushall()
    asyncio.run(there_and_back(redis_url, client, library, pairs))


WORDS = {
    "首都": 0,
    "الساعة": 1,
    "Київ": 2,
    "grüße": 2,
    "snowman\N{SNOWMAN}": None,
    "fuzzy": 9,
    "empty answer": 6,
}
"""Words that a person types, and the prompt that has them (None: no prompt has)."""


@pytest.mark.parametrize("library", [name for name, writer in WRITERS.items() if writer.prompts])
async def test_any_script_is_found_by_text(redis_url: str, client: redis.Redis, library: str) -> None:
    writer = WRITERS[library]
    writer.prepare(client)
    keys = [writer.write(client, prompt, answer, unit(1)) for prompt, answer in SEEN_NOWHERE]
    aclient = connect_async(parse_target(redis_url))
    caches = await find_caches(aclient, None, KEYS, mappings=MAPPINGS)
    search = EntrySearch(aclient, caches, KEYS, budget_s=5)
    for word, at in WORDS.items():
        found = [entry.key for entry in await search.by_text(word, writer.cache or None, 100)]
        assert found == ([] if at is None else [keys[at]]), word
    await aclient.aclose()


async def test_bytes_that_are_no_text_are_shown_found_and_restored_as_they_were(
    redis_url: str, client: redis.Redis
) -> None:
    redisvl_index(client, "llmcache")
    key, fields = redisvl_entry("llmcache", "refund", vector=unit(1))
    fields |= {"prompt": b"refund \xc3\x28 \xff now", "response": b"\x80\xfe yes \x00\xed\xa0\x80"}
    odd = key.encode() + b"\xff"
    for name in (key.encode(), odd):
        client.hset(name, mapping=fields)
    before = {name: client.dump(name) for name in (key.encode(), odd)}
    aclient = connect_async(parse_target(redis_url))
    server = await probe(aclient, namespace=KEYS.namespace)
    search = EntrySearch(aclient, await find_caches(aclient, server, KEYS), KEYS, budget_s=5)
    found = [entry for entry in await search.by_text("refund") if entry.key == key]
    assert [entry.prompt for entry in found] == ["refund \\xc3( \\xff now"]
    near = await search.by_vector(unit(1), "llmcache", k=10)
    assert key in {entry.key for entry in near}
    eviction = Eviction(aclient, search, KEYS, server, WHO)
    preview = await eviction.preview(Selection(caches=("llmcache",)))
    done = await eviction.evict(preview.selection)
    assert done.skipped == ()
    assert not client.exists(key)
    await eviction.undo(done.undo_id)
    assert {name: client.dump(name) for name in before} == before
    await aclient.aclose()
