"""`costconsole evict` and `costconsole undo` as a script and as a person use them."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.cache.filling import redisvl_index, redisvl_store
from tests.commands.conftest import Cli


@pytest.fixture
def keys(client: Any) -> list[str]:
    redisvl_index(client, "llmcache")
    return [redisvl_store(client, "llmcache", f"prompt {n}", at=f"17953765{n:02}") for n in range(25)]


def test_a_key_goes_and_comes_back(cli: Cli, client: Any, keys: list[str]) -> None:
    before = client.hgetall(keys[0])
    gone = cli("evict", keys[0], "--yes", "--json")
    assert (gone.code, gone.json["evicted"], gone.json["keys"]) == (0, 1, [keys[0]])
    assert client.exists(keys[0]) == 0
    listed = cli("undo", "--list", "--json").json
    assert [(one["undo_id"], one["remaining"]) for one in listed] == [(gone.json["undo_id"], 1)]
    back = cli("undo", gone.json["undo_id"], "--json")
    assert back.code == 0
    assert (back.json["undo_id"], back.json["restored"]) == (gone.json["undo_id"], 1)
    assert client.hgetall(keys[0]) == before
    again = cli("undo", "--json")
    assert again.code == 1
    assert "nothing to undo" in again.err


def test_a_filter_needs_to_be_confirmed(cli: Cli, client: Any, keys: list[str]) -> None:
    refused = cli("evict", "--cache", "llmcache")
    assert refused.code == 5
    assert "25 entries of llmcache" in refused.err
    assert "--yes" in refused.err
    assert client.exists(*keys) == 25
    dry = cli("evict", "--cache", "llmcache", "--dry-run", "--json").json
    assert (dry["count"], dry["undo_id"], len(dry["sample"])) == (25, None, 5)
    assert "25 entries" in cli("evict", "--cache", "llmcache", "--dry-run").out
    assert client.exists(*keys) == 25
    done = cli("evict", "--cache", "llmcache", "--yes", "--json").json
    assert (done["evicted"], sorted(done["keys"])) == (25, sorted(keys))
    assert cli("undo", "--json").json["restored"] == 25


def test_a_search_by_meaning_evicts_what_is_alike(cli: Cli, client: Any, embedder: Any) -> None:
    redisvl_index(client, "llmcache", dims=384)
    prompts = ["How do I send back my shoes?", "How can I return my shoes?", "What is a monad?"]
    vectors = [made.vector for made in embedder.embed(prompts)]
    shoes, same, monad = (
        redisvl_store(client, "llmcache", prompt, vector=vector)
        for prompt, vector in zip(prompts, vectors, strict=True)
    )
    query = ("evict", "--query", "How do I send back my shoes?", "--yes", "--json")
    assert cli(*query).json["keys"] == [shoes]
    assert cli(*query, "--min-similarity", "0.6").json["keys"] == [same]
    assert client.exists(monad) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "nothing is selected"),
        (("k", "--cache", "llmcache"), "not both"),
        (("--cache", "nope"), "no cache is named"),
        (("--min-similarity", "0.9"), "--query"),
        (("--query", " "), "empty"),
        (("--query", "x", "--min-similarity", "7"), "similarity"),
        (("--older-than", "soon"), "soon"),
    ],
)
def test_wrong_usage_is_said(cli: Cli, keys: list[str], args: tuple[str, ...], said: str) -> None:
    done = cli("evict", *args)
    assert done.code == 2
    assert said in done.err


def test_read_only_and_unknown_keys(cli: Cli, client: Any, keys: list[str]) -> None:
    refused = cli("--read-only", "evict", keys[0], "--yes")
    assert refused.code == 5
    assert "--read-only" in refused.err
    assert cli("--read-only", "undo").code == 5
    unknown = cli("evict", "no:such:key", "--yes", "--json")
    assert (unknown.code, unknown.json["evicted"], unknown.json["undo_id"]) == (1, 0, None)
    assert (
        cli("evict", "--cache", "llmcache", "--older-than", "3000d", "--yes", "--json").json["evicted"] == 0
    )
    assert cli("undo", "feedbeef").code == 1
    assert client.exists(*keys) == 25


def test_who_has_no_right_to_copy_must_say_that_it_is_for_good(
    cli: Cli, client: Any, redis_url: str, keys: list[str]
) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-dump")
    try:
        refused = cli("evict", keys[0], "--yes")
        assert refused.code == 5
        assert "DUMP" in refused.err
        assert "--no-undo" in refused.err
        assert client.exists(keys[0]) == 1
        assert cli("evict", keys[0], "--yes", "--no-undo", "--json").json["undo_id"] is None
        assert client.exists(keys[0]) == 0
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+dump")


@pytest.mark.parametrize(("answer", "code"), [("llmcache", 0), ("y", 5), ("", 5)])
def test_above_twenty_a_person_types_the_name(
    client: Any, redis_url: str, keys: list[str], answer: str, code: int
) -> None:
    done, shown = on_terminal(["--redis", redis_url, "evict", "--cache", "llmcache"], "Type ", answer)
    assert "25 entries of llmcache" in shown
    assert done == code
    assert client.exists(*keys) == (0 if code == 0 else 25)


def test_a_few_are_confirmed_with_y(client: Any, redis_url: str, keys: list[str]) -> None:
    done, shown = on_terminal(["--redis", redis_url, "evict", keys[0]], "[y/N]", "y")
    assert done == 0
    assert "Evicted 1 entry; undo with `costconsole undo " in shown
    assert client.exists(*keys) == 24


def on_terminal(args: list[str], question: str, answer: str) -> tuple[int, str]:
    """Run it on a terminal of its own and answer its question; its exit code and all that it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "costconsole", *args], stdin=follower, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown, answered, until = b"", False, time.monotonic() + 60
    try:
        while time.monotonic() < until:
            if select.select([leader], [], [], 0.2)[0]:
                try:
                    shown += os.read(leader, 65536)
                except OSError:
                    break
            if not answered and question.encode() in shown:
                os.write(leader, answer.encode() + b"\n")
                answered = True
        return process.wait(10), shown.decode("utf-8", "replace")
    finally:
        process.kill()
        os.close(leader)


