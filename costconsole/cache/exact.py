"""The exact cache: the hash of the canonical request is the key of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from costconsole.cache.answer import Answer, decode_answer, encode_metadata
from costconsole.cache.commands import STORE, Command, arun_all, run_all
from costconsole.redis_store.keys import Keys

_ANSWER_FIELDS = ("response", "metadata", "raw")


class ExactCache:
    """Answers by digest, each in a hash of its own with an own time to live.

    Methods come in twins, `get` for a sync and `aget` for an async client. `slide_ttl_s`, where given,
    makes each hit start the time to live afresh; as a rule it runs from the store on.
    """

    def __init__(self, keys: Keys, *, slide_ttl_s: float | None = None) -> None:
        self._keys = keys
        self._slide_ms = 0 if slide_ttl_s is None else max(1, round(slide_ttl_s * 1000))

    def key(self, digest: str) -> str:
        """The Redis key of a digest."""
        return self._keys.exact(digest)

    def get(self, client: Any, digest: str) -> Answer | None:
        """The stored answer, or None. Errors of the client are the caller's to handle."""
        if self._slide_ms:
            return _answer(_first(run_all(client, self._sliding(digest))))
        return _answer(client.execute_command(*self._look_up(digest)))

    async def aget(self, client: Any, digest: str) -> Answer | None:
        """`get` for an async client."""
        if self._slide_ms:
            return _answer(_first(await arun_all(client, self._sliding(digest))))
        return _answer(await client.execute_command(*self._look_up(digest)))

    def put(
        self,
        client: Any,
        digest: str,
        answer: Answer,
        *,
        prompt: str = "",
        scope: str = "",
        route: str = "",
        tag: str = "",
        ttl_s: float | None = None,
        now_ms: int,
    ) -> str:
        """Keep an answer for `ttl_s` seconds (None: for ever) and return its key.

        `prompt` is what people may see of the prompt; "" keeps none.
        """
        fields = _fields(answer, prompt, scope, route, tag, now_ms)
        STORE.run(client, [self.key(digest)], [ttl_ms(ttl_s), *fields])
        return self.key(digest)

    async def aput(
        self,
        client: Any,
        digest: str,
        answer: Answer,
        *,
        prompt: str = "",
        scope: str = "",
        route: str = "",
        tag: str = "",
        ttl_s: float | None = None,
        now_ms: int,
    ) -> str:
        """`put` for an async client."""
        fields = _fields(answer, prompt, scope, route, tag, now_ms)
        await STORE.arun(client, [self.key(digest)], [ttl_ms(ttl_s), *fields])
        return self.key(digest)

    def _look_up(self, digest: str) -> Command:
        return ("HMGET", self.key(digest), *_ANSWER_FIELDS)

    def _sliding(self, digest: str) -> list[Command]:
        return [self._look_up(digest), ("PEXPIRE", self.key(digest), self._slide_ms)]


def ttl_ms(ttl_s: float | None) -> int:
    """A time to live in whole milliseconds, at least one; 0 for none."""
    return 0 if ttl_s is None else max(1, round(ttl_s * 1000))


def _answer(reply: Sequence[bytes | None]) -> Answer | None:
    response, metadata, raw = reply
    return None if response is None else decode_answer(response, metadata, raw)


def _first(replies: Sequence[Any]) -> Any:
    if isinstance(replies[0], Exception):
        raise replies[0]
    return replies[0]


def _fields(
    answer: Answer, prompt: str, scope: str, route: str, tag: str, now_ms: int
) -> list[str | bytes | int]:
    found: list[str | bytes | int] = [
        "response", _utf8(answer.text), "metadata", encode_metadata(answer), "created_ms", now_ms,
    ]  # fmt: skip
    optional = {"prompt": prompt, "model": answer.model, "scope": scope, "route": route, "tag": tag}
    for name, value in optional.items():
        if value:
            found += [name, _utf8(value)]
    if answer.raw is not None:
        found += ["raw", answer.raw]
    return found


def _utf8(text: str) -> bytes:
    """UTF-8, with lone surrogates (which JSON can hold) written as escapes."""
    return text.encode("utf-8", "backslashreplace")
