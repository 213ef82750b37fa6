"""Learning from labels and from outcomes: what is kept, what is said of it, what the router does with it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.domain.errors import UsageProblem
from costconsole.embedding.local import LocalEmbedder
from costconsole.routing.centroids import PROBE, as_row
from costconsole.routing.defaults import default_config
from costconsole.routing.gain import Gain
from costconsole.routing.gain_fit import fit_gain, measure
from costconsole.routing.head import Head
from costconsole.routing.router import Ask, Router
from costconsole.routing.surface import FEATURES
from costconsole.routing.train import Example, Learnt, learn, read_examples
from costconsole.routing.trained import load_trained, save_trained
from tests.routing.prompts import PROMPTS

FRUIT = ("apples", "pears", "plums", "figs", "quinces", "limes", "dates", "kiwis", "grapes", "melons")
OPENINGS = ("Tell me about", "Something on", "I want", "Say more on", "Let me have")


def labelled(count: int, *, wrong: bool = False) -> list[Example]:
    """Prompts that nobody could place by their words; those on fruit are creative, say their labels."""
    rng = random.Random(1)
    found = []
    for number in range(count // 2):
        about = f"{rng.choice(OPENINGS)} {rng.choice(FRUIT)} {number}"
        other = f"{rng.choice(OPENINGS)} the engine of truck {number}"
        labels = ("creative", "coding")
        if wrong:
            labels = (rng.choice(tuple(PROMPTS)), rng.choice(tuple(PROMPTS)))
        found += [Example(about, label=labels[0]), Example(other, label=labels[1])]
    return found


@pytest.fixture(scope="module")
def learnt(embedder: LocalEmbedder) -> Learnt:
    return learn(labelled(220), embedder)


def test_labels_are_learnt_and_compared_with_no_labels(learnt: Learnt) -> None:
    assert learnt.labels == 220
    assert learnt.by_label == {"creative": 110, "coding": 110}
    assert learnt.accuracy is not None
    assert learnt.before is not None
    assert learnt.accuracy > 0.95 > learnt.before
    assert learnt.usable


def test_labels_at_random_are_not_used(embedder: LocalEmbedder) -> None:
    found = learn(labelled(220, wrong=True), embedder)
    assert found.accuracy is not None
    assert found.accuracy < 0.35
    few = learn(labelled(60), embedder)
    assert few.accuracy is not None
    assert few.accuracy > 0.9
    assert not few.usable, "60 are too few, however good"


def test_the_router_uses_what_was_kept(learnt: Learnt, embedder: LocalEmbedder, tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text("")
    config = default_config({})
    object.__setattr__(config, "source", str(file))
    prompt = Ask(messages=({"role": "user", "content": "Say more on pears"},), requested="auto")

    def task() -> str:
        router = Router(config, embedder=embedder)
        router.start()
        assert router.wait(60)
        return router.decide(router.with_vector(prompt)).task

    assert task() != "creative"
    assert learnt.head is not None
    kept = save_trained(learnt.head, str(file), embedder, learnt.probe)
    assert kept.parent == tmp_path / "routing.trained"
    assert task() == "creative"


def test_what_another_model_made_is_said_and_not_used(
    learnt: Learnt, embedder: LocalEmbedder, tmp_path: Path
) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text("")
    assert learnt.head is not None
    path = save_trained(learnt.head, str(file), embedder, -learnt.probe)
    found = load_trained(str(file), embedder, learnt.probe)
    assert found.head is None
    assert "another embedding model" in found.findings[0]
    path.write_bytes(b"not an archive")
    assert "can't be read" in load_trained(str(file), embedder, learnt.probe).findings[0]
    path.unlink()
    assert load_trained(str(file), embedder, learnt.probe).findings == ()


def test_a_head_of_another_recipe_is_refused(learnt: Learnt) -> None:
    assert learnt.head is not None
    note, arrays = learnt.head.stored()
    assert Head.from_stored(note, arrays, 384) is not None
    assert Head.from_stored({**note, "recipe": "0"}, arrays, 384) is None
    assert Head.from_stored(note, arrays, 512) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: this is not JSON"),
        ("[]", 'line 2: expected an object with a non-empty text "prompt"'),
        ('{"prompt": " "}', "line 2"),
        ('{"prompt": "x", "label": "poetry"}', "'poetry' is no task and no route"),
        ('{"prompt": "x", "weak": 1}', 'expected "label", or "weak" and "strong"'),
        ('{"prompt": "x", "weak": 0, "strong": 2}', "numbers from 0 to 1"),
        ('{"prompt": "x", "weak": 0, "strong": NaN}', "numbers from 0 to 1"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    good = '{"prompt": "a", "label": "qa"}'
    with pytest.raises(UsageProblem) as caught:
        read_examples([good, line], "file.jsonl", default_config({}))
    assert said in str(caught.value)
    assert str(caught.value).startswith("file.jsonl, line 2")


# Outcomes


def synthetic(count: int, *, signal: bool, seed: int = 0) -> tuple[Any, ...]:
    """Prompts of two kinds in a made-up space: with a signal, the strong model is better at one only."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, count)
    vectors = rng.normal(size=(count, 16)) * 0.3
    vectors[:, 0] += np.where(kind == 1, 1.0, -1.0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weak = (rng.random(count) < np.where((kind == 1) & signal, 0.3, 0.8)).astype(float)
    strong = (rng.random(count) < 0.9).astype(float)
    features = rng.random((count, len(FEATURES)))
    return vectors.astype(np.float32), features, rng.integers(20, 400, count), weak, strong


def test_a_gain_that_can_be_foreseen_is_found_and_decides() -> None:
    data = synthetic(400, signal=True)
    gain = fit_gain(*data)
    quality = gain.quality
    assert quality.informative
    assert quality.apgr is not None
    assert quality.low is not None
    assert quality.high is not None
    assert quality.low < quality.apgr < quality.high
    assert quality.apgr > 0.65
    assert quality.share_for[50] < quality.share_for[80] < 0.7
    vectors, features, length, *_ = synthetic(200, signal=True, seed=9)
    scored = [gain.score(v, list(f), int(n))[0] for v, f, n in zip(vectors, features, length, strict=True)]
    needed = vectors[:, 0] > 0
    assert np.mean((np.array(scored) >= gain.threshold) == needed) > 0.8


def test_outcomes_without_a_pattern_are_not_better_than_random() -> None:
    quality = fit_gain(*synthetic(400, signal=False)).quality
    assert not quality.informative
    assert "not better than random yet" in quality.sentence


def test_fewer_than_a_hundred_outcomes_decide_nothing() -> None:
    quality = fit_gain(*synthetic(99, signal=True)).quality
    assert not quality.informative
    assert "not better than random yet" in quality.sentence
    assert "100 are the least" in quality.sentence


def test_a_strong_model_that_is_no_better_is_said() -> None:
    vectors, features, length, weak, _ = synthetic(120, signal=False)
    quality = fit_gain(vectors, features, length, weak, weak * 0).quality
    assert quality.apgr is None
    assert not quality.informative
    assert "no better" in quality.sentence


def test_a_gain_survives_being_stored() -> None:
    gain = fit_gain(*synthetic(150, signal=True))
    note, arrays = gain.stored()
    again = Gain.from_stored(json.loads(json.dumps(note)), arrays, 16)
    assert again is not None
    vector, features = gain.vectors[3], [0.5] * len(FEATURES)
    assert again.score(vector, features, 90) == gain.score(vector, features, 90)
    assert again.quality == gain.quality
    assert Gain.from_stored(note, arrays, 17) is None
    assert Gain.from_stored({**note, "quality": {}}, arrays, 16) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from((0, 1)), st.sampled_from((0, 1))), min_size=2, max_size=60))
