"""LiteLLM's caches: `redis` (exact), `redis-semantic`, and `valkey-semantic`.

All of them keep `{"timestamp": ..., "response": ...}`, its response often JSON text inside. Asynchronous
callers, and so the proxy, write that as JSON; synchronous ones, and both semantic caches, as Python's repr.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.indexinfo import IndexInfo
from costconsole.cache.layouts.base import KeyShape, Surroundings, Threshold
from costconsole.cache.layouts.hashes import HashLayout
from costconsole.cache.layouts.plain import PlainLayout, plain_number
from costconsole.cache.layouts.redisvl import RedisVLLayout
from costconsole.cache.layouts.values import from_json, mapping, number
from costconsole.cache.textquery import inner_query
from costconsole.domain.call import Usage
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import text

_LIBRARY = "litellm"
_SCOPE = "litellm_cache_key"
_KEY = re.compile(rb"((?:.*:)?)[0-9a-f]{64}\Z", re.DOTALL)
_VALKEY = re.compile(rb"[0-9a-f]{64}:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_BEGINS = re.compile(r"""\{\s*(["'])timestamp\1\s*:""")
_THRESHOLD = (
    "LiteLLM's config keeps it, as cache_params.similarity_threshold: change it there and start LiteLLM anew"
)
_LINE = "litellm_settings: {{cache_params: {{similarity_threshold: {}}}}}"
# A Python literal is read only if it is plain: no more than numbers, texts and containers, and not too deep.
_LONGEST = 4 * 1024 * 1024
_DEEPEST = 40
# An unfinished text is matched up to the end: else each of its quotes would be tried, and read to the end.
_STRING = re.compile(
    r"'[^'\\]*+(?:\\.[^'\\]*+)*+(?:'|\\?\Z)|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+(?:\"|\\?\Z)", re.DOTALL
)
_ATOM = re.compile(r"-?[\d.]+(?:[eE][+-]?\d+)?|\b(?:True|False|None)\b")
_FRAME = re.compile(r"[\s,:{}\[\]()]*\Z")


class LiteLLMSemanticLayout(RedisVLLayout):
    """`redis-semantic`: RedisVL's hashes; a look-up never leaves its group, `litellm_cache_key`.

    The group is a hash of model, parameters, key, team and whether the answer is streamed.
    """

    library = _LIBRARY
    name = _LIBRARY
    listed = ("prompt", "response", "inserted_at", _SCOPE)
    scope_field = _SCOPE

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return super().detect(replace(seen, indexes=tuple(i for i in seen.indexes if i.has(_SCOPE, "TAG"))))

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        plain = replace(super().entry(cache, key, fields), scope=text(fields.get(_SCOPE)))
        return _with_answer(plain, fields.get("response"))

    def text_query(self, cache: CacheInfo, words: str) -> str | None:
        fields = self.text_fields(cache)
        return inner_query(words, fields) if fields and words.isascii() else None

    def text_is_exact(self, cache: CacheInfo) -> bool:
        return False

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return (Threshold(sentence=_THRESHOLD),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return _LINE.format(plain_number(similarity))


class LiteLLMValkeyLayout(HashLayout):
    """`valkey-semantic`: hashes at `{index}:{scope}:{uuid}`, with neither age nor text in the index."""

    library = _LIBRARY
    name = "litellm-valkey"
    vector_field = "embedding"
    listed = ("prompt", "response", _SCOPE)
    scope_field = _SCOPE

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        caches = [info for index in seen.indexes if (info := self._cache(index)) is not None]
        return tuple(sorted(caches, key=lambda info: info.name))

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        prefix = cache.prefix.encode("utf-8", "surrogateescape")
        return key.startswith(prefix) and _VALKEY.match(key, len(prefix)) is not None

    def created_field(self, cache: CacheInfo) -> str | None:
        return None

    def age(self, cache: CacheInfo, reply: Any) -> str | None:
        return None

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        plain = CacheEntry(
            key=key,
            cache=cache.name,
            library=self.library,
            prompt=text(fields["prompt"]) if "prompt" in fields else None,
            scope=text(fields.get(_SCOPE)),
        )
        return _with_answer(plain, fields.get("response"))

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return (Threshold(sentence=_THRESHOLD),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        return _LINE.format(plain_number(similarity))

    def _cache(self, index: IndexInfo) -> CacheInfo | None:
        vector = index.fields.get(self.vector_field)
        if vector is None or vector.type != "VECTOR" or index.storage != "HASH" or not index.prefixes:
            return None
        if not index.has(_SCOPE, "TAG"):
            return None
        return self.known_by(index, name=index.name, prefix=index.prefixes[0].removesuffix(":") + ":")


class LiteLLMExactLayout(PlainLayout):
    """`redis`: a string at `{sha256}`, or `{namespace}:{sha256}`. The prompt isn't stored."""

    library = _LIBRARY
    name = "litellm-exact"
    shapes: tuple[KeyShape, ...] = (KeyShape("string", "*" + "[0-9a-f]" * 64, _KEY),)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [_beginning(family.sample) for family in seen.families]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return tuple(
            self.known_by_keys(family, name=f"{family.prefix or 'litellm:'}exact")
            for family in sorted(seen.families, key=lambda family: family.prefix)
            if _BEGINS.match(text(seen.replies.get(_beginning(family.sample))))
        )

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        match = _KEY.match(key)
        return match is not None and match.group(1) == cache.prefix.encode("utf-8", "surrogateescape")

    def key_pattern(self, cache: CacheInfo) -> str:
        return super().key_pattern(cache).removesuffix("*") + "[0-9a-f]" * 64

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        return ("GET", key)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        if reply is None:
            return None
        return _with_answer(CacheEntry(key=text(key), cache=cache.name, library=self.library), reply)

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        entry = self.parse(cache, key, reply)
        return entry and replace(entry, fields=(("value", text(reply)),))


@dataclass(frozen=True, slots=True)
class _Answer:
    text: str
    model: str
    usage: Usage | None
    cost_nano: int | None
    stored_ms: int | None


def read_value(stored: str) -> Any:
    """What JSON, or a plain Python literal, says; None: it is neither, or too large to be read safely."""
    found = from_json(stored)
    if found is not None:
        return found
    if len(stored) > _LONGEST:
        return None
    frame = _ATOM.sub("", _STRING.sub("", stored))
    if not _FRAME.match(frame) or _depth(frame) > _DEEPEST:
        return None
    try:
        return ast.literal_eval(stored)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _with_answer(entry: CacheEntry, stored: bytes | None) -> CacheEntry:
    """The entry with what its value says; as text where that can't be read."""
    if stored is None:
        return entry
    answer = _answer(text(stored))
    if answer is None:
        return replace(entry, response=text(stored))
    return replace(
        entry,
        response=answer.text,
        model=answer.model or entry.model,
        usage=answer.usage,
        cost_nano=answer.cost_nano,
        created_ms=answer.stored_ms if entry.created_ms is None else entry.created_ms,
    )


def _answer(stored: str) -> _Answer | None:
    value = read_value(stored)
    if not isinstance(value, Mapping) or "response" not in value:
        return None
    body = value["response"]
    if isinstance(body, str):
        parsed = from_json(body)
        body = parsed if isinstance(parsed, Mapping) else body
    seconds = number(value.get("timestamp"))
    stored_ms = None if seconds is None else round(seconds * 1000)
    if not isinstance(body, Mapping):
        return _Answer(str(body), "", None, None, stored_ms)
    usage = mapping(body.get("usage"))
    cost = number(usage.get("cost"))
    return _Answer(
        _said(body),
        str(body.get("model") or ""),
        _usage(usage or body),
        None if cost is None else round(cost * 1_000_000_000),
        stored_ms,
    )


def _said(body: Mapping[str, Any]) -> str:
    """The texts of a chat, text or responses answer; of embeddings only how many there are, and how long."""
    if isinstance(body.get("choices"), list):
        return "\n\n".join(_choice(mapping(choice)) for choice in body["choices"])
    if isinstance(body.get("output"), list):
        parts = [part for item in body["output"] for part in mapping(item).get("content") or ()]
        return "\n\n".join(str(mapping(part).get("text", "")) for part in parts)
    rows = body.get("data") if isinstance(body.get("data"), list) else [body]
    vectors = [row["embedding"] for row in rows or () if isinstance(mapping(row).get("embedding"), list)]
    if vectors:
        count = "1 embedding" if len(vectors) == 1 else f"{len(vectors)} embeddings"
        return f"[{count} of {len(vectors[0])} dimensions]"
    return str(dict(body))


def _choice(choice: Mapping[str, Any]) -> str:
    message = mapping(choice.get("message"))
    said = message.get("content") if message else choice.get("text")
    if isinstance(said, list):
        said = "\n".join(str(mapping(part).get("text", "")) for part in said)
    calls = [mapping(mapping(call).get("function")) for call in message.get("tool_calls") or ()]
    called = [f"{call.get('name')}({call.get('arguments', '')})" for call in calls if call]
    return "\n".join(part for part in (str(said or ""), *called) if part)


def _usage(counted: Mapping[str, Any]) -> Usage | None:
    """Tokens; None where the answer came without, as some streamed ones do."""
    spent = [counted.get("prompt_tokens", counted.get("input_tokens"))]
    spent.append(counted.get("completion_tokens", counted.get("output_tokens")))
    if not any(isinstance(count, int) for count in spent):
        return None
    details = mapping(counted.get("prompt_tokens_details") or counted.get("input_tokens_details"))
    prompt, answer, cached = (
        count if isinstance(count, int) else 0 for count in (*spent, details.get("cached_tokens"))
    )
    return Usage(prompt, answer, cached)


def _beginning(key: str) -> Command:
    return ("GETRANGE", key, 0, 31)


def _depth(frame: str) -> int:
    deepest = depth = 0
    for sign in re.findall(r"[{\[(\])}]", frame):
        depth += 1 if sign in "{[(" else -1
        deepest = max(deepest, depth)
    return deepest
