"""The worker's queue: single texts (someone waits at a prompt) go before bulk, bulk in small steps."""

from __future__ import annotations

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
    groups: deque[list[tuple[int, Measured]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.answer = [None] * len(self.texts)


class Inbox:
    """Jobs in the order in which they are to be served."""

    def __init__(self) -> None:
        self._singles: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._in_a_row = 0

    @property
    def empty(self) -> bool:
        return not self._singles and not self._bulk

    def put(self, job: Job) -> None:
        (self._singles if len(job.texts) == 1 else self._bulk).append(job)

    def put_back(self, job: Job) -> None:
        """Return a bulk job of which a step was done: it stays the first of its kind."""
        self._bulk.appendleft(job)

    def cancel(self, request: int) -> None:
        """Drop a request, whether begun or not."""
        self._singles = deque(job for job in self._singles if job.request != request)
        self._bulk = deque(job for job in self._bulk if job.request != request)

    def take(self) -> Job | None:
        """The next job; None if there is none."""
        bulk_is_due = self._bulk and self._in_a_row >= SINGLES_IN_A_ROW
        if self._singles and not bulk_is_due:
            self._in_a_row += 1
            return self._singles.popleft()
        self._in_a_row = 0
        return self._bulk.popleft() if self._bulk else None
