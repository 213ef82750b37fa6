"""Following a config file: valid changes are taken, invalid ones said, the last good one stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from costconsole.routing.watch import ConfigFollower


def config(cheap: str) -> str:
    return (
        f"models:\n  {cheap}: {{provider: openai, model: gpt-4o-mini, tier: cheap}}\n"
        "  large: {provider: openai, model: gpt-4o, tier: strong}\n"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(config("first"))
    return path


def test_a_valid_change_is_taken_and_nothing_else_is_a_change(path: Path) -> None:
    follower = ConfigFollower(path)
    assert (follower.current.tiers["cheap"], follower.problem) == ("first", None)
    assert not follower.check()
    path.write_text(config("second"))
    assert follower.check()
    assert follower.current.tiers["cheap"] == "second"
    assert not follower.check()
    os.utime(path)
    assert not follower.check()


def test_a_change_of_the_same_length_in_the_same_instant_is_seen(path: Path) -> None:
    before = path.stat()
    follower = ConfigFollower(path)
    with path.open("r+") as file:
        file.write(config("fresh"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert follower.check()
    assert follower.current.tiers["cheap"] == "fresh"


def test_an_editor_that_puts_a_new_file_in_its_place(path: Path) -> None:
    follower = ConfigFollower(path)
    other = path.with_suffix(".tmp")
    other.write_text(config("other"))
    other.replace(path)
    assert follower.check()
    assert follower.current.tiers["cheap"] == "other"


def test_an_invalid_change_is_said_and_the_last_good_one_stays(path: Path) -> None:
    follower = ConfigFollower(path)
    path.write_text(config("second") + "defualt: x\n")
    assert follower.check()
    assert follower.current.tiers["cheap"] == "first"
    assert follower.problem is not None
    assert follower.problem.findings[0].line == 4
    assert not follower.check()
    path.write_text(config("second") + "\ndefualt: x\n")
    assert follower.check()
    assert follower.problem is not None
    assert follower.problem.findings[0].line == 5
    path.write_text(config("third"))
    assert follower.check()
    assert (follower.current.tiers["cheap"], follower.problem) == ("third", None)


def test_back_to_the_very_content_from_before_an_error(path: Path) -> None:
    follower = ConfigFollower(path)
    path.write_text("models: [")
    assert follower.check()
    path.write_text(config("first"))
    assert follower.check()
    assert (follower.current.tiers["cheap"], follower.problem) == ("first", None)


def test_a_deleted_file_keeps_the_last_good_one_until_it_is_back(path: Path) -> None:
    follower = ConfigFollower(path)
    path.unlink()
    assert follower.check()
    assert follower.problem is not None
    assert "this file is gone" in str(follower.problem)
    assert follower.current.tiers["cheap"] == "first"
    assert not follower.check()
    path.write_text(config("first"))
    assert follower.check()
    assert follower.problem is None


def test_a_file_that_is_wrong_from_the_start_leaves_the_defaults(path: Path) -> None:
    path.write_text("models: 3")
    follower = ConfigFollower(path)
    assert follower.current.format == "default"
    assert follower.problem is not None
    path.write_text(config("first"))
    assert follower.check()
    assert follower.current.format == "native"


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    follower = ConfigFollower(tmp_path / "later.yaml")
    assert follower.problem is not None
    assert "does not exist" in str(follower.problem)
    (tmp_path / "later.yaml").write_text(config("late"))
    assert follower.check()
    assert follower.current.tiers["cheap"] == "late"


def test_without_a_file_the_defaults_stay() -> None:
    follower = ConfigFollower()
    assert (follower.current.format, follower.problem, follower.check()) == ("default", None, False)


def test_a_file_that_the_config_names_is_followed_too(tmp_path: Path) -> None:
    routes = tmp_path / "routes.json"
    routes.write_text('{"routes": [{"name": "large", "utterances": ["Prove it"]}]}')
    path = tmp_path / "config.yaml"
    path.write_text(
        "model_list:\n- {model_name: large, litellm_params: {model: openai/gpt-4o}}\n"
        "- model_name: auto\n"
        "  litellm_params: {model: auto_router/auto, auto_router_config_path: routes.json}\n"
    )
    follower = ConfigFollower(path)
    before = follower.current.version
    routes.write_text('{"routes": [{"name": "large", "utterances": ["Prove this"]}]}')
    assert follower.check()
    assert follower.current.routes[0].references == ("Prove this",)
    assert follower.current.version != before
    routes.write_text('{"routes": [{"name": "large"}]}')
    assert follower.check()
    assert follower.problem is not None
    assert follower.current.routes[0].references == ("Prove this",)
