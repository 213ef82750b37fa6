"""Asking before entries are evicted: what would go, and whether it can come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from costconsole.console.safe import safe
from costconsole.console.screens.entries_said import entries_words
from costconsole.console.screens.entries_wrap import wrap
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.painted import Line, Painted, Span, fit
from costconsole.domain.errors import Problem
from costconsole.domain.format import age, size
from costconsole.domain.text import first_words, visible

if TYPE_CHECKING:
    from costconsole.cache.outcome import Preview

TYPED_ABOVE = 20
"""Up to so many entries a key confirms; more need the count, or the cache's name, to be typed."""
_LABEL = 9


class ConfirmSheet(Sheet):
    """Shows what `look` finds, and calls `confirmed` with it when that is to be evicted.

    No is what happens by default: Esc, n, and Enter without the right words keep everything.
    """

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Evict"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "evict", id="confirm.yes"),
        Binding("n,enter,q", "close", "keep", id="confirm.no"),
    ]
    DEFAULT_CSS = """
    ConfirmSheet {
        #facts { height: 1; }
        #question { height: 1; margin-top: 1; }
        #typed { display: none; width: 40; }
        #wrong { height: 1; }
    }
    """

    def __init__(
        self,
        what: str,
        look: Callable[[], Awaitable[Preview]],
        confirmed: Callable[[Preview], None],
        *,
        now_ms: int,
    ) -> None:
        super().__init__()
        self._what = what
        self._look = look
        self._confirmed = confirmed
        self._now_ms = now_ms
        self._preview: Preview | None = None
        self._facts: Callable[[int], list[Line]] = partial(wrap, (("looking at what that is…", "muted"),))

    def compose(self) -> ComposeResult:
        yield Static(safe("Evict", "accent"), classes="sheet-title")
        yield Painted(id="facts")
        yield Painted(id="question")
        typed = Input(select_on_focus=False, id="typed")
        typed.cursor_blink = False
        yield typed
        yield Painted(id="wrong")

    def on_mount(self) -> None:
        self.run_worker(self._prepare(), exit_on_error=False)

    async def _prepare(self) -> None:
        try:
            preview = await self._look()
        except Problem as problem:
            self._facts = partial(wrap, ((visible(str(problem)), "bad"),))
            self._draw()
            self._ask((("esc back", "muted"),))
            return
        self._preview = preview
        title = f"Evict {entries_words(preview.count, at_least=not preview.complete)}?"
        self.query_one(".sheet-title", Static).update(safe(title, "accent"))
        self._facts = partial(preview_lines, preview, self._what, self._now_ms)
        self._draw()
        if not preview.count:
            words = (
                "nothing to evict" if preview.complete else "nothing among what could be looked at in time"
            )
            self._ask(((f"There is {words}. ", "text"), ("esc back", "muted")))
        elif self.is_typed:
            self._ask_for_words()
        else:
            self._ask((("y", "accent"), (" evict   ", "text"), ("n", "accent"), (" keep (Enter)", "text")))

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        facts = self.query_one("#facts", Painted)
        lines = self._facts(max(40, self.size.width - 4))
        # The question stays in sight, however little room there is.
        facts.styles.height = max(1, min(len(lines), self.size.height - 9))
        facts.paint(lines)

    @property
    def is_typed(self) -> bool:
        """Whether a key is too little to confirm."""
        preview = self._preview
        return preview is not None and (preview.count > TYPED_ABOVE or not preview.complete)

    @property
    def ready(self) -> bool:
        """Whether what would go is on screen."""
        return self._preview is not None

    def _ask(self, line: Line) -> None:
        self.query_one("#question", Painted).paint((line,))

    def _ask_for_words(self) -> None:
        words = [visible(word) for word in self._right_words()]
        line: list[Span] = [("Type ", "text")]
        for n, word in enumerate(words):
            line += [(" or ", "text")] if n else []
            line.append((word, "accent"))
        self._ask((*line, (" and Enter to evict; Esc keeps everything.", "text")))
        typed = self.query_one("#typed", Input)
        typed.display = True
        typed.focus()

    def _right_words(self) -> tuple[str, ...]:
        """What confirms: the count as it is shown, or the name of the one cache."""
        assert self._preview is not None
        count, caches = f"{self._preview.count:,}", self._preview.caches
        return (count, *(caches if len(caches) == 1 else ()))

    def action_yes(self) -> None:
        if self._preview is not None and self._preview.count and not self.is_typed:
            self._go()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed, right = event.value.strip(), self._right_words()
        if typed in right or typed == right[0].replace(",", ""):
            self._go()
        elif typed:
            self.query_one("#wrong", Painted).paint(
                ((("that is something else: nothing is evicted", "warn"),),)
            )

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#wrong", Painted).paint(())

    def _go(self) -> None:
        preview = self._preview
        assert preview is not None
        self.dismiss()
        self._confirmed(preview)


def preview_lines(preview: Preview, what: str, now_ms: int, width: int) -> list[Line]:
    """What would go, how much that is, whether it can come back, and some of it."""
    lines: list[Line] = []

    def fact(label: str, words: str, ink: str = "text") -> None:
        folded = wrap(((visible(words), ink),), max(20, width - _LABEL))
        for n, line in enumerate(folded):
            lines.append(((fit("" if n else label, _LABEL), "muted"), *line))

    fact("which", what)
    if preview.caches:
        fact("in", ", ".join(preview.caches))
    fact("size", "not known" if preview.bytes is None else f"≈ {size(preview.bytes)}")
    if preview.impossible:
        fact("undo", f"This cannot be undone: {preview.impossible}.", "bad")
    else:
        fact("undo", f"for {preview.undo_hours} hours: value, vector and time to live come back as they are")
    if preview.warning:
        fact("memory", preview.warning, "warn")
    if not preview.complete:
        about = "" if preview.about is None else f", of about {preview.about:,}"
        words = f"counting took too long{about}: all that match now are evicted, also those not counted"
        fact("count", words, "warn")
    lines.append(())
    if preview.sample:
        some = len(preview.sample) < preview.count
        lines.append(((f"The first {len(preview.sample)} of them" if some else "In words", "muted"),))
    for entry in preview.sample:
        stored = age(None if entry.created_ms is None else now_ms - entry.created_ms)
        tail = f"  {fit(first_words(entry.model, 18), 18)} {stored:>6}"
        prompt = visible(entry.key) if entry.prompt is None else first_words(entry.prompt, 300) or "(empty)"
        lines.append(((f"  {fit(prompt, max(10, width - len(tail) - 2))}", "text"), (tail, "muted")))
    return lines
