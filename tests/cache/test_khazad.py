"""khazad's vector sets and bodies, as recorded from its own store and parsers."""

from __future__ import annotations

import hashlib
import random
import struct
from typing import Any

import pytest

from costconsole.cache.commands import arun_all
from costconsole.cache.layouts import layout_of
from costconsole.cache.layouts.quantized import quantized, unquantized
from tests.cache.filling import searching
from tests.cache.recording import load, replay
from tests.cache.writers.provider import ANSWERS, small_vector

FRANCE = "What is the capital of France?"
MINI = "khazad:vset:api.openai.com/gpt-4o-mini"


@pytest.fixture
def written(client: Any) -> Any:
    replay(client, load("khazad"), lambda text: b"")
    return client


def embed(text: str) -> bytes:
    return struct.pack("<8f", *small_vector(text))


def body_key(scope: str, prompt: str) -> str:
    return "khazad:resp:" + hashlib.sha256(f"{scope}:{prompt}".encode()).hexdigest()[:32]


async def test_a_namespace_is_one_cache_over_its_vector_sets(written: Any, aclient: Any) -> None:
    written.execute_command("VADD", "docs:vset:products", "VALUES", 2, 1, 0, "a product")
    search = await searching(aclient)
    assert [(c.name, c.kind, c.entries, c.dims, c.problem) for c in search.caches] == [
        ("khazad", "semantic", 7, 8, ""),
        ("khazad_v2", "semantic", 1, 8, ""),
    ]
    assert {entry.cache for entry in await search.newest("khazad")} == {"khazad"}
    assert [entry.response for entry in await search.newest("khazad_v2")] == ["other"]


