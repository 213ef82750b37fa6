"""Guards refuse what asks for something else, and let pass what only says it differently."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.cache.guards import GuardEffect, differences, explain, fired, guard_effects
from costconsole.domain.figures import GUARDS

SAME_NUMBERS = [
    ("Ship 1,500 units", "ship 1500 units"),
    ("It costs $1.5k", "It costs $1,500"),
    ("It costs $1.5k", "It costs 1500 dollars"),
    ("a budget of €2m", "a budget of 2 million euros"),
    ("Ist 1.500,50 EUR zu viel?", "Is 1,500.50 EUR too much?"),
    ("within 3 days", "within three days"),
    ("25 seats", "twenty-five seats"),
    ("200 guests", "two hundred guests"),
    ("zwei Karten", "2 Karten"),
    ("٣ تذاكر", "3 تذاكر"),
    ("\uff15\uff10 people", "50 people"),
    ("the 1st step", "the first step"),
    ("one seat", "1 seat"),
    ("one seat", "a seat"),
    ("Why is the second invoice late?", "Why is the invoice late?"),
    ("at 5pm", "at 17:00"),
    ("at 5 p.m.", "at 5:00 pm"),
    ("Open at 5", "Open at 5pm"),
    ("due 2024-05-01", "due May 1, 2024"),
    ("due 01.05.2024", "due 1/5/2024"),
    ("price $5.00", "price $5"),
    ("order #12345", "order ORD-12345"),
    ("release v2.10.0", "release 2.10.0"),
    ("key 3F2A9C", "key 3f2a9c"),
    ("vitamin B12", "vitamin b-12"),
    ("CHF 12'500", "CHF 12500"),
    ("1.234567 million", "1,234,567"),
    ("1.2k", "1200.0"),
]
OTHER_NUMBERS = [
    ("Can I return it within 30 days?", "Can I return it within 60 days?"),
    ("Where is order ORD-12345?", "Where is order ORD-12346?"),
    ("Where is order 12588?", "Where is my order?"),
    ("It costs $1.5k", "It costs $1.5m"),
    ("seats for two", "seats for three"),
    ("twenty-five seats", "twenty-six seats"),
    ("drei Karten", "vier Karten"),
    ("one seat", "two seats"),
    ("at 5pm", "at 5am"),
    ("at 17:00", "at 18:00"),
    ("due 2024-05-01", "due 2024-05-02"),
    ("python 3.10", "python 3.1"),
    ("release 2.10.0", "release 2.1.0"),
    ("key 3f2a9c", "key 3f2b9c"),
    ("e29b41d4 failed", "e29b41d5 failed"),
    ("vitamin B12", "vitamin D12"),
    ("٣ تذاكر", "٤ تذاكر"),
    ("the first step", "the 2nd step"),
    ("order 007001", "order 7001"),
    ("host 10.0.0.1", "host 10.0.0.2"),
]


@pytest.mark.parametrize(("one", "other"), SAME_NUMBERS)
def test_a_number_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert "numbers" not in fired(one, other, 0.8)
    assert "numbers" not in fired(other, one, 0.8)
    assert not [span for span in differences(one, other) if span.kind == "number"]


@pytest.mark.parametrize(("one", "other"), OTHER_NUMBERS)
def test_another_number_is_refused(one: str, other: str) -> None:
    assert "numbers" in fired(one, other, 0.8)
    assert "numbers" in fired(other, one, 0.8)
    assert [span for span in differences(one, other) if span.kind == "number"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the weather in Paris?", "What is the weather in London?"),
        ("How do I sync with Dropbox today?", "How do I sync with OneDrive today?"),
        ("iPhone battery", "iPad battery"),
        ("Is there a flight to São Paulo?", "Is there a flight to Bogotá?"),
        ("Does it support SAML?", "Does it support LDAP?"),
        ("Какая погода в Москве?", "Какая погода в Киеве?"),
    ],
)
def test_another_name_is_refused(one: str, other: str) -> None:
    assert "entities" in fired(one, other, 0.8)
    assert "entities" in fired(other, one, 0.8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my Spotify password?", "How can I reset my password?"),
        ("what is the weather in paris", "What is the weather in Paris?"),
        ("Does it work with Wi-Fi?", "does wifi work with it"),
        ("Capital of the United Kingdom?", "What is the capital of the UK?"),
        ("Where is the U.S. office?", "Where is the US office?"),
        ("Who is the head of Amazon?", "Who is Amazon's CEO?"),
        ("Is Hillary Clinton rich?", "Is Hilary Clinton rich?"),
        ("Is São Paulo big?", "Is sao paulo big?"),
        ("How To Reset Your Password Quickly", "How To Change Your Passphrase Soon"),
        ("HOW DO I RESET IT", "How do I RESTART it"),
        ("Wie ändere ich mein Passwort?", "Wie ändere ich mein Kennwort?"),
        ("I think so. Please help", "I think so. Kindly help"),
        ("What can I do when it's late?", "What should I do when I'm late?"),
    ],
)
def test_capitals_alone_are_no_other_name(one: str, other: str) -> None:
    assert "entities" not in fired(one, other, 0.8)
    assert "entities" not in fired(other, one, 0.8)


@pytest.mark.parametrize(
    ("guard", "one", "other"),
    [
        ("negation", "Is it available in India?", "Is it not available in India?"),
        ("negation", "Why does it work?", "Why doesn’t it work?"),
        ("negation", "Why does it work?", "Why doesnt it work?"),
        ("negation", "Kann ich das ändern?", "Kann ich das nicht ändern?"),
        ("antonyms", "How do I enable sync?", "How do I disable sync?"),
        ("antonyms", "My account was activated", "My account was deactivated"),
        ("antonyms", "stop uploading files", "stop downloading files"),
    ],
)
def test_negations_and_opposites_refuse_near_prompts_only(guard: str, one: str, other: str) -> None:
    assert guard in fired(one, other, 0.90)
    assert guard in fired(other, one, 0.97)
    assert fired(one, other, 0.899) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Do you know whether it works or not?", "Do you know whether it works?"),
        ("Where is invoice no. 77?", "Where is invoice 77?"),
        ("Do introverts and extroverts get along?", "Can an extrovert and an introvert get along?"),
        ("I can't see why it isn't there", "I see why it is there"),
    ],
)
def test_what_negates_or_opposes_nothing_passes(one: str, other: str) -> None:
    assert fired(one, other, 0.95) == fired(other, one, 0.95) == ()


def test_only_what_is_switched_on_fires_in_the_order_of_the_list() -> None:
    one, other = "Don't enable 5 seats for Paris", "Do disable 6 seats for London"
    assert fired(one, other, 0.95) == GUARDS
    assert fired(one, other, 0.95, ("antonyms", "numbers")) == ("numbers", "antonyms")
    assert fired(one, other, 0.95, ()) == ()


_ANY = st.text() | st.text("0123456789.,:$€kKmab pm'-/# \nAIİ٣")


@settings(deadline=None)
@given(_ANY, _ANY)
def test_guards_take_any_text_and_neither_side_matters(one: str, other: str) -> None:
    assert fired(one, other, 0.95) == fired(other, one, 0.95)
    assert fired(one, one, 1.0) == ()
    for side, text in (("query", one), ("cached", other)):
        end = 0
        for span in differences(one, other):
            if span.side == side:
                assert end <= span.start < span.end
                assert text[span.start : span.end] == span.text
                end = span.end


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_whole_numbers_are_refused_unless_they_are_equal(one: int, other: int) -> None:
    assert bool(fired(f"order {one:,} now", f"order {other} now", 0.8)) == (one != other)


def test_differences_are_marked_where_they_stand() -> None:
    query = "Don't ship 1,200 boxes to Oslo quickly"
    cached = "Please ship 1300 boxes to Rome quickly"
    found = [(span.side, span.kind, span.text) for span in differences(query, cached)]
    assert found == [
        ("query", "negation", "Don't"),
        ("query", "number", "1,200"),
        ("query", "entity", "Oslo"),
        ("cached", "word", "Please"),
        ("cached", "number", "1300"),
        ("cached", "entity", "Rome"),
    ]
    assert explain(query, cached, ("numbers", "entities", "negation")) == (
        "numbers differ: 1,200 / 1300; names differ: Oslo / Rome; only one is negated: Don't / none"
    )


@dataclass
class Pair:
    query: str
    cached: str
    verdict: str | None
    similarity: float = 0.95
    guards: tuple[str, ...] = ()


def test_the_effect_of_a_guard_is_counted_on_labelled_pairs() -> None:
    found = guard_effects(
        [
            Pair("return in 30 days", "return in 60 days", "different"),
            Pair("return in 30 days", "give back within thirty days", "same"),
            Pair("top 5 hotels", "best hotels", "same"),
            Pair("enable it", "disable it", "unsure"),
            Pair("5", "6", None),
            Pair("", "", "different", guards=("numbers",)),
        ]
    )
    assert found["numbers"] == GuardEffect(same=2, different=3, fires_same=1, fires_different=2)
    assert found["numbers"].n == 5
    assert found["numbers"].ratio == pytest.approx((2 / 3) / (1 / 2))
    assert found["antonyms"] == GuardEffect(same=2, different=3, fires_same=0, fires_different=1)
    assert found["antonyms"].ratio is None


@pytest.mark.parametrize(
    "piece", ["1", "11,", "1.", "1 000", "Ab 1 ", "a1"], ids=lambda piece: piece.strip() or "blank"
)
def test_a_text_of_any_length_is_compared(piece: str) -> None:
    text = piece * 5_000 + "k"
    assert fired(text, text + " two 2", 0.95) == ("numbers",)
    assert fired(text, text + " ", 0.95) == ()
