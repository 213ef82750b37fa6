"""Search by text: nothing that is typed is an operator, and with and without an index it finds the same."""

from __future__ import annotations

import string
from typing import Any

import pytest

from costconsole.cache.textquery import glob_escaped, holds, is_loose, text_query

PROMPTS = [
    "How do I get a refund for order #12,345?",
    "Refunds: e-mail us at help@example.com (24/7)!",
    'C:\\temp\\x.log says "disk full" | 100%',
    "{json: [1, 2]} ~ $HOME `ls -l` ^ & * = + <tag> ; 'it'",
    "snake_case and naïve café Straße ÜBER",
    "退款需要多少天",
    "Wie lange dauert eine Rückerstattung?",
    "the of and to",
    "Is “express” shipping the carrier’s fault… or ‘mine’?",
    "«Retour» — ¿dónde está mi „Paket“?",
    "thanks ☕ friends, that costs 5€",
    "party 🎉 with 👍🏽 and ❤️ today",
]


@pytest.fixture
def find(client: Any) -> Any:
    client.execute_command(
        "FT.CREATE", "t", "PREFIX", 1, "t:", "SCHEMA", "prompt", "TEXT", "response", "TEXT"
    )
    for at, prompt in enumerate(PROMPTS):
        client.hset(f"t:{at}", mapping={"prompt": prompt, "response": f"answer {at}"})

    def find(words: str) -> set[str]:
        query = text_query(words, ("prompt", "response"))
        assert query is not None
        reply = client.execute_command("FT.SEARCH", "t", query, "NOCONTENT", "WITHOUTCOUNT", "DIALECT", 2)
        return {PROMPTS[int(key.rpartition(b":")[2])] for key in reply[1:]}

    return find


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("refund", 0), ("refund order", 0), ("ORDER 12", 0), ("e-mail", 1), ("help@example.com", 1),
        ("24/7", 1), ('"disk full"', 2), ("100%", 2), ("json 1 2", 3), ("$HOME", 3),
        ("<tag>", 3), ("snake_case", 4), ("café", 4), ("straße", 4), ("退款", 5), ("多少", 5),
        ("Rückerst", 6), ("answer 6", 6),
        ("express", 8), ("expr", 8), ("“express” shipping", 8), ('"express"', 8), ("carrier", 8),
        ("carrier’s fault", 8), ("fault mine", 8), ("retour", 9), ("dónde paket", 9), ("pak", 9),
        ("☕", 10), ("☕ friends", 10), ("5€", 10),
    ],
)  # fmt: skip
def test_words_are_found(find: Any, words: str, at: int) -> None:
    assert PROMPTS[at] in find(words)
    assert holds(words, PROMPTS[at], f"answer {at}")


@pytest.mark.parametrize("words", ["refund kangaroo", "nothinghere", "sake_case", "款退"])
def test_other_words_are_not(find: Any, words: str) -> None:
    assert find(words) == set()
    assert not any(holds(words, prompt) for prompt in PROMPTS)


@pytest.mark.parametrize("sign", [*string.punctuation, "\x00", "\x7f", "\u202e", "–", "€", "\ud800", "🎉"])
@pytest.mark.parametrize(
    "shape", ["{}", "refund{}", "{}refund", "re{}fund", "refund {} order", "{0}{0}x", "x{0}{0}"]
)
def test_no_sign_is_an_operator(find: Any, sign: str, shape: str) -> None:
    words = shape.format(sign)
    if text_query(words, ("prompt",)) is not None:
        find(words)


@pytest.mark.parametrize(
    "words", ["-refund", "@prompt:x", "refund|kangaroo kangaroo", "~kangaroo", "%kangarro%"]
)
def test_operators_of_the_query_language_are_words(find: Any, words: str) -> None:
    assert find(words) <= {PROMPTS[0], PROMPTS[1]}
    assert ("kangaroo" not in words and "prompt" not in words) == bool(find(words)) or find(words) == set()


def test_what_an_index_cannot_look_for_is_told() -> None:
    assert text_query("🎉", ("prompt",)) is None
    assert is_loose("party 🎉")
    assert is_loose("don’t")
    assert not is_loose("“refund” order")
    for words in ("🎉", "party 🎉", "👍🏽", "❤", "❤️ today"):
        assert holds(words, PROMPTS[11])
    assert not holds("🎉 friends", *PROMPTS[:10])
    assert holds("don't", "I don’t")
    assert holds("don’t", "I don't")


def test_only_signs_are_looked_for_as_they_stand() -> None:
    assert text_query("?!", ("prompt",)) is None
    assert holds("?!", "what?!")
    assert not holds("?!", "what!")
    assert not holds("  ", "anything")


def test_a_key_is_no_pattern(client: Any) -> None:
    odd = "a*[b]?\\^c"
    client.set(odd, 1)
    client.set("axb", 1)
    assert client.keys(glob_escaped(odd)) == [odd.encode()]
