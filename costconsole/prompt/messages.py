"""Minimizing the messages of a call, without disturbing what a provider caches.

Every message is minimized for itself and the same message always becomes the same bytes, so the beginning of
a conversation stays what it was in the turn before. Only texts of users, and at level `safe` of system
prompts, are touched: never what stands at or before a `cache_control` mark, never answers of the model or of
tools, never anything but text.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from costconsole.cache.request import Message, is_text
from costconsole.ledger.tokens import warm
from costconsole.prompt.document import Level
from costconsole.prompt.minimize import (
    RULES_VERSION,
    Minimized,
    Step,
    check_arguments,
    minimize,
    worth_looking,
)
from costconsole.prompt.topics import topics_of

_INSTRUCTING = ("system", "developer")
_MARKS = ("cache_control", "cachePoint", "cache_point")
_DEEPEST = 6
_READ = 4_000


def minimize_messages(
    messages: Sequence[Message],
    *,
    level: Level = "safe",
    model: str = "gpt-4o",
    boilerplate: Sequence[str] = (),
) -> tuple[tuple[Message, ...], int, tuple[Step, ...]]:
    """(messages, tokens saved, what each rule saved). Messages that stay are the same objects.

    Raises UsageProblem as `minimize` does.
    """
    check_arguments(level, boilerplate)
    memory = _Memory(level, model, tuple(boilerplate), 0)
    return _all(messages, memory)


class PromptMinimizer:
    """The minimizer of a gateway: `(messages) -> (messages, tokens saved)`. Threads may share one.

    What a message became is remembered, up to `remember` characters in all. Raises UsageProblem for a level
    or an expression that isn't possible.
    """

    def __init__(
        self,
        level: Level = "safe",
        boilerplate: Sequence[str] = (),
        *,
        model: str = "gpt-4o",
        remember: int = 16_000_000,
    ) -> None:
        check_arguments(level, boilerplate)
        self.level: Level = level
        self.model = model
        self.boilerplate = tuple(boilerplate)
        listed = hashlib.sha256("\0".join(self.boilerplate).encode(errors="replace")).hexdigest()[:8]
        self.version = f"{RULES_VERSION}:{level}" + (f":{listed}" if self.boilerplate else "")
        """What a key that is made of minimized messages has to hold besides: rules, level, own list."""
        self._memory = _Memory(level, model, self.boilerplate, remember)
        warm(model)

    def __call__(
        self, messages: tuple[Message, ...], params: Mapping[str, Any] | None = None
    ) -> tuple[tuple[Message, ...], int]:
        """The messages and the tokens they save; the same tuple when nothing changed.

        `params`: the rest of the request. A `cache_control` of the whole request marks its end, so that
        nothing is touched then.
        """
        if params and marks_all(params):
            return messages, 0
        if not self.boilerplate and _nothing_to_find(messages):
            return messages, 0
        found, saved, _ = _all(messages, self._memory)
        return (found, saved) if saved else (messages, 0)


def marks_all(params: Mapping[str, Any]) -> bool:
    """Whether the request as a whole carries a mark, so that the provider may keep all of it."""
    return any(params.get(mark) for mark in _MARKS)


def _nothing_to_find(messages: Sequence[Message]) -> bool:
    """Whether every message is a short text of plain words, as most are: a look at its letters tells."""
    for message in messages:
        content = message.get("content")
        if type(content) is not str or worth_looking(content):
            return False
    return True


def _all(messages: Sequence[Message], memory: _Memory) -> tuple[tuple[Message, ...], int, tuple[Step, ...]]:
    first, part = _after_marks(messages)
    topics = _topics_of_instructions(messages)
    found = list(messages)
    saved = 0
    steps: dict[str, tuple[int, int]] = {}
    for at in range(first, len(messages)):
        message = messages[at]
        level = _level_for(message, memory.level)
        if level is None:
            continue
        content = message.get("content")
        if isinstance(content, str):
            results = [memory.minimized(content, level, topics)]
            if results[0] is not None:
                found[at] = {**message, "content": results[0].text}
        elif isinstance(content, Sequence):
            parts = list(content)
            results = [
                memory.minimized(inner["text"], level, topics)
                if number >= (part if at == first else 0) and _is_plain(inner)
                else None
                for number, inner in enumerate(parts)
            ]
            if any(results):
                found[at] = {
                    **message,
                    "content": [
                        inner if result is None else {**inner, "text": result.text}
                        for inner, result in zip(parts, results, strict=True)
                    ],
                }
        else:
            continue
        for result in results:
            if result is not None:
                saved += result.saved
                for step in result.steps:
                    tokens, chars = steps.get(step.rule, (0, 0))
                    steps[step.rule] = (tokens + step.tokens_saved, chars + step.chars_saved)
    return tuple(found), saved, tuple(Step(rule, *figures) for rule, figures in steps.items())


def _level_for(message: Message, level: Level) -> Level | None:
    role = message.get("role")
    if role == "user":
        return level
    # Named system messages are examples of a conversation; unnamed ones are instructions, every word of
    # which was chosen.
    return "safe" if role in _INSTRUCTING and not message.get("name") else None


def _is_plain(part: Any) -> bool:
    return isinstance(part, Mapping) and is_text(part) and isinstance(part.get("text"), str)


def _topics_of_instructions(messages: Sequence[Message]) -> frozenset[str]:
    """What the instructions at the beginning speak of; they stay while a conversation goes on."""
    found: frozenset[str] = frozenset()
    for message in messages:
        if message.get("role") not in _INSTRUCTING:
            break
        content = message.get("content")
        texts = [content] if isinstance(content, str) else [p["text"] for p in content or () if _is_plain(p)]
        for text in texts:
            found |= _topics(text[:_READ])
    return found


_known_topics: OrderedDict[str, frozenset[str]] = OrderedDict()
_topics_lock = Lock()


def _topics(text: str) -> frozenset[str]:
    with _topics_lock:
        found = _known_topics.get(text)
    if found is None:
        found = topics_of(text)
        with _topics_lock:
            _known_topics[text] = found
            while len(_known_topics) > 256:
                _known_topics.popitem(last=False)
    return found


def _after_marks(messages: Sequence[Message]) -> tuple[int, int]:
    """(message, part) from which on nothing stands at or before a mark."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        content = message.get("content")
        if isinstance(content, str) or content is None:
            if any(message.get(mark) for mark in _MARKS):
                return at + 1, 0
            continue
        if any(message.get(mark) for mark in _MARKS):
            return at + 1, 0
        if isinstance(content, Sequence):
            for part in range(len(content) - 1, -1, -1):
                if _marked(content[part]):
                    return at, part + 1
    return 0, 0


