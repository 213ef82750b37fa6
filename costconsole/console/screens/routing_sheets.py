"""Small sheets of the Routing page: asking for one line, and asking before something is changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_wrap import wrap
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.painted import Line, Painted
from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible


class AskSheet(Sheet):
    """Asks for one line. `chosen` gets it, and raises UsageProblem with what is wrong with it."""

    BINDING_GROUP_TITLE = "Asking"
    DEFAULT_CSS = """
    AskSheet {
        #about { height: 1; margin-bottom: 1; }
        #answer { width: 1fr; }
        #wrong { height: 3; margin-top: 1; }
    }
    """

    def __init__(
        self,
        title: str,
        about: Sequence[str],
        chosen: Callable[[str], None],
        *,
        value: str = "",
        hint: str = "",
        leave: str = "esc leaves it as it is",
    ) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._chosen = chosen
        self._value = value
        self._hint = hint
        self._leave = leave

    def compose(self) -> ComposeResult:
        yield Static(
            join(safe(self._title, "accent"), safe(f"   {self._leave}", "muted")), classes="sheet-title"
        )
        yield Painted(id="about")
        field = Input(visible(self._value), placeholder=self._hint, select_on_focus=False, id="answer")
        field.cursor_blink = False
        yield field
        yield Painted(id="wrong")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))
        self.on_resize()

    def on_resize(self) -> None:
        about = self.query_one("#about", Painted)
        lines = folded(self._about, max(40, self.size.width - 4))
        about.styles.height = max(1, len(lines))
        about.paint(lines)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self._chosen(event.value.strip())
        except UsageProblem as problem:
            lines = wrap(((visible(str(problem)), "warn"),), max(40, self.size.width - 4))
            self.query_one("#wrong", Painted).paint(lines[:3])


class YesSheet(Sheet):
    """Asks before something is changed. No is what happens by default."""

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Asking"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "do it", id="routing.yes"),
        Binding("n,enter,q", "close", "leave it", id="routing.no"),
    ]
    DEFAULT_CSS = """
    YesSheet {
        #about { height: 1; }
        #question { height: 1; margin-top: 1; }
    }
    """

    def __init__(self, title: str, about: Sequence[str], what: str, yes: Callable[[], None]) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._what = what
        self._yes = yes

    def compose(self) -> ComposeResult:
        yield Static(safe(self._title, "accent"), classes="sheet-title")
        yield Painted(id="about")
        yield Painted(id="question")

    def on_mount(self) -> None:
        self.query_one("#question", Painted).paint(
            (
                (
                    ("y", "accent"),
                    (f" {visible(self._what)}   ", "text"),
                    ("n", "accent"),
                    (" leave it (Enter)", "text"),
                ),
            )
        )
        self.on_resize()

    def on_resize(self) -> None:
        about = self.query_one("#about", Painted)
        lines = folded(self._about, max(40, self.size.width - 4))
        about.styles.height = max(1, len(lines))
        about.paint(lines)

    def action_yes(self) -> None:
        self.dismiss()
        self._yes()


def folded(paragraphs: Sequence[str], width: int) -> list[Line]:
    """Paragraphs in lines of this width."""
    return [line for words in paragraphs for line in wrap(((visible(words), "text"),), width)]
