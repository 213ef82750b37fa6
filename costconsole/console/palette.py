"""The command palette: every action by name, found by typing some of its letters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from costconsole.console.safe import safe
from costconsole.console.sheet import Sheet
from costconsole.console.widgets.table import Column, LiveTable, Row


@dataclass(frozen=True, slots=True)
class Command:
    """Something to run by name. `aliases` are typed whole; `preview` shows its effect before it is chosen."""

    title: str
    run: Callable[[], Awaitable[object] | object]
    key: str = ""
    group: str = ""
    aliases: tuple[str, ...] = ()
    preview: Callable[[], None] | None = None
    why_not: str = ""


def score(command: Command, typed: str) -> int:
    """How well a command fits what was typed: 0 not at all, 6 exactly."""
    title = command.title.lower()
    if not typed:
        return 1
    if typed in command.aliases or typed == title:
        return 6
    if any(alias.startswith(typed) for alias in command.aliases):
        return 5
    if title.startswith(typed):
        return 4
    if any(word.startswith(typed) for word in title.split()):
        return 3
    if typed in title:
        return 2
    letters = iter(title)
    return int(all(letter in letters for letter in typed))


def find(commands: Iterable[Command], typed: str) -> list[Command]:
    """Commands that fit, best first, else in their order."""
    wanted = typed.lower().strip().removeprefix(":").strip()
    scored = [(score(command, wanted), command) for command in commands]
    return [command for s, command in sorted(scored, key=lambda pair: -pair[0]) if s]


class Palette(Sheet):
    """Runs the chosen command after it has closed. `more(text)` makes commands out of what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "down", show=False, id="palette.down"),
        Binding("up", "move(-1)", "up", show=False, id="palette.up"),
        Binding("pagedown", "move(10)", "page down", show=False, id="palette.page_down"),
        Binding("pageup", "move(-10)", "page up", show=False, id="palette.page_up"),
    ]

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        more: Callable[[str], Sequence[Command]],
        chosen: Callable[[Command], None],
        closed: Callable[[], None],
        typed: str = "",
    ) -> None:
        super().__init__()
        self._commands = commands
        self._more = more
        self._chosen = chosen
        self._left = closed
        self._typed = typed
        self._found: list[Command] = []

    def compose(self) -> ComposeResult:
        yield Static(safe("Commands", "accent"), classes="sheet-title")
        field = Input(self._typed, placeholder="what to do", select_on_focus=False, id="palette-input")
        field.cursor_blink = False
        yield field
        yield LiveTable(
            [
                Column("title", "command", 30, flex=True),
                Column("group", "where", 12),
                Column("key", "key", 12),
            ],
            empty="no command has these letters; Esc goes back",
            id="palette-list",
        )

    def on_mount(self) -> None:
        self.query_one(LiveTable).can_focus = False
        self.set_focus(self.query_one(Input))
        self._search(self._typed)

    @on(Input.Changed)
    def _typed_more(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, typed: str) -> None:
        self._found = [*self._more(typed.strip().removeprefix(":").strip()), *find(self._commands, typed)]
        table = self.query_one(LiveTable)
        table.update_rows(
            [
                Row(
                    str(n),
                    (
                        safe(command.title) if not command.why_not else safe(f"({command.title})", "faint"),
                        safe(command.group, "muted"),
                        safe(command.key, "accent"),
                    ),
                )
                for n, command in enumerate(self._found)
            ]
        )
        table.move_to("0")
        self._preview("0")

    @on(LiveTable.RowHighlighted)
    def _highlighted(self, event: LiveTable.RowHighlighted) -> None:
        self._preview(event.key)

    def _preview(self, key: str | None) -> None:
        command = self._command(key)
        if command is not None and command.preview is not None:
            command.preview()

    @on(LiveTable.RowSelected)
    @on(Input.Submitted)
    def _run(self, _event: object) -> None:
        command = self._command(self.query_one(LiveTable).cursor_key)
        self.dismiss()
        if command is None:
            self._left()
        else:
            self._chosen(command)

    def _command(self, key: str | None) -> Command | None:
        return self._found[int(key)] if key is not None and int(key) < len(self._found) else None

    def action_close(self) -> None:
        self._left()
        self.dismiss()

    def action_move(self, rows: int) -> None:
        self.query_one(LiveTable).action_move(rows)
