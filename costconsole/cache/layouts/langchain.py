"""LangChain's caches: what langchain-redis and langchain-community write.

All of them keep answers as serialised generations. The semantic cache is a RedisVL cache that embeds not the
prompt but an *envelope* of serialised messages around it, so that all its similarities are higher than those
of the bare texts, and a test prompt has to be wrapped alike.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.layouts.base import KeyShape, Surroundings, Threshold
from costconsole.cache.layouts.plain import PlainLayout, plain_number
from costconsole.cache.layouts.redisvl import RedisVLLayout
from costconsole.cache.layouts.values import from_json, mapping
from costconsole.cache.textquery import inner_query
from costconsole.domain.call import Usage
from costconsole.domain.entry import CacheEntry, CacheInfo
from costconsole.redis_store.replies import pairs, text

_LIBRARY = "langchain"
_SAMPLES = 20
_ENVELOPE = "envelope"
_PAIR = re.compile(rb"(.*:)[0-9a-f]{32}:[0-9a-f]{32}\Z", re.DOTALL)
_HASHED = re.compile(rb"()[0-9a-f]{32}\Z")
_MODEL = re.compile(r"\('model(?:_name)?', '([^']*)'\)")
_THRESHOLD = (
    "the application keeps it, as RedisSemanticCache(distance_threshold=...): 0.2 unless it says otherwise, "
    "which is a similarity of 0.8 between whole envelopes"
)


class LangChainSemanticLayout(RedisVLLayout):
    """langchain-redis RedisSemanticCache: RedisVL's hashes, their prompts envelopes of messages.

    An index is claimed by what it holds: `metadata.llm_string`, or a prompt that begins as an envelope does.
    """

    library = _LIBRARY
    name = _LIBRARY
    listed = ("prompt", "response", "inserted_at", "metadata")

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        indexes = [index.name for index in seen.indexes if self._cache(index) is not None]
        return [command for name in indexes for command in (_oldest(name), _newest(name))]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        found = []
        for index in seen.indexes:
            cache = self._cache(index)
            if cache is None:
                continue
            samples = [fields for key, fields in _samples(seen.replies, index.name) if self.owns(cache, key)]
            mine = [fields for fields in samples if _is_ours(fields)]
            if index.has("llm_string", "TAG") or len(mine) * 2 > len(samples):
                found.append(replace(cache, details=((_ENVELOPE, _envelope(mine)),)))
        return tuple(sorted(found, key=lambda cache: cache.name))

    def entry(self, cache: CacheInfo, key: str, fields: Mapping[str, bytes]) -> CacheEntry:
        plain = super().entry(cache, key, fields)
        answer = read_generations(plain.response) if plain.response is not None else None
        return replace(
            plain,
            library=self.library,
            prompt=None if plain.prompt is None else unwrapped(plain.prompt),
            embedded=plain.prompt,
            response=plain.response if answer is None else answer.text,
            model=(answer.model if answer else "") or _model_of(fields.get("metadata")) or plain.model,
            usage=answer.usage if answer else None,
        )

    def text_query(self, cache: CacheInfo, words: str) -> str | None:
        """Words are looked for inside terms too, for JSON writes a new line as `\\nword`.

        What isn't ASCII stands there as `\\uXXXX`, which the index takes apart: then entries are read.
        """
        fields = self.text_fields(cache)
        return inner_query(words, fields) if fields and words.isascii() else None

    def text_is_exact(self, cache: CacheInfo) -> bool:
        return False

    def wrap(self, cache: CacheInfo, prompt: str) -> str:
        return wrapped(prompt, cache.detail(_ENVELOPE))

    def thresholds(self, cache: CacheInfo) -> Sequence[Threshold]:
        return (Threshold(default=0.8, sentence=_THRESHOLD),)

    def threshold_line(self, cache: CacheInfo, part: str, similarity: float) -> str:
        distance = plain_number(1.0 - similarity)
        return f"RedisSemanticCache(name={json.dumps(cache.index)}, distance_threshold={distance})"


class LangChainExactLayout(PlainLayout):
    """langchain-redis RedisCache: JSON at `{prefix}:{md5}:{md5}`; neither prompt nor age are stored."""

    library = _LIBRARY
    name = "langchain-exact"
    shapes: tuple[KeyShape, ...] = (KeyShape("ReJSON-RL", f"*:{'[0-9a-f]' * 32}:{'[0-9a-f]' * 32}", _PAIR),)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [_kind(family.sample) for family in seen.families]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return tuple(
            self.known_by_keys(family, name=f"{family.prefix}exact")
            for family in sorted(seen.families, key=lambda family: family.prefix)
            if re.search(r"\[\s*1\s*\]", text(seen.replies.get(_kind(family.sample))))
        )

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        match = _PAIR.match(key)
        return match is not None and match.group(1) == cache.prefix.encode("utf-8", "surrogateescape")

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        return ("JSON.GET", key)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        if reply is None:
            return None
        answer = read_generations(text(reply))
        return CacheEntry(
            key=text(key),
            cache=cache.name,
            library=self.library,
            response=text(reply) if answer is None else answer.text,
            model=answer.model if answer else "",
            usage=answer.usage if answer else None,
        )

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        entry = self.parse(cache, key, reply)
        return entry and replace(entry, fields=(("$", text(reply)),))


class LangChainCommunityLayout(PlainLayout):
    """langchain-community RedisCache: a hash at the bare md5, fields `0`, `1`, ... each a generation."""

    library = _LIBRARY
    name = "langchain-community"
    shapes: tuple[KeyShape, ...] = (KeyShape("hash", "[0-9a-f]" * 32, _HASHED),)

    def probes(self, seen: Surroundings) -> Sequence[Command]:
        return [("HGET", family.sample, "0") for family in seen.families]

    def detect(self, seen: Surroundings) -> tuple[CacheInfo, ...]:
        return tuple(
            self.known_by_keys(family, name="langchain-community:exact")
            for family in seen.families
            if read_generations(text(seen.replies.get(("HGET", family.sample, "0")))) is not None
        )

    def owns(self, cache: CacheInfo, key: bytes) -> bool:
        return _HASHED.match(key) is not None

    def key_pattern(self, cache: CacheInfo) -> str:
        return "[0-9a-f]" * 32

    def read(self, cache: CacheInfo, key: bytes) -> Command:
        return ("HGETALL", key)

    def parse(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        fields = pairs(reply)
        if not fields:
            return None
        parts = [text(fields[name]) for name in sorted(fields) if name.isdigit()]
        answers = [read_generations(part) or _Answer(part) for part in parts] or [_Answer("")]
        return CacheEntry(
            key=text(key),
            cache=cache.name,
            library=self.library,
            response="\n\n".join(answer.text for answer in answers),
            model=answers[0].model,
            usage=answers[0].usage,
            fields=(),
        )

    def parse_whole(self, cache: CacheInfo, key: bytes, reply: Any) -> CacheEntry | None:
        entry = self.parse(cache, key, reply)
        shown = tuple((name, text(value)) for name, value in pairs(reply).items())
        return entry and replace(entry, fields=shown)


class _Answer:
    """What a list of generations says: its texts, the model, and the usage of the call."""

    def __init__(self, text: str, model: str = "", usage: Usage | None = None) -> None:
        self.text, self.model, self.usage = text, model, usage


def read_generations(stored: str) -> _Answer | None:
    """Generations from JSON: one, a list, or a list of their JSON texts; None: it is something else."""
    found = from_json(stored)
    generations = [
        from_json(one) if isinstance(one, str) else one
        for one in (found if isinstance(found, list) else [found])
    ]
    known = [one["kwargs"] for one in generations if _is_object(one)]
    if not known or len(known) != len(generations):
        return None
    message = _kwargs(known[0].get("message"))
    metadata = mapping(message.get("response_metadata")) or mapping(known[0].get("generation_info"))
    model = metadata.get("model_name") or metadata.get("model") or ""
    return _Answer("\n\n".join(_said(one) for one in known), str(model), _usage(message, metadata))


def unwrapped(prompt: str) -> str:
    """The person's own words in an envelope: the last human message, or all texts where there is none.

    What isn't an envelope, such as the prompt of a model that takes plain text, stays as it is.
    """
    messages = _messages(prompt)
    if not messages:
        return prompt
    human = [_content(one) for one in messages if one.get("type") == "human"]
    return human[-1] if human else "\n".join(_content(one) for one in messages)


def wrapped(prompt: str, envelope: str) -> str:
    """The prompt in an envelope (its JSON text, as the cache's own entries have it); bare without one."""
    messages = from_json(envelope)
    if not isinstance(messages, list) or not messages or not _is_object(messages[-1]):
        return prompt
    messages[-1]["kwargs"]["content"] = prompt
    return json.dumps(messages)


def _envelope(samples: Sequence[Mapping[str, Any]]) -> str:
    """The commonest envelope among entries, its human message empty; "": these prompts have none."""
    seen: Counter[str] = Counter()
    for fields in samples:
        messages = from_json(text(fields.get("prompt")))
        if not isinstance(messages, list) or not messages or not _messages(text(fields.get("prompt"))):
            continue
        last = messages[-1]["kwargs"]
        if last.get("type") == "human" and isinstance(last.get("content"), str):
            last["content"] = ""
            seen[json.dumps(messages)] += 1
    # Of those that are equally common, the shortest: it has the fewest messages besides the prompt.
    return min(seen, key=lambda envelope: (-seen[envelope], len(envelope)), default="")


def _is_ours(fields: Mapping[str, Any]) -> bool:
    metadata = mapping(from_json(text(fields.get("metadata"))))
    return isinstance(metadata.get("llm_string"), str) or bool(_messages(text(fields.get("prompt"))))


def _oldest(index: str) -> Command:
    """Stops after a few entries, where FT.SEARCH would score them all."""
    load = ("LOAD", 3, "@__key", "@prompt", "@metadata")
    return ("FT.AGGREGATE", index, "*", *load, "LIMIT", 0, _SAMPLES, "DIALECT", 2)


def _newest(index: str) -> Command:
    """Besides the oldest: those may all belong to another cache whose name begins with this one's."""
    return (
        "FT.SEARCH", index, "*", "WITHOUTCOUNT", "RETURN", 2, "prompt", "metadata",
        "SORTBY", "inserted_at", "DESC", "LIMIT", 0, _SAMPLES, "DIALECT", 2,
    )  # fmt: skip


def _samples(replies: Mapping[Command, Any], index: str) -> list[tuple[bytes, dict[str, Any]]]:
    """Keys and fields of some entries of an index."""
    found: dict[bytes, dict[str, Any]] = {}
    for row in (replies.get(_oldest(index)) or [])[1:]:
        fields = pairs(row)
        found[fields.pop("__key", b"")] = fields
    newest = replies.get(_newest(index)) or []
    for at in range(1, len(newest) - 1, 2):
        found[newest[at]] = pairs(newest[at + 1])
    return list(found.items())


def _kind(key: str) -> Command:
    """Whether a JSON value is a generation, or a list of them, without reading it whole."""
    return ("JSON.GET", key, "$[0].lc", "$.lc")


def _said(generation: Mapping[str, Any]) -> str:
    message = _kwargs(generation.get("message"))
    said = generation.get("text") or _content(message)
    calls = [
        f"{call.get('name')}({json.dumps(call.get('args'), ensure_ascii=False)})"
        for call in message.get("tool_calls") or ()
        if isinstance(call, Mapping)
    ]
    return "\n".join(part for part in (str(said), *calls) if part)


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message; parts that aren't text show as their type."""
    content = message.get("content", "")
    if not isinstance(content, list):
        return str(content)
    parts = []
    for part in content:
        if isinstance(part, Mapping):
            parts.append(str(part["text"]) if "text" in part else f"[{part.get('type', 'part')}]")
        else:
            parts.append(str(part))
    return "\n".join(parts)


def _usage(message: Mapping[str, Any], metadata: Mapping[str, Any]) -> Usage | None:
    counted = mapping(message.get("usage_metadata"))
    if counted:
        details = mapping(counted.get("input_token_details"))
        return Usage(
            _count(counted.get("input_tokens")),
            _count(counted.get("output_tokens")),
            _count(details.get("cache_read")),
            _count(details.get("cache_creation")),
        )
    billed = mapping(metadata.get("token_usage"))
    if not billed:
        return None
    return Usage(_count(billed.get("prompt_tokens")), _count(billed.get("completion_tokens")))


def _model_of(metadata: bytes | None) -> str:
    """The model in `llm_string`: JSON for chat models, Python's pairs for the others."""
    described = mapping(from_json(text(metadata))).get("llm_string")
    if not isinstance(described, str):
        return ""
    try:
        known, _ = json.JSONDecoder().raw_decode(described)
    except (ValueError, RecursionError):
        match = _MODEL.search(described)
        return match.group(1) if match else ""
    settings = _kwargs(known)
    model = settings.get("model_name") or settings.get("model") or ""
    return model if isinstance(model, str) else ""


def _messages(prompt: str) -> list[dict[str, Any]]:
    """What the messages of an envelope say; none: this is no envelope."""
    if not prompt.startswith("["):
        return []
    found = from_json(prompt)
    if not isinstance(found, list) or not all(_is_object(one) for one in found):
        return []
    return [one["kwargs"] for one in found]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and "lc" in value and isinstance(value.get("kwargs"), dict)


def _kwargs(value: Any) -> Mapping[str, Any]:
    return value["kwargs"] if _is_object(value) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
