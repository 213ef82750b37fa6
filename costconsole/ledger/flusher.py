"""Takes recorded calls to Redis, or, while it is away, to the spool and from there to Redis."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from costconsole.ledger.batch import Batch, Recorded, encode, sound
from costconsole.ledger.preview import Prompts, preview
from costconsole.ledger.sender import NotSent, Sender
from costconsole.ledger.spool import Spool
from costconsole.ledger.transaction import MARKER_MS
from costconsole.redis_store.backoff import Backoff
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.redis_store.target import RedisTarget

MERGED = 20_000
"""Calls that share one addition to the rollups."""
ADOPT_S = 30.0
"""How often to look for the spools of writers that are gone."""
_DAY_MS = 86_400_000


class Flusher:
    """Everything one writer holds on the way from `queue` to Redis. One thread at a time may call it.

    Order: what a writer spooled goes before what it recorded later, for the server tells by a batch's
    number whether it had it before.
    """

    def __init__(
        self,
        target: RedisTarget,
        keys: Keys,
        queue: deque[Recorded],
        *,
        folder: Path,
        prompts: Prompts,
        masked: bool,
        max_buffer: int,
    ) -> None:
        self._keys = keys
        self._queue = queue
        self._folder = folder
        self._prompts: Prompts = prompts
        self._masked = masked
        self._max_buffer = max_buffer
        self._sender = Sender(target, keys)
        self._writer = uuid.uuid4().hex[:16]
        self._number = 1
        self._batches: deque[Batch] = deque()
        self._spool: Spool | None = None
        self._orphan: Spool | None = None
        self._adopt_at = 0.0
        self._backoff = Backoff(base_s=0.25, cap_s=5.0)
        self._retry_at = 0.0
        self._place = sha256(f"{keys.namespace} {target.label}".encode()).hexdigest()[:12]
        self.taken = 0
        self.flushed = 0
        self.adopted = 0
        self.dropped = 0
        self.rejected = 0
        self.torn = 0
        self.held = 0
        """Calls in batches in memory."""
        self._left = 0
        self.error = ""
        self.spool_error = ""

    @property
    def spooled(self) -> int:
        return self._spool.calls if self._spool else self._left

    @property
    def refused(self) -> str:
        return self._sender.refused

    @property
    def delivered(self) -> bool:
        """Whether everything that was recorded is in Redis."""
        return not (self._queue or self._batches or self.spooled)

    def tick(self, *, deadline: float, now: bool = False, ahead: bool = False) -> bool:
        """Bring what there is to Redis, until `deadline` (monotonic); what is left over is put aside.

        `now`: don't wait for the next attempt's time. `ahead`: put aside before sending, since there may
        be no time for it afterwards. Returns `delivered`.
        """
        wanted = self.taken + len(self._queue)
        self._take()
        if ahead and self._batches:
            self._put_aside()
        if now or time.monotonic() >= self._retry_at:
            try:
                self._deliver(deadline)
                while self.taken < wanted and not self._batches and time.monotonic() < deadline:
                    self._take()
                    self._deliver(deadline)
            except NotSent as problem:
                self.error = str(problem)
                self._retry_at = time.monotonic() + self._backoff.next_s()
            else:
                self.error = ""
                self._retry_at = 0.0
                self._backoff.reset()
        if self._batches:
            self._put_aside()
        else:
            self.spool_error = ""
        return self.delivered

    def _take(self) -> None:
        waiting = len(self._queue)
        while waiting and self.held < self._max_buffer:
            taken = [self._queue.popleft() for _ in range(min(waiting, MERGED))]
            waiting -= len(taken)
            self.taken += len(taken)
            self._encode([self._finished(item) for item in taken])

    def _finished(self, item: Recorded) -> Recorded:
        call, key = item
        try:
            shown = preview(call.preview, self._prompts, masked=self._masked)
            if shown != call.preview:
                call = replace(call, preview=shown)
            if not key and call.outcome.is_hit:
                key = call.cache_key
        except Exception:
            pass  # Whatever is wrong with it, `sound` will find.
        return call, key

    def _encode(self, recorded: list[Recorded]) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            batches = encode(recorded, self._writer, self._number, now_ms)
        except Exception:
            recorded, bad = sound(recorded)
            self.rejected += bad
            batches = encode(recorded, self._writer, self._number, now_ms)
        self._number += len(batches)
        self._batches.extend(batches)
        self.held += sum(batch.calls for batch in batches)

    def _deliver(self, deadline: float) -> None:
        if self._spool is not None and self._spool.waiting:
            if not self._replay(self._spool, deadline):
                return
            self._spool.empty()
        while self._batches:
            batch = self._batches[0]
            self._sender.send(batch)
            self._batches.popleft()
            self.held -= batch.calls
            self.flushed += batch.calls
            if time.monotonic() >= deadline:
                return
        self._adopt(deadline)

    def _replay(self, spool: Spool, deadline: float) -> bool:
        """Send what a spool holds; whether all of it was sent before the deadline."""
        oldest = time.time_ns() // 1_000_000 - MARKER_MS + _DAY_MS
        first = True
        for batch, position in spool.batches():
            # Only the first can have arrived before; once the server can't tell, it must not count twice.
            if first and batch.created_ms < oldest:
                self.dropped += batch.calls
            else:
                self._sender.send(batch)
                if spool is self._spool:
                    self.flushed += batch.calls
                else:
                    self.adopted += batch.calls
            first = False
            spool.sent(position, batch.calls)
            if time.monotonic() >= deadline:
                return not spool.waiting
        return True

    def _put_aside(self) -> None:
        """Batches from memory to the spool, where they survive this process."""
        try:
            if self._spool is None:
                self._spool = Spool.create(self._folder / self._name(self._writer))
            self._spool.append(self._batches)
        except OSError as error:
            self.spool_error = f"The spool in {self._folder} can't be written ({error.strerror or error})."
            return
        self._batches.clear()
        self.held = 0
        self.spool_error = ""

    def _name(self, writer: str) -> str:
        return f"{self._keys.namespace}.{self._place}.{writer}.spool"

    def _adopt(self, deadline: float) -> None:
        """Send the spools of writers that are gone, as far as time allows."""
        if self._orphan is None:
            if time.monotonic() < self._adopt_at:
                return
            self._orphan = self._find_orphan()
        while self._orphan is not None:
            if not self._replay(self._orphan, deadline):
                return
            self._orphan.remove()
            self._orphan = self._find_orphan()
        self._adopt_at = time.monotonic() + ADOPT_S

    def _find_orphan(self) -> Spool | None:
        for path in self._spools():
            if self._spool is None or path != self._spool.path:
                spool = Spool.adopt(path)
                if spool is not None:
                    self.torn += spool.torn
                    return spool
        return None

    def _spools(self) -> Iterable[Path]:
        try:
            return sorted(self._folder.glob(self._name("*")))
        except OSError:
            return ()

    def close(self) -> None:
        """Let go of files and connection; a spool that still holds something waits for the next writer."""
        self._sender.close()
        if self._orphan is not None:
            self._orphan.close()
            self._orphan = None
        if self._spool is not None:
            self._left = self._spool.calls
            if self._spool.waiting:
                self._spool.close()
            else:
                self._spool.remove()
            self._spool = None

    def forget(self) -> None:
        """After a fork, in the child: all of this is the parent's."""
        self._sender.forget()
        for spool in (self._spool, self._orphan):
            if spool is not None:
                spool.forget()
        self._spool = self._orphan = None
