"""What makes two requests the same, and what a cached answer may never cross.

The *digest* names a request: its canonical JSON, hashed. The *prompt* is the user's own words, which is all
that gets embedded: a template around them would drown their meaning. The *scope* is the hash of everything
else; a semantic look-up never leaves it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from costconsole.cache.folding import fold
from costconsole.cache.request import TRANSPORT_PARAMS, Message, Request, is_text, text_of

_FORMAT = 1
_SLOT = "{prompt}"
_WORDS = "\x00words\x00"
_SCOPE_HEX = 32
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_request(request: Request, *, fold_whitespace: bool = True) -> bytes:
    """The request as JSON that is the same for every spelling of it.

    Keys are sorted; `TRANSPORT_PARAMS`, parameters that are None, and hints to the provider's own cache are
    left out; 1.0 is 1; white space in the texts is folded (see `fold`). Raises TypeError or ValueError when
    a value is not JSON.
    """
    return _canonical_json(_identity(request, list(request.messages), request.tenant, fold_whitespace))


def digest(request: Request, *, fold_whitespace: bool = True) -> str:
    """SHA-256 of the canonical request: 64 hex digits, the name of its exact entry."""
    return hashlib.sha256(canonical_request(request, fold_whitespace=fold_whitespace)).hexdigest()


def prompt_text(request: Request) -> str:
    """The user's own words: the last turn without its template; "" when the user has not the last word."""
    words = _own_words(request)
    return "" if words is None else words.strip()


def scope_of(request: Request, tenant: str | None = None, *, fold_whitespace: bool = True) -> str:
    """Hash of everything but the user's words: 32 hex digits.

    Model, provider, system prompt, earlier turns, tools, parameters, template and tenant: requests that
    differ in any of them never share an answer. Raises as `canonical_request` does.
    """
    messages = list(request.messages)
    words = _own_words(request)
    if words is not None:
        messages[-1] = _without_words(messages[-1], words)
    found = _identity(request, messages, request.tenant if tenant is None else tenant, fold_whitespace)
    found["template"] = request.template
    return hashlib.sha256(_canonical_json(found)).hexdigest()[:_SCOPE_HEX]


def _identity(request: Request, messages: Sequence[Message], tenant: str, folding: bool) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "provider": request.provider,
        "model": request.model,
        "tenant": tenant,
        "messages": [_message(message, folding) for message in messages],
        "params": _params(request.params, folding),
    }


def _params(params: Mapping[str, Any], folding: bool) -> dict[str, Any]:
    found = {
        name: _plain(value)
        for name, value in params.items()
        if value is not None and name not in TRANSPORT_PARAMS
    }
    if folding and "system" in found:
        found["system"] = _fold_content(found["system"])
    if found.get("n") == 1:
        del found["n"]
    return found


def _message(message: Message, folding: bool) -> dict[str, Any]:
    found = {name: _plain(value) for name, value in message.items() if value is not None}
    if folding and "content" in found:
        found["content"] = _fold_content(found["content"])
    return found


def _fold_content(content: Any) -> Any:
    """Texts folded; a list of one plain text is the text itself, as both providers read it."""
    if isinstance(content, str):
        return fold(content)
    if not isinstance(content, list):
        return content
    parts = [
        {**part, "text": fold(part["text"])}
        if isinstance(part, dict) and is_text(part) and isinstance(part.get("text"), str)
        else part
        for part in content
    ]
    if len(parts) == 1 and isinstance(parts[0], dict) and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts


def _plain(value: Any) -> Any:
    """JSON values with whole floats as integers and without the marks of the provider's prompt cache."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items() if name != "cache_control"}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _canonical_json(value: object) -> bytes:
    return _JSON.encode(value).encode()


def _own_words(request: Request) -> str | None:
    """The words, or None when the last message isn't the user's or doesn't follow the template."""
    if not request.messages or request.messages[-1].get("role") != "user":
        return None
    text = text_of(request.messages[-1].get("content"))
    if request.user_text is not None:
        return request.user_text if request.user_text and request.user_text in text else None
    if request.template is None:
        return text or None
    before, _, after = request.template.partition(_SLOT)
    inside = len(text) - len(before) - len(after)
    if inside <= 0 or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(before) + inside]


def _without_words(message: Message, words: str) -> Message:
    """The last turn with a mark in the place of the words: what is left of it belongs to the scope.

    Words that run over several parts leave no rest: then the parts' kinds are what is left.
    """
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _cut(content, words)}
    parts = [dict(part) for part in content or () if isinstance(part, Mapping)]
    for part in reversed(parts):
        if is_text(part) and words in str(part.get("text")):
            part["text"] = _cut(str(part["text"]), words)
            return {**message, "content": parts}
    rest = _cut(text_of(content), words)
    return {**message, "content": [{"type": "text", "text": rest}, *(p for p in parts if not is_text(p))]}


def _cut(text: str, words: str) -> str:
    at = text.rfind(words)
    return text[:at] + _WORDS + text[at + len(words) :]
