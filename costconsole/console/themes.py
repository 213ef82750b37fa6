"""Themes: one TOML file each, ours in the package and the user's own beside the configuration.

A file holds `title`, `dark`, `ansi` and a table `[colors]` with the names in `COLORS`; `[variables]` may set
any variable of Textual. The file's name is the theme's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.color import Color, ColorParseError
from textual.theme import Theme

from costconsole.domain.errors import UsageProblem
from costconsole.settings import nearest, user_config_dir

TERMINAL = "terminal"
"""The theme of the terminal's own colours: for 16 colours and fewer."""
FALLBACK = "costconsole-dark"

COLORS = (
    "background",
    "surface",
    "panel",
    "foreground",
    "muted",
    "faint",
    "accent",
    "secondary",
    "success",
    "warning",
    "error",
    "cursor",
)


class ThemeProblem(Exception):
    """A theme file that can't be used; the text names the file and the key."""


@dataclass(frozen=True, slots=True)
class ThemeFile:
    name: str
    path: Path

    def read(self) -> Theme:
        """Raises ThemeProblem."""
        try:
            found = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ThemeProblem(f"theme file {self.path}: {error}") from None
        return _theme(self, found)


def theme_files() -> dict[str, ThemeFile]:
    """Every theme by name; a user's file takes the place of ours of that name."""
    found: dict[str, ThemeFile] = {}
    for folder in (_packaged(), user_config_dir() / "themes"):
        if folder.is_dir():
            for path in sorted(folder.glob("*.toml")):
                found[path.stem] = ThemeFile(path.stem, path)
    return found


def choose_theme(name: str, colors: int, origin: str = "") -> tuple[Theme, str]:
    """The theme to start with, and a warning or "".

    With 16 colours or fewer it is the terminal's own, unless the user chose one that uses only those.
    Raises UsageProblem for a name that no file has.
    """
    files = theme_files()
    if name not in files:
        where = f" ({origin})" if origin else ""
        raise UsageProblem(f"there is no theme {name!r}{where}: choose one of {', '.join(sorted(files))}")
    warning = ""
    try:
        theme = files[name].read()
    except ThemeProblem as problem:
        theme, warning = files[FALLBACK].read(), str(problem)
    if colors <= 16 and not theme.ansi:
        theme = files[TERMINAL].read()
    return theme, warning


def read_themes() -> tuple[list[Theme], list[str]]:
    """All themes that can be used, and one sentence for each file that can't."""
    themes: list[Theme] = []
    problems: list[str] = []
    for file in theme_files().values():
        try:
            themes.append(file.read())
        except ThemeProblem as problem:
            problems.append(str(problem))
    return themes, problems


def _packaged() -> Path:
    inside = Path(__file__).parent.parent / "themes"
    return inside if inside.is_dir() else Path(__file__).parent.parent.parent / "themes"


def _theme(file: ThemeFile, found: Mapping[str, object]) -> Theme:
    known = ("title", "dark", "ansi", "colors", "variables")
    for key in found:
        if key not in known:
            raise ThemeProblem(f"theme file {file.path}: unknown key {key!r}; {nearest(key, known)}")
    dark, ansi = found.get("dark", True), found.get("ansi", False)
    for key, value in (("dark", dark), ("ansi", ansi)):
        if not isinstance(value, bool):
            raise ThemeProblem(f"theme file {file.path}: {key!r} must be true or false")
    colors = _colors(file, found.get("colors"))
    variables = found.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        raise ThemeProblem(f"theme file {file.path}: 'variables' must be a table of texts")
    return Theme(
        name=file.name,
        dark=bool(dark),
        ansi=bool(ansi),
        primary=colors["accent"],
        secondary=colors["secondary"],
        accent=colors["accent"],
        foreground=colors["foreground"],
        background=colors["background"],
        surface=colors["surface"],
        panel=colors["panel"],
        success=colors["success"],
        warning=colors["warning"],
        error=colors["error"],
        variables={**_derived(colors), **variables},
    )


def _colors(file: ThemeFile, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ThemeProblem(f"theme file {file.path}: the table [colors] is missing")
    for key, value in table.items():
        if key not in COLORS:
            raise ThemeProblem(f"theme file {file.path}: unknown colour {key!r}; {nearest(key, COLORS)}")
        try:
            Color.parse(value)
        except (ColorParseError, TypeError, AttributeError):
            raise ThemeProblem(f"theme file {file.path}: colors.{key} is no colour: {value!r}") from None
    missing = [key for key in COLORS if key not in table]
    if missing:
        raise ThemeProblem(f"theme file {file.path}: colors.{missing[0]} is missing")
    return table


def _derived(colors: Mapping[str, str]) -> dict[str, str]:
    """Textual's own variables, and ours, from a theme's colours: nothing is mixed, so 256 colours suffice."""
    return {
        "muted": colors["muted"],
        "faint": colors["faint"],
        "cursor-row": colors["cursor"],
        "text-muted": colors["muted"],
        "text-disabled": colors["faint"],
        "text-success": colors["success"],
        "text-warning": colors["warning"],
        "text-error": colors["error"],
        "text-accent": colors["accent"],
        "border": colors["accent"],
        "border-blurred": colors["faint"],
        "scrollbar": colors["faint"],
        "scrollbar-hover": colors["muted"],
        "scrollbar-active": colors["accent"],
        "scrollbar-background": colors["background"],
        "scrollbar-background-hover": colors["background"],
        "scrollbar-background-active": colors["background"],
        "scrollbar-corner-color": colors["background"],
        "input-cursor-background": colors["foreground"],
        "input-cursor-foreground": colors["background"],
        "input-cursor-text-style": "reverse" if colors["background"] == "ansi_default" else "none",
        "input-selection-background": colors["cursor"],
        "ansi-background": colors["background"],
        "ansi-foreground": colors["foreground"],
    }


def variable_defaults() -> dict[str, str]:
    """Our own variables, for themes that were not made by us."""
    return {"muted": "ansi_default", "faint": "ansi_default", "cursor-row": "ansi_default"}
