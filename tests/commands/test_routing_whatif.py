"""`costconsole routing what-if`: the last calls of a real ledger under an edited config."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from costconsole.ledger.ledger import Ledger
from costconsole.redis_store.keys import Keys
from costconsole.routing.config import load_config, parse_config
from costconsole.routing.replay import Progress, Question, read_calls, replay
from tests.commands.conftest import Cli
from tests.ledger.calls import hit
from tests.routing.test_whatif import CONFIG, call

OWN_PRICES = """
  small: {provider: openai, model: gpt-4o-mini, tier: cheap, prices: {input: 1, output: 4}}
  large: {provider: openai, model: gpt-4o, tier: strong, prices: {input: 10, output: 40}}
  other: {provider: anthropic, model: claude-3-haiku, tier: cheap, prices: {input: 2, output: 8}}
"""
WITH_PRICES = "models:" + OWN_PRICES + CONFIG[CONFIG.index("tiers:") :]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The config in use, and one whose `answers` go to another model."""
    used, edited = tmp_path / "routing.yaml", tmp_path / "edited.yaml"
    used.write_text(WITH_PRICES)
    edited.write_text(WITH_PRICES.replace("task: qa, use: small", "task: qa, use: other"))
    return str(used), str(edited)


def fill(url: str, count: int = 30) -> None:
    ledger = Ledger(url, prompts="full")
    for n in range(count):
        ledger.record(hit(requested_model="auto") if n % 3 == 2 else call(preview=f"Who was number {n}?"))
    assert ledger.flush()
    ledger.close()


def test_moved_calls_with_spend_before_and_after(cli: Cli, redis_url: str, files: tuple[str, str]) -> None:
    fill(redis_url)
    used, edited = files
    done = cli("routing", "what-if", edited, "--routing", used, "--json")
    assert done.code == 0
    found = done.json
    assert (found["calls"], found["hits"], found["moved"], found["known"]) == (30, 10, 20, 30)
    assert found["spend_usd"] == {"before": pytest.approx(0.028), "after": pytest.approx(0.056)}
    assert found["saved_by_routing_usd"]["before"] > found["saved_by_routing_usd"]["after"] > 0
    assert [(move["from"], move["to"]) for move in found["moves"]] == [
        ("openai/gpt-4o-mini", "anthropic/claude-3-haiku")
    ]
    assert any("hit costs nothing" in words or "hit stays a hit" in words for words in found["assumptions"])
    said = cli("routing", "what-if", edited, "--routing", used, "--last", "9")
    assert "9 calls from" in said.out
    assert "anthropic/claude-3-haiku" in said.out
    assert "assumed: tokens as they were used" in said.err


def test_another_price_list(cli: Cli, redis_url: str, files: tuple[str, str], tmp_path: Path) -> None:
    fill(redis_url)
    listed = tmp_path / "prices.toml"
    listed.write_text('[prices."openai/gpt-4o-mini"]\ninput = 3\noutput = 12\n')
    done = cli("routing", "what-if", "--prices", str(listed), "--routing", files[0], "--json")
    assert done.json["moved"] == 0
    assert done.json["spend_usd"]["after"] == pytest.approx(3 * done.json["spend_usd"]["before"])
    as_json = tmp_path / "prices.json"
    as_json.write_text(json.dumps({"openai/gpt-4o-mini": {"input": 3, "output": 12}}))
    same = cli("routing", "what-if", "--prices", str(as_json), "--routing", files[0], "--json")
    assert same.json == done.json


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is nothing to compare"),
        (("gone.yaml",), "gone.yaml"),
        (("--prices", "gone.toml"), "gone.toml can't be read"),
    ],
)
def test_what_is_wrong_is_said(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    done = cli("routing", "what-if", *arguments)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("text", ["", "x", "[prices]\n", '[prices."gpt"]\ninput = 1\noutput = 2\n'])
def test_a_price_list_that_is_none(cli: Cli, tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    done = cli("routing", "what-if", "--prices", str(path))
    assert done.code == 2
    assert str(path) in done.err


def test_an_empty_ledger_says_so(cli: Cli, files: tuple[str, str]) -> None:
    done = cli("routing", "what-if", files[1], "--routing", files[0])
    assert done.code == 0
    assert "has no calls" in done.err


async def test_where_routes_differ_kept_prompts_are_routed_anew(
    redis_url: str, aclient: Any, embedder: Any, files: tuple[str, str]
) -> None:
    fill(redis_url)
    old = load_config(files[0])
    new = parse_config(WITH_PRICES + "- {name: numbers, use: other, when: {keywords: [number]}}\n", "edited")
    told: list[Progress] = []
    question = Question(old=old, new=new)
    found = await replay(aclient, Keys("default"), question, embedder, on_progress=told.append)
    # The keyword rule takes them all, whatever the old config decided by meaning.
    assert found.calls == 30
    assert found.moved + found.unknown.get("other", 0) == 20
    assert told[-1].done == told[-1].total == 30
    assert told[-1].routed == 20
    without = await replay(aclient, Keys("default"), question)
    assert without.unknown == {"prompt": 20}


async def test_it_stops_with_what_is_known_by_then(
    redis_url: str, aclient: Any, files: tuple[str, str]
) -> None:
    fill(redis_url)
    stop = asyncio.Event()
    stop.set()
    question = Question(old=load_config(files[0]), new=load_config(files[1]))
    found = await replay(aclient, Keys("default"), question, stop=stop)
    assert not found.complete
    assert found.calls == 0


async def test_pages_hold_every_call_once(
    redis_url: str, aclient: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(redis_url)
    monkeypatch.setattr("costconsole.routing.replay._PAGE", 7)
    for last, wanted in ((100, 30), (30, 30), (10, 10), (1, 1)):
        pages = [page async for page in read_calls(aclient, Keys("default"), last)]
        assert len({one.id for page in pages for one in page}) == wanted
