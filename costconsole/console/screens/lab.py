"""Lab: what happens to this prompt, and what would it cost?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Hide, Resize
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, TextArea

from costconsole.console.lab import Question
from costconsole.console.page import Export
from costconsole.console.safe import safe
from costconsole.console.screens.entries_query import LineInput
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.lab_acts import LabActs
from costconsole.console.screens.lab_answer import answer_lines, compared_lines, copied
from costconsole.console.screens.lab_detail import detail, title
from costconsole.console.screens.lab_editor import PromptArea
from costconsole.console.screens.lab_export import export_check
from costconsole.console.screens.lab_style import STYLE
from costconsole.console.screens.lab_way import ANSWER, COLUMNS, COMPARE, MINIMIZE, answer_row, rows
from costconsole.console.source import Link
from costconsole.console.widgets.bars import Charset
from costconsole.console.widgets.painted import Painted, centred
from costconsole.console.widgets.table import LiveTable
from costconsole.domain.errors import Problem
from costconsole.domain.figures import LedgerView
from costconsole.domain.format import ESTIMATE, count, milliseconds
from costconsole.gateway.checked import Check
from costconsole.prompt.diff import Line as Changed

_NARROW, _TALL, _HUGE = 110, 34, 50
_HEAVY = 20_000
_EMPTY = "Type or paste a prompt above: its way through caches, router and prices stands here as you type."


class LabPage(LabActs):
    """A prompt, the way that a call with it would take, and one step of it in full.

    Every change asks again, after `PAUSE_S` in which nothing is typed; an answer to what is no longer there
    is dropped. `-narrow` (below 110 columns): a step takes the place of the way, with `-open`.
    """

    TITLE = "Lab"
    KEY = "3"
    FIRST_FOCUS = "#prompt"
    FILTER_WORD = "edit"
    PAUSE_S: ClassVar[float] = 0.015
    AGAIN_S: ClassVar[float] = 1.0

    BINDING_GROUP_TITLE = "Lab"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "send", id="lab.send", tooltip="ask the model for real"),
        Binding("equals_sign", "compare", "compare", id="lab.compare", tooltip="ask two models side by side"),
        Binding("d", "diff", "diff", id="lab.diff", tooltip="what minimization takes away"),
        Binding("s", "store", "store", id="lab.store", tooltip="keep this answer in the caches"),
        Binding("z", "take_back", "undo store", show=False, id="lab.take_back"),
        Binding("t", "history", "history", id="lab.history", tooltip="prompts that were tried"),
        Binding("o", "field('model')", "model", id="lab.model", tooltip="which model to ask"),
        Binding("p", "field('system')", "system", show=False, id="lab.system"),
        Binding("u", "unfold", "unfold a pasted text", show=False, id="lab.unfold"),
    ]
    DEFAULT_CSS = STYLE

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._changed: tuple[int, Sequence[Changed]] | None = None
        self._comparing: asyncio.Task[None] | None = None
        self._live = False
        self._shown: tuple[object, ...] = ()

    # -- parts

    def compose(self) -> ComposeResult:
        with Horizontal(id="fields"):
            for name in ("model", "tenant", "system"):
                yield Painted(id=f"{name}-word")
                yield LineInput(id=name)
        yield PromptArea(id="prompt", classes="panel")
        with Horizontal(id="body"):
            yield LiveTable(COLUMNS, id="way", classes="panel", empty=_EMPTY)
            yield Reader(id="step", classes="panel")

    def on_mount(self) -> None:
        self.set_class(self.console_app.settings.charset == "ascii", "-ascii")
        for name in ("model", "tenant", "system"):
            self.query_one(f"#{name}-word", Painted).paint((((f"{name} ", "muted"),),))
        self.query_one("#model", LineInput).placeholder = "the usual one"
        self.query_one("#tenant", LineInput).placeholder = "none"
        self.query_one("#system", LineInput).placeholder = "no system prompt"
        self._editor.border_title = safe("Prompt")
        self._table.border_title = safe("The way of this call")
        self._show_step()
        self._say_length()

    def on_unmount(self) -> None:
        for task in (self._checking, self._comparing, self._acting):
            if task is not None:
                task.cancel()
        if self._trial is not None:
            self._trial.stop()

    @property
    def _charset(self) -> Charset:
        return self.console_app.settings.charset

    def on_resize(self, event: Resize) -> None:
        width, height = event.size
        self.set_class(width < _NARROW, "-narrow")
        self.set_class(_TALL > height >= 28 or height >= _TALL, "-tall")
        self.set_class(height >= _HUGE, "-huge")
        if width >= _NARROW:
            self.remove_class("-open")

    # -- the question

    @property
    def question(self) -> Question:
        """What stands in the fields now."""
        model, tenant, system = (
            self.query_one(f"#{name}", LineInput).value.strip() for name in ("model", "tenant", "system")
        )
        return Question(self._editor.prompt, model, system, tenant)

    def load(self, prompt: str, system: str = "", model: str = "", tenant: str = "") -> None:
        """Try another prompt; what stood here goes into the history."""
        self._keep()
        for name, value in (("model", model), ("tenant", tenant), ("system", system)):
            self.query_one(f"#{name}", LineInput).value = value
        self._editor.load(prompt)
        self._ask()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._say_length()
        self._ask()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._ask()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._table.focus()

    def _say_length(self) -> None:
        length = self._editor.length
        words = f"{count(length)} characters" if length else ""
        if str(self._editor.border_subtitle or "") != words:
            self._editor.border_subtitle = safe(words)

    # -- checking

    @property
    def fresh(self) -> bool:
        """Whether what is shown answers what is written."""
        return self._found is not None and self._found[0] == self._number

    async def settle(self) -> None:
        """Wait until everything that was asked is answered."""
        while True:
            running = {
                t for t in (self._checking, self._comparing, self._acting) if t is not None and not t.done()
            }
            if not running:
                break
            await asyncio.wait(running)
        if self._trial is not None:
            await self._trial.settle()

    def show_link(self, link: Link) -> None:
        was, self._live = self._live, link.state == "live"
        if self._live and not was:
            self._prepare()
            if not self.fresh:
                self._ask()
        self.refresh_bindings()

    def _prepare(self) -> None:
        """Load what the first answer needs while the first words are written."""

        async def work() -> None:
            models = await self._lab.models()
            if self.is_attached:
                self._models = models
                self.query_one("#model", LineInput).suggester = SuggestFromList(list(models))

        if not self._models:
            self._act(work())

    def show(self, view: LedgerView) -> None:
        """What is usual changes slowly: the next question takes it in."""

    def on_reveal(self) -> None:
        if self._live and self._found is not None:
            self._ask()

    def on_hide(self, _event: Hide) -> None:
        self._keep()

    def look_again(self) -> None:
        self._ask()

    def _ask(self) -> None:
        """Ask anew; what is on its way is dropped, unless stopping it would take longer than it does."""
        self._number += 1
        if not self._live:
            self._table.set_empty("Waiting for the connection: this page answers as soon as it is live.")
            return
        if not self._editor.text.strip():
            self._clear()
            return
        running = self._checking is not None and not self._checking.done()
        heavy = self._editor.length > _HEAVY
        if running and heavy:
            return  # Its work is in a thread: its end begins the next.
        if running and self._checking is not None:
            self._checking.cancel()
        if self._found is None:
            self._table.set_empty("Looking…")
        pause_s = self.PAUSE_S * (8 if heavy else 1)
        self._checking = asyncio.create_task(self._answer(pause_s), name="lab check")

    def _clear(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
        self._found, self._problem, self._trial = None, "", None
        self._table.set_empty(_EMPTY)
        self._draw()

    async def _answer(self, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        while True:
            number, question = self._number, self.question
            try:
                found = await self._lab.check(question, self.console_app.view)
            except Problem as problem:
                self._problem = str(problem)
                if number == self._number:
                    self._found = None
            except Exception as error:
                self._problem = f"an error inside the console ({type(error).__name__})"
                asyncio.get_running_loop().call_exception_handler({"message": "lab", "exception": error})
            else:
                if number == self._number:
                    self._problem = ""
                    self._found = (number, question, found)
            if number == self._number or not self.is_attached:
                break
        if not self.is_attached:
            return
        if self._problem:
            self._table.set_empty(self._problem)
        self._draw()
        if self._found is not None and self._waits(self._found[2]):
            self.set_timer(self.AGAIN_S, self._ask_again)

    @staticmethod
    def _waits(found: Check) -> bool:
        """Whether a better answer will come by itself: the router is still reading its examples."""
        return found.route.without_embedding and not found.problem

    def _ask_again(self) -> None:
        if self._found is not None and self.fresh and self._waits(self._found[2]):
            self._ask()

    # -- drawing

    def _draw(self) -> None:
        """Rows, title and the step under the cursor."""
        found = self._found[2] if self._found is not None else None
        made = rows(found, self._charset) if found is not None else []
        trial = self._trial
        if trial is not None:
            key = ANSWER if len(trial.checks) == 1 else COMPARE
            made.append(answer_row(key, trial.sent, trial.elapsed_ms))
        self._table.update_rows(made)
        words = ""
        if found is not None:
            about = ESTIMATE if found.tokens_estimated else ""
            words = f"{about}{count(found.input_tokens)} tokens · {milliseconds(found.took_ms)} ms"
        if self._problem:
            words = "not answered"
        if str(self._table.border_subtitle or "") != words:
            self._table.border_subtitle = safe(words)
        self._show_step()
        self.refresh_bindings()

    def _show_step(self) -> None:
        reader, key = self._reader, self._table.cursor_key or ""
        width = max(20, reader.content_size.width)
        found = self._found[2] if self._found is not None else None
        if self._trial is not None and key in (ANSWER, COMPARE):
            comings = self._trial.comings
            lines = answer_lines(comings[0], width) if key == ANSWER else compared_lines(comings, width)
            self._reader.border_title = safe("Answer" if key == ANSWER else "Two answers")
            reader.read(lines, keep_place=self._shown[:1] == (key,))
            self._shown = (key,)
            return
        if found is None or not key:
            self._shown = ()
            reader.border_title = safe("Step")
            words = self._problem or "the step under the cursor stands here in full"
            reader.paint(lambda across, down: centred(words, across, down))
            return
        changed = self._changes(found) if key == MINIMIZE else None
        shown = (key, width, found, changed)
        if shown != self._shown:
            same = self._shown[:1] == (key,)
            self._shown = shown
            reader.border_title = safe(title(key))
            reader.read(detail(found, key, width, self._charset, changed), keep_place=same)

    def _changes(self, found: Check) -> Sequence[Changed] | None:
        """What minimization changed, as soon as it is known."""
        assert self._found is not None
        if found.shortened is None or not found.shortened.saved:
            return ()
        number, question, _ = self._found
        if self._changed is not None and self._changed[0] == number:
            return self._changed[1]

        async def compare() -> None:
            lines = await self._lab.diff(question.prompt, found.minimized_text)
            self._changed = (number, lines)
            if self.is_attached:
                self._show_step()

        if self._comparing is None or self._comparing.done():
            self._comparing = asyncio.create_task(compare(), name="lab diff")
        return None

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        event.stop()
        self._show_step()
        self.refresh_bindings()

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        event.stop()
        self.action_open_step()

    def on_reader_refit(self, event: Reader.Refit) -> None:
        event.stop()
        self._show_step()

    # -- moving about

    def action_open_step(self) -> None:
        if self.has_class("-narrow"):
            self.add_class("-open")
        self._reader.focus()
        self.call_after_refresh(self._show_step)

    def action_diff(self) -> None:
        self._table.move_to(MINIMIZE)
        self.action_open_step()

    def action_field(self, name: str) -> None:
        self.query_one(f"#{name}", LineInput).focus()

    def action_unfold(self) -> None:
        if not self._editor.unfold():
            self.say(
                "a text that is large, or holds signs that don't show, stays folded: it is sent as it is"
            )

    def on_prompt_area_left(self, event: PromptArea.Left) -> None:
        event.stop()
        if not self._stop_trial():
            self.remove_class("-open")
            self._table.focus()

    def filter_widget(self) -> Widget | None:
        return self._editor

    def back(self) -> bool:
        focused = self.screen.focused
        if self._stop_trial():
            return True
        if self.has_class("-open") or focused is self._reader or isinstance(focused, LineInput):
            self.remove_class("-open")
            self._table.focus()
            return True
        return False

    # -- taking away

    def copyable(self, *, whole: bool = False) -> tuple[str, str] | None:
        if self._trial is not None and self._table.cursor_key in (ANSWER, COMPARE) and not whole:
            return "answer", copied(self._trial.comings)
        if self._found is None:
            return None
        found = self._found[2]
        if whole:
            from costconsole.commands.check import as_document

            return "check", json.dumps(as_document(found))
        key = (self._table.cursor_key or "").partition("\0")[0]
        if key == "exact" and found.exact_key:
            return "key of the exact entry", found.exact_key
        if key == "semantic" and found.neighbors:
            return "key of the nearest entry", found.neighbors[0].key
        return "prompt as it is sent", found.minimized_text

    def exportable(self) -> Export | None:
        return export_check(self._found[2], self._table.cursor_key or "") if self._found else None
