"""The worker's queue: single texts (someone waits at a prompt) go before bulk, bulk in small steps."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from costconsole.embedding.embedder import Embedding
from costconsole.embedding.encoder import Measured

# After so many single texts in a row one step of the oldest bulk request is made, so that it ends too.
SINGLES_IN_A_ROW = 32


@dataclass(slots=True)
class Job:
    """A request and how far it has come."""

    request: int
    texts: list[str]
    answer: list[Embedding | None] = field(init=False)
    tokenized: int = 0
    withdrawn: bool = False
    groups: deque[list[tuple[int, Measured]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.answer = [None] * len(self.texts)

    @property
    def single(self) -> bool:
        return len(self.texts) == 1


class Inbox:
    """Jobs for the one thread that embeds; filled and emptied of cancelled ones by the reading thread."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._singles: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._in_a_row = 0
        self._taken: Job | None = None

    def put(self, job: Job) -> None:
        with self._ready:
            (self._singles if job.single else self._bulk).append(job)
            self._ready.notify()

    def put_back(self, job: Job) -> None:
        """Return a bulk job of which a step was done: it stays the first of its kind, unless withdrawn."""
        with self._ready:
            if not job.withdrawn:
                self._bulk.appendleft(job)

    def cancel(self, request: int) -> None:
        """Drop a request; the step that is being made of it is its last."""
        with self._ready:
            if self._taken is not None and self._taken.request == request:
                self._taken.withdrawn = True
            self._singles = deque(job for job in self._singles if job.request != request)
            self._bulk = deque(job for job in self._bulk if job.request != request)

    def take(self) -> Job:
        """The next job; waits until there is one."""
        with self._ready:
            while not (self._singles or self._bulk):
                self._ready.wait()
            bulk_is_due = self._bulk and self._in_a_row >= SINGLES_IN_A_ROW
            if self._singles and not bulk_is_due:
                self._in_a_row += 1
                self._taken = self._singles.popleft()
            else:
                self._in_a_row = 0
                self._taken = self._bulk.popleft()
            return self._taken