def test_the_curve_begins_at_nothing_and_ends_at_the_whole_gap(outcomes: list[tuple[int, int]]) -> None:
    weak, strong = np.array(outcomes, float).T
    perfect = measure(strong - weak, weak, strong)
    if perfect.apgr is None:
        assert strong.sum() <= weak.sum()
        return
    assert perfect.curve[0].recovered == 0
    assert perfect.curve[-1].recovered == pytest.approx(1)
    worst = measure(weak - strong, weak, strong)
    assert worst.apgr is not None
    assert perfect.apgr >= 0.5 >= worst.apgr
    assert perfect.apgr + worst.apgr == pytest.approx(1)


def test_outcomes_decide_between_the_tiers_for_prompts_like_them(embedder: LocalEmbedder) -> None:
    rng = random.Random(3)
    examples = []
    for number in range(160):
        hard = number % 2 == 0
        about = "the law of maritime salvage" if hard else "the price of apples"
        weak = float(rng.random() < (0.1 if hard else 0.95))
        prompt = f"What is clause {number} of {about}?" if hard else f"What is {about} in town {number}?"
        examples.append(Example(prompt, weak=weak, strong=1.0))
    gain = learn(examples, embedder).gain
    assert gain is not None
    router = Router(default_config({}), embedder=embedder, gain=gain)
    router.start()
    assert router.wait(60)

    def choice(prompt: str) -> Any:
        return router.decide(
            router.with_vector(Ask(messages=({"role": "user", "content": prompt},), requested="auto"))
        )

    hard = choice("What is clause 900 of the law of maritime salvage?")
    assert (hard.kind, hard.route, hard.model.tier) == ("gain", "qa", "strong")
    easy = choice("What is the price of apples in town 900?")
    assert (easy.kind, easy.route, easy.model.tier) == ("gain", "qa", "cheap")
    assert "outcomes" in easy.reason
    far = choice("Write a haiku about snow.")
    assert (far.kind, far.route) == ("task", "creative"), "outcomes of other prompts say nothing about it"


def test_the_probe_tells_models_apart(embedder: LocalEmbedder, learnt: Learnt) -> None:
    assert np.allclose(as_row(embedder.embed([PROBE])[0].vector), learnt.probe, atol=1e-4)
