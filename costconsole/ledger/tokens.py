"""Token counts without a network, by the encoding of a model's family.

OpenAI's encodings are exact. Other families are counted with a near one and a factor, and said to be
estimated. The provider's own usage always wins over a count from here.

Factors against o200k: Claude 3 to 4.6 and Claude 4.7 on, for prose, code and JSON, measured with ctok 1.3
over 690 documents; Gemini as measured by the ai-tokenizer project. Llama 3 counts as cl100k does (0.9998).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, Final, Literal, NamedTuple

Encoding = Literal["cl100k_base", "o200k_base", "o200k_harmony", "qwen3.5"]


class Factors(NamedTuple):
    """Tokens per token of the encoding, by kind of text."""

    prose: float = 1.0
    code: float = 1.0
    json: float = 1.0


_SAME: Final = Factors()


@dataclass(frozen=True, slots=True)
class Family:
    """How the text of some models is counted. A chat costs `reply` tokens and `message` a message more."""

    encoding: Encoding
    exact: bool = False
    factors: Factors = _SAME
    message: int = 3
    reply: int = 3


_FAMILIES: Final[tuple[tuple[re.Pattern[str], Family], ...]] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"gpt-oss", Family("o200k_harmony", exact=True)),
        (r"^(ft:)?(gpt-4o|gpt-4\.[15]|chatgpt-4o|o[1-9]\b)", Family("o200k_base", exact=True)),
        (r"^(ft:)?gpt-[5-9]", Family("o200k_base", exact=True, reply=4)),
        (r"^(ft:)?(gpt-4|gpt-3\.5|gpt-35)|^text-embedding-", Family("cl100k_base", exact=True)),
        (
            r"claude-((opus|sonnet|haiku|fable)-)?(4[.-][7-9](\D|$)|[5-9])",
            Family("o200k_base", factors=Factors(1.39, 1.56, 1.03), message=2, reply=6),
        ),
        (r"claude", Family("o200k_base", factors=Factors(1.10, 1.24, 1.02), message=2, reply=6)),
        (r"gemini|gemma", Family("o200k_base", factors=Factors(1.08, 1.08, 1.08))),
        (r"llama", Family("cl100k_base")),
        (r"qwen-?3\.5", Family("qwen3.5", exact=True)),
        (r"qwen", Family("qwen3.5")),
    )
)
_OTHER: Final = Family("o200k_base")
_CODE: Final = re.compile(
    r"^\s*(def |class |import |from \w+ import |return\b|#include|func |fn |let |const |var |public )"
    r"|^\s*(if \(|\} ?else)"
    r"|[{};]\s*$|\)\s*[:{]\s*$",
    re.MULTILINE,
)


@lru_cache(maxsize=1024)
def family(model: str) -> Family:
    """The family of a model's name, with or without a provider before it."""
    name = model.lower().rsplit("/", 1)[-1]
    return next((found for pattern, found in _FAMILIES if pattern.search(name)), _OTHER)


def count(text: str, model: str, *, wait: bool = True) -> tuple[int, bool]:
    """(tokens of `text`, whether that is an estimate).

    The first count in a process loads a vocabulary, which takes about a second unless `warm` did it:
    with `wait=False` the answer is then an estimate by length, at once.
    """
    known = family(model)
    raw = _raw([text], known.encoding, wait)
    if raw is None:
        return _by_length(text), True
    return _scaled(raw[0], text, known), not known.exact


def count_messages(messages: Iterable[Any], model: str, *, wait: bool = True) -> tuple[int, bool]:
    """(tokens of a chat's messages with what the format adds, whether that is an estimate).

    A message is a mapping, or an object, with `role` and `content`: a text, or a list of parts of which
    the texts are counted. Anything else in it, such as an image, makes the count an estimate.
    """
    known = family(model)
    texts: list[str] = []
    complete = True
    messages = list(messages)
    for message in messages:
        for name in ("role", "content", "name"):
            found, whole = _texts(_get(message, name))
            texts += found
            complete &= whole
        complete &= not _get(message, "tool_calls")
    raw = _raw(texts, known.encoding, wait)
    frame = known.reply + known.message * len(messages)
    if raw is None:
        return frame + sum(map(_by_length, texts)), True
    total = frame + sum(_scaled(n, text, known) for n, text in zip(raw, texts, strict=True))
    return total, not (known.exact and complete)


def warm(model: str = "gpt-4o") -> None:
    """Start loading the vocabulary of `model` in the background; returns at once."""
    encoding = family(model).encoding
    if encoding not in _loaded:
        Thread(target=_raw, args=([""], encoding, True), name="costconsole-tokens", daemon=True).start()


def _get(message: Any, name: str) -> Any:
    return message.get(name) if hasattr(message, "get") else getattr(message, name, None)


def _texts(content: Any) -> tuple[list[str], bool]:
    """The texts in a message's content, and whether that is all there is."""
    if content is None:
        return [], True
    if isinstance(content, str):
        return [content], True
    if not isinstance(content, Sequence):
        return [str(content)], False
    texts: list[str] = []
    whole = True
    for part in content:
        text = part if isinstance(part, str) else _get(part, "text")
        if isinstance(text, str):
            texts.append(text)
        else:
            whole = False
    return texts, whole


def kind_of(text: str) -> Literal["prose", "code", "json"]:
    """What a text mostly is, for the factors: told from its first 4,000 characters."""
    head = text[:4_000].strip()
    if head[:1] in ("{", "[") and head.count('"') >= 2:
        return "json"
    lines = [line for line in head.splitlines() if line.strip()]
    coded = sum(1 for line in lines if _CODE.search(line))
    return "code" if len(lines) >= 2 and coded * 4 >= len(lines) else "prose"


def _scaled(tokens: int, text: str, known: Family) -> int:
    factors = known.factors
    if factors == _SAME:
        return tokens
    kind = "prose" if factors.prose == factors.code == factors.json else kind_of(text)
    factor: float = getattr(factors, kind)
    return math.ceil(round(tokens * factor, 2))


def _by_length(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // 4)


_loaded: set[str] = set()
_missing = False
_lock = Lock()


def _raw(texts: list[str], encoding: Encoding, wait: bool) -> list[int] | None:
    """Counts in `encoding`; None where the counter is not installed, or not loaded and `wait` is False."""
    global _missing
    if encoding not in _loaded:
        if _missing:
            return None
        if not wait:
            return None
        with _lock:
            try:
                import toktok

                toktok.batch_count([""], encoding, threads=1)
            except ImportError:
                _missing = True
                return None
            _loaded.add(encoding)
    import toktok

    sound = [text.encode(errors="replace").decode() for text in texts]
    found: list[int] = toktok.batch_count(sound, encoding, threads=1)
    return found
