"""Routes that are taken without looking at meaning: by tag, tools, code, length, keywords and patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from costconsole.cache.request import text_of
from costconsole.routing.choice import Ask, Kind
from costconsole.routing.instruction import has_code, instruction, last_words
from costconsole.routing.model import Route, RoutingConfig, Rule
from costconsole.routing.surface import features

_CHARS_PER_TOKEN = 3.5


class Reading:
    """What can be read off a call without an embedding; each found out when it is first needed."""

    __slots__ = ("_code", "_features", "_instruction", "_text", "_tokens", "ask")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._text: str | None = None
        self._instruction: str | None = None
        self._code: bool | None = None
        self._features: list[float] | None = None
        self._tokens: int | None = None

    @property
    def text(self) -> str:
        """The last user turn."""
        if self._text is None:
            self._text = last_words(self.ask.messages)
        return self._text

    @property
    def instruction(self) -> str:
        if self._instruction is None:
            self._instruction = instruction(self.text)
        return self._instruction

    @property
    def code(self) -> bool:
        if self._code is None:
            self._code = has_code(self.text)
        return self._code

    @property
    def features(self) -> list[float]:
        if self._features is None:
            self._features = features(self.instruction, code=self.code)
        return self._features

    @property
    def tokens(self) -> int:
        """Input tokens: as counted, else estimated from the length."""
        if self._tokens is None:
            self._tokens = self.ask.input_tokens or int(
                sum(len(text_of(message.get("content"))) for message in self.ask.messages) / _CHARS_PER_TOKEN
            )
        return self._tokens


@dataclass(frozen=True, slots=True)
class Match:
    """The route of a rule that holds, which of its conditions named it, and that condition in words."""

    route: Route
    kind: Kind
    because: str


_Check = Callable[[Rule, Reading], str | None]
"""A condition in words if the rule has it and it holds, "" if it has none, None if it doesn't hold."""


def _tag(rule: Rule, reading: Reading) -> str | None:
    if not rule.tags:
        return ""
    return f"the call is tagged {reading.ask.tag!r}" if reading.ask.tag in rule.tags else None


def _tools(rule: Rule, reading: Reading) -> str | None:
    if rule.tools is None:
        return ""
    if rule.tools is not reading.ask.tools:
        return None
    return "the call brings tools" if rule.tools else "the call brings no tools"


def _code(rule: Rule, reading: Reading) -> str | None:
    if rule.code is None:
        return ""
    if rule.code is not reading.code:
        return None
    return "there is code in the prompt" if rule.code else "there is no code in the prompt"


def _length(rule: Rule, reading: Reading) -> str | None:
    if rule.min_tokens is None and rule.max_tokens is None:
        return ""
    low, high = rule.min_tokens or 0, rule.max_tokens
    if reading.tokens < low or (high is not None and reading.tokens > high):
        return None
    limit = (
        f"at least {low:,}" if high is None else f"at most {high:,}" if not low else f"{low:,} to {high:,}"
    )
    return f"its {reading.tokens:,} input tokens are {limit}"


def _keywords(rule: Rule, reading: Reading) -> str | None:
    if not rule.keywords:
        return ""
    found = _any_word(rule.keywords).search(reading.instruction)
    return f"its instruction has the word {found[0]!r}" if found else None


def _pattern(rule: Rule, reading: Reading) -> str | None:
    if not rule.patterns:
        return ""
    found = next((pattern for pattern in rule.patterns if pattern.search(reading.instruction)), None)
    return f"its instruction matches {found.pattern!r}" if found else None


_CHECKS: Final[tuple[tuple[Kind, _Check], ...]] = (
    ("tag", _tag),
    ("tools", _tools),
    ("code", _code),
    ("length", _length),
    ("keywords", _keywords),
    ("pattern", _pattern),
)


@lru_cache(maxsize=512)
def _any_word(words: tuple[str, ...]) -> re.Pattern[str]:
    listed = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)


class Rules:
    """The rules of a config, those by tag first, then by tools, code, length, keywords and patterns."""

    def __init__(self, config: RoutingConfig) -> None:
        found: list[tuple[int, Route, Rule, tuple[tuple[Kind, _Check], ...]]] = []
        for route in config.routes:
            if route.rule is not None and (checks := _conditions(route.rule)):
                first = next(i for i, check in enumerate(_CHECKS) if check[0] == checks[0][0])
                found.append((first, route, route.rule, checks))
        found.sort(key=lambda item: item[0])
        self._rules = tuple((route, rule, checks) for _, route, rule, checks in found)

    def match(self, reading: Reading, *, only: Kind | None = None) -> Match | None:
        """The first rule that holds; with `only`, the first of those led by this condition."""
        for route, rule, checks in self._rules:
            if only is not None and checks[0][0] != only:
                continue
            said = []
            for _, check in checks:
                words = check(rule, reading)
                if words is None:
                    break
                said.append(words)
            else:
                return Match(route, checks[0][0], " and ".join(said))
        return None


def _conditions(rule: Rule) -> tuple[tuple[Kind, _Check], ...]:
    given: dict[Kind, bool] = {
        "tag": bool(rule.tags),
        "tools": rule.tools is not None,
        "code": rule.code is not None,
        "length": rule.min_tokens is not None or rule.max_tokens is not None,
        "keywords": bool(rule.keywords),
        "pattern": bool(rule.patterns),
    }
    return tuple((kind, check) for kind, check in _CHECKS if given[kind])
