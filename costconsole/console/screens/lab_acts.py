"""What the Lab does besides answering: send, compare, store and take back, keep and find tried prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual.timer import Timer

from costconsole.console.lab import Lab, Question, Stored
from costconsole.console.lab_history import History, Tried
from costconsole.console.page import Page
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.lab_editor import PromptArea
from costconsole.console.screens.lab_sheets import AskSheet, CompareSheet, HistorySheet
from costconsole.console.screens.lab_trial import Trial
from costconsole.console.screens.lab_way import ANSWER, COMPARE
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem
from costconsole.gateway.checked import Check
from costconsole.settings import state_dir

Found = tuple[int, Question, Check]
"""The number of a question, the question, and what its check found."""


class LabActs(Page):
    """The acts of the Lab's page, which brings the question, the newest check, and what is drawn."""

    PACE_S: ClassVar[float] = 0.1
    """While an answer comes, it is painted so often at most."""

    def __init__(self) -> None:
        super().__init__()
        self._found: Found | None = None
        self._problem = ""
        self._checking: asyncio.Task[None] | None = None
        self._acting: asyncio.Task[None] | None = None
        self._trial: Trial | None = None
        self._ticks: Timer | None = None
        self._stored: Stored | None = None
        self._models: Sequence[str] = ()
        self._kept: Question | None = None

    @property
    def question(self) -> Question:
        """What stands in the fields now."""
        raise NotImplementedError

    @property
    def fresh(self) -> bool:
        """Whether what is shown answers what is written."""
        raise NotImplementedError

    def load(self, prompt: str, system: str = "", model: str = "", tenant: str = "") -> None:
        """Try another prompt."""
        raise NotImplementedError

    def _ask(self) -> None:
        raise NotImplementedError

    def _draw(self) -> None:
        raise NotImplementedError

    def _show_step(self) -> None:
        raise NotImplementedError

    @property
    def _editor(self) -> PromptArea:
        return self.query_one("#prompt", PromptArea)

    @property
    def _table(self) -> LiveTable:
        return self.query_one("#way", LiveTable)

    @property
    def _reader(self) -> Reader:
        return self.query_one("#step", Reader)

    @property
    def _lab(self) -> Lab:
        return self.source.lab

    # -- sending

    def _stop_trial(self) -> bool:
        if self._trial is None or not self._trial.running:
            return False
        self._trial.stop()
        return True

    def action_send(self) -> None:
        self._act(self._send())

    def _act(self, work: Coroutine[Any, Any, None]) -> None:
        if self._acting is not None and not self._acting.done():
            work.close()
            return
        self._acting = asyncio.create_task(self._guarded(work), name="lab act")

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Problem as problem:
            self.say(str(problem), bad=True)

    async def _newest(self) -> Check | None:
        """The check of what is written now, once it is there."""
        while not self.fresh and self._checking is not None and not self._checking.done():
            await asyncio.wait({self._checking})
        if not self.fresh:
            self.say(self._problem or "there is nothing to send", bad=bool(self._problem))
            return None
        assert self._found is not None
        return self._found[2]

    async def _send(self) -> None:
        found = await self._newest()
        if found is None:
            return
        missing = found.route.missing_key
        if missing:
            model = found.route.model or found.model
            self.say(
                f"{model} can't be asked: set {missing} in the environment" if " " not in missing else missing
            )
            return
        self._try([found])

    def _try(self, checks: Sequence[Check]) -> None:
        self._keep()
        self._stored = None
        self._trial = Trial(self._lab, checks, self._trial_changed)
        self._draw()
        self._table.move_to(ANSWER if len(checks) == 1 else COMPARE)
        if self.has_class("-narrow"):
            self.add_class("-open")
            self._reader.focus()
        self._show_step()
        if self._ticks is None:
            self._ticks = self.set_interval(self.PACE_S, self._tick)

    def _tick(self) -> None:
        if self._trial is not None and not self.console_app.paused:
            self._draw()
        if (self._trial is None or not self._trial.running) and self._ticks is not None:
            self._ticks.stop()
            self._ticks = None

    def _trial_changed(self) -> None:
        if self.is_attached:
            self._draw()

    def action_compare(self) -> None:
        if self._found is None:
            return
        left = self._found[2].route.model or self._found[2].model
        fallbacks = self._found[2].route.fallbacks
        named = [model for model in self._models if model != left and self._is_model(model)]
        proposed = next(iter((*fallbacks, *named)), "")
        self.app.push_screen(CompareSheet(left, self._models, proposed, self._compare_with))

    def _is_model(self, name: str) -> bool:
        """Whether a name is a model of its own, and not one that leaves the choice to the router."""
        assert self._found is not None
        return any(row.name == name for row in self._found[2].costs)

    def _compare_with(self, model: str) -> None:
        async def work() -> None:
            found = await self._newest()
            if found is None or self._found is None:
                return
            other = await self._lab.check(replace(self._found[1], model=model), self.console_app.view)
            self._try([found, other])

        self._act(work())

    # -- storing

    def action_store(self) -> None:
        trial = self._trial
        if trial is None or trial.sent[0] is None:
            return
        check = trial.checks[0]
        prepared = check.prepared
        facts = [
            f"The answer of {check.route.model or check.model} is kept for this request, as by a gateway."
        ]
        if check.exact_key:
            facts.append(f"exact     {check.exact_key}")
        if prepared is not None and prepared.can.semantic and prepared.vector is not None:
            facts.append(f"semantic  for prompts that are near enough, in scope {prepared.scope[:8]}…")
        if check.exact_hit:
            facts.append("It replaces the answer that is stored for this very request.")
        ttl = prepared.policy.ttl_s if prepared is not None else None
        facts.append(f"It expires after {ttl:,} s." if ttl else "It never expires: the policy has no ttl.")
        facts.append("z takes it back while this prompt stands here; the audit has both.")
        self.app.push_screen(AskSheet("Store this answer?", facts, lambda: self._act(self._store(trial))))

    async def _store(self, trial: Trial) -> None:
        sent = trial.sent[0]
        assert sent is not None
        self._stored = await self._lab.store(trial.checks[0], sent)
        trial.note = f"✓ stored in {len(self._stored.keys)} entries: {' '.join(self._stored.keys)}"
        self.say(f"stored in {len(self._stored.keys)} entries; z takes it back")
        self._ask()
        self._draw()

    def action_take_back(self) -> None:
        stored = self._stored
        if stored is None:
            return

        async def work() -> None:
            await self._lab.take_back(stored)
            self._stored = None
            if self._trial is not None:
                self._trial.note = "taken back: the caches are as they were"
            self.say("taken back: the caches are as they were")
            self._ask()
            self._draw()

        self._act(work())

    # -- history

    @property
    def _history(self) -> History:
        return History(state_dir(), redacted=self.console_app.settings.redact)

    def _keep(self) -> None:
        """Put what stands here into the history, once."""
        question = self.question
        if not question.prompt.strip() or question == self._kept:
            return
        if self.console_app.settings.prompts == "off":
            return
        self._kept = question
        history, now = self._history, self.console_app.clock()
        asyncio.get_running_loop().run_in_executor(None, history.add, question, now)

    async def action_history(self) -> None:
        tried = await asyncio.to_thread(self._history.read)
        off = self.console_app.settings.prompts == "off"
        why = "No prompt is kept: prompts = off." if off else "No prompt was tried yet."
        self.app.push_screen(HistorySheet(tried, self.console_app.tz, why, self._take))

    def _take(self, tried: Tried) -> None:
        self.load(tried.prompt, tried.system, tried.model, tried.tenant)
        if tried.cut:
            self.say("this prompt was longer than what is kept: its end is missing")
        self._editor.focus()

    # -- what can't be done

    def why_not(self, action: str) -> str:
        trial = self._trial
        running = trial is not None and trial.running
        if action in ("send", "compare"):
            if running:
                return "an answer is coming; Esc stops it"
            if not self.is_mounted or not self._editor.text.strip():
                return "there is no prompt"
            if action == "compare" and self._found is None:
                return "wait for the answer to this prompt"
            link = self.console_app.link
            if not link.writable:
                return link.why_read_only or "a call has to be recorded, and nothing may be written here"
        if action == "diff" and self._found is None:
            return "there is no prompt"
        if action == "store":
            if trial is None or trial.sent[0] is None:
                return "ctrl+s gets an answer first"
            if len(trial.checks) > 1:
                return "two answers stand here: send one alone to store it"
            return self._lab.why_not_store(trial.checks[0], trial.sent[0])
        if action == "take_back" and self._stored is None:
            return "nothing was stored from here"
        return ""
