"""Keys: the console's own bindings, how keys are called, and the user's own keys checked.

Every binding has an id, under which the config's `[keys]` table may give it another key. Help, palette and
footer are made from what is bound at that moment; there is no other list of keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from textual.binding import Binding

from costconsole.domain.errors import UsageProblem
from costconsole.settings import nearest

APP_BINDINGS = (
    Binding("question_mark,f1", "help", "help", id="app.help"),
    Binding("colon,ctrl+p", "commands", "commands", id="app.commands"),
    # Before the focused widget: what is typed behind it in one go belongs into the search line already.
    Binding("slash", "filter", "filter", priority=True, id="app.filter"),
    Binding("space", "pause", "pause", id="app.pause"),
    Binding("left_square_bracket", "window(-1)", "shorter window", id="app.window_shorter"),
    Binding("right_square_bracket", "window(1)", "longer window", id="app.window_longer"),
    Binding("y", "copy", "copy", id="app.copy"),
    Binding("Y", "copy_row", "copy the row as JSON", show=False, id="app.copy_row"),
    Binding("e", "export", "export", id="app.export"),
    Binding("E", "export('svg')", "export a picture (SVG)", show=False, id="app.picture"),
    Binding("m", "maximise", "maximise the panel", show=False, id="app.maximise"),
    Binding("ctrl+r", "refresh_now", "refresh now", show=False, id="app.refresh"),
    Binding("plus", "slower", "refresh less often", show=False, id="app.slower"),
    Binding("minus", "faster", "refresh more often", show=False, id="app.faster"),
    Binding("tab", "focus_next", "next panel", show=False, id="app.next"),
    Binding("shift+tab", "focus_previous", "panel before", show=False, id="app.previous"),
    Binding("escape", "back", "back one level", show=False, id="app.back"),
    Binding("q", "quit", "quit", id="app.quit"),
    Binding("ctrl+q", "quit", "quit from anywhere", show=False, priority=True, id="app.quit_anywhere"),
    Binding("ctrl+z", "suspend_process", "suspend to the shell", show=False, id="app.suspend"),
    Binding("ctrl+c", "help_quit", "say how to quit", show=False, id="app.interrupt"),
)

_NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "equals_sign": "=",
    "full_stop": ".",
    "comma": ",",
    "exclamation_mark": "!",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_KEY = re.compile(r"(?:(?:ctrl|alt|shift|super)\+)*(?:[a-zA-Z0-9]|[a-z][a-z_]*|f\d\d?)")


def key_name(key: str) -> str:
    """A key as people write it: `question_mark` -> `?`."""
    *modifiers, last = key.split("+")
    return "+".join([*modifiers, _NAMES.get(last, last)])


def full_keys(keys: str) -> str:
    """The names that bindings use: `?` -> `question_mark`. Raises ValueError for what is no key."""
    found: list[str] = []
    for key in [","] if keys.strip() == "," else keys.split(","):
        key = key.strip()
        full = next(iter(Binding.make_bindings([Binding(key, "", "x")]))).key if len(key) == 1 else key
        if not _KEY.fullmatch(full):
            raise ValueError(key)
        found.append(full)
    return ",".join(found)


Contexts = Mapping[str, Sequence[Binding]]
"""Bindings by where they hold: `everywhere`, and each page or widget by its title."""


def check_keymap(keymap: Mapping[str, str], contexts: Contexts, origin: str) -> dict[str, str]:
    """The user's keys by binding id, in full names.

    Raises UsageProblem for an action that doesn't exist, for what is no key, and for a key that two actions
    would share where both hold.
    """
    by_id = {b.id: b for bindings in contexts.values() for b in bindings if b.id is not None}
    checked: dict[str, str] = {}
    for action, keys in keymap.items():
        if action not in by_id:
            raise UsageProblem(f"{origin}, keys: unknown action {action!r}; {nearest(action, by_id)}")
        try:
            checked[action] = full_keys(keys)
        except ValueError as wrong:
            raise UsageProblem(
                f"{origin}, keys.{action}: {str(wrong)!r} is no key; write one such as p, F5 or ctrl+p"
            ) from None
    for context, bindings in contexts.items():
        _check_clashes(context, [*contexts.get("everywhere", ()), *bindings], checked, origin)
    return checked


def _check_clashes(
    context: str, bindings: Iterable[Binding], checked: Mapping[str, str], origin: str
) -> None:
    taken: dict[str, str] = {}
    for binding in bindings:
        action = binding.id or binding.action
        for key in checked.get(action, binding.key).split(","):
            other = taken.setdefault(key, action)
            if other != action and (action in checked or other in checked):
                mine, theirs = (action, other) if action in checked else (other, action)
                where = "" if context == "everywhere" else f" on {context}"
                raise UsageProblem(
                    f"{origin}, keys.{mine}: the key {key_name(key)!r} is taken by {theirs}{where}: "
                    "choose another, or give that one a key of its own"
                )


def all_bindings() -> dict[str, list[Binding]]:
    """All bindings by where they hold. Imports every page."""
    from costconsole.console.pages import PAGES, page_bindings
    from costconsole.console.widgets.table import LiveTable

    contexts = {
        "everywhere": [*Binding.make_bindings(APP_BINDINGS), *page_bindings(PAGES)],
        "a table": bindings_of(LiveTable),
    }
    for entry in PAGES:
        contexts[entry.title] = [*bindings_of(LiveTable), *bindings_of(entry.load())]
    return contexts


def bindings_of(owner: type) -> list[Binding]:
    """What a widget class binds, one entry for each key."""
    return list(Binding.make_bindings(owner.__dict__.get("BINDINGS", ())))
