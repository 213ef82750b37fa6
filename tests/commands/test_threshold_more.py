"""The steps of `costconsole threshold` that replay, judge, switch guards, and go by scope or entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costconsole.cache.policy import Author
from costconsole.calibration.store import label_of
from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Call, Outcome
from costconsole.redis_store.keys import Keys
from tests.calibration.worlds import event
from tests.commands.conftest import Cli

KEYS = Keys("default")


def logged(client: Any, name: str, **more: Any) -> Call:
    """A look-up in the ledger, with its neighbour in the cache."""
    values: dict[str, Any] = {
        "id": name,
        "ts_ms": 1_000,
        "outcome": Outcome.SEMANTIC,
        "model": "m",
        "similarity": 0.95,
        "threshold": 0.9,
        "neighbor": f"entry:{name}",
        "preview": f"asked question {name}?",
        "policy_version": 1,
    } | more
    call = Call(**values)
    client.hset(call.neighbor, mapping={"prompt": f"cached question {name}?", "response": "an answer"})
    client.xadd(KEYS.calls, call.to_fields())
    return call


def said(client: Any, call: Call, verdict: str, **more: Any) -> None:
    """A drawn label of a look-up."""
    kept = event(
        call.id, call.similarity or 0, None, query=call.preview, cached=f"c {call.id}", route=call.route,
        threshold=call.threshold, **more,
    )  # fmt: skip
    label = label_of(kept, verdict, "operator", Author("ann", "host"))  # type: ignore[arg-type]
    from costconsole.calibration.store import write_label_sync

    write_label_sync(client, KEYS, label, Author("ann", "host"))


@pytest.fixture
def policy(client: Any) -> None:
    client.hset(KEYS.policy, mapping={"version": "1", "threshold": "0.9"})


@pytest.mark.usefixtures("policy")
def test_scopes_are_decided_at_once(cli: Cli, client: Any) -> None:
    for i in range(200):
        call = logged(client, f"f{i}", route="faq" if i < 190 else "billing")
        said(client, call, "same")
    found = cli("threshold", "suggest", "--by", "route", "--json").json
    assert [(one["scope"], one["name"], one["inherits"]) for one in found] == [
        ("all", None, False),
        ("route", "billing", True),
        ("route", "faq", False),
    ]
    whole, billing, faq = found
    assert whole["confidence_each"] == faq["confidence_each"] == pytest.approx(0.975)
    assert whole["threshold"] == faq["threshold"] == billing["threshold"] == 0.85
    assert (billing["labels"], billing["guaranteed"], billing["hit_rate"]) == (10, False, None)
    text = cli("threshold", "suggest", "--by", "route")
    assert "all look-ups" in text.out
    assert "together" in text.err
    assert cli("threshold", "suggest", "--by", "route", "--route", "faq").code == 2


@pytest.mark.usefixtures("policy")
def test_replay_stands_beside_what_the_log_says(cli: Cli, client: Any) -> None:
    asked = ["how do I reset my password", "how can I reset my password", "what does the moon weigh"]
    for i, words in enumerate(asked):
        logged(client, str(i), ts_ms=1_000 + i, preview=words, similarity=0.3, outcome=Outcome.MISS)
    found = cli("threshold", "replay", "--to", "0.85", "--json").json
    assert [(one["threshold"], one["in_force"]) for one in found] == [(0.85, False), (0.9, True)]
    assert found[0]["prompts"] == 3
    assert found[0]["hit_rate_replayed"] == pytest.approx(1 / 3)
    assert found[0]["hit_rate_read_off"] == 0.0
    printed = cli("threshold", "replay")
    assert "0.9 (in force)" in printed.out
    assert "Read off the log" in printed.err


def test_there_is_nothing_to_replay_without_prompts(cli: Cli) -> None:
    done = cli("threshold", "replay")
    assert done.code == 1
    assert "no prompts" in done.err


@pytest.mark.usefixtures("policy")
def test_guards_are_shown_with_what_they_do_and_switched(cli: Cli, client: Any) -> None:
    call = logged(client, "a", preview="refund after 30 days?")
    client.hset("entry:a", mapping={"prompt": "refund after 60 days?"})
    said(client, call, "different")
    said(client, logged(client, "b"), "same")
    found = {one["guard"]: one for one in cli("threshold", "guards", "--json").json}
    assert set(found) == {"numbers", "entities", "negation", "antonyms"}
    numbers = found["numbers"]
    assert (numbers["on"], numbers["refused_different"], numbers["different"]) == (True, 1, 1)
    assert (numbers["refused_same"], numbers["same"]) == (0, 1)
    assert "1 of 1 (100 %)" in cli("threshold", "guards").out
    assert cli("threshold", "guards", "numbers", "off").code == 0
    assert client.hget(KEYS.policy, "guard:numbers") == b"0"
    assert client.xrevrange(KEYS.audit, count=1)[0][1][b"what"] == b"policy"
    assert cli("threshold", "show", "--json").json["guards"]["numbers"] is False
    assert "numbers off" in cli("threshold", "show").out
    assert cli("--read-only", "threshold", "guards", "numbers", "on").code == 5
    assert cli("threshold", "guards", "nonsense", "on").code == 2
    assert cli("threshold", "guards", "numbers").code == 2


@pytest.mark.usefixtures("policy")
def test_after_a_change_there_is_an_alarm_when_labels_refute_it(cli: Cli, client: Any) -> None:
    for i in range(6):
        logged(client, f"old{i}", policy_version=0, threshold=0.95, similarity=0.93, outcome=Outcome.MISS)
    for i in range(6):
        said(client, logged(client, f"new{i}", ts_ms=2_000 + i), "different")
    after = cli("threshold", "show", "--json").json["after_change"]
    assert after["alarm"] is True
    assert (after["now"]["hit_rate"], after["before"]["hit_rate"]) == (1.0, 0.0)
    assert (after["now"]["wrong"], after["now"]["labels"]) == (6, 6)
    shown = cli("threshold", "show")
    assert "6 of 6 labelled wrong" in shown.out
    assert "ALARM: more than 2 %" in shown.err
    doctor = {one["check"]: one for one in cli("doctor", "--json").json}
    assert doctor["threshold"]["status"] == "fail"
    assert "more than 2 %" in doctor["threshold"]["what"]


def _one_word(_model: str, _messages: object) -> str:
    return "SAME"


@pytest.mark.usefixtures("policy")
def test_a_judge_labels_costs_and_is_compared_with_people(
    cli: Cli, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[prices."openai/judge"]\ninput = 2.0\noutput = 8.0\n')
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    call = logged(client, "a")
    logged(client, "b")
    person = event("a", 0.95, None, query=call.preview, cached="cached question a?", threshold=0.9)
    from costconsole.calibration.store import write_label_sync

    me = Author("ann", "host")
    write_label_sync(client, KEYS, label_of(person, "same", "operator", me), me)
    client.xadd(KEYS.calls, Call(**(_fields(call) | {"id": "a2"})).to_fields())
    with StandInProvider(_one_word, speedup=0, seed=1) as server:
        done = cli(
            "--config", str(config), "threshold", "label", "--judge", "openai/judge",
            "--judge-url", server.openai_url, "--json",
        )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["labelled"] == 2
    assert done.json["compared"] == 1
    assert done.json["agreed"] == 1
    assert done.json["same"] == 2
    assert cli("threshold", "suggest", "--json").json["labels"] == 1
    stats = cli("--config", str(config), "stats", "--by", "route", "--json").json
    (judged,) = [one for one in stats["by"] if one["key"] == "judge"]
    assert judged["calls"] == 2
    assert judged["spend_usd"] > 0


def _fields(call: Call) -> dict[str, Any]:
    from dataclasses import fields

    return {field.name: getattr(call, field.name) for field in fields(call)}


@pytest.mark.usefixtures("policy")
def test_per_entry_is_judged_by_its_own_hits(cli: Cli, client: Any) -> None:
    for i in range(60):
        similarity = 0.80 + 0.003 * i
        call = logged(client, f"e{i}", ts_ms=i, similarity=similarity, neighbor="entry:one")
        said(client, call, "same" if similarity > 0.9 else "different")
    found = cli("threshold", "per-entry", "--max-error", "0.2", "--json").json
    assert found["labelled"] == 60
    assert {"steepness", "mean", "deviation"} == found["shape"].keys()
    assert all(one["errors_per_request"] <= 1 for one in found["tried"])
    printed = cli("threshold", "per-entry")
    assert "vCache promises wrong answers per request" in printed.err


def test_betterdb_remembers_its_look_ups(cli: Cli, client: Any, tmp_path: Path) -> None:
    client.hset("__betterdb:caches", "shop", json.dumps({"type": "semantic_cache", "prefix": "shop"}))
    for i in range(30):
        member = {"score": 0.05, "result": "hit", "category": "faq", "n": i}
        client.zadd("shop:__similarity_window", {json.dumps(member): i})
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"s": 0.95, "same": true}\n' * 149)
    found = cli("threshold", "suggest", "--cache", "shop", "--labels", str(labels), "--json")
    assert found.code == 0, found.err
    assert found.json["lookups"] == 30
    assert found.json["guaranteed"] is True
    assert "30 look-ups are in BetterDB's window" in found.err
    assert cli("threshold", "suggest", "--cache", "nowhere").code == 2


def test_what_guards_refused_is_in_the_figures(cli: Cli, client: Any, redis_url: str) -> None:
    from costconsole.ledger.ledger import Ledger

    assert "guarded" not in cli("stats").out
    ledger = Ledger(redis_url)
    ledger.record(
        Call(id="a", ts_ms=_now(), outcome=Outcome.MISS, model="m", similarity=0.97, threshold=0.9,
             neighbor="entry:a", guard="numbers")
    )  # fmt: skip
    ledger.close()
    assert cli("stats", "--json").json["guarded"] == 1
    assert "1 near answers were refused by a guard" in cli("stats").out


def _now() -> int:
    import time

    return time.time_ns() // 1_000_000
