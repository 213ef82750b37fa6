"""Which requests may be answered from a cache, which answers may be kept, and why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from costconsole.cache.answer import Answer
from costconsole.cache.canonical import canonical_request, prompt_text
from costconsole.cache.request import Request, is_text

MAX_TEMPERATURE = 1.0
TOO_LONG = "the prompt is longer than the embedding model reads"
"""Why a prompt whose embedding was truncated uses the exact cache only."""

_SERVER_STATE = ("previous_response_id", "conversation", "container")
_COMPLETE = frozenset({"", "stop", "end_turn", "stop_sequence"})
_REFUSED = frozenset({"content_filter", "refusal", "error"})

_OBJECT = (
    r"(?:video|clip|image|picture|photo|screenshot|chart|graph|diagram|figure|table|text|passage|paragraph|"
    r"document|doc|article|essay|story|poem|email|e-mail|letter|message|conversation|chat|transcript|page|"
    r"website|link|url|file|pdf|attachment|spreadsheet|dataset|csv|code|snippet|function|script|class|query|"
    r"error|log|output|list|sentences?|review|report|paper|book|song|recipe|data|content)"
)
_POINTER = re.compile(
    rf"\b(?:this|these)\s+(?:\w+\s+)?{_OBJECT}s?\b"
    r"|\b(?:that|those)\s+(?:video|image|picture|photo|article|document|e-?mail|file|attachment)s?\b"
    rf"|\b(?:the|my|our)\s+(?:attached|enclosed|following|above|below|uploaded|provided|given|previous)\s+"
    rf"(?:\w+\s+)?{_OBJECT}s?\b"
    rf"|\b(?:the\s+)?{_OBJECT}s?\s+(?:below|above|attached|enclosed)\b"
    r"|\bsee\s+(?:above|below|attached)\b|\bas\s+follows\b"
    r"|^\s*(?:summari[sz]e|translate|explain|rewrite|fix|proofread|review|correct|shorten|improve)\s+"
    r"(?:this|that|it|these|those)\b",
    re.IGNORECASE,
)
_ENOUGH_WORDS = 12
"""A prompt that goes on for so many words after a colon or line break brings its object along."""


@dataclass(frozen=True, slots=True)
class Cacheability:
    """What the caches may do for a request. `reason` says in words why a cache is left out, or ""."""

    exact: bool
    semantic: bool
    reason: str = ""


_YES = Cacheability(True, True)


def cacheable(request: Request) -> Cacheability:
    """Whether a request may be answered from, and kept in, the caches.

    Neither cache: no messages, values that are not JSON, several samples (n > 1), a temperature above 1
    without a seed (who asks for variety should get it), and conversations whose state the provider keeps.
    Exact only: images and other parts that aren't text, tool results, a last message that isn't the
    user's, a template that doesn't fit, and prompts that point at something outside them.
    A truncated embedding (`TOO_LONG`) also means exact only; that is known after embedding.
    """
    reason = _not_at_all(request)
    if reason:
        return Cacheability(False, False, reason)
    reason = _not_by_meaning(request)
    return Cacheability(True, False, reason) if reason else _YES


def storable(answer: Answer) -> Cacheability:
    """Whether an answer may be kept: refusals never; tool calls and cut-off answers by exact key only."""
    if answer.finish_reason in _REFUSED:
        return Cacheability(False, False, "the provider refused to answer")
    if not answer.text and answer.raw is None:
        return Cacheability(False, False, "the answer is empty")
    if not answer.text.strip() or answer.finish_reason not in _COMPLETE:
        return Cacheability(
            True, False, f"the answer is not a whole text ({answer.finish_reason or 'empty'})"
        )
    return _YES


def points_outside(prompt: str) -> bool:
    """Whether a prompt speaks of something that it doesn't contain, such as "this video"."""
    found = _POINTER.search(prompt)
    if found is None:
        return False
    if "```" in prompt:
        return False
    rest = prompt[found.end() :]
    cut = min((at for at in (rest.find(":"), rest.find("\n")) if at >= 0), default=-1)
    brought = rest[cut + 1 :] if cut >= 0 else ""
    before = prompt[: found.start()]
    return len(brought.split()) < _ENOUGH_WORDS and not (
        "\n" in before and len(before.split()) >= _ENOUGH_WORDS
    )


def why_uncacheable(request: Request) -> str:
    """Why neither cache may be used, or "". Cheaper than `cacheable`, for the way to the exact cache: that
    all values are JSON is seen by `digest`, and what meaning has to do with it isn't looked at."""
    if not request.messages:
        return "the request has no messages"
    params = request.params
    samples = params.get("n")
    if isinstance(samples, int) and samples > 1:
        return f"{samples} samples were asked for"
    temperature = params.get("temperature")
    if isinstance(temperature, int | float) and temperature > MAX_TEMPERATURE and params.get("seed") is None:
        return f"temperature {temperature:g} asks for variety"
    state = next((name for name in _SERVER_STATE if params.get(name)), None)
    if state:
        return f"{state} refers to a conversation that the provider keeps"
    return ""


def _not_at_all(request: Request) -> str:
    reason = why_uncacheable(request)
    if reason:
        return reason
    try:
        canonical_request(request)
    except (TypeError, ValueError):
        return "the request holds a value that is not JSON"
    return ""


def _not_by_meaning(request: Request) -> str:
    last = request.messages[-1]
    if last.get("role") != "user":
        return "the last message is not the user's"
    content = last.get("content")
    for part in () if isinstance(content, str) else content or ():
        if not isinstance(part, Mapping) or not is_text(part):
            kind = part.get("type", "unknown") if isinstance(part, Mapping) else "unknown"
            return f"the prompt holds a part of type {kind}"
    prompt = prompt_text(request)
    if not prompt:
        given = request.template is not None or request.user_text is not None
        return "the last user turn doesn't follow its template" if given else "the prompt is empty"
    if points_outside(prompt):
        return "the prompt points at something outside it"
    return ""