async def test_bodies_of_every_provider_and_content_are_read(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    entries = {entry.response: entry for entry in await search.newest("khazad")}
    assert set(entries) == {*ANSWERS.values(), "Streamed.", "Je suis Claude."}
    answer = entries[ANSWERS[FRANCE]]
    assert (answer.prompt, answer.model, answer.created_ms) == (None, "gpt-4o-mini", 1_795_376_580_000)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (12, 34)
    assert 3_000_000 < (answer.ttl_ms or 0) <= 3_600_000
    assert entries["Streamed."].usage is None
    claude = entries["Je suis Claude."]
    assert claude.usage is not None
    assert (claude.usage.input, claude.usage.cached_input, claude.usage.output) == (12, 7, 3)
    assert (claude.model, claude.created_ms) == ("claude-x", None)
    assert [entry.response for entry in await search.by_text("東京", "khazad")] == [
        ANSWERS["日本の首都はどこですか？"]
    ]
    whole = await search.entry(answer.key)
    assert whole is not None
    assert dict(whole.fields)["object"] == "chat.completion"


async def test_a_prompt_is_wrapped_and_found_with_its_cosine(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    cache = search.caches[0]
    wrapped = layout_of(cache).wrap(cache, FRANCE)
    assert body_key("api.openai.com/gpt-4o-mini", wrapped) in {
        entry.key for entry in await search.newest("khazad")
    }
    page = await search.by_vector(embed(wrapped), "khazad", k=20)
    assert len(page) == 7
    assert (page[0].response, page[0].similarity) == (ANSWERS[FRANCE], pytest.approx(1.0, abs=0.01))
    for entry in page:
        element = entry.key.removeprefix("khazad:resp:")
        sets = list(written.scan_iter("khazad:vset:*"))
        (stored,) = [v for key in sets if (v := written.execute_command("VEMB", key, element))]
        cosine = sum(a * float(b) for a, b in zip(small_vector(wrapped), stored, strict=True))
        assert entry.similarity == pytest.approx(cosine, abs=0.02)


async def test_vectors_without_answers_are_counted_and_take_no_place(written: Any, aclient: Any) -> None:
    gone = body_key("api.openai.com/gpt-4o-mini", f"user: {FRANCE}")
    written.delete(gone)
    search = await searching(aclient)
    assert search.caches[0].entries == 6
    assert search.caches[0].problem.startswith("1 of its 7 vectors have outlived their answers")
    page = await search.by_vector(embed(f"user: {FRANCE}"), "khazad", k=3)
    assert len(page) == 3
    assert gone not in {entry.key for entry in page}
    for key in written.scan_iter("khazad:resp:*"):
        written.delete(key)
    (orphaned, _) = (await searching(aclient)).caches
    assert (orphaned.entries, orphaned.problem[:19]) == (0, "7 of its 7 vectors ")


async def test_neighbors_come_from_the_vector_set_that_has_the_entry(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    for entry in await search.newest("khazad"):
        near = await search.neighbors(entry, 6)
        assert len(near) == 6
        assert entry.key not in {one.key for one in near}


async def test_an_entry_leaves_its_vector_set_and_comes_back(written: Any, aclient: Any) -> None:
    search = await searching(aclient)
    cache = search.caches[0]
    (entry,) = [e for e in await search.newest("khazad") if e.response == ANSWERS[FRANCE]]
    layout = layout_of(cache)
    assert layout.siblings(cache, entry.key.encode()) == (entry.key.encode(),)
    replies = [
        None if isinstance(reply, Exception) else reply
        for reply in await arun_all(aclient, layout.shared_reads(cache, entry))
    ]
    (piece,) = layout.shared_pieces(cache, entry, replies)
    assert piece.key == MINI.encode()
    await aclient.execute_command(*piece.remove)
    assert written.execute_command("VCARD", MINI) == 4
    assert await aclient.execute_command(*piece.check) is None
    await aclient.execute_command(*piece.restore)
    assert written.execute_command("VCARD", MINI) == 5
    kind, numbers, *scales = await aclient.execute_command(*piece.check)
    assert [kind, numbers] == piece.reply[:2]
    assert [float(one) for one in scales] == pytest.approx([float(one) for one in piece.reply[2:]], rel=1e-6)


@pytest.mark.parametrize("quantization", ["Q8", "NOQUANT", "BIN"])
def test_a_vector_that_comes_back_is_as_similar_as_before(client: Any, quantization: str) -> None:
    """What is read of a quantized vector has another length than 1: its similarities would change."""
    chance = random.Random(7)
    for dims in (8, 100, 384):
        key = f"s:{dims}"
        for element in ("gone", "stays"):
            numbers = [chance.gauss(0, 3) for _ in range(dims)]
            client.execute_command("VADD", key, "VALUES", dims, *numbers, element, quantization)
        look = ("VSIM", key, "ELE", "stays", "WITHSCORES")
        before = dict(zip(*[iter(client.execute_command(*look))] * 2, strict=True))
        stored = quantized(client.execute_command("VEMB", key, "gone", "RAW"), dims)
        assert stored is not None
        assert stored.words == quantization
        client.execute_command("VREM", key, "gone")
        client.execute_command("VADD", key, "FP32", unquantized(stored), "gone", stored.words)
        after = dict(zip(*[iter(client.execute_command(*look))] * 2, strict=True))
        assert float(after[b"gone"]) == pytest.approx(float(before[b"gone"]), abs=2e-7)


@pytest.mark.parametrize(
    "reply", [None, [], [b"int8", b"ab", b"1"], [b"new", b"ab", b"1", b"1"], [b"f32", b"abc", b"1"]]
)
def test_what_is_no_raw_vector_is_not_taken_for_one(reply: Any) -> None:
    assert quantized(reply, 2) is None


async def test_its_threshold_is_said_in_cosines(written: Any, aclient: Any) -> None:
    cache = (await searching(aclient)).caches[0]
    (threshold,) = layout_of(cache).thresholds(cache)
    assert (threshold.similarity, threshold.changes) == (None, "no")
    assert "threshold=0.90 serves from a similarity of 0.80" in threshold.sentence


async def test_a_body_that_is_no_json_is_shown_as_it_is(written: Any, aclient: Any) -> None:
    key = "khazad:resp:" + "f" * 32
    written.set(key, b"\xff\x00<html>")
    search = await searching(aclient)
    entry = await search.entry(key)
    assert entry is not None
    assert (entry.response, entry.fields) == ("\\xff\x00<html>", (("value", "\\xff\x00<html>"),))
