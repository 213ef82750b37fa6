"""The help sheet, made from what is bound right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from costconsole.console.keymap import key_name
from costconsole.console.safe import join, safe
from costconsole.console.sheet import Sheet


@dataclass(frozen=True, slots=True)
class BoundAction:
    """One action with all its keys. `group` says where it holds."""

    action: str
    group: str
    keys: tuple[str, ...]
    what: str
    enabled: bool
    binding: ActiveBinding


def bound_actions(active: Mapping[str, ActiveBinding]) -> list[BoundAction]:
    """Active bindings, one entry an action, in the order in which they are found: focused widget first."""
    found: dict[tuple[str, str], BoundAction] = {}
    for key, bound in active.items():
        if bound.binding.system or not bound.binding.description:
            continue
        group = getattr(type(bound.node), "BINDING_GROUP_TITLE", None) or "Everywhere"
        place = (group, bound.binding.id or bound.binding.action)
        before = found.get(place)
        keys = (*before.keys, key_name(key)) if before else (key_name(key),)
        found[place] = BoundAction(
            bound.binding.action, group, keys, bound.binding.description, bound.enabled, bound
        )
    return list(found.values())


def help_content(actions: Iterable[BoundAction]) -> Content:
    """Groups of keys and what they do; what can't be done now is dimmed and in brackets."""
    lines: list[Content] = []
    group = None
    for action in actions:
        if action.group != group:
            group = action.group
            lines += [safe("")] if lines else []
            lines.append(safe(group, "strong"))
        keys = "  ".join(action.keys)
        what = action.what if action.enabled else f"({action.what})"
        lines.append(
            join(safe(f"  {keys:<16} ", "accent"), safe(what, "text" if action.enabled else "faint"))
        )
    return join(*lines, between="\n")


class HelpSheet(Sheet):
    """Every key that does something where the user is, by group."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1,q", "close", "back", show=False, id="help.close"),
        Binding("j,down", "scroll(1)", "down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="help.up"),
    ]

    def __init__(self, active: Mapping[str, ActiveBinding]) -> None:
        super().__init__()
        self._actions = bound_actions(active)

    def compose(self) -> ComposeResult:
        yield Static(
            join(
                safe("Keys", "accent"), safe("   the config's [keys] table changes them   esc back", "muted")
            ),
            classes="sheet-title",
        )
        with VerticalScroll():
            yield Static(help_content(self._actions))

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
