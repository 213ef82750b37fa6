"""Labelling: one drawn pair at a time, kept at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from costconsole.cache.guards import differences
from costconsole.calibration.events import FLOOR, Event, Verdict
from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_reader import Reader
from costconsole.console.screens.entries_wrap import wrap, wrap_text
from costconsole.console.screens.thresholds_words import marked, missing_words, number, text_words
from costconsole.console.sheet import Sheet
from costconsole.console.source import Thresholds
from costconsole.console.threshold_view import Kept, Pairs, ThresholdView
from costconsole.console.widgets.painted import Line, Painted
from costconsole.domain.errors import Problem
from costconsole.domain.format import similarity
from costconsole.domain.text import visible

BATCH = 50
_LONGEST = 2_000
_SAID: dict[Verdict, str] = {
    "same": "same",
    "different": "different",
    "unsure": "unsure: counts as different",
}
_KINDS = {"number": "numbers", "entity": "names", "negation": "negations", "antonym": "opposites"}


class LabelSheet(Sheet):
    """Asks of each pair whether the cached answer would have been right. `look` reads the view anew, `ended`
    is called with the newest one when the sheet is left."""

    BINDING_GROUP_TITLE = "Labels"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "say('same')", "same", id="labels.same"),
        Binding("d", "say('different')", "different", id="labels.different"),
        Binding("question_mark", "say('unsure')", "unsure", id="labels.unsure"),
        Binding("u,z", "undo", "undo", id="labels.undo"),
        Binding("q", "close", "back", show=False, id="labels.close"),
    ]
    DEFAULT_CSS = """
    LabelSheet {
        #progress { height: 5; }
        #pair { height: 1fr; }
        #keys { height: 1; }
    }
    """

    def __init__(
        self,
        thresholds: Thresholds,
        view: ThresholdView,
        look: Callable[[], Awaitable[ThresholdView]],
        ended: Callable[[], None],
    ) -> None:
        super().__init__()
        self._thresholds = thresholds
        self._view = view
        self._look = look
        self._ended = ended
        self._pairs: Pairs | None = None
        self._at = 0
        self._done: list[tuple[Kept, int]] = []
        self._words: tuple[str, str] = ("", "muted")
        self._busy = False

    def compose(self) -> ComposeResult:
        yield Static(
            join(
                safe("Would the cached answer have been right?", "accent"),
                safe(f"   {self._view.scope.words}", "muted"),
            ),
            classes="sheet-title",
        )
        yield Painted(id="progress")
        yield Reader(id="pair")
        yield Painted(id="keys")

    def on_mount(self) -> None:
        keys: Line = (
            ("s", "accent"), (" same  ", "text"), ("d", "accent"), (" different  ", "text"),
            ("?", "accent"), (" unsure  ", "text"), ("u", "accent"), (" undo  ", "text"),
            ("esc", "accent"), (" leave", "text"),
        )  # fmt: skip
        self.query_one("#keys", Painted).paint((keys,))
        self.query_one(Reader).focus()
        self.query_one(Reader).read(wrap_text("drawing pairs…", 60, "muted"))
        self.run_worker(self._draw(), exit_on_error=False)

    @property
    def event(self) -> Event | None:
        """The pair on screen."""
        pairs = self._pairs
        return pairs.events[self._at] if pairs is not None and self._at < len(pairs.events) else None

    async def _draw(self) -> None:
        try:
            self._pairs = await self._thresholds.pairs(self._view, BATCH)
        except Problem as problem:
            self._say(str(problem), bad=True)
            return
        self._at = 0
        self._show()

    def on_reader_refit(self, event: Reader.Refit) -> None:
        event.stop()
        self._show()

    # -- saying

    def action_say(self, verdict: Verdict) -> None:
        event = self.event
        if event is not None and not self._busy:
            self._busy = True
            self.run_worker(self._keep(event, verdict), exit_on_error=False)

    async def _keep(self, event: Event, verdict: Verdict) -> None:
        try:
            kept = await self._thresholds.label(event, verdict)
        except Problem as problem:
            self._say(f"not kept: {problem}", bad=True)
            return
        finally:
            self._busy = False
        self._done.append((kept, self._at))
        self._at += 1
        self._say(f"kept: {_SAID[verdict]}")
        self._after()

    def action_undo(self) -> None:
        if not self._done:
            self._say("there is nothing to undo: labels of before are changed by labelling their pair again")
        elif not self._busy:
            self._busy = True
            self.run_worker(self._undo(), exit_on_error=False)

    async def _undo(self) -> None:
        kept, at = self._done[-1]
        try:
            await self._thresholds.unlabel(kept)
        except Problem as problem:
            self._say(f"not undone: {problem}", bad=True)
            return
        finally:
            self._busy = False
        self._done.pop()
        self._at = at
        self._say("taken back")
        self._after()

    def _after(self) -> None:
        self._show()
        self.run_worker(self._recount(), group="recount", exclusive=True, exit_on_error=False)

    async def _recount(self) -> None:
        try:
            self._view = await self._look()
        except Problem:
            # The label is kept; how many are missing is read with the next one.
            return
        self._progress()

    def action_close(self) -> None:
        self.dismiss()
        self._ended()

    # -- showing

    def _say(self, words: str, *, bad: bool = False) -> None:
        self._words = (visible(words), "bad" if bad else "strong")
        self._progress()

    def _progress(self) -> None:
        view, pairs, words = self._view, self._pairs, self._words
        done = len(self._done)

        def lines(width: int, _height: int) -> list[Line]:
            first = f"{done} labelled now · {view.proposal.labels:,} count for {number(view.current)}"
            drawn = ""
            if pairs is not None and pairs.events:
                first += f" · pair {min(self._at + 1, len(pairs.events))} of {len(pairs.events)}"
                drawn = f"{100 * pairs.wide // len(pairs.events)} % drawn uniformly from {number(FLOOR)} on, "
                drawn += f"the rest from {number(pairs.drawn_from)}"
                drawn += f"; {pairs.gone:,} drawn are gone" if pairs.gone else ""
            said: list[Line] = [((first, "strong"),), ((drawn, "muted"),), *missing_words(view)]
            return [*said, (words,)]

        self.query_one("#progress", Painted).paint(lines)

    def _show(self) -> None:
        self._progress()
        reader = self.query_one(Reader)
        width = max(30, reader.content_size.width)
        event = self.event
        if event is not None:
            reader.read(pair_lines(event, width, text_words(self._view)))
        elif self._pairs is not None:
            reader.read(wrap_text(self._nothing(self._pairs), width, "text"))

    def _nothing(self, pairs: Pairs) -> str:
        if pairs.events:
            return "That was the last pair of these. Leave with esc, and l draws others."
        said = text_words(self._view) if self._view.texts == "off" else ""
        gone = f" {pairs.gone:,} that were drawn have lost their cached prompt." if pairs.gone else ""
        return said or f"There is nothing to label under {number(self._view.current)}.{gone}"


def pair_lines(event: Event, width: int, note: str) -> list[Line]:
    """A pair in full: what was asked, what was cached and answered, and what differs."""
    query, cached = marked(event.query[:_LONGEST], event.cached[:_LONGEST])
    met = "a hit" if event.hit else "not a hit"
    lines: list[Line] = [
        (("similarity ", "muted"), (similarity(event.similarity), "strong"), (f"   it was {met}", "muted")),
        (),
        (("asked", "muted"),),
        *wrap(query, width),
        (),
        (("cached", "muted"),),
        *wrap(cached, width),
        (),
    ]
    lines += difference_lines(event, width)
    lines += [(("its answer", "muted"),)]
    answer = visible(event.answer[:_LONGEST], multiline=True)
    lines += wrap_text(answer or "(not stored)", width)
    if note:
        lines += [(), *wrap_text(note, width, "muted")]
    return lines


def difference_lines(event: Event, width: int) -> list[Line]:
    """Numbers, names, negations and opposites that differ, by kind: `numbers ‹30› / ‹60›`."""
    spans = differences(event.query[:_LONGEST], event.cached[:_LONGEST])
    lines: list[Line] = []
    for kind, word in _KINDS.items():
        sides = [
            ", ".join(visible(span.text) for span in spans if span.kind == kind and span.side == side)
            for side in ("query", "cached")
        ]
        if any(sides):
            lines += wrap(
                ((f"{word} differ  ", "muted"), (f"{sides[0] or 'none'} / {sides[1] or 'none'}", "warn")),
                width,
            )
    return [*lines, ()] if lines else []