def _marked(value: Any, depth: int = 0) -> bool:
    """Whether a part carries a mark, itself or within (a tool's result has parts of its own)."""
    if depth > _DEEPEST:
        return True
    if isinstance(value, Mapping):
        return any(value.get(mark) for mark in _MARKS) or any(
            _marked(inner, depth + 1) for inner in value.values() if not isinstance(inner, str)
        )
    if isinstance(value, list | tuple):
        return any(_marked(inner, depth + 1) for inner in value)
    return False


class _Memory:
    """What texts became, the most recent ones; None for a text that stays as it is."""

    def __init__(self, level: Level, model: str, boilerplate: tuple[str, ...], room: int) -> None:
        self.level: Level = level
        self._model = model
        self._boilerplate = boilerplate
        self._room = room
        self._used = 0
        self._known: OrderedDict[tuple[str, Level, frozenset[str]], Minimized | None] = OrderedDict()
        self._lock = Lock()

    def minimized(self, text: str, level: Level, topics: frozenset[str]) -> Minimized | None:
        if not worth_looking(text, self._boilerplate or None):
            return None
        key = (text, level, topics)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        result = minimize(
            text, level=level, model=self._model, boilerplate=self._boilerplate, known_topics=topics
        )
        found = result if result.saved else None
        size = len(text) + (len(result.text) if found else 0)
        if size * 4 <= self._room:
            with self._lock:
                if key not in self._known:
                    self._known[key] = found
                    self._used += size
                while self._used > self._room:
                    (old, _, _), gone = self._known.popitem(last=False)
                    self._used -= len(old) + (len(gone.text) if gone else 0)
        return found
