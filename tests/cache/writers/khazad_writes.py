"""Fills a Redis through khazad's own store and parsers. Run by an interpreter that has it: URL of the Redis.

No request is sent: each is given to khazad as it would catch it, with the body that a provider would answer.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx
from khazad.adapters.redis.store import RedisVectorStore
from khazad.khazad import Khazad
from provider import ANSWERS, small_vector

CHAT = "https://api.openai.com/v1/chat/completions"
MESSAGES = "https://api.anthropic.com/v1/messages"
CREATED = 1_795_376_580


class StandIn:
    def embed(self, text: str) -> list[float]:
        return small_vector(text)


def store(cache: Khazad, url: str, asked: dict[str, Any], answered: dict[str, Any]) -> None:
    prepared = cache.prepare(httpx.Request("POST", url, json=asked))
    assert prepared is not None, url
    cache.store(prepared, json.dumps(answered, ensure_ascii=False).encode())


def chat(answer: str, model: str, usage: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
    return body


def main(url: str) -> None:
    store_ = RedisVectorStore(url)
    cache = Khazad(ttl=3_600, _vector_store=store_, _embedder_instance=StandIn())
    for prompt, answer in ANSWERS.items():
        asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}]}
        store(cache, CHAT, asked, chat(answer, "gpt-4o-mini"))
    streamed = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Stream it."}], "stream": True}
    store(cache, CHAT, streamed, chat("Streamed.", "gpt-4o", usage=False))
    asked = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Qui es-tu ?"}]}
    answered = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Je suis "}, {"type": "text", "text": "Claude."}],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3},
    }
    store(cache, MESSAGES, asked, answered)
    other = Khazad(_vector_store=RedisVectorStore(url, "khazad_v2"), _embedder_instance=StandIn())
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "other namespace"}]}
    store(other, CHAT, asked, chat("other", "gpt-4o-mini"))


main(sys.argv[1])
