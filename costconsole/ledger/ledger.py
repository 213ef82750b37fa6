"""The ledger that applications write to."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread, current_thread
from typing import TYPE_CHECKING

from costconsole.domain.call import Call
from costconsole.domain.errors import UsageProblem
from costconsole.ledger.batch import Recorded
from costconsole.ledger.flusher import Flusher
from costconsole.ledger.preview import Prompts, preview
from costconsole.redis_store.keys import Keys

if TYPE_CHECKING:
    from costconsole.redis_store.target import RedisTarget

_EXIT_S = 3.0


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """Where this process's calls are. `recorded == flushed + pending + spooled + dropped + rejected`, up
    to what is on its way at this moment."""

    recorded: int
    flushed: int
    """In Redis."""
    pending: int
    """In memory."""
    spooled: int
    """In the spool file."""
    dropped: int
    """Lost: memory and spool were full, or Redis was away for months."""
    rejected: int
    """Not calls at all, such as text where a number belongs."""
    adopted: int
    """Calls of earlier processes that this one brought to Redis."""
    torn: int
    """Damaged lines in their spools."""
    last_error: str
    """Why something is not in Redis, in a sentence; "" when nothing is wrong."""


class Ledger:
    """Keeps a record of every call in Redis, without ever making a call wait.

    `record` puts a call into a queue; once in `flush_s` seconds a thread brings what is there to Redis.
    While Redis is away, calls go to a file in `spool_dir` (default: the user's state folder) and from
    there to Redis when it is back, each exactly once; so do those that an earlier process left there. A
    process that is killed loses what it recorded since the last flush. At most `max_buffer` calls wait in
    the queue and as many in memory behind it; what is more is counted as `dropped`.

    `prompts` says what is kept of a prompt: `preview` (the first 120 characters, masked), `full` (2,000;
    masked with `redact`) or `off`. Raises UsageProblem for a URL, a namespace or a mode that can't be.
    """

    def __init__(
        self,
        redis_url: str | RedisTarget,
        namespace: str = "default",
        *,
        prompts: Prompts = "preview",
        redact: bool = False,
        flush_s: float = 1.0,
        spool_dir: str | os.PathLike[str] | None = None,
        max_buffer: int = 100_000,
    ) -> None:
        # A process may end before its first flush, and this module can't be imported by then (redis does).
        import concurrent.futures.thread  # noqa: F401

        from costconsole.redis_store.target import parse_target

        if prompts not in ("preview", "full", "off"):
            raise UsageProblem(f"prompts={prompts!r} is not known: use preview, full or off")
        self._target = parse_target(redis_url) if isinstance(redis_url, str) else redis_url
        self._keys = Keys(namespace)
        self._prompts: Prompts = prompts
        self._masked = redact
        self._flush_s = max(0.01, flush_s)
        self._folder = Path(spool_dir) if spool_dir is not None else _spool_folder()
        self._max_buffer = max(1, max_buffer)
        self._begin()
        _living.add(self)
        self._start()

    def _begin(self) -> None:
        self._queue: deque[Recorded] = deque()
        self._flusher = Flusher(
            self._target,
            self._keys,
            self._queue,
            folder=self._folder,
            prompts=self._prompts,
            masked=self._masked,
            max_buffer=self._max_buffer,
        )
        self._thread: Thread | None = None
        self._changed = Condition()
        self._asked = self._answered = 0
        self._deadline = 0.0
        self._result = False
        self._closed = False
        self._overflowed = 0

    def record(self, call: Call, *, hit_key: str = "") -> None:
        """Take down a call. `hit_key` is the key of the entry that answered it, by default its `cache_key`.

        Does no I/O, never waits, never raises; from any thread or event loop.
        """
        queue = self._queue
        if len(queue) >= self._max_buffer or self._closed:
            self._overflowed += 1
            return
        queue.append((call, hit_key))
        if self._thread is None:
            self._start()

    def preview(self, text: str) -> str:
        """What of a prompt this ledger keeps."""
        return preview(text, self._prompts, masked=self._masked)

    @property
    def status(self) -> LedgerStatus:
        flusher = self._flusher
        dropped = self._overflowed + flusher.dropped
        return LedgerStatus(
            recorded=flusher.taken + len(self._queue) + self._overflowed,
            flushed=flusher.flushed,
            pending=len(self._queue) + flusher.held,
            spooled=flusher.spooled,
            dropped=dropped,
            rejected=flusher.rejected,
            adopted=flusher.adopted,
            torn=flusher.torn,
            last_error=" ".join(filter(None, (flusher.error, flusher.spool_error, flusher.refused))),
        )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Bring everything that is recorded to Redis now; whether that was done in time."""
        if self._closed:
            return self._flusher.delivered
        self._start()
        with self._changed:
            self._asked += 1
            wanted = self._asked
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._answered >= wanted, timeout_s)
            return done and self._result

    def close(self, timeout_s: float = 5.0) -> bool:
        """Flush and stop; what can't be brought to Redis in time is in the spool. Whether all arrived."""
        with self._changed:
            self._closed = True
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify_all()
        _living.discard(self)
        thread = self._thread
        if thread is not None and thread is not current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                return False
        return self._flusher.delivered

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        try:
            with self._changed:
                if self._thread is None and not self._closed:
                    thread = Thread(target=self._run, name="costconsole-ledger", daemon=True)
                    self._thread = thread
                    thread.start()
        except RuntimeError:
            self._thread = None  # The interpreter is on its way out, or out of threads: the next call tries.

    def _run(self) -> None:
        begun = time.monotonic()
        while True:
            with self._changed:
                # From begin to begin, so that a flush that takes long doesn't make the next one longer.
                pause = begun + self._flush_s - time.monotonic()
                if not self._closed and self._asked == self._answered and pause > 0:
                    self._changed.wait(pause)
                begun = time.monotonic()
                asked, closing = self._asked, self._closed
                urgent = closing or asked > self._answered
                deadline = self._deadline if urgent else time.monotonic() + max(1.0, self._flush_s)
            try:
                result = self._flusher.tick(deadline=deadline, now=urgent, ahead=closing)
            except Exception as error:
                # Nothing here is expected to raise; if it does, calls must go on being taken.
                self._flusher.error = f"The ledger's flusher failed ({type(error).__name__}); it goes on."
                result = False
            with self._changed:
                self._answered, self._result = asked, result
                self._changed.notify_all()
            if closing:
                self._flusher.close()
                return

    def _after_fork(self) -> None:
        """In a forked child: what is on its way is the parent's to deliver; begin anew."""
        closed = self._closed
        self._flusher.forget()
        self._begin()
        self._closed = closed


def _spool_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("costconsole") / "spool"


_living: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in list(_living):
        ledger._after_fork()


def _at_exit() -> None:
    deadline = time.monotonic() + _EXIT_S
    for ledger in list(_living):
        ledger.close(max(0.1, deadline - time.monotonic()))


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
