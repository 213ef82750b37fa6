"""Caches made by hand, read as the config maps them."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from costconsole.cache.catalog import find_caches
from costconsole.cache.layouts import layout_of
from costconsole.cache.search import EntrySearch
from costconsole.domain.errors import UsageProblem
from costconsole.settings import load_settings
from tests.cache.filling import KEYS, redisvl_index, redisvl_store
from tests.cache.vectors import DIMS, at_similarity, unit

RECIPE = """
[caches.semcache]
prefix = "cache:"
index = "semcache:idx"
prompt = "prompt"
response = "response"
model = "model_version"
created = "created_ts"
hits = "hit_count"
scope = "tenant"
vector = "embedding"
threshold = 0.5
threshold_unit = "distance"
ttl = 3600
ttl_renewed = true
"""
CREATED = 1_795_376_580.25
TEXTS = ["Wie spät ist es? 🕰", "日本の首都はどこですか", "\x1b[31mred\x07\nline \u202egnp", "x " * 9_000]


def settings_of(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return load_settings(config=str(path), environ={})


async def searching(aclient: Any, tmp_path: Path, text: str = RECIPE, **options: Any) -> EntrySearch:
    mappings = settings_of(tmp_path, text).caches
    return EntrySearch(aclient, await find_caches(aclient, None, KEYS, mappings=mappings), KEYS, **options)


def recipe_index(client: Any, dtype: str = "FLOAT32") -> None:
    client.execute_command(
        "FT.CREATE", "semcache:idx", "ON", "HASH", "PREFIX", 1, "cache:", "SCHEMA", "prompt", "TEXT",
        "response", "TEXT", "tenant", "TAG", "locale", "TAG", "model_version", "TAG", "created_ts", "NUMERIC",
        "SORTABLE", "hit_count", "NUMERIC", "SORTABLE", "embedding", "VECTOR", "HNSW", 6, "TYPE", dtype,
        "DIM", DIMS, "DISTANCE_METRIC", "COSINE",
    )  # fmt: skip


def recipe_entry(client: Any, number: int, prompt: str, vector: bytes, **more: Any) -> str:
    key = f"cache:{number:012x}"
    fields = {
        "prompt": prompt, "response": f"answer {number}", "tenant": "acme", "locale": "en",
        "model_version": "gpt-z", "created_ts": CREATED + number, "hit_count": number, "embedding": vector,
    }  # fmt: skip
    client.hset(key, mapping={**fields, **more})
    client.expire(key, 3_600)
    return key


async def test_the_recipe_is_listed_searched_and_read(client: Any, aclient: Any, tmp_path: Path) -> None:
    recipe_index(client)
    keys = [recipe_entry(client, at, text, at_similarity(0.9 - at / 10)) for at, text in enumerate(TEXTS)]
    client.set("cache:", "not an entry")
    search = await searching(aclient, tmp_path)
    (cache,) = search.caches
    assert (cache.name, cache.library, cache.kind) == ("semcache", "mapping", "semantic")
    assert (cache.entries, cache.dims, cache.algorithm, cache.metric) == (4, DIMS, "HNSW", "COSINE")
    assert (cache.threshold, cache.problem) == (0.5, "")
    listed = list(await search.newest())
    assert [entry.key for entry in listed] == keys[::-1]
    assert [entry.prompt for entry in listed] == TEXTS[::-1]
    newest = listed[0]
    assert (newest.response, newest.model, newest.scope, newest.hits) == ("answer 3", "gpt-z", "acme", 3)
    assert newest.created_ms == 1_795_376_583_250
    assert 3_590_000 < (newest.ttl_ms or 0) <= 3_600_000
    page = await search.by_vector(unit(1), k=2)
    assert [(entry.key, round(entry.similarity or 0, 5)) for entry in page] == [
        (keys[0], 0.9),
        (keys[1], 0.8),
    ]
    assert [entry.key for entry in await search.by_text("首都")] == [keys[1]]
    assert [entry.key for entry in await search.by_vector(unit(1), scope="acme", k=1)] == [keys[0]]
    assert len(await search.by_vector(unit(1), scope="other")) == 0
    whole = await search.entry(keys[2])
    assert whole is not None
    assert (dict(whole.fields)["locale"], "embedding" in dict(whole.fields)) == ("en", False)
    assert [near.key for near in await search.neighbors(whole, 1)] == [keys[3]]
    assert search.cache_of("cache:") is None


async def test_a_renewed_time_to_live_tells_the_last_hit(client: Any, aclient: Any, tmp_path: Path) -> None:
    recipe_index(client)
    now = client.time()[0]
    hit = recipe_entry(client, 1, "hit", unit(1), created_ts=now - 9_000)
    client.expire(hit, 3_000)
    fresh = recipe_entry(client, 2, "fresh", unit(1), created_ts=now)
    search = await searching(aclient, tmp_path)
    found = {entry.key: entry for entry in await search.newest()}
    assert abs((found[hit].last_hit_ms or 0) - (now - 600) * 1_000) < 5_000
    assert found[fresh].last_hit_ms is None
    whole = await search.entry(hit)
    assert whole is not None
    assert whole.last_hit_ms is not None


@pytest.mark.parametrize("dtype", ["float64", "json"])
async def test_without_an_index_vectors_are_compared_one_by_one(
    client: Any, aclient: Any, tmp_path: Path, dtype: str
) -> None:
    for at in range(300):
        numbers = struct.unpack(f"<{DIMS}f", at_similarity(at / 300))
        stored = json.dumps(numbers) if dtype == "json" else struct.pack(f"<{DIMS}d", *numbers)
        client.hset(
            f"mine:{at}", mapping={"q": f"p{at}", "v": stored, "at": f"2026-11-22T10:{at % 60:02}:00"}
        )
    client.hset("mine:none", mapping={"q": "no vector"})
    text = f'[caches.mine]\nprefix = "mine:"\nprompt = "q"\nvector = "v"\ndtype = "{dtype}"\ncreated = "at"'
    search = await searching(aclient, tmp_path, text, budget_s=10)
    page = await search.by_vector(unit(1), k=2)
    assert [(entry.prompt, round(entry.similarity or 0, 5)) for entry in page] == [
        ("p299", 0.99667),
        ("p298", 0.99333),
    ]
    assert (page.partial, page.note) == (False, "")
    assert page[0].created_ms == 1_795_345_140_000
    hasty = await searching(aclient, tmp_path, text, budget_s=0.0)
    page = await hasty.by_vector(unit(1), k=2)
    assert len(page) == 2
    assert page.partial
    # The entry without a vector may be among the first that are seen.
    assert re.match("compared 6[34] vectors of mine, which has no index to ask", page.note)
    assert len(await search.by_text("vector")) == 1


async def test_json_keys_are_read_too(client: Any, aclient: Any, tmp_path: Path) -> None:
    for at, prompt in enumerate(TEXTS):
        vector = list(struct.unpack(f"<{DIMS}f", at_similarity(0.9 - at / 10)))
        value = {"the q": prompt, "a": {"n": at}, "made": 1_795_376_580_000 + at, "v": vector}
        client.execute_command("JSON.SET", f"doc:{at}", "$", json.dumps(value))
    text = (
        '[caches.docs]\nprefix = "doc:"\ntype = "json"\nprompt = "the q"\nresponse = "a"\n'
        'created = "made"\ncreated_unit = "ms"\nvector = "v"\ntemplate = "Q: {prompt}"'
    )
    search = await searching(aclient, tmp_path, text, budget_s=5)
    listed = list(await search.newest())
    assert [(entry.prompt, entry.response) for entry in listed] == [
        (prompt, f'{{"n": {at}}}') for at, prompt in reversed(list(enumerate(TEXTS)))
    ]
    assert listed[0].created_ms == 1_795_376_580_003
    page = await search.by_vector(unit(1), k=1)
    assert [(entry.key, round(entry.similarity or 0, 5)) for entry in page] == [("doc:0", 0.9)]
    whole = await search.entry("doc:1")
    assert whole is not None
    assert [name for name, _ in whole.fields] == ["the q", "a", "made"]
    cache = search.caches[0]
    assert layout_of(cache).wrap(cache, "why {prompt}?") == "Q: why {prompt}?"
    assert cache.problem == ""


async def test_one_field_alone_is_enough(client: Any, aclient: Any, tmp_path: Path) -> None:
    client.execute_command("JSON.SET", "doc:1", "$", '{"q": "only"}')
    text = '[caches.docs]\nprefix = "doc:"\ntype = "json"\nprompt = "q"'
    assert [entry.prompt for entry in await (await searching(aclient, tmp_path, text)).newest()] == ["only"]


async def test_what_a_mapping_gets_wrong_is_said(client: Any, aclient: Any, tmp_path: Path) -> None:
    recipe_index(client)
    recipe_entry(client, 1, "p", unit(1))
    wrong = RECIPE.replace("semcache:idx", "nowhere")
    search = await searching(aclient, tmp_path, wrong, budget_s=5)
    assert search.caches[0].problem == "there is no index nowhere: see [caches.semcache]"
    assert [entry.prompt for entry in await search.by_vector(unit(1))] == ["p"]
    wrong = RECIPE.replace('vector = "embedding"', 'vector = "vec"')
    (cache,) = (await searching(aclient, tmp_path, wrong)).caches
    assert cache.problem == "the index semcache:idx has no vector field vec: see [caches.semcache]"


async def test_a_mapping_goes_before_a_guess_and_names_stay_apart(
    client: Any, aclient: Any, tmp_path: Path
) -> None:
    redisvl_index(client, "llmcache")
    redisvl_index(client, "other")
    for name in ("llmcache", "other"):
        redisvl_store(client, name, "p")
    text = (
        '[caches.other]\nprefix = "llmcache:"\nindex = "llmcache"\n'
        'prompt = "prompt"\nvector = "prompt_vector"'
    )
    search = await searching(aclient, tmp_path, text)
    assert [(cache.name, cache.library, cache.index) for cache in search.caches] == [
        ("other", "mapping", "llmcache"),
        ("other (redisvl)", "redisvl", "other"),
    ]
    assert {entry.cache for entry in await search.newest()} == {"other", "other (redisvl)"}


async def test_a_short_prefix_does_not_reach_what_is_ours(client: Any, aclient: Any, tmp_path: Path) -> None:
    client.hset(KEYS.exact("0" * 64) + "x", mapping={"q": "ours"})
    client.hset("costs", mapping={"q": "theirs"})
    search = await searching(aclient, tmp_path, '[caches.wide]\nprefix = "cost"\nprompt = "q"')
    assert [entry.prompt for entry in await search.newest("wide")] == ["theirs"]
    assert [entry.prompt for entry in await search.by_key("cost")] == ["theirs"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("caches = 3", ["caches", "3", "[caches.support]"]),
        ("[caches]\nmine = 3", ["caches.mine", "3", "[caches.mine]"]),
        ('[caches.mine]\nprompt = "p"', ["caches.mine", 'prefix = "cache:"']),
        ('[caches.mine]\nprefix = "p:"', ["caches.mine", "prompt or response"]),
        ('[caches.m]\nprefix = "p:"\nprompt = ""', ["caches.m.prompt", "''", "non-empty text"]),
        ('[caches.m]\nprefix = "p:"\nprompts = "p"', ["caches.m.prompts", "did you mean 'prompt'"]),
        ('[caches.m]\nprefix = "p:"\nmetric = "cos"', ["caches.m.metric", "'cos'", "cosine, l2, ip"]),
        ('[caches.m]\nprefix = "p:"\nttl = 0', ["caches.m.ttl", "above 0"]),
        ('[caches.m]\nprefix = "p:"\nttl_renewed = 1', ["caches.m.ttl_renewed", "true or false"]),
        ('[caches.m]\nprefix = "p:"\nthreshold = true', ["caches.m.threshold", "a number"]),
        ('[caches.m]\nprefix = "p:"\nthreshold = 80', ["caches.m.threshold", "80", "up to 1"]),
        ('[caches.m]\nprefix = "p:"\ntemplate = "x"', ["caches.m.template", "{prompt}"]),
    ],
)
def test_a_wrong_mapping_names_file_key_and_expectation(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(UsageProblem) as caught:
        settings_of(tmp_path, text)
    for part in (str(tmp_path / "config.toml"), *parts):
        assert part in str(caught.value)
