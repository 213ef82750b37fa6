"""Inks: what the words for styles (`muted`, `bad`, `cursor`) look like under the theme of the moment.

They are worked out here and not by component classes in a stylesheet: each of those is a node of its own that
Textual matches against every rule, for every widget, which would double the time to the first paint.
"""

from __future__ import annotations

from functools import lru_cache

from textual.color import Color
from textual.style import Style
from textual.theme import Theme
from textual.widget import Widget

# Ink: colour of the theme, background of the theme, weight; and the weight where the terminal's own colours
# are used, in which a tint says little.
_INKS: dict[str, tuple[str, str, str, str]] = {
    "text": ("foreground", "", "", ""),
    "strong": ("foreground", "", "bold", "bold"),
    "muted": ("muted", "", "", "dim"),
    "faint": ("faint", "", "", "dim"),
    "accent": ("accent", "", "", ""),
    "second": ("secondary", "", "", ""),
    "good": ("success", "", "", ""),
    "warn": ("warning", "", "bold", "bold"),
    "bad": ("error", "", "bold", "bold"),
    "old": ("muted", "", "", "dim"),
    "tab": ("background", "accent", "bold", "bold reverse"),
    "heading": ("muted", "", "", "dim"),
    "sorted": ("foreground", "", "bold", "bold"),
    "cursor": ("", "cursor-row", "bold", "reverse"),
    "cursor-blurred": ("", "panel", "", "underline"),
    "divider": ("accent", "", "", ""),
}
_BACKGROUNDS = ("cursor", "cursor-blurred", "tab")


@lru_cache(maxsize=256)
def ink_style(ink: str, theme_key: tuple[tuple[str, str], ...], ansi: bool) -> Style:
    """What an ink adds to the style under it. Raises KeyError for a word that is no ink."""
    front, back, weight, ansi_weight = _INKS[ink]
    colors = dict(theme_key)
    words = (ansi_weight if ansi else weight).split()
    # On the terminal's own background a background is inversion or nothing.
    front, back = ("", "") if ansi and back else (front, back)
    return Style(
        Color.parse(colors[back]) if back else None,
        Color.parse(colors[front]) if front else None,
        bold="bold" in words,
        dim="dim" in words,
        reverse="reverse" in words,
        underline="underline" in words,
    )


def theme_key(theme: Theme) -> tuple[tuple[str, str], ...]:
    """The colours that inks are made of."""
    own = {name: theme.variables.get(name) or theme.foreground for name in ("muted", "faint", "cursor-row")}
    named = {
        name: getattr(theme, name)
        for name in (
            "foreground",
            "background",
            "panel",
            "accent",
            "secondary",
            "success",
            "warning",
            "error",
        )
    }
    return tuple((name, color or "ansi_default") for name, color in {**named, **own}.items())


class Inks:
    """The inks of one widget, kept until its styles change (call `clear` then).

    While the figures on the stage are old (class `-stale` above the widget), every ink but the cursor's
    is `old`.
    """

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._known: dict[str, Style] = {}

    def clear(self) -> None:
        self._known.clear()

    def __getitem__(self, ink: str) -> Style:
        """What the ink adds to the style under it."""
        style = self._known.get(ink)
        if style is None:
            theme = self._widget.app.current_theme
            stale = any(node.has_class("-stale") for node in self._widget.ancestors)
            shown = "old" if stale and ink not in _BACKGROUNDS else ink
            style = self._known[ink] = ink_style(shown, theme_key(theme), theme.ansi)
        return style
