"""What to ask Redis for a view of a window, and what its answers say. No I/O: reader.py sends and receives.

A bucket is read once and kept; each refresh asks which buckets changed since the last one (the zset
`late`), in the same round trip as what surely changed: the buckets that are open now. Anything else that
changed is read with the next refresh. The revision is asked for first, so that a write between the two is
seen twice rather than never.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from costconsole.domain.call import Call
from costconsole.domain.figures import LedgerView, Point, Policy
from costconsole.domain.window import GRAIN_MS, Bucket, Grain, Window, cover
from costconsole.ledger.script import LATE_LENGTH
from costconsole.ledger.tally import Fields, Stored, Sum, TotalSum
from costconsole.redis_store.keys import Keys

Command = tuple[str | int, ...]

GRACE_MS = 3_000
"""A bucket is asked for this long after its end: the last flush of it is still on its way."""
KEPT = 1_500
"""Buckets kept beyond those in use, for the next change of window."""
MAX_SLOTS = 50_000
_COARSER: dict[Grain, Grain] = {"minute": "hour", "hour": "day", "day": "day"}
_EMPTY: dict[bytes, bytes] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """One refresh: `head` and one HGETALL per bucket of `buckets`, in this order."""

    window: Window
    now_ms: int
    recent: int
    series: tuple[Bucket, ...]
    previous: tuple[Bucket, ...]
    today: tuple[Bucket, ...]
    last_minutes: tuple[Bucket, Bucket]
    head: tuple[Command, ...]
    buckets: tuple[Bucket, ...]

    @property
    def needed(self) -> Iterator[Bucket]:
        for part in (self.series, self.previous, self.today, self.last_minutes):
            yield from part


def midnight_ms(now_ms: int, tz: tzinfo | None) -> int:
    """When the operator's day began (None: this machine's time zone)."""
    here = datetime.fromtimestamp(now_ms / 1000, tz)
    return int(here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp() * 1000)


def parse_call(stored: Mapping[bytes, bytes]) -> Call | None:
    """A stream entry; None for what is none."""
    try:
        return Call.from_fields(
            {name.decode(): value.decode(errors="backslashreplace") for name, value in stored.items()}
        )
    except (ValueError, TypeError):
        return None


class ViewCore:
    """What one reader remembers between two refreshes."""

    def __init__(self, keys: Keys, tz: tzinfo | None = None) -> None:
        self._keys = keys
        self._tz = tz
        self.invalidate()

    def invalidate(self) -> None:
        """Forget everything: the next view is read afresh."""
        self._fields = Fields()
        self._known: dict[Bucket, Stored] = {}
        self._changed: set[Bucket] = set()
        self._revision = 0
        self._sum = Sum(self._fields)
        self._previous = TotalSum()
        self._today = TotalSum()
        self._recent: deque[Call] = deque()
        self._asked_recent = 0
        self._last_id = ""
        self._first_ms: int | None = None
        self._exists = False
        self._policy: Policy | None = None
        self._policy_reply: object = None

    def plan(self, window: Window, now_ms: int, recent: int) -> Plan:
        if len(self._fields.slot_names) > MAX_SLOTS:
            self.invalidate()
        size = GRAIN_MS[window.grain]
        from_ms, to_ms = window.bounds(now_ms)
        series = tuple(Bucket(at, window.grain) for at in range(from_ms, to_ms, size))
        previous = cover(from_ms - (to_ms - from_ms), from_ms, _COARSER[window.grain])
        hour, minute = GRAIN_MS["hour"], GRAIN_MS["minute"]
        today = cover(midnight_ms(now_ms, self._tz), (now_ms // hour + 1) * hour, "hour")
        this = now_ms // minute * minute
        last = (Bucket(this - minute, "minute"), Bucket(this, "minute"))
        plan = Plan(window, now_ms, recent, series, previous, today, last, self._head(recent), ())
        buckets = dict.fromkeys(
            bucket
            for bucket in plan.needed
            if bucket not in self._known or bucket in self._changed or bucket.end_ms + GRACE_MS > now_ms
        )
        return Plan(window, now_ms, recent, series, previous, today, last, plan.head, tuple(buckets))

    def _head(self, recent: int) -> tuple[Command, ...]:
        keys = self._keys
        if self._revision:
            changes: Command = ("ZRANGEBYSCORE", keys.late, self._revision, "+inf", "WITHSCORES")
        else:
            changes = ("ZRANGEBYSCORE", keys.late, "-inf", "+inf", "WITHSCORES", "LIMIT", 0, 0)
        if recent > self._asked_recent:
            self._last_id = ""
        since = f"({self._last_id}" if self._last_id else "-"
        return (
            changes,
            ("ZSCORE", keys.late, "#"),
            ("ZCARD", keys.late),
            ("ZRANGE", keys.late, 0, 0, "WITHSCORES"),
            ("HGETALL", keys.policy),
            ("XRANGE", keys.calls, "-", "+", "COUNT", 1),
            ("XREVRANGE", keys.calls, "+", since, "COUNT", max(1, recent)),
        )

    def command(self, bucket: Bucket) -> Command:
        return ("HGETALL", self._keys.bucket(bucket))

    def take_head(self, plan: Plan, replies: Sequence[Any]) -> None:
        """The answers to `plan.head`. Raises the first that is an error."""
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        changes, revision, length, lowest, policy, first, newest = replies
        now = int(float(revision or 0))
        oldest = next((int(score) for _member, score in _scored(lowest)), 0)
        if self._revision and (
            now < self._revision or (int(length) >= LATE_LENGTH and oldest > self._revision)
        ):
            # Another server's data, or more changes than are remembered.
            self.invalidate()
        elif self._revision:
            for member, score in _scored(changes):
                if score > self._revision:
                    bucket = _bucket(member)
                    if bucket is not None:
                        self._changed.add(bucket)
        self._revision = now
        if policy != self._policy_reply:
            self._policy_reply, self._policy = policy, _policy(policy)
        self._take_calls(plan, first, newest)

    def _take_calls(self, plan: Plan, first: Any, newest: Any) -> None:
        self._exists = bool(first)
        self._first_ms = _entry_ms(first[0][0]) if first else None
        if not self._last_id:
            self._recent.clear()
        if newest:
            self._last_id = newest[0][0].decode()
        if plan.recent < 1:
            self._last_id = ""
            return
        self._asked_recent = max(self._asked_recent, plan.recent)
        calls = [call for _id, stored in newest if (call := parse_call(stored or _EMPTY)) is not None]
        self._recent.extendleft(reversed(calls))
        while len(self._recent) > self._asked_recent:
            self._recent.pop()

    def take(self, bucket: Bucket, reply: Any) -> None:
        """The answer for one bucket. Raises it if it is an error, but for a key of another type."""
        if isinstance(reply, Exception):
            if "WRONGTYPE" not in str(reply):
                raise reply
            reply = _EMPTY
        if isinstance(reply, list | tuple):
            reply = dict(zip(reply[::2], reply[1::2], strict=False))
        stored = Stored(reply or _EMPTY, self._fields)
        known = self._known.pop(bucket, None)
        self._known[bucket] = known if known is not None and known.same_as(stored) else stored
        self._changed.discard(bucket)

    def missing(self, plan: Plan) -> list[Bucket]:
        """Buckets that have to be read before `view`; none, unless everything was forgotten meanwhile."""
        return list(dict.fromkeys(bucket for bucket in plan.needed if bucket not in self._known))

    def steps(self, plan: Plan) -> Iterator[None]:
        """Bring the sums up to date, in steps of a few milliseconds."""
        return self._sum.sync({bucket: self._known[bucket] for bucket in plan.series})

    def view(self, plan: Plan) -> LedgerView:
        """The view; call `steps` to its end before."""
        for _ in self.steps(plan):
            pass
        known = self._known
        from_ms, to_ms = plan.window.bounds(plan.now_ms)
        total = self._sum.total
        previous = self._previous.sync({bucket: known[bucket] for bucket in plan.previous})
        today = self._today.sync({bucket: known[bucket] for bucket in plan.today})
        size_s = GRAIN_MS[plan.window.grain] // 1000
        present = self._exists or bool(total.calls or previous.calls or today.calls)
        view = LedgerView(
            namespace=self._keys.namespace,
            window=plan.window,
            from_ms=from_ms,
            to_ms=to_ms,
            read_ms=plan.now_ms,
            present=present,
            total=total,
            previous=previous,
            today=today,
            series=tuple(Point(b.start_ms, size_s, known[b].figures) for b in plan.series),
            by=self._sum.slices,
            recent=tuple(self._recent)[: plan.recent],
            calls_per_s=self._rate(plan) if present else None,
            policy=self._policy,
            capped=self._sum.capped,
        )
        self._forget(plan)
        return view

    def _rate(self, plan: Plan) -> float:
        """Calls per second: this minute's, and of the last one the share that is less than 60 s ago."""
        before, this = (self._known[bucket].figures.calls for bucket in plan.last_minutes)
        start = plan.last_minutes[0].start_ms
        if self._first_ms is not None and self._first_ms > start:
            return (before + this) * 1000 / max(1000, plan.now_ms - self._first_ms)
        into = plan.now_ms - plan.last_minutes[1].start_ms
        return (before * (1 - into / 60_000) + this) / 60

    def _forget(self, plan: Plan) -> None:
        needed = set(plan.needed)
        if len(self._known) <= len(needed) + KEPT:
            return
        for bucket in [bucket for bucket in self._known if bucket not in needed]:
            if len(self._known) <= len(needed) + KEPT:
                break
            del self._known[bucket]
            self._changed.discard(bucket)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _policy(reply: Any) -> Policy | None:
    if not reply:
        return None
    from costconsole.cache.policy import parse_policy

    return parse_policy(reply)


def _scored(reply: Any) -> list[tuple[bytes, float]]:
    """Members and scores, as redis-py pairs them or flat as the server sends them."""
    if reply and not isinstance(reply[0], list | tuple):
        return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2], strict=True)]
    return [(member, float(score)) for member, score in reply]


def _bucket(member: bytes) -> Bucket | None:
    grain, _, number = member.decode(errors="replace").partition(":")
    for known, size in GRAIN_MS.items():
        if known == grain and number.isdigit():
            return Bucket(int(number) * size, known)
    return None


def _entry_ms(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
