"""A page that covers the whole screen until it is closed: help, commands.

It is opaque, and the screen under it is not painted meanwhile: a translucent one would have to be composed
with what lies under it at every refresh.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from costconsole.console.widgets.painted import INKS


class Sheet(ModalScreen[None]):
    """Closed by Esc."""

    BINDING_GROUP_TITLE = "This sheet"
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"ink--{ink}" for ink in INKS}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "back", id="sheet.close"),
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
    ]

    def action_close(self) -> None:
        self.dismiss()
