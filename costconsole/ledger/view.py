"""What to ask Redis for a view of a window, and what its answers say. No I/O: reader.py sends and receives.

A bucket is read once and kept; each refresh asks which buckets changed since the last one (the stream
`late`), in the same round trip as what surely changed: the buckets that are open now. Anything else that
changed is read with the next refresh. The changes are asked for first, so that a write between the two is
seen twice rather than never. The newest entry that was read has to be there still; otherwise these are
another server's data, or more changes than are remembered, and everything is read afresh.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from costconsole.domain.call import Call
from costconsole.domain.figures import Figures, LedgerView, Point, Policy
from costconsole.domain.window import GRAIN_MS, Bucket, Grain, Window, cover
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


class Frame:
    """The buckets of a window's view; the same for a whole minute."""

    def __init__(self, window: Window, now_ms: int, tz: tzinfo | None) -> None:
        size, hour, minute = GRAIN_MS[window.grain], GRAIN_MS["hour"], GRAIN_MS["minute"]
        self.window = window
        self.minute = now_ms // minute
        self.from_ms, self.to_ms = from_ms, to_ms = window.bounds(now_ms)
        self.series = tuple(Bucket(at, window.grain) for at in range(from_ms, to_ms, size))
        self.previous = cover(from_ms - (to_ms - from_ms), from_ms, _COARSER[window.grain])
        # The open hour is the largest bucket there is; minutes that the window reads anyway say the same.
        this = self.minute * minute
        end = this + minute if window.grain == "minute" else (now_ms // hour + 1) * hour
        self.today = cover(midnight_ms(now_ms, tz), end, "hour")
        self.last_minutes = (Bucket(this - minute, "minute"), Bucket(this, "minute"))
        parts = (self.series, self.previous, self.today, self.last_minutes)
        self.needed = dict.fromkeys(bucket for part in parts for bucket in part)
        self.open = tuple(bucket for bucket in self.needed if bucket.end_ms + GRACE_MS > this)


@dataclass(frozen=True, slots=True)
class Plan:
    """One refresh: `head` and one HGETALL per bucket of `buckets`, in this order."""

    frame: Frame
    now_ms: int
    recent: int
    since: str
    """The newest stream entry that was known before, or ""."""
    head: tuple[Command, ...]
    buckets: tuple[Bucket, ...]


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
        self._changed_id = ""
        """The newest entry of `late` that was read."""
        self._frame: Frame | None = None
        self._complete = False
        """Whether the sums say what the known buckets do, for this frame."""
        self._sum = Sum(self._fields)
        self._previous, self._today = TotalSum(), TotalSum()
        self._previous_figures = self._today_figures = Figures()
        self._points: tuple[Point, ...] = ()
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
        frame = self._frame
        if frame is None or frame.window != window or frame.minute != now_ms // GRAIN_MS["minute"]:
            frame = self._frame = Frame(window, now_ms, self._tz)
            self._complete = False
        wanted = [bucket for bucket in frame.open if bucket.end_ms + GRACE_MS > now_ms]
        wanted += [bucket for bucket in self._changed if bucket in frame.needed]
        if not self._complete:
            wanted += self.missing(frame)
        head = self._head(recent)
        return Plan(frame, now_ms, recent, self._last_id, head, tuple(dict.fromkeys(wanted)))

    def _head(self, recent: int) -> tuple[Command, ...]:
        keys = self._keys
        if self._changed_id:
            changes: Command = ("XRANGE", keys.late, self._changed_id, "+")
        else:
            changes = ("XREVRANGE", keys.late, "+", "-", "COUNT", 1)
        if recent > self._asked_recent:
            self._last_id = ""
        since = f"({self._last_id}" if self._last_id else "-"
        return (
            changes,
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
        changes, policy, first, newest = replies
        if not self._changed_id:
            if changes and self._known:
                self.invalidate()
        elif not changes or changes[0][0].decode() != self._changed_id:
            self.invalidate()
        else:
            for _id, entry in changes[1:]:
                self._changed.update(_buckets(entry or _EMPTY))
        if changes:
            self._changed_id = changes[-1][0].decode()
        if policy != self._policy_reply:
            self._policy_reply, self._policy = policy, _policy(policy)
        self._take_calls(plan, first, newest)

    def _take_calls(self, plan: Plan, first: Any, newest: Any) -> None:
        self._exists = bool(first)
        self._first_ms = _entry_ms(first[0][0]) if first else None
        if not self._last_id:
            self._recent.clear()
        # What was asked since an entry that is forgotten by now is only a part: the next read gets all.
        whole = not plan.since or plan.since == self._last_id
        if newest and whole:
            self._last_id = newest[0][0].decode()
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
        known = self._known.get(bucket)
        if known is None or not known.same_as(stored):
            self._known[bucket] = stored
            self._complete = False
        self._changed.discard(bucket)

    def missing(self, frame: Frame) -> list[Bucket]:
        """Buckets that have to be read before `view`."""
        return [bucket for bucket in frame.needed if bucket not in self._known]

    def steps(self, plan: Plan) -> Iterator[None]:
        """Bring the sums up to date, in steps of a few milliseconds."""
        if self._complete:
            return
        known, frame = self._known, plan.frame
        yield from self._sum.sync({bucket: known[bucket] for bucket in frame.series})
        self._previous_figures = self._previous.sync({bucket: known[bucket] for bucket in frame.previous})
        self._today_figures = self._today.sync({bucket: known[bucket] for bucket in frame.today})
        size_s = GRAIN_MS[frame.window.grain] // 1000
        self._points = tuple(Point(b.start_ms, size_s, known[b].figures) for b in frame.series)
        self._forget(frame)
        self._complete = True

    def view(self, plan: Plan) -> LedgerView:
        """The view; everything that `missing` names has been taken."""
        for _ in self.steps(plan):
            pass
        frame = plan.frame
        total, previous, today = self._sum.total, self._previous_figures, self._today_figures
        present = self._exists or bool(total.calls or previous.calls or today.calls)
        return LedgerView(
            namespace=self._keys.namespace,
            window=frame.window,
            from_ms=frame.from_ms,
            to_ms=frame.to_ms,
            read_ms=plan.now_ms,
            present=present,
            total=total,
            previous=previous,
            today=today,
            series=self._points,
            by=self._sum.slices,
            recent=tuple(self._recent)[: plan.recent],
            calls_per_s=self._rate(plan) if present else None,
            policy=self._policy,
            capped=self._sum.capped,
        )

    def _rate(self, plan: Plan) -> float:
        """Calls per second: this minute's, and of the last one the share that is less than 60 s ago."""
        before, this = (self._known[bucket].figures.calls for bucket in plan.frame.last_minutes)
        start = plan.frame.last_minutes[0].start_ms
        if self._first_ms is not None and self._first_ms > start:
            return (before + this) * 1000 / max(1000, plan.now_ms - self._first_ms)
        into = plan.now_ms - plan.frame.last_minutes[1].start_ms
        return (before * (1 - into / 60_000) + this) / 60

    def _forget(self, frame: Frame) -> None:
        """Let go of the buckets that were read longest ago, but for those in use."""
        spare = len(self._known) - len(frame.needed) - KEPT
        if spare > 0:
            for bucket in [bucket for bucket in self._known if bucket not in frame.needed][:spare]:
                del self._known[bucket]
                self._changed.discard(bucket)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _policy(reply: Any) -> Policy | None:
    if not reply:
        return None
    from costconsole.cache.policy import parse_policy

    return parse_policy(reply)


def _buckets(entry: Mapping[bytes, bytes]) -> Iterator[Bucket]:
    """The buckets that a flush changed."""
    for member in entry.get(b"b", b"").decode(errors="replace").split():
        grain, _, number = member.partition(":")
        for known, size in GRAIN_MS.items():
            if known == grain and number.isdigit():
                yield Bucket(int(number) * size, known)


def _entry_ms(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
