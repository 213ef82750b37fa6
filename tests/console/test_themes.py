"""Theme files: ours are sound, a user's are checked and named, few colours take the terminal's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.color import Color

from costconsole.console import themes
from costconsole.domain.errors import UsageProblem
from costconsole.settings import user_config_dir

OURS = ("costconsole-dark", "costconsole-light", "high-contrast", "terminal")
TRUE = 1 << 24


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = user_config_dir() / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    for path in folder.iterdir():
        path.unlink()


def own(folder: Path, name: str, old: str = "", new: str = "") -> Path:
    """A theme of the user: our dark one with something replaced."""
    text = themes.theme_files()["costconsole-dark"].path.read_text()
    path = folder / f"{name}.toml"
    path.write_text(text.replace(old, new) if old else text)
    return path


def test_ours_can_all_be_read() -> None:
    found, problems = themes.read_themes()
    assert {theme.name for theme in found} == set(OURS)
    assert problems == []


@pytest.mark.parametrize(
    ("name", "read", "marks"),
    [("costconsole-dark", 6, 3), ("costconsole-light", 5.5, 3), ("high-contrast", 7, 7)],
)
def test_what_is_to_be_read_has_contrast(name: str, read: float, marks: float) -> None:
    """WCAG contrast ratios on the background: texts at least `read`, coloured marks at least `marks`."""
    theme, _ = themes.choose_theme(name, TRUE)
    background = Color.parse(theme.background or "")
    for text in (theme.foreground, theme.variables["muted"]):
        assert contrast(Color.parse(text or ""), background) >= read
    for mark in (theme.accent, theme.secondary, theme.success, theme.warning, theme.error):
        assert contrast(Color.parse(mark or ""), background) >= marks
    cursor = Color.parse(theme.variables["cursor-row"])
    assert contrast(Color.parse(theme.foreground or ""), cursor) >= 6


def contrast(a: Color, b: Color) -> float:
    def luminance(color: Color) -> float:
        parts = [c / 255 for c in color.rgb]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["costconsole-dark", "costconsole-light", "high-contrast"])
def test_every_colour_of_ours_exists_among_256(name: str) -> None:
    steps = {0, 95, 135, 175, 215, 255}
    greys = {8 + 10 * n for n in range(24)}
    for value in tomllib.loads(themes.theme_files()[name].path.read_text())["colors"].values():
        r, g, b = Color.parse(value).rgb
        assert {r, g, b} <= steps or (r == g == b and r in greys)


def test_an_unknown_theme_is_wrong_usage_and_all_are_named() -> None:
    with pytest.raises(UsageProblem) as told:
        themes.choose_theme("solarised", TRUE, "--theme")
    assert told.value.exit_code == 2
    assert "'solarised' (--theme)" in str(told.value)
    assert all(name in str(told.value) for name in OURS)


def test_a_users_theme_is_found_and_may_take_the_place_of_ours(folder: Path) -> None:
    own(folder, "mine", '"#d0d0d0"', '"#ffaf00"')
    theme, warning = themes.choose_theme("mine", TRUE)
    assert (theme.name, theme.foreground, warning) == ("mine", "#ffaf00", "")
    own(folder, "high-contrast", '"#d0d0d0"', '"#ffaf00"')
    assert themes.choose_theme("high-contrast", TRUE)[0].foreground == "#ffaf00"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"#d0d0d0"', '"#zzz"', "colors.foreground"),
        ("muted =", "mutde =", "did you mean 'muted'?"),
        ('accent = "#5fafd7"\n', "", "colors.accent is missing"),
        ("dark = true", "dark = 7", "'dark'"),
        ("title =", "titel =", "did you mean 'title'?"),
        ("[colors]", "[colors", "mine.toml"),
    ],
)
def test_a_bad_file_is_one_warning_with_file_and_key(folder: Path, old: str, new: str, named: str) -> None:
    path = own(folder, "mine", old, new)
    theme, warning = themes.choose_theme("mine", TRUE)
    assert theme.name == themes.FALLBACK
    assert str(path) in warning
    assert named in warning
    found, problems = themes.read_themes()
    assert {theme.name for theme in found} == set(OURS)
    assert len(problems) == 1


@pytest.mark.parametrize("colors", [0, 16])
def test_few_colours_take_the_terminals_own(colors: int) -> None:
    theme, _ = themes.choose_theme("costconsole-dark", colors)
    assert theme.name == "terminal"
    assert theme.ansi
