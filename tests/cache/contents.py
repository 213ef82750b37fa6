"""Any prompt and any answer, as each library writes them: the formats of `recorded`, with other content."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from costconsole.cache.answer import Answer
from costconsole.cache.exact import ExactCache
from costconsole.domain.call import Usage
from tests.cache.filling import KEYS, NOW, own_cache, redisvl_index
from tests.cache.recording import load
from tests.cache.vectors import DIMS

TTL_MS = 3_600_000
MAPPINGS: Mapping[str, Mapping[str, Any]] = {
    "handmade": {"prefix": "handmade:", "prompt": "q", "response": "a", "model": "m", "created": "at"}
}
_Write = Callable[[Any, str, str, bytes], str]


@dataclass(frozen=True, slots=True)
class Writer:
    """`write(client, prompt, answer, vector)` stores an entry in `cache` and returns its key.

    `prompts`, `answers` and `vectors` say what of an entry the library keeps readably.
    """

    cache: str
    write: _Write
    prepare: Callable[[Any], None] = field(default=lambda client: None)
    prompts: bool = True
    answers: bool = True
    vectors: bool = True


def _name(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def _hash(client: Any, key: str, fields: Mapping[str, Any]) -> str:
    client.hset(key, mapping=fields)
    client.pexpire(key, TTL_MS)
    return key


def _index(library: str, name: str, dims: int = DIMS) -> Callable[[Any], None]:
    """An index of a recording, for vectors of the tests' length."""

    def prepare(client: Any) -> None:
        for words in load(library)["indexes"]:
            if words[0] == name:
                at = words.index("DIM") + 1 if "DIM" in words else 0
                client.execute_command(
                    "FT.CREATE", *(dims if at and n == at else w for n, w in enumerate(words))
                )

    return prepare


def _completion(answer: str) -> str:
    choice = {"finish_reason": "stop", "index": 0, "message": {"content": answer, "role": "assistant"}}
    body = {"id": "chatcmpl-1", "created": 1795000000, "model": "gpt-x", "choices": [choice],
            "usage": {"completion_tokens": 7, "prompt_tokens": 14, "total_tokens": 21}}  # fmt: skip
    return json.dumps(body, ensure_ascii=False)


def _generation(answer: str) -> dict[str, Any]:
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"],
               "kwargs": {"content": answer, "type": "ai"}}  # fmt: skip
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "output", "ChatGeneration"],
            "kwargs": {"text": answer, "type": "ChatGeneration", "message": message}}  # fmt: skip


