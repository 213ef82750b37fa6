"""The corpus: enough of it, nothing twice, near twins that are near, variants that hardly differ."""

from __future__ import annotations

import re
from collections import Counter
from importlib.resources import files
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest

from costconsole.demo.corpus import Corpus, Intent, filled, load_corpus, slots_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from costconsole.embedding.embedder import Embedder

PRICED = ("gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "claude-3-haiku", "llama-3.3-70b-versatile")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


@pytest.fixture(scope="module")
def vectors(corpus: Corpus, embedder: Embedder) -> dict[str, NDArray[np.float32]]:
    """One row a wording, for each intent; slots are filled with their first value."""
    values = {name: choices[0] for name, choices in corpus.slots.items()}
    texts = [filled(wording, values) for intent in corpus.intents for wording in intent.wordings]
    rows = np.array([np.frombuffer(e.vector, "<f4") for e in embedder.embed(texts)])
    ends = np.cumsum([len(intent.wordings) for intent in corpus.intents])[:-1]
    return {i.id: part for i, part in zip(corpus.intents, np.split(rows, ends), strict=True)}


def test_there_is_enough_to_talk_about(corpus: Corpus) -> None:
    assert len(corpus.intents) >= 64
    assert len(corpus.areas) >= 8
    assert len(corpus.pairs) >= 20
    assert {i.id for i in corpus.intents if len(i.wordings) < 12} == set()
    assert len({i.id for i in corpus.intents}) == len(corpus.intents)
    assert {i.model for i in corpus.intents} <= set(PRICED)
    simple = {i.task for i in corpus.intents} & {"summarization", "extraction", "classification"}
    assert len(simple) == 3
    assert {i.task for i in corpus.intents} >= {"coding", "reasoning", "creative", "question"}


def test_no_prompt_occurs_twice(corpus: Corpus) -> None:
    def folded(wording: str) -> str:
        return re.sub(r"\s+", " ", wording).strip()

    seen = Counter(folded(wording) for intent in corpus.intents for wording in intent.wordings)
    assert [wording for wording, times in seen.items() if times > 1] == []


def test_answers_have_a_length_that_fills_a_screen_and_fits_one(corpus: Corpus) -> None:
    words = {i.id: len(i.answer.split()) for i in corpus.intents}
    assert {name: n for name, n in words.items() if not 40 <= n <= 250} == {}
    assert len({i.answer for i in corpus.intents}) == len(corpus.intents)


def test_pairs_know_each_other_and_differ_in_their_answers(corpus: Corpus) -> None:
    by_id = {i.id: i for i in corpus.intents}
    for intent in corpus.intents:
        if intent.pair:
            twin = by_id[intent.pair]
            assert twin.pair == intent.id
            assert twin.answer != intent.answer
            assert (twin.model, twin.system) == (intent.model, intent.system), (
                "or they could never be confused"
            )


def test_every_slot_can_be_filled(corpus: Corpus) -> None:
    values = {name: choices[0] for name, choices in corpus.slots.items()}
    used = set()
    for intent in corpus.intents:
        for wording in intent.wordings:
            used |= set(slots_of(wording))
            assert slots_of(filled(wording, values)) == ()
    assert used == set(corpus.slots)
    assert all(len(set(choices)) == len(choices) >= 8 for choices in corpus.slots.values())


def test_the_data_is_small_enough_to_ship() -> None:
    folder = files("costconsole.demo.corpus")
    sizes = [len(f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".toml")]
    assert 50_000 < sum(sizes) < 300_000


def test_near_twins_are_near(corpus: Corpus, vectors: dict[str, NDArray[np.float32]]) -> None:
    def similarity(a: Intent, b: Intent) -> float:
        return float(vectors[a.id][0] @ vectors[b.id][0])

    found = [similarity(a, b) for a, b in corpus.pairs]
    assert median(found) > 0.7
    assert max(found) > 0.95, "some twins must deceive the default threshold"


def test_variants_pass_the_default_threshold_and_paraphrases_do_not(
    corpus: Corpus, vectors: dict[str, NDArray[np.float32]]
) -> None:
    variants: list[float] = []
    paraphrases: list[float] = []
    for intent in corpus.intents:
        rows, own = vectors[intent.id], len(intent.prompts)
        alike = rows @ rows.T
        variants += alike[own:, :own].max(axis=1).tolist()
        among = alike[:own, :own] - 2 * np.eye(own)
        paraphrases += among.max(axis=1).tolist()
    assert np.mean(np.array(variants) >= 0.95) > 0.8
    between = [0.6 <= s < 0.95 for s in paraphrases]
    assert np.mean(between) > 0.5, "most wordings have one near enough for a lower threshold"
    assert np.mean(np.array(paraphrases) >= 0.95) < 0.15
