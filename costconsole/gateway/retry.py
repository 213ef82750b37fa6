"""When to ask a provider again, and how long to wait before: arithmetic, no clock and no sleep."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRY_STATUSES = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `retries` more requests, `first_s`, 2 x `first_s`, ... apart, never over `cap_s`, with jitter.

    A server that names a time itself (Retry-After) is obeyed up to `obey_s`; for longer the call fails at
    once, for nobody waits that long for one answer.
    """

    retries: int = 2
    first_s: float = 0.5
    cap_s: float = 8.0
    obey_s: float = 60.0

    def delay_s(self, attempt: int, asked_s: float | None, rng: random.Random) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 0), or None: give up."""
        if attempt >= self.retries:
            return None
        if asked_s is not None:
            return asked_s if asked_s <= self.obey_s else None
        # Full waits would make clients that failed together come back together.
        return min(self.cap_s, self.first_s * 2.0**attempt) * rng.uniform(0.75, 1.0)


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """408, 409, 429 and 5xx are worth another try, unless the server says itself whether they are."""
    said = headers.get("x-should-retry", "").lower()
    if said in ("true", "false"):
        return said == "true"
    return status in RETRY_STATUSES or status >= 500


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """`retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); None when unreadable."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) / unit
        except ValueError:
            try:
                at = parsedate_to_datetime(said)
            except ValueError:
                continue
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            seconds = (at - (now or datetime.now(UTC))).total_seconds()
        if seconds == seconds:
            return max(0.0, seconds)
    return None
