"""Where a setting comes from, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from costconsole.domain.errors import UsageProblem
from costconsole.settings import PROJECT_FILE, load_settings


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "costconsole").mkdir(parents=True)
    return tmp_path


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_precedence_flag_environment_project_user_default(here: Path) -> None:
    user = here / "xdg" / "costconsole" / "config.toml"
    write(user, '[redis]\nnamespace = "user"\nurl = "redis://user:1"\n[console]\ntheme = "u"\nwindow = "6h"')
    write(here / PROJECT_FILE, '[redis]\nnamespace = "project"\n[console]\ntheme = "p"')
    settings = load_settings(
        {"redis_url": "redis://flag:2"},
        environ={"COSTCONSOLE_THEME": "e", "COSTCONSOLE_REDIS_URL": "redis://e"},
    )
    assert (settings.redis_url, settings.theme) == ("redis://flag:2", "e")
    assert (settings.namespace, settings.window, settings.charset) == ("project", "6h", "braille")
    assert settings.origins["redis_url"] == "--redis"
    assert settings.origins["theme"] == "COSTCONSOLE_THEME"
    assert settings.origins["namespace"].endswith(PROJECT_FILE)
    assert settings.origins["window"].endswith("config.toml")
    assert "charset" not in settings.origins


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[redis]\nurll = 'x'", ["urll", "[redis]", "'url'"]),
        ("[consol]\ntheme = 'x'", ["consol", "'console'"]),
        ("[console]\nrefresh = 0.1", ["console.refresh", "0.1", "0.5"]),
        ("[console]\nwindow = 'soon'", ["console.window", "soon", "1h"]),
        ("[console]\ntimezone = 'Mars/Base'", ["console.timezone", "Mars/Base", "Europe/Vienna"]),
        ("[console]\ncharset = 'runes'", ["console.charset", "runes", "braille"]),
        ("console = 3", ["console", "[console]"]),
        ("[console", ["not valid TOML"]),
        ('[prices."openai/x"]\ninputs = 1', ["openai/x", "inputs", "'input'"]),
        ('[prices."openai/x"]\ninput = true', ["openai/x", "input", "0.15"]),
        ("[keys]\npause = 3", ["keys", "app.pause"]),
    ],
)
def test_a_wrong_file_is_named_with_key_and_expectation(here: Path, content: str, words: list[str]) -> None:
    path = write(here / "my.toml", content)
    with pytest.raises(UsageProblem) as problem:
        load_settings(config=path, environ={})
    assert path in str(problem.value)
    for word in words:
        assert word in str(problem.value)


def test_a_wrong_variable_is_named(here: Path) -> None:
    with pytest.raises(UsageProblem, match=r"COSTCONSOLE_READ_ONLY.*'maybe'.*true or false"):
        load_settings(environ={"COSTCONSOLE_READ_ONLY": "maybe"})


def test_a_named_file_must_exist(here: Path) -> None:
    with pytest.raises(UsageProblem, match=r"nowhere\.toml \(--config\) does not exist"):
        load_settings(config="nowhere.toml", environ={})
    with pytest.raises(UsageProblem, match=r"nowhere\.toml \(COSTCONSOLE_CONFIG\) does not exist"):
        load_settings(environ={"COSTCONSOLE_CONFIG": "nowhere.toml"})


def test_a_slow_line_refreshes_less_often_unless_told(here: Path) -> None:
    ssh = {"SSH_TTY": "/dev/pts/3"}
    assert load_settings(environ={}).refresh_s == 1.0
    assert load_settings(environ=ssh).refresh_s == 2.0
    assert load_settings({"refresh_s": "1"}, environ=ssh).refresh_s == 1.0


def test_the_password_is_never_in_the_repr(here: Path) -> None:
    settings = load_settings(environ={"COSTCONSOLE_REDIS_PASSWORD": "hunter2"})
    assert settings.redis_password == "hunter2"
    assert "hunter2" not in repr(settings)


def test_the_routing_file_is_named_by_flag_variable_or_beside_the_config(here: Path) -> None:
    assert load_settings(environ={}).routing is None
    user = here / "xdg" / "costconsole" / "config.toml"
    write(user, '[routing]\nfile = "routes/mine.yaml"')
    assert load_settings(environ={}).routing == str(user.parent / "routes" / "mine.yaml")
    assert load_settings(environ={"COSTCONSOLE_ROUTING": "from-env.yaml"}).routing == "from-env.yaml"
    flagged = load_settings({"routing": "flag.yaml"}, environ={"COSTCONSOLE_ROUTING": "from-env.yaml"})
    assert (flagged.routing, flagged.origins["routing"]) == ("flag.yaml", "--routing")
    write(user, '[routing]\nfile = "/etc/routing.yaml"')
    assert load_settings(environ={}).routing == "/etc/routing.yaml"
    write(user, "[routing]\nfile = 3")
    with pytest.raises(UsageProblem, match=r"routing\.file: 3 is not possible; expected a non-empty text"):
        load_settings(environ={})
