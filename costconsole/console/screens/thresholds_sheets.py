"""Sheets of the page of thresholds: a question before something is changed, and the guards' switches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from costconsole.console.safe import join, safe
from costconsole.console.screens.entries_wrap import wrap
from costconsole.console.sheet import Sheet
from costconsole.console.threshold_view import GuardLine
from costconsole.console.widgets.painted import Line, Painted, fit, width_of


class AskSheet(Sheet):
    """Says what would be done and asks once. No is the default: Esc, n and Enter change nothing."""

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Sure?"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="ask.yes"),
        Binding("n,enter,q", "close", "no", id="ask.no"),
    ]
    DEFAULT_CSS = """
    AskSheet {
        #said { height: 1fr; }
        #question { height: 1; }
    }
    """

    def __init__(
        self,
        title: str,
        lines: Sequence[Line],
        confirmed: Callable[[], None],
        *,
        yes: str,
        no: str = "leave it as it is",
    ) -> None:
        super().__init__()
        self._title = title
        self._lines = tuple(lines)
        self._confirmed = confirmed
        self._words = (yes, no)

    def compose(self) -> ComposeResult:
        yield Static(safe(self._title, "accent"), classes="sheet-title")
        yield Painted(id="said")
        yield Painted(id="question")

    def on_mount(self) -> None:
        lines = self._lines

        def folded(width: int, _height: int) -> list[Line]:
            # What fits stays as it is: folding would take the space that keeps columns apart.
            return [
                part for line in lines for part in (wrap(line, width) if width_of(line) > width else [line])
            ]

        self.query_one("#said", Painted).paint(folded)
        yes, no = self._words
        question: Line = (
            ("y", "accent"),
            (f" {yes}   ", "text"),
            ("n", "accent"),
            (f" {no} (Enter)", "text"),
        )
        self.query_one("#question", Painted).paint((question,))

    def action_yes(self) -> None:
        self.dismiss()
        self._confirmed()


class GuardSheet(Sheet):
    """The guards with what they do; a digit chooses one to switch, with `chosen`."""

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "Guards"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "back", show=False, id="guards.close"),
        *(Binding(str(n), f"choose({n})", "switch", show=False, id=f"guards.{n}") for n in range(1, 5)),
    ]
    DEFAULT_CSS = "GuardSheet { #guards { height: 1fr; } }"

    def __init__(self, guards: Sequence[GuardLine], chosen: Callable[[GuardLine], None]) -> None:
        super().__init__()
        self._guards = tuple(guards)
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        yield Static(
            join(safe("Guards", "accent"), safe("   1 to 4 switches one   esc back", "muted")),
            classes="sheet-title",
        )
        yield Painted(id="guards")

    def on_mount(self) -> None:
        self.query_one("#guards", Painted).paint(lambda width, _height: switch_lines(self._guards, width))

    def action_choose(self, number: int) -> None:
        if number <= len(self._guards):
            self.dismiss()
            self._chosen(self._guards[number - 1])


def switch_lines(guards: Sequence[GuardLine], width: int) -> list[Line]:
    """Each guard with its switch, what it refused, and how it fires on labelled pairs."""
    lines: list[Line] = []
    for n, guard in enumerate(guards, 1):
        mark, ink = ("✓ on ", "good") if guard.on else ("– off", "warn")
        lines.append(((f"{n} ", "accent"), (fit(guard.name, 10), "strong"), (mark, ink)))
        lines += [
            (("  ", "text"), *line) for line in wrap(((effect_words(guard), "text"),), max(8, width - 2))
        ]
        lines.append(())
    note = (
        "A guard that is on refuses a hit for which it fires, however near it is. One that fires on same "
        "pairs costs hits; one that never fires on different ones keeps nothing wrong away."
    )
    return [*lines, *wrap(((note, "muted"),), width)]


def effect_words(guard: GuardLine) -> str:
    """What a guard does, measured on labels and counted in the log."""
    effect = guard.effect
    if not effect.n:
        fires = "no labelled pair says yet what it does"
    else:
        fires = (
            f"fires on {effect.fires_same} of {effect.same} pairs labelled same, on "
            f"{effect.fires_different} of {effect.different} labelled different"
        )
        if effect.ratio is not None:
            fires += f" ({effect.ratio:.1f} times as often)"
    return f"{fires}; refused {guard.refused:,} logged look-ups"
