"""The exact cache on a real server."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.cache.answer import Answer, decode_answer
from costconsole.cache.exact import ExactCache
from costconsole.domain.call import Usage
from costconsole.redis_store.keys import Keys

KEYS = Keys("tests")
NOW = 1_795_376_580_413
DIGEST = "0" * 64
WHOLE = Answer("Pa\x1bris\n", "gpt-x", "openai", Usage(12, 3, 4, 5, 6, True), b'{"a":\x00\xff}', "stop")


def test_an_answer_comes_back_whole(client: Any) -> None:
    cache = ExactCache(KEYS)
    assert cache.get(client, DIGEST) is None
    key = cache.put(client, DIGEST, WHOLE, prompt="Capital?", scope="s", route="r", tag="t", now_ms=NOW)
    assert key == KEYS.exact(DIGEST) == cache.key(DIGEST)
    assert cache.get(client, DIGEST) == WHOLE
    assert client.pttl(key) == -1
    assert client.hmget(key, "prompt", "model", "route", "tag", "scope", "created_ms") == [
        b"Capital?", b"gpt-x", b"r", b"t", b"s", b"1795376580413",
    ]  # fmt: skip


def test_the_time_to_live_slides_only_when_asked(client: Any) -> None:
    key = ExactCache(KEYS).put(client, DIGEST, WHOLE, ttl_s=100, now_ms=NOW)
    client.pexpire(key, 5_000)
    ExactCache(KEYS).get(client, DIGEST)
    assert client.pttl(key) <= 5_000
    sliding = ExactCache(KEYS, slide_ttl_s=60)
    assert sliding.get(client, DIGEST) == WHOLE
    assert client.pttl(key) > 50_000
    assert sliding.get(client, "1" * 64) is None
    assert not client.exists(KEYS.exact("1" * 64))


def test_a_new_answer_leaves_nothing_of_the_old_one(client: Any) -> None:
    cache = ExactCache(KEYS)
    key = cache.put(client, DIGEST, WHOLE, prompt="secret", tag="t", ttl_s=100, now_ms=NOW)
    cache.put(client, DIGEST, Answer("Lyon"), now_ms=NOW + 1)
    assert cache.get(client, DIGEST) == Answer("Lyon")
    assert set(client.hkeys(key)) == {b"response", b"metadata", b"created_ms"}
    assert client.pttl(key) == -1


@pytest.mark.parametrize("metadata", [None, b"", b"{", b"[]", b'{"usage":{"input":"x","output":true}}'])
def test_malformed_metadata_does_not_hide_an_answer(metadata: bytes | None) -> None:
    assert decode_answer(b"\xffok", metadata, None) == Answer("\\xffok")


async def test_async_does_what_sync_does(client: Any, aclient: Any) -> None:
    cache = ExactCache(KEYS, slide_ttl_s=60)
    assert await cache.aget(aclient, DIGEST) is None
    key = await cache.aput(aclient, DIGEST, WHOLE, prompt="p", scope="s", ttl_s=9, now_ms=NOW)
    assert await cache.aget(aclient, DIGEST) == cache.get(client, DIGEST) == WHOLE
    stored = client.hgetall(key)
    client.delete(key)
    cache.put(client, DIGEST, WHOLE, prompt="p", scope="s", ttl_s=9, now_ms=NOW)
    assert client.hgetall(key) == stored
    plain = ExactCache(KEYS)
    assert await plain.aget(aclient, DIGEST) == WHOLE
