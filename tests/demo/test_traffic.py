"""The demo's calls: repeatable, varied, in a day's rhythm, and worth watching at any threshold."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from costconsole.demo.corpus import load_corpus
from costconsole.demo.rhythm import DAY_S, arrivals, day_factor
from costconsole.demo.stand_in import Answers, StandIn
from costconsole.demo.traffic import AUTO, UNLISTED_MODEL, Ask, asks, provider_of
from costconsole.demo.wording import framed, surface

if TYPE_CHECKING:
    from costconsole.embedding.embedder import Embedder


@pytest.fixture(scope="module")
def calls() -> list[Ask]:
    return list(islice(asks(rate=20, seed=7), 4000))


def test_the_same_seed_gives_the_same_calls() -> None:
    first, again, other = (list(islice(asks(rate=20, seed=s), 300)) for s in (3, 3, 4))
    assert first == again
    assert [a.prompt for a in first] != [a.prompt for a in other]


def test_a_day_has_a_rhythm_and_never_stands_still() -> None:
    times = [a.at_s for a in takewhile(lambda a: a.at_s < DAY_S, arrivals(20, random.Random(1)))]
    assert times == sorted(times)
    per_minute = Counter(int(t // 60) for t in times)
    assert len(per_minute) == 10
    assert min(per_minute.values()) > 0.3 * 20 * 60
    assert max(per_minute.values()) > 1.8 * min(per_minute.values())
    assert 0.85 < len(times) / (20 * DAY_S) < 1.3
    assert min(day_factor(float(t)) for t in range(600)) > 0.3


def test_the_start_is_busy_enough_to_see_something_at_once() -> None:
    times = [a.at_s for a in takewhile(lambda a: a.at_s < 2, arrivals(20, random.Random(1)))]
    assert len(times) > 60


def test_bursts_are_about_one_thing() -> None:
    found: dict[int, int] = defaultdict(int)
    for arrival in takewhile(lambda a: a.at_s < 900, arrivals(20, random.Random(2))):
        found[arrival.burst] += 1
    assert len(found) > 5
    in_bursts = sum(n for burst, n in found.items() if burst)
    assert 0.05 < in_bursts / sum(found.values()) < 0.4


def test_popularity_falls_as_zipf_has_it(calls: list[Ask]) -> None:
    ranked = [n for _, n in Counter(a.intent for a in calls).most_common()]
    assert len(ranked) > 70, "the long tail is asked for as well"
    assert ranked[0] > 4 * ranked[len(ranked) // 2]


def test_models_teams_routes_and_customers_are_mixed(calls: list[Ask]) -> None:
    models = Counter(a.model for a in calls)
    assert len(models) == 7
    assert min(models.values()) > 0.01 * len(calls)
    assert UNLISTED_MODEL in models
    assert models[AUTO] > 0.1 * len(calls), "some leave the choice to the router"
    assert {provider_of(m) for m in models} == {"openai", "anthropic", "groq", "vllm", ""}
    assert len({a.tag for a in calls}) >= 8
    assert len({a.route for a in calls}) >= 4
    assert len({a.tenant for a in calls}) >= 5
    assert len({a.system for a in calls}) >= 8
    bypassed = sum(not a.use_cache for a in calls) / len(calls)
    assert 0.02 < bypassed < 0.1


def test_some_calls_repeat_others_to_the_letter_but_most_are_new(calls: list[Ask]) -> None:
    seen: set[tuple[str, str, str]] = set()
    repeated = 0
    for ask in calls:
        key = (ask.prompt, ask.model, ask.tenant)
        repeated += key in seen
        seen.add(key)
    assert 0.12 < repeated / len(calls) < 0.35


def test_no_slot_stays_open(calls: list[Ask]) -> None:
    names = [f"{{{name}}}" for name in load_corpus().slots]
    assert not [a for a in calls if any(n in a.prompt + a.answer for n in names)]


def test_variations_keep_the_question() -> None:
    rng = random.Random(5)
    text = "How do I export tasks to a CSV file?"
    for _ in range(200):
        assert text in framed(text, rng)
        changed = surface(text, rng)
        assert abs(len(changed) - len(text)) < 40
        assert changed.strip()


def test_the_stand_in_gives_the_answer_that_belongs_to_the_question(calls: list[Ask]) -> None:
    answers = Answers(size=10)
    for ask in calls[:50]:
        answers.remember(ask.prompt, ask.answer)
    assert answers(calls[49].model, calls[49].messages) == calls[49].answer
    stranger = "please, how do I unfreeze my card??"
    assert "**unfreeze** it" in answers("gpt-4o", [{"role": "user", "content": stranger}])
    told = answers("gpt-4o", [{"role": "user", "content": "How can I cancel order LK-99999 today?"}])
    assert "{order}" not in told
    assert answers("gpt-4o", []) != ""


def test_the_stand_in_is_a_process_that_ends_with_its_pipe(calls: list[Ask]) -> None:
    ask = next(a for a in calls if a.provider == "groq")
    stand_in = StandIn(seed=1)
    try:
        stand_in.tell(ask.prompt, ask.answer)
        with httpx.Client(base_url=stand_in.url, trust_env=False) as client:
            for _ in range(5):  # It fails now and then, as providers do.
                body = {"model": ask.model, "messages": ask.messages}
                reply = client.post("/v1/chat/completions", json=body)
                if reply.status_code == 200:
                    break
        said = reply.json()
        assert said["choices"][0]["message"]["content"] == ask.answer
        assert said["usage"]["completion_tokens"] > 20
    finally:
        stand_in.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(stand_in.url, trust_env=False)


def shares(calls: list[Ask], vectors: dict[str, np.ndarray], threshold: float) -> tuple[float, float, float]:
    """Shares of exact hits, semantic hits and misses when answers are kept per scope."""
    exact: set[tuple[object, str]] = set()
    cached: dict[object, list[np.ndarray]] = defaultdict(list)
    found: Counter[str] = Counter()
    for ask in calls:
        scope = (ask.model, ask.system, ask.tenant)
        near = cached[scope]
        if (scope, ask.prompt) in exact:
            found["exact"] += 1
        elif near and max(v @ vectors[ask.prompt] for v in near) >= threshold:
            found["semantic"] += 1
        else:
            found["miss"] += 1
            exact.add((scope, ask.prompt))
            near.append(vectors[ask.prompt])
    return tuple(found[kind] / len(calls) for kind in ("exact", "semantic", "miss"))  # type: ignore[return-value]


def test_the_threshold_decides_how_much_is_saved(calls: list[Ask], embedder: Embedder) -> None:
    some = [a for a in calls if a.use_cache][:700]
    prompts = sorted({a.prompt for a in some})
    embedded = embedder.embed(prompts)
    vectors = {p: np.frombuffer(e.vector, "<f4") for p, e in zip(prompts, embedded, strict=True)}
    exact, strict, missed = shares(some, vectors, 0.95)
    _, loose, missed_less = shares(some, vectors, 0.80)
    assert 0.05 < exact < 0.35
    assert 0.10 < strict < 0.45
    assert missed > 0.3, "a cache without misses has nothing to show"
    assert loose > strict + 0.15
    assert 0 < missed_less < missed - 0.15
