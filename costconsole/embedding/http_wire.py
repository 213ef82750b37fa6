"""The `/embeddings` wire format (OpenAI's), without I/O: requests, answers, and what errors mean.

Source: https://platform.openai.com/docs/api-reference/embeddings/create
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from costconsole.domain.errors import ConnectionProblem, Problem, UsageProblem
from costconsole.embedding.embedder import Embedding, floats, pack_normalized

BYTES_PER_TOKEN = 4
_BUSY = {408, 409, 425, 429}
# A server's error code may be shown, its free text not: it can quote the key or the texts.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Server:
    """What messages may say of the server: host without credentials, model, name of the key's variable."""

    host: str
    model: str
    key_variable: str


class Retry(Exception):
    """The request may be sent again, after `after_s` seconds if the server said so."""

    def __init__(self, after_s: float | None = None) -> None:
        super().__init__(after_s)
        self.after_s = after_s


def batches(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """The texts in lists of at most `size`, as they can be sent: no lone surrogates, nothing empty."""
    if isinstance(texts, str):
        raise TypeError("embed() takes a list of texts, not one text")
    sendable = [text.encode("utf-8", "replace").decode("utf-8") or " " for text in texts]
    for begin in range(0, len(sendable), size):
        yield sendable[begin : begin + size]


def body(model: str, batch: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "input": list(batch), "encoding_format": "float"}


def pause(retry: Retry, wait_s: float, max_s: float) -> float:
    """Seconds until the next attempt: the server's wish, else `wait_s` with jitter."""
    if retry.after_s is not None:
        return retry.after_s
    return min(max_s, wait_s * random.uniform(0.75, 1.25))


def require_answer(
    server: Server, status: int, retry_after: str | None, content: bytes, *, last: bool, max_pause_s: float
) -> None:
    """Raise Retry or a Problem unless the status says that `content` is an answer."""
    if 200 <= status < 300:
        return
    if status in _BUSY or status >= 500:
        after_s = _seconds(retry_after)
        if not last and (after_s is None or after_s <= max_pause_s):
            raise Retry(after_s)
        wish = f" and asks to wait {after_s:.0f} s" if after_s else ""
        raise ConnectionProblem(
            f"The embedding server {server.host} is not able to answer now "
            f"(HTTP {status}{_code(content)}){wish}: try later, or check the quota."
        )
    if status in {401, 403}:
        key = (
            f"the key in {server.key_variable}" if server.key_variable else "the request: a key may be needed"
        )
        raise UsageProblem(
            f"The embedding server {server.host} refuses {key} (HTTP {status}{_code(content)}): "
            f"check embedding_key_env and what it names."
        )
    if status == 404:
        raise UsageProblem(
            f"The embedding server {server.host} knows no model {server.model} or no such address "
            "(HTTP 404): check model and embedding_url, which ends before /embeddings."
        )
    raise Problem(
        f"The embedding server {server.host} refuses the request (HTTP {status}{_code(content)}): "
        f"check that {server.model} is an embedding model and the texts are not too long for it."
    )


def parse(server: Server, content: bytes, batch: Sequence[str]) -> list[Embedding]:
    """The embeddings of an answer, in the order of `batch`; raises Problem if it is not one."""
    try:
        answer = json.loads(content)
        vectors = _vectors(answer["data"], len(batch))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error) as error:
        raise Problem(
            f"The embedding server {server.host} sent no list of {len(batch)} embeddings "
            f"({type(error).__name__}): check that embedding_url is OpenAI-compatible."
        ) from None
    tokens = _tokens(answer.get("usage"), batch)
    return [Embedding(vector, count, False) for vector, count in zip(vectors, tokens, strict=True)]


def _vectors(data: list[dict[str, Any]], count: int) -> list[bytes]:
    placed = {int(item.get("index", position)): item["embedding"] for position, item in enumerate(data)}
    if sorted(placed) != list(range(count)) or len(data) != count:
        raise ValueError("the indexes are not those of the texts")
    vectors = [_vector(placed[index]) for index in range(count)]
    if len({len(vector) for vector in vectors}) != 1:
        raise ValueError("vectors of several lengths")
    return vectors


def _vector(embedding: str | list[float]) -> bytes:
    values: Sequence[float]
    if isinstance(embedding, str):
        values = floats(base64.b64decode(embedding, validate=True))
    else:
        values = [float(value) for value in embedding]
    if not values or not all(map(math.isfinite, values)) or not any(values):
        raise ValueError("an empty, zero or infinite vector")
    return pack_normalized(values)


def _tokens(usage: Any, batch: Sequence[str]) -> list[int]:
    """Tokens of each text; a batch's total is shared out by the lengths and adds up to it."""
    estimates = [math.ceil(len(text.encode()) / BYTES_PER_TOKEN) for text in batch]
    total = usage.get("prompt_tokens", usage.get("total_tokens")) if isinstance(usage, dict) else None
    if not isinstance(total, int) or isinstance(total, bool) or total <= 0:
        return estimates
    whole = sum(estimates)
    ends = [0]
    for estimate in estimates:
        ends.append(ends[-1] + estimate)
    shares = [total * end // whole for end in ends]
    return [after - before for before, after in pairwise(shares)]


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After, seconds or a date (RFC 9110, section 10.2.3), as seconds from now."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _code(content: bytes) -> str:
    try:
        error = json.loads(content)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