def _own_semantic(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    kept = Answer(answer, "gpt-x", "openai", Usage(10, 5), None, "stop")
    return own_cache(client).store(client, prompt, vector, "s", kept, now_ms=NOW, ttl_s=3_600)


def _own_exact(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    kept = Answer(answer, "gpt-x", "openai", Usage(10, 5), None, "stop")
    ExactCache(KEYS).put(client, _name(prompt), kept, now_ms=NOW, ttl_s=3_600)
    return KEYS.exact(_name(prompt))


def _redisvl(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    fields = {"entry_id": _name(prompt), "prompt": prompt, "response": answer, "inserted_at": "1795376580.5",
              "updated_at": "1795376580.5", "prompt_vector": vector}  # fmt: skip
    return _hash(client, f"vl:{_name(prompt)}", fields)


def _embeddings(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    fields = {"entry_id": _name(prompt), "content": prompt, "model_name": "m", "inserted_at": "1795376580.5",
              "embedding": json.dumps([0.5] * DIMS)}  # fmt: skip
    return _hash(client, f"embedcache:{_name(prompt)}", fields)


def _langchain_semantic(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"],
               "kwargs": {"content": prompt, "type": "human"}}  # fmt: skip
    fields = {"entry_id": _name(prompt), "prompt": json.dumps([message]), "inserted_at": "1795376580.5",
              "response": json.dumps([json.dumps(_generation(answer))]), "updated_at": "1795376580.5",
              "metadata": json.dumps({"llm_string": "{}"}), "prompt_vector": vector}  # fmt: skip
    return _hash(client, f"llmcache:{_name(prompt)}", fields)


def _langchain_exact(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    key = f"redis:{_name(prompt)[:32]}:{_name('model')[:32]}"
    client.execute_command("JSON.SET", key, "$", json.dumps([_generation(answer)]))
    client.pexpire(key, TTL_MS)
    return key


def _langchain_community(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    return _hash(client, _name(prompt)[:32], {"0": json.dumps(_generation(answer))})


def _litellm_exact(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    value = {"timestamp": 1795398998.3, "response": _completion(answer)}
    client.set(_name(prompt), str(value), px=TTL_MS)
    return _name(prompt)


def _litellm_semantic(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    value = {"timestamp": 1795399000.9, "response": _completion(answer)}
    fields = {"entry_id": _name(prompt), "prompt": prompt, "response": str(value), "prompt_vector": vector,
              "inserted_at": "1795399000.9", "updated_at": "1795399000.9",
              "litellm_cache_key": _name("group")}  # fmt: skip
    return _hash(client, f"litellm_semantic_cache_index:{_name(prompt)}", fields)


def _litellm_valkey(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    value = {"timestamp": 1795399000.9, "response": _completion(answer)}
    fields = {"prompt": prompt, "response": str(value), "embedding": vector,
              "litellm_cache_key": _name("group")}  # fmt: skip
    return _hash(
        client, f"valkey_llm:{_name('group')}:{uuid.uuid5(uuid.NAMESPACE_DNS, _name(prompt))}", fields
    )


def _betterdb(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    fields = {"prompt": prompt, "response": answer, "model": "gpt-x", "category": "faq", "metadata": "{}",
              "inserted_at": "1795399571703", "embedding": vector}  # fmt: skip
    return _hash(client, f"betterdb_scache:entry:{uuid.uuid5(uuid.NAMESPACE_DNS, _name(prompt))}", fields)


def _betterdb_agent(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    value = {
        "response": answer,
        "model": "gpt-x",
        "storedAt": 1795399571733,
        "tokens": {"input": 1, "output": 2},
    }
    key = f"agents:llm:{_name(prompt)}"
    client.set(key, json.dumps(value, ensure_ascii=False, separators=(",", ":")), px=TTL_MS)
    return key


def _agents(client: Any) -> None:
    client.hset("__betterdb:caches", "agents", json.dumps({"type": "agent_cache", "prefix": "agents"}))


def _betterdb_caches(client: Any) -> None:
    _index("betterdb", "betterdb_scache:idx")(client)
    facts = {"type": "semantic_cache", "prefix": "betterdb_scache", "index_name": "betterdb_scache:idx"}
    client.hset("__betterdb:caches", "betterdb_scache", json.dumps(facts))


def _gptcache(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    number = client.incr("gptcache:counter")
    key = f"gptcache:questions:{number}"
    value = {"pk": str(number), "question": prompt, "create_on": "2026-11-23T02:13:11.752402",
             "last_access": "2026-11-23T02:13:11.752408", "deleted": 0, "deps": [],
             "answers": [{"pk": "01M8", "answer": answer, "answer_type": 0}],
             "embedding": vector.decode("latin-1")}  # fmt: skip
    client.execute_command("JSON.SET", key, "$", json.dumps(value))
    client.hset(f"doc:{number}", "vector", vector)
    return key


def _gptcache_indexes(client: Any) -> None:
    for name in ("gptcache", "gptcache:questions:index"):
        _index("gptcache", name)(client)


def _khazad(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    element = _name(prompt)[:32]
    client.execute_command("VADD", "khazad:vset:api.openai.com/gpt-x", "FP32", vector, element)
    key = f"khazad:resp:{element}"
    client.set(key, _completion(answer), px=TTL_MS)
    return key


def _mapped(client: Any, prompt: str, answer: str, vector: bytes) -> str:
    return _hash(
        client, f"handmade:{_name(prompt)}", {"q": prompt, "a": answer, "m": "gpt-x", "at": 1795399571}
    )


WRITERS: dict[str, Writer] = {
    "costconsole": Writer("tests:semantic", _own_semantic),
    "costconsole exact": Writer("tests:exact", _own_exact, prompts=False, vectors=False),
    "redisvl": Writer("vl", _redisvl, lambda client: redisvl_index(client, "vl")),
    "redisvl embeddings": Writer("embedcache", _embeddings, answers=False, vectors=False),
    "langchain": Writer("llmcache", _langchain_semantic, lambda client: redisvl_index(client, "llmcache")),
    "langchain exact": Writer("", _langchain_exact, prompts=False, vectors=False),
    "langchain community": Writer("", _langchain_community, prompts=False, vectors=False),
    "litellm exact": Writer("", _litellm_exact, prompts=False, vectors=False),
    "litellm semantic": Writer(
        "litellm_semantic_cache_index", _litellm_semantic, _index("litellm", "litellm_semantic_cache_index")
    ),
    "litellm valkey": Writer("valkey_llm", _litellm_valkey, _index("litellm", "valkey_llm")),
    "betterdb": Writer("betterdb_scache", _betterdb, _betterdb_caches),
    "betterdb agent": Writer("agents:llm", _betterdb_agent, _agents, prompts=False, vectors=False),
    "gptcache": Writer("gptcache", _gptcache, _gptcache_indexes),
    "khazad": Writer("khazad", _khazad, prompts=False),
    "mapping": Writer("handmade", _mapped, vectors=False),
}
