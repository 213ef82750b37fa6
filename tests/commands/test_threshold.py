"""`costconsole threshold`: what is in force, and changing it."""

from __future__ import annotations

from typing import Any

import pytest

from costconsole.cache.policy import read_policy
from costconsole.redis_store.keys import Keys
from tests.cache.filling import redisvl_index
from tests.cache.recording import load, replay
from tests.cache.vectors import unit
from tests.commands.conftest import Cli


def test_show_says_what_is_in_force_and_that_nobody_set_it(cli: Cli) -> None:
    done = cli("threshold", "show")
    assert (done.code, done.out.split()[1]) == (0, "0.95")
    assert "Nobody has set it" in done.err


def test_set_is_seen_by_applications_and_audited(cli: Cli, client: Any) -> None:
    assert cli("threshold", "set", "0.9").code == 0
    done = cli("threshold", "set", "0.8", "--route", "faq", "--json")
    assert done.json["before"] == 0.9
    assert done.json["by_route"] == {"faq": 0.8}
    policy = read_policy(client, Keys())
    assert (policy.threshold, policy.threshold_for(route="faq")) == (0.9, 0.8)
    audited = client.xrange(Keys().audit)
    assert len(audited) == 2
    assert b"0.9" in audited[0][1][b"after"]


def test_a_namespace_has_its_own(cli: Cli) -> None:
    cli("--namespace", "support", "threshold", "set", "0.7")
    assert cli("--namespace", "support", "threshold", "show", "--json").json["threshold"] == 0.7
    assert cli("threshold", "show", "--json").json["threshold"] == 0.95


@pytest.mark.parametrize("value", ["0", "1.5", "-0.1", "nan", "high"])
def test_an_impossible_value_changes_nothing(cli: Cli, value: str, client: Any) -> None:
    done = cli("threshold", "set", "--", value)
    assert done.code == 2
    assert value in done.err
    assert not client.exists(Keys().policy)


def test_read_only_refuses_and_says_why(cli: Cli, client: Any) -> None:
    done = cli("--read-only", "threshold", "set", "0.9")
    assert done.code == 5
    assert "--read-only" in done.err
    assert not client.exists(Keys().policy)


def test_another_librarys_threshold_is_shown_with_the_line_that_sets_it(cli: Cli, client: Any) -> None:
    redisvl_index(client, "llmcache")
    done = cli("threshold", "show")
    assert 'SemanticCache(name="llmcache", distance_threshold=0.1)' in done.out
    assert "in the code" in done.out
    (one,) = cli("threshold", "show", "--json").json["caches"]
    assert (one["similarity"], one["default"], one["takes_effect"]) == (None, 0.9, "code")
    refused = cli("threshold", "set", "0.8", "--cache", "llmcache")
    assert refused.code == 5
    assert 'SemanticCache(name="llmcache", distance_threshold=0.2)' in refused.err
    assert cli("threshold", "set", "0.8", "--cache", "other").code == 2


def test_a_change_is_taken_back(cli: Cli, client: Any) -> None:
    replay(client, load("betterdb"), lambda _text: unit(1))
    done = cli("threshold", "set", "0.95", "--cache", "betterdb_scache")
    assert "0.88 -> 0.95; running applications follow within 30 seconds" in done.out
    assert cli("--read-only", "threshold", "undo").code == 5
    back = cli(*done.out.rpartition("costconsole ")[2].split(), "--json")
    assert (back.code, back.json["before"], back.json["after"]) == (0, 0.95, 0.88)
    assert not client.exists("betterdb_scache:__config")
    assert cli("threshold", "undo").code == 2
