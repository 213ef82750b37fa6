"""What the commands say of real calls, against a recount of the stream."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import STRATEGIES, Call, Outcome
from costconsole.embedding.embedder import Embedder
from costconsole.gateway.errors import ProviderError
from costconsole.gateway.pipeline import Gateway
from costconsole.redis_store.keys import Keys
from tests.cache.filling import redisvl_index, redisvl_store
from tests.commands.conftest import Cli
from tests.gateway.conftest import Ledgered, Make, ledgered, make_gateway, stand_in

__all__ = ["ledgered", "make_gateway", "stand_in"]

QUESTION = "How do I return a pair of shoes?"
NEAR = "how do I return a pair of shoes"


@pytest.fixture
def calls(make_gateway: Make, ledgered: Ledgered, stand_in: StandInProvider) -> list[Call]:
    """A miss, an exact and a semantic hit, a bypass, an error, and an unpriced model."""
    gateway: Gateway = make_gateway(tag="shop")
    gateway.warm()
    for prompt in (QUESTION, QUESTION, NEAR):
        gateway.complete(prompt)
    gateway.complete("What is new today?", cache=False, tag="=cmd")
    gateway.complete("Who wrote Faust?", model="house-7b", provider="openai")
    stand_in.fail_next(400)
    with pytest.raises(ProviderError):
        gateway.complete("What does shipping cost?", model="claude-3-haiku-20240307")
    return ledgered(gateway)


def test_stats_equal_a_recount_of_the_stream(cli: Cli, calls: list[Call]) -> None:
    stats = cli("stats", "--window", "1h", "--by", "model", "--json").json
    assert [c.outcome for c in calls[:4]] == [Outcome.MISS, Outcome.EXACT, Outcome.SEMANTIC, Outcome.BYPASS]
    assert stats["calls"] == len(calls) == 6
    assert stats["errors"] == 1
    for outcome in Outcome:
        assert stats["outcomes"][outcome] == sum(c.outcome is outcome for c in calls)
    assert stats["hit_rate"] == pytest.approx(2 / 6)
    assert stats["unpriced_calls"] == sum(not c.priced for c in calls) == 1
    assert stats["spend_usd"] == pytest.approx(sum(c.spend_nano or 0 for c in calls) / 1e9, abs=1e-12)
    for strategy in STRATEGIES:
        saved = sum(getattr(c.savings, strategy) for c in calls)
        assert stats["saved_usd"][strategy] == pytest.approx(saved / 1e9, abs=1e-12)
    assert stats["saved_usd"]["total"] > 0
    assert stats["spend_usd"] + stats["saved_usd"]["total"] == pytest.approx(stats["baseline_usd"])
    assert stats["tokens"]["input"] == sum(c.input for c in calls)
    assert stats["tokens"]["saved"] == sum(c.input_saved + c.output_saved for c in calls)
    assert stats["latency_ms"]["hit"]["p50"] > 0
    by = {piece["key"]: piece for piece in stats["by"]}
    assert set(by) == {"gpt-4o-mini", "house-7b", "claude-3-haiku-20240307"}
    assert by["gpt-4o-mini"]["calls"] == 4


def test_csv_defuses_what_a_spreadsheet_would_run(cli: Cli, calls: list[Call]) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("stats", "--by", "tag", "--csv").out)))
    assert {row["key"]: row["calls"] for row in rows} == {"shop": "5", "'=cmd": "1"}


def test_text_tells_the_same(cli: Cli, calls: list[Call]) -> None:
    done = cli("stats", "--by", "outcome")
    assert "hit rate      33.3 %" in done.out
    assert "errors 1  unpriced 1" in done.out
    assert any(line.split()[:2] == ["semantic", "1"] for line in done.out.splitlines())


def test_an_empty_namespace_is_said_not_shown_as_zero_savings(cli: Cli) -> None:
    done = cli("--namespace", "nobody", "stats")
    assert done.code == 0
    assert "nobody" in done.err
    assert "hit rate      –" in done.out


def test_caches_search_and_show_find_what_was_stored(cli: Cli, calls: list[Call]) -> None:
    caches = {cache["index"]: cache for cache in cli("caches", "--json").json}
    semantic = caches[Keys().semantic_index]
    assert (semantic["kind"], semantic["dims"], semantic["metric"]) == ("semantic", 384, "COSINE")
    assert semantic["threshold"] == 0.95

    found = cli("search", "sending shoes back", "--json").json
    assert found[0]["prompt"] == QUESTION
    assert 0.5 < found[0]["similarity"] < 1
    assert cli("search", "shoes", "--text", "--json").json[0]["prompt"] == QUESTION

    semantic_entry = next(entry for entry in found if entry["cache"] == semantic["name"])
    shown = cli("show", semantic_entry["key"], "--json").json
    assert shown["hits"] == 1
    assert shown["response"] == semantic_entry["response"]
    assert "vector" not in " ".join(shown["fields"])


def test_search_names_a_wrong_cache_and_an_empty_query(cli: Cli, calls: list[Call]) -> None:
    name = cli("caches", "--json").json[0]["name"]
    wrong = cli("search", "x", "--cache", name + "s")
    assert wrong.code == 2
    assert f"did you mean {name!r}?" in wrong.err
    assert cli("search", " ").code == 2


def test_check_tells_each_step_and_changes_nothing(cli: Cli, calls: list[Call], client: Any) -> None:
    before = {key: client.dump(key) for key in client.scan_iter()}
    hit = cli("check", QUESTION, "--model", "gpt-4o-mini", "--json").json
    assert (hit["decision"], hit["exact"]["hit"]) == ("exact", True)
    near = cli("check", NEAR + " please", "--model", "gpt-4o-mini", "--json").json
    assert near["exact"]["hit"] is False
    assert near["semantic"]["neighbors"][0]["prompt"] == QUESTION
    other = cli("check", QUESTION, "--model", "gpt-4o", "--json").json
    assert other["decision"] == "call"
    assert "scope" in other["semantic"]["why"]
    assert other["cost_usd"]["by_model"]["gpt-4o"] > other["cost_usd"]["by_model"]["gpt-4o-mini"] > 0
    assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_ask_answers_from_the_cache_and_from_the_model(
    cli: Cli,
    calls: list[Call],
    stand_in: StandInProvider,
    monkeypatch: pytest.MonkeyPatch,
    embedder: Embedder,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", stand_in.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    cached = cli("ask", QUESTION, "--json").json
    assert (cached["outcome"], cached["cost_usd"]) == ("exact", 0.0)
    fresh = cli("ask", "What is a monad?", "--json").json
    assert fresh["outcome"] == "miss"
    assert fresh["cost_usd"] > 0
    assert cli("ask", "What is a monad?", "--json").json["outcome"] == "exact"


def test_ask_says_which_key_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    done = cli("ask", "Hello?")
    assert done.code == 1
    assert "OPENAI_API_KEY" in done.err
    assert cli("--read-only", "ask", "Hello?").code == 5


def test_doctor_finds_all_well_and_the_model_that_wrote_the_index(cli: Cli, calls: list[Call]) -> None:
    done = cli("doctor", "--json")
    findings = {finding["check"]: finding for finding in done.json}
    assert done.code == 0
    assert findings["search"]["status"] == "ok"
    assert findings["ledger"]["status"] == "ok"
    assert [f["status"] for check, f in findings.items() if check.startswith("fingerprint")] == ["ok"]


def test_doctor_on_a_server_without_search(cli: Cli, fresh_server: Any) -> None:
    server = fresh_server(modules=False)
    done = cli("doctor", "--json", url=server.url)
    findings = {finding["check"]: finding for finding in done.json}
    assert done.code == 0
    assert findings["search"]["status"] == "warn"
    assert "redis:8" in findings["search"]["next_step"]


def test_hostile_entries_can_not_act_on_the_terminal(cli: Cli, client: Any) -> None:
    evil = "\x1b]52;c;UFdORUQ=\x07\x1b[2J\x9b31m\u202ered [/] [red]x"
    key = Keys().exact("a" * 64)
    client.hset(key, mapping={"prompt": evil, "response": evil, "model": evil, "created_ms": "1"})
    for args in (("search", "red", "--text"), ("show", key), ("show", key, "--json"), ("caches",)):
        done = cli(*args)
        for char in "\x1b\x07\x9b\u202e":
            assert char not in done.out + done.err, args
    assert json.loads(cli("show", key, "--json").out)["prompt"] == evil


def test_the_ledger_may_live_on_a_redis_of_its_own(
    cli: Cli, calls: list[Call], redis_url: str, fresh_server: Any
) -> None:
    caches = fresh_server(modules=False)
    assert cli("stats", "--json", url=caches.url).json["calls"] == 0
    assert cli("--ledger", redis_url, "stats", "--json", url=caches.url).json["calls"] == len(calls)
    gone = cli("--ledger", "redis://127.0.0.1:1", "stats", url=caches.url)
    assert gone.code == 3
    assert "127.0.0.1:1" in gone.err


def test_watching_prints_a_document_a_line_until_it_is_interrupted(calls: list[Call], redis_url: str) -> None:
    command = [sys.executable, "-m", "costconsole", "--redis", redis_url, "stats", "--json", "--watch", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())["calls"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert seen == [len(calls)] * 3


def test_caches_say_what_is_known_of_each(cli: Cli, client: Any) -> None:
    redisvl_index(client, "only_known_here")
    for _ in range(8):
        client.execute_command("FT.SEARCH", "only_known_here", "*")
    for prompt in ("a", "b"):
        redisvl_store(client, "only_known_here", prompt)
    for _ in range(2):
        (cache,) = cli("caches", "--json").json
        known = cache["known"]
        assert (known["hit_rate"], known["hit_rate_is"], known["lookups"]) == (0.75, "estimate", 8)
        assert "if every miss is stored once" in known["how"]
        assert "Ledger(" in known["code"]
    done = cli("caches", "--deep")
    assert "≈75.0" in done.out
    assert "exact figures: Ledger(" in done.out
