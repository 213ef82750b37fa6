"""One request to a provider with its retries, as decisions without I/O: the sync and async sides share it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import httpx

from costconsole.domain.text import first_words
from costconsole.gateway.errors import Attempt, ErrorKind, ProviderError
from costconsole.gateway.retry import RetryPolicy, retry_after_s, should_retry
from costconsole.gateway.stream_wire import StreamFailed
from costconsole.gateway.wire import BadAnswer, Reply, Wire, read_error, read_reply

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,80}")
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|bearer)[-_ ][A-Za-z0-9*_.\-]{6,}", re.IGNORECASE)
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class AnswerTooSlow(Exception):
    """The answer began, but was not complete when its time was over."""


class AnswerTooLarge(Exception):
    """The answer is longer than any model's."""


class Exchange:
    """What to do after each attempt. `answered` and `broke` return the Reply or the seconds to wait before
    the next attempt, and raise ProviderError when it is over."""

    def __init__(self, provider: str, wire: Wire, where: str, key: str | None, policy: RetryPolicy) -> None:
        self._provider = provider
        self._wire = wire
        self._where = where
        self._key = key
        self._policy = policy
        self._attempts: list[Attempt] = []

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts)

    def answered(self, status: int, headers: Mapping[str, str], body: bytes, ms: float) -> Reply | float:
        if status != 200:
            return self._refused_by_status(status, headers, body, ms)
        try:
            reply = read_reply(self._wire, body)
        except BadAnswer as error:
            raise self.unusable(error, ms) from None
        return self.completed(reply, ms)

    def completed(self, reply: Reply, ms: float) -> Reply:
        """The answer is here, whole; raises ProviderError when it is a refusal."""
        if reply.finish == "refused":
            self._attempts.append(Attempt(200, "refused", ms, reply.usage))
            raise self._error(
                "refused",
                "refused to answer this prompt; reword it or try another model",
                status=200,
                text=reply.text,
                usage=reply.usage,
                provider_cost_nano=reply.provider_cost_nano,
            )
        self._attempts.append(Attempt(200, "", ms, reply.usage))
        return reply

    def unusable(self, error: BadAnswer, ms: float) -> ProviderError:
        """What came with status 200 is no answer."""
        self._attempts.append(Attempt(200, "bad_answer", ms))
        return self._error("bad_answer", f"sent what is not an answer: {error}; check its base URL")

    def dropped(self, error: Exception, text: str, ms: float) -> ProviderError:
        """A stream ended before its answer did. It is not sent again: part of it was seen, and billed."""
        if isinstance(error, StreamFailed):
            kind: ErrorKind = "server"
            told = read_error(error.args[0])
            names = [name for name in (told.type, told.code) if _NAME.fullmatch(name)]
            sentence = f"reported an error in the middle of its answer ({', '.join(names) or 'unnamed'})"
            detail = self._masked(told.message)
        else:
            waited = isinstance(error, httpx.TimeoutException | AnswerTooSlow)
            kind, detail = "timeout" if waited else "connection", ""
            how = (
                f"had not finished its answer in time ({ms / 1000:.3g} s)" if waited else "dropped its answer"
            )
            sentence = f"{how} in the middle"
        self._attempts.append(Attempt(200, kind, ms))
        return self._error(
            kind,
            f"{sentence} after {len(text):,} characters; try again",
            status=200,
            detail=detail,
            text=text,
        )

    def _refused_by_status(self, status: int, headers: Mapping[str, str], body: bytes, ms: float) -> float:
        told = read_error(body)
        kind = kind_of(status)
        self._attempts.append(Attempt(status, kind, ms))
        asked = retry_after_s(headers)
        retryable = should_retry(status, headers) and told.code not in _QUOTA and told.type not in _QUOTA
        if retryable:
            delay = self._policy.delay_s(len(self._attempts) - 1, asked, _RNG)
            if delay is not None:
                return delay
        names = [name for name in (told.type, told.code, told.param) if _NAME.fullmatch(name)]
        why = f"{status}{' ' if names else ''}{', '.join(dict.fromkeys(names))}"
        raise self._error(
            kind,
            _SENTENCES[kind].format(why=why, tries=self._tries()),
            status=status,
            detail=self._masked(told.message),
            retry_after_s=asked,
            retryable=retryable,
        )

    def broke(self, error: Exception, ms: float) -> float:
        """No answer came. Only what surely or probably never reached the model is sent again: after a read
        time-out the caller has waited long enough, and the provider bills the first request all the same."""
        if isinstance(error, AnswerTooLarge):
            self._attempts.append(Attempt(200, "bad_answer", ms))
            raise self._error("bad_answer", "sent an answer too long to be one; check its base URL") from None
        waited = isinstance(error, httpx.TimeoutException | AnswerTooSlow)
        reached = waited and not isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout)
        kind: ErrorKind = "timeout" if waited else "connection"
        self._attempts.append(Attempt(None, kind, ms))
        lasting = reached or isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
        if not lasting:
            delay = self._policy.delay_s(len(self._attempts) - 1, None, _RNG)
            if delay is not None:
                return delay
        if waited:
            sentence = f"did not answer in time ({ms / 1000:.3g} s); try again or give it a longer timeout_s"
        else:
            sentence = f"can't be reached ({type(error).__name__}); check the network and its base URL"
        raise self._error(kind, sentence + self._tries(), retryable=not lasting) from None

    def _tries(self) -> str:
        count = len(self._attempts)
        return "" if count == 1 else f" (tried {count} times)"

    def _masked(self, message: str) -> str:
        if self._key:
            message = message.replace(self._key, "…")
        return first_words(_KEY_LIKE.sub("…", message), 500)

    def _error(
        self,
        kind: ErrorKind,
        sentence: str,
        **more: object,
    ) -> ProviderError:
        return ProviderError(
            f"{self._where} {sentence}",
            kind=kind,
            provider=self._provider,
            attempts=self.attempts,
            **more,  # type: ignore[arg-type]
        )


_RNG = random.Random()

_SENTENCES: dict[ErrorKind, str] = {
    "auth": "does not accept the API key ({why}); check the key and what it may use",
    "bad_request": "does not accept the request ({why}); check the model's name and the parameters",
    "rate_limited": "is limiting or has used up the rate or quota of this key ({why}); try later{tries}",
    "timeout": "took too long ({why}); try again later{tries}",
    "server": "failed on its side ({why}); try again later{tries}",
}


def kind_of(status: int) -> ErrorKind:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limited"
    if status in (408, 504):
        return "timeout"
    return "server" if status >= 500 or status == 409 else "bad_request"
