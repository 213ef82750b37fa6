"""What of a prompt is the instruction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costconsole.routing.instruction import (
    LONGEST,
    asks_the_same,
    conversation_of,
    has_code,
    instruction,
    instruction_of,
)
from costconsole.routing.surface import features
from tests.routing.prompts import PASSAGE, PROMPTS

ORDER = "Give me a two-sentence summary of the text."
QUESTION = "In which year was the lamp electrified?"


@pytest.mark.parametrize("prompt", [prompt for prompts in PROMPTS.values() for prompt in prompts])
def test_a_short_prompt_is_its_own_instruction(prompt: str) -> None:
    assert instruction(prompt) == prompt


@pytest.mark.parametrize("order", [ORDER, QUESTION])
@pytest.mark.parametrize(
    "form",
    [
        "{order}\n\n{passage}",
        "{passage}\n\n{order}",
        "{order}\n{passage}",
        "{passage}\n{order}",
        "{order}\n\nText: {passage}",
        '{order}\n"""\n{passage}\n"""',
        "<document>\n{passage}\n</document>\n{order}",
        "> {passage}\n\n{order}",
        "{order}\n---\n{passage}\n\n{passage}\n---",
        "Passage: {passage}\n\nQuestion: {order}",
        "{passage} {order}",
    ],
)
def test_a_pasted_passage_is_left_out(form: str, order: str) -> None:
    assert instruction(form.format(order=order, passage=PASSAGE)) == order


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ("{asked}\n{ticket}", "Is this guest happy?"),
        ("I'm new here. {asked}\n{ticket}", "Who is in charge of this?"),
        ("{asked} {ticket}", "Label the mood of this text:"),
        ("{ticket} {asked}", "Which department should get this message?"),
    ],
)
def test_a_short_passage_is_told_by_the_sentence_beside_it(form: str, asked: str) -> None:
    ticket = "The roof leaks above the sink since the storm, and by noon the bucket is full. Nobody came."
    assert instruction(form.format(asked=asked, ticket=ticket)) == asked


def test_a_story_without_a_question_for_it_stays_whole() -> None:
    told = (
        "How many plums are left?\nTom picked 40 plums, ate five on the way and gave half of the rest to Ann."
    )
    assert instruction(told) == told


def test_code_is_left_out_and_noticed() -> None:
    prompt = "Why is this slow?\n\n```python\nfor i in range(10**9):\n    total += i\n```\n"
    assert instruction(prompt) == "Why is this slow?"
    assert has_code(prompt)
    bare = "Why does this loop never end?\n\nwhile (true) {\n  count += 1;\n}\n"
    assert instruction(bare) == "Why does this loop never end?"
    assert has_code(bare)
    assert not has_code(PASSAGE)


def test_a_word_problem_stays_whole() -> None:
    problem = (
        "A bakery makes 240 rolls a day. It sells 3/4 of them in the morning for $0.50 each.\n\n"
        "In the afternoon it sells 40 more at half the price. How many rolls are left, and what was earned?"
    )
    assert "240" in instruction(problem)
    assert "How many" in instruction(problem)


def test_answers_to_choose_from_stay_with_their_question() -> None:
    question = "Which planet is the largest?\nA. Mars\nB. Venus\nC. Jupiter\nD. Earth\nAnswer:"
    assert instruction(question + " " * 10) == question


def test_the_last_user_turn_with_words_counts() -> None:
    turns = (
        {"role": "user", "content": "Write a poem."},
        {"role": "assistant", "content": "Roses are red."},
        {"role": "user", "content": [{"type": "text", "text": "Make it shorter."}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "tool_result", "content": "42"}]},
    )
    assert instruction_of(turns) == "Make it shorter."
    assert instruction_of(()) == ""
    assert instruction_of(({"role": "system", "content": "Be brief."},)) == ""


def test_a_vector_of_the_same_words_can_be_used_again() -> None:
    turn = ({"role": "user", "content": "What is  a fjord?"},)
    assert asks_the_same(turn, "What is a fjord?")
    pasted = ({"role": "user", "content": f"{ORDER}\n\n{PASSAGE}"},)
    assert not asks_the_same(pasted, f"{ORDER}\n\n{PASSAGE}")


def test_a_conversation_is_known_by_its_beginning() -> None:
    begin = ({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"})
    later = (*begin, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "And now?"})
    assert conversation_of(begin) == conversation_of(later) != ""
    assert conversation_of(begin[1:]) != conversation_of(begin)
    assert conversation_of(()) == ""


@given(st.text(max_size=4_000))
def test_any_text_has_an_instruction_of_bounded_length(text: str) -> None:
    found = instruction(text)
    assert len(found) <= LONGEST + 1
    assert bool(found) == bool(text.strip())
    assert all(0 <= value <= 6 for value in features(found, code=has_code(text)))


@pytest.mark.parametrize("unit", ["word ", "a\n", "? ", "```\n", "<a>\n", '"""', "1,2 or ", "\n", "> x\n\n"])
def test_a_huge_prompt_is_read_at_its_ends_only(unit: str) -> None:
    ends = (unit * 20_000)[:20_000]
    prompts = [f"{ORDER}\n\n{ends}{middle * 30_000}{ends}" for middle in ("x ", "y ")]
    first, second = (instruction(prompt) for prompt in prompts)
    assert first == second
    assert ORDER in first