def test_hostile_keys_can_not_act_on_the_terminal(cli: Cli, client: Any) -> None:
    redisvl_index(client, "llmcache")
    redisvl_store(client, "llmcache", "\x1b]52;c;UFdORUQ=\x07\x9b31m\u202ered")
    for args in (("--cache", "llmcache"), ("--cache", "llmcache", "--dry-run"), ("\x1b[2Jkey", "--yes")):
        done = cli("evict", *args)
        assert not any(char in done.out + done.err for char in "\x1b\x07\x9b\u202e"), args
    assert json.loads(cli("evict", "\x1b[2Jkey", "--yes", "--json").out)["evicted"] == 0


def test_killed_at_any_moment_nothing_is_lost(cli: Cli, client: Any, redis_url: str) -> None:
    redisvl_index(client, "llmcache")
    pipe = client.pipeline(transaction=False)
    keys = [redisvl_store(pipe, "llmcache", f"prompt {n}", at=f"{1_795_376_000 + n}") for n in range(4_000)]
    pipe.execute()
    before = {key: client.hgetall(key) for key in keys}
    process = subprocess.Popen(
        [sys.executable, "-m", "costconsole", "--redis", redis_url, "evict", "--cache", "llmcache", "--yes"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while client.exists(*keys) == 4_000:
        assert process.poll() is None
    process.kill()
    process.wait(10)
    gone = 4_000 - client.exists(*keys)
    assert 0 < gone < 4_000
    back = cli("undo", "--json")
    assert (back.code, back.json["restored"], back.json["skipped"]) == (0, gone, [])
    assert {key: client.hgetall(key) for key in keys} == before


def test_filters_list_and_evict_the_same(cli: Cli, client: Any, keys: list[str]) -> None:
    for key in keys[5:]:
        client.expire(key, 5_000)
    found = cli("search", "--never-expiring", "--library", "redisvl", "--json")
    assert found.code == 0
    assert [one["key"] for one in found.json] == keys[4::-1]
    assert cli("search", "--never-expiring", "-k", "2", "--json").json == found.json[:2]
    words = cli("search", "prompt 3", "--text", "--never-expiring", "--json").json
    assert [one["key"] for one in words] == [keys[3]]
    gone = cli("evict", "--never-expiring", "--yes", "--json")
    assert sorted(gone.json["keys"]) == sorted(keys[:5])
    assert cli("search").code == 2
    assert "redisvll" in cli("search", "x", "--library", "redisvll").err
