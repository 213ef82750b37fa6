"""One question at a time, and always the newest: for what is asked faster than it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

_PATIENCE_S = 0.25


class Latest(Generic[Question, Answer]):
    """Answers the newest question, with one `answer` in flight at most.

    A question is asked at once when nothing is in flight, or after `rest_s` seconds in which no other came.
    Questions that come meanwhile replace one another; an answer to one that was replaced is dropped, and
    its flight is ended when it takes longer than `patience_s`. `show` gets answers, `fail` what was raised.
    """

    def __init__(
        self,
        answer: Callable[[Question], Awaitable[Answer]],
        *,
        show: Callable[[Question, Answer], None],
        fail: Callable[[Question, Exception], None],
        rest_s: float = 0.0,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._answer = answer
        self._show = show
        self._fail = fail
        self._rest_s = rest_s
        self._patience_s = patience_s
        self._waiting: list[Question] = []
        self._asked = 0
        self._run: asyncio.Task[None] | None = None
        self._flight: asyncio.Future[Answer] | None = None

    @property
    def busy(self) -> bool:
        """Whether a question waits or is in flight."""
        return self._run is not None

    @property
    def outdated(self) -> bool:
        """Whether a newer question waits: what is in flight won't be shown."""
        return bool(self._waiting)

    def ask(self, question: Question) -> None:
        """Ask this, instead of whatever still waits."""
        self._waiting = [question]
        self._asked += 1
        if self._run is None:
            self._run = asyncio.create_task(self._answer_all(), name="newest question")
        elif self._flight is not None:
            asyncio.get_running_loop().call_later(self._patience_s, self._give_up, self._flight)

    def drop(self) -> None:
        """Forget what was asked; nothing of it is shown any more."""
        self._waiting = []
        if self._run is not None:
            self._run.cancel()
            self._run = None
        self._flight = None

    async def settle(self) -> None:
        """Wait until every question is answered."""
        while self._run is not None:
            await asyncio.wait({self._run})

    def _give_up(self, flight: asyncio.Future[Answer]) -> None:
        if self._flight is flight and self._waiting:
            flight.cancel()

    async def _answer_all(self) -> None:
        mine = asyncio.current_task()
        assert mine is not None
        try:
            while self._waiting:
                await self._rest()
                question = self._waiting.pop()
                try:
                    answer = await self._fly(question)
                except asyncio.CancelledError:
                    if mine.cancelling():
                        raise
                except Exception as error:
                    if not self._waiting:
                        self._fail(question, error)
                else:
                    if not self._waiting:
                        self._show(question, answer)
        finally:
            if self._run is mine:
                self._run = self._flight = None

    async def _rest(self) -> None:
        while self._rest_s:
            before = self._asked
            await asyncio.sleep(self._rest_s)
            if before == self._asked:
                return

    async def _fly(self, question: Question) -> Answer:
        flight = self._flight = asyncio.ensure_future(self._answer(question))
        try:
            return await flight
        finally:
            if self._flight is flight:
                self._flight = None
