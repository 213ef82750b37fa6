"""Keys, help, palette, pages, pause, window, copying and exporting, as a user meets them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from textual.widgets import Input

from costconsole.console.help import HelpSheet, bound_actions
from costconsole.console.palette import Palette
from costconsole.console.widgets.table import LiveTable
from costconsole.settings import state_dir
from tests.console import fakes
from tests.console.harness import Clock, console, lines, text
from tests.console.plain_pages import FieldPage, ListPage


async def test_the_first_screen_has_header_tabs_page_and_footer() -> None:
    async with console(size=(80, 24)) as (app, _pilot):
        shown = lines(app)
    assert "prod-cache:6379/0 · support  RW   ● live" in shown[0]
    assert "1 Overview" in shown[1]
    assert "2 Entries" in shown[1]
    assert "gpt-4o" in "\n".join(shown)
    assert shown[-1].startswith(" ? help  : commands")


async def test_pages_keep_their_state_and_focus() -> None:
    async with console() as (app, pilot):
        await pilot.press("j", "j", "tab")
        assert app.focused is not None
        assert app.focused.id == "other"
        cursor = app.query_one("#list", LiveTable).cursor_key
        await pilot.press("2")
        assert isinstance(app.page, FieldPage)
        await pilot.press("1")
        assert isinstance(app.page, ListPage)
        assert app.focused.id == "other"
        assert app.query_one("#list", LiveTable).cursor_key == cursor


async def test_tab_goes_round_and_nothing_traps_it() -> None:
    async with console() as (app, pilot):
        for page in ("1", "2"):
            await pilot.press(page)
            first, seen = app.focused, []
            for _ in range(10):
                seen.append(app.focused)
                await pilot.press("tab")
                if app.focused is first:
                    break
            assert app.focused is first
            assert len(seen) == 2
            await pilot.press("shift+tab")
            assert app.focused is seen[-1]


async def test_q_types_in_a_field_and_quits_elsewhere() -> None:
    async with console() as (app, pilot):
        await pilot.press("2", "slash", "q", "space", "1")
        assert app.query_one("#field", Input).value == "q 1"
        assert not app.paused
        assert app.is_running
        await pilot.press("tab", "q")
    assert app.return_code == 0


async def test_ctrl_q_quits_from_a_field_and_from_a_sheet() -> None:
    for keys in (("2", "slash", "ctrl+q"), ("question_mark", "ctrl+q"), ("colon", "ctrl+q")):
        async with console() as (app, pilot):
            await pilot.press(*keys)
        assert app.return_code == 0


async def test_ctrl_c_says_how_to_quit() -> None:
    async with console() as (app, pilot):
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert "ctrl+q quits" in lines(app)[-1]
        assert app.is_running


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_lists_every_active_binding_by_group(key: str) -> None:
    async with console() as (app, pilot):
        actions = bound_actions(app.screen.active_bindings)
        focused = app.focused
        await pilot.press(key)
        assert isinstance(app.screen, HelpSheet)
        static = "\n".join(str(widget.render()) for widget in app.screen.query("Static"))
        for action in actions:
            assert action.what in static
            assert action.keys[0] in static
        assert {"Everywhere", "List", "Table"} <= {action.group for action in actions}
        await pilot.press("escape")
        assert app.focused is focused


async def test_every_bound_action_is_a_command_and_back() -> None:
    async with console() as (app, pilot):
        wanted = {(a.what, "  ".join(a.keys)) for a in bound_actions(app.screen.active_bindings)}
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        offered = {(c.title, c.key) for c in app.screen._commands if c.key}
    assert offered == wanted


async def test_the_palette_takes_what_is_typed_at_once() -> None:
    async with console() as (app, pilot):
        await pilot.press("colon", *"window", "space", *"6h", "enter")
        await pilot.pause()
        assert app.window.label == "6h"
        await pilot.press("colon", *"window", "space", *"45m", "enter")
        await pilot.pause()
        assert app.window.label == "45m"
        await pilot.press("colon", *"refresh", "space", "7", "enter")
        await pilot.pause()
        assert "live 7s" in lines(app)[0]
        await pilot.press("colon", *"pick", "space", *"o4-mini", "enter")
        await pilot.pause()
        assert app.query_one("#list", LiveTable).cursor_key == "o4-mini"
        await pilot.press("colon", "q", "enter")
        await pilot.pause()
    assert app.return_code == 0


async def test_a_theme_is_previewed_and_taken_back_by_esc() -> None:
    async with console() as (app, pilot):
        await pilot.press("colon", *"theme costconsole-light".replace(" ", "_").split("_")[0])
        await pilot.press("space", *"costconsole-light".replace("-", " ").split()[0])
        await pilot.press("minus", *"light")
        await pilot.pause()
        assert app.theme == "costconsole-light"
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == "costconsole-dark"


async def test_esc_goes_back_one_level_and_never_quits() -> None:
    async with console() as (app, pilot):
        await pilot.press("2", "escape")
        await pilot.pause()
        assert isinstance(app.page, ListPage)
        await pilot.press("m")
        assert not app.query_one("#other").display
        await pilot.press("escape")
        assert app.query_one("#other").display
        for _ in range(3):
            await pilot.press("escape")
        assert app.is_running
        assert "q quits" in lines(app)[-1]


async def test_maximising_leaves_the_frame_and_comes_back() -> None:
    async with console() as (app, pilot):
        table = app.query_one("#list")
        before = table.size.height
        await pilot.press("m")
        await pilot.pause()
        assert table.size.height > before
        assert "live" in lines(app)[0]
        await pilot.press("m")
        await pilot.pause()
        assert table.size.height == before


async def test_space_pauses_painting_and_goes_on_with_what_is_new() -> None:
    clock = Clock()
    source = fakes.FakeSource(views=[fakes.view, fakes.huge_view])
    async with console(source, clock=clock) as (app, pilot):
        await pilot.press("space")
        await pilot.pause()
        assert "‖ paused since 23:34:03" in lines(app)[0]
        page = app.page
        assert isinstance(page, ListPage)
        assert len(page.shown) == 1
        await pilot.press("space")
        await pilot.pause()
        await pilot.pause()
        assert "● live" in lines(app)[0]
        assert len(page.shown) == 2


async def test_refresh_interval_is_shown_and_has_a_floor() -> None:
    async with console(refresh_s=1.0) as (app, pilot):
        await pilot.press("plus")
        assert "live 2s" in lines(app)[0]
        for _ in range(4):
            await pilot.press("minus")
        await pilot.pause()
        assert "live 0.5s" in lines(app)[0]


async def test_window_keys_step_through_the_windows_and_stop_at_the_ends() -> None:
    async with console() as (app, pilot):
        await pilot.press("right_square_bracket")
        assert app.window.label == "6h"
        for _ in range(12):
            await pilot.press("left_square_bracket")
        await pilot.pause()
        assert app.window.label == "5m"
        assert "shortest window" in lines(app)[-1]


async def test_a_window_between_the_steps_has_neighbours() -> None:
    async with console(window="45m") as (app, pilot):
        await pilot.press("right_square_bracket")
        assert app.window.label == "1h"
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert app.window.label == "5m"


async def test_copying_says_what_and_how_much_and_leaves_a_private_file() -> None:
    async with console() as (app, pilot):
        await pilot.press("y")
        await pilot.pause()
        assert "copied model, 6 bytes" in lines(app)[-1]
        file = state_dir() / "last-copy.txt"
        assert file.read_text() == "gpt-4o"
        assert file.stat().st_mode & 0o777 == 0o600
        await pilot.press("Y")
        await pilot.pause()
        assert json.loads(file.read_text()) == {"model": "gpt-4o"}


async def test_export_names_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with console(size=(200, 40)) as (app, pilot):
        await pilot.press("e")
        await pilot.pause()
        assert "exported" in lines(app)[-1]
        await pilot.press("E")
        await pilot.pause()
    assert sorted(path.suffix for path in app.exported) == [".csv", ".json", ".svg"]
    assert {str(path.parent) for path in app.exported} == {str(tmp_path)}


async def test_what_cannot_be_done_is_dimmed_and_says_why() -> None:
    async with console(fakes.FakeSource(writable=False)) as (app, pilot):
        assert "RO" in lines(app)[0]
        assert "(d drop)" in lines(app)[-1]
        await pilot.press("d")
        await pilot.pause()
        assert "drop: read-only" in lines(app)[-1]
        await pilot.press("slash")
        await pilot.pause()
        assert "no list to filter" in lines(app)[-1]


async def test_an_error_in_a_page_is_said_logged_without_secrets_and_survived() -> None:
    broken = fakes.view(by={"model": (object(),)})
    source = fakes.FakeSource(views=[fakes.view, broken, fakes.view])
    async with console(source) as (app, pilot):
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.pause()
        said = lines(app)[-1]
        assert "an error inside the console (AttributeError)" in said
        assert app.is_running
        assert list(state_dir().glob("crash-*.log"))


async def test_down_greys_the_page_keeps_its_figures_and_shows_one_banner() -> None:
    clock = Clock()
    source = fakes.FakeSource()
    async with console(source, clock=clock) as (app, pilot):
        source.problem = fakes.refused()
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.pause()
        shown = text(app)
        assert "✗ down since" in lines(app)[0]
        assert shown.count("refused the connection") == 1
        assert "gpt-4o" in shown
        assert app.query_one("#stage").has_class("-stale")
        await pilot.press("2", "1", "j")
        assert app.is_running
        source.problem = None
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.pause()
        assert "refused" not in text(app)
        assert not app.query_one("#stage").has_class("-stale")


async def test_q_works_while_a_read_hangs() -> None:
    source = fakes.FakeSource(hang=asyncio.Event())
    async with console(source) as (app, pilot):
        assert "connecting" in lines(app)[0]
        await pilot.press("q")
    assert app.return_code == 0


async def test_nothing_is_painted_under_a_sheet_and_all_of_it_afterwards() -> None:
    source = fakes.FakeSource(views=[fakes.view, fakes.huge_view])
    async with console(source) as (app, pilot):
        page = app.page
        assert isinstance(page, ListPage)
        await pilot.press("question_mark")
        app._poller.refresh_now()
        await pilot.pause()
        await pilot.pause()
        assert len(source.asked) == 2
        assert len(page.shown) == 1
        await pilot.press("escape")
        await pilot.pause()
        await pilot.pause()
        assert len(page.shown) == 2


async def test_below_80x24_the_page_says_so_and_q_still_quits() -> None:
    async with console(size=(79, 24)) as (app, pilot):
        assert "need 80x24, have 79x24" in text(app)
        assert "gpt-4o" not in text(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "gpt-4o" in text(app)
        await pilot.resize_terminal(80, 23)
        await pilot.pause()
        await pilot.press("q")
    assert app.return_code == 0


async def test_the_users_keys_replace_ours_everywhere() -> None:
    async with console(keymap={"app.pause": "p", "list.drop": "f8"}) as (app, pilot):
        assert re.search(r"\bp pause", lines(app)[-1])
        assert "f8 drop" in lines(app)[-1]
        await pilot.press("space")
        assert not app.paused
        await pilot.press("p")
        assert app.paused


@pytest.mark.parametrize(
    "views", [fakes.hostile_view, fakes.empty_view, fakes.huge_view, fakes.unpriced_view]
)
async def test_any_figures_are_shown_without_harm(views: object) -> None:
    async with console(fakes.FakeSource(views=[views]), size=(80, 24)) as (app, _pilot):
        shown = text(app)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b-\u200f]", shown)
        assert all(len(line) >= 80 for line in lines(app))


async def test_a_warning_of_the_start_is_shown() -> None:
    async with console(warning="theme file /x/y.toml: unknown key 'dork'") as (app, _pilot):
        assert "theme file /x/y.toml: unknown key 'dork'" in lines(app)[-1]
