"""Marking a hit as wrong, from wherever a hit is seen: asked once, told of after, and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from costconsole.console.page import Page
from costconsole.console.screens.thresholds_sheets import AskSheet
from costconsole.console.screens.thresholds_words import marked
from costconsole.console.widgets.painted import Line
from costconsole.domain.call import Call, Outcome
from costconsole.domain.errors import Problem
from costconsole.domain.format import similarity as short
from costconsole.domain.text import visible

if TYPE_CHECKING:
    from costconsole.calibration.feedback import WrongHit

_LONGEST = 600


class WrongHits:
    """For one page; `changed` is called when an entry has another threshold of its own."""

    def __init__(self, page: Page, changed: Callable[[], None] = lambda: None) -> None:
        self._page = page
        self._changed = changed
        self._done: list[WrongHit] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def can_undo(self) -> bool:
        """Whether the last thing that was done can be taken back here."""
        return bool(self._done)

    def forget(self) -> None:
        """Something else was done since: that is what undo means now."""
        self._done.clear()

    def why_not(self) -> str:
        """Why nothing can be marked now, or ""."""
        link = self._page.console_app.link
        return "" if link.writable else f"nothing can be changed here: {link.why_read_only or 'read-only'}"

    def mark_call(self, call: Call | None) -> None:
        """Ask whether the semantic hit of a call was wrong."""
        if call is None:
            self._page.say("there is no call under the cursor")
        elif call.outcome is Outcome.EXACT:
            self._page.say("an exact hit answers the same request: evict its entry if the answer is wrong")
        elif call.outcome is not Outcome.SEMANTIC or call.similarity is None or not call.neighbor:
            self._page.say("that was no hit: only what a cache answered can be a wrong hit")
        else:
            self._run(self._ask(call.neighbor, call.similarity, call.preview, None))

    def mark_entry(self, key: str, similarity: float, query: str, cached: str) -> None:
        """Ask whether an entry is wrong for a query that finds it."""
        self._run(self._ask(key, similarity, query, cached))

    def undo(self) -> None:
        """Take back what was marked last."""
        self._run(self._undo())

    async def settle(self) -> None:
        """Wait until what was asked for is done."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        if why := self.why_not():
            work.close()
            self._page.say(why)
            return
        task = asyncio.create_task(self._worked(work), name="wrong hit")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _worked(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Problem as problem:
            self._page.say(str(problem), bad=True)
        except Exception as error:
            self._page.say(f"an error inside the console ({type(error).__name__})", bad=True)
            asyncio.get_running_loop().call_exception_handler({"message": "wrong hit", "exception": error})

    async def _ask(self, key: str, similarity: float, query: str, cached: str | None) -> None:
        if cached is None:
            found = await self._page.source.search.entry(key)
            if found is None:
                self._page.say("the entry is gone: it expired or was evicted since")
                return
            cached = found.prompt or ""
        text = cached
        self._page.console_app.push_screen(
            AskSheet(
                "Was this hit wrong?",
                wrong_lines(key, similarity, query, text),
                lambda: self._run(self._mark(key, similarity, query, text)),
                yes="it was wrong",
                no="it was right",
            )
        )

    async def _mark(self, key: str, similarity: float, query: str, cached: str) -> None:
        done = await self._page.source.thresholds.mark_wrong(key, similarity, query=query, cached=cached)
        self._done.append(done)
        self._page.say(f"{done.sentence}. z takes it back")
        self._changed()

    async def _undo(self) -> None:
        done = self._done[-1]
        whole = await self._page.source.thresholds.take_back_wrong(done)
        self._done.pop()
        more = "" if whole else "; its threshold was raised again since, and stays"
        self._page.say(f"taken back: the hit counts as before{more}")
        self._changed()


def wrong_lines(key: str, similarity: float, query: str, cached: str) -> list[Line]:
    """What was asked and what was answered from, and what marking does."""
    asked, kept = marked(query[:_LONGEST], cached[:_LONGEST])
    lines: list[Line] = [
        (("asked   ", "muted"), *(asked if query else (("not kept", "muted"),))),
        (("cached  ", "muted"), *(kept if cached else (("not stored", "muted"),))),
        (("similarity ", "muted"), (short(similarity), "strong"), (f"   {visible(key)}", "muted")),
        (),
    ]
    does = f"Its entry is then served to prompts nearer than {short(min(1.0, similarity + 0.01))} only"
    if query and cached:
        does += ", and the pair is labelled as different"
    rest = "; an entry of another library has no threshold of its own and gets the label only."
    return [*lines, ((f"{does}{rest}", "text"),)]
