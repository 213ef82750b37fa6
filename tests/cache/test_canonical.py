"""What is one request and what is two: spelling must not matter, meaning must."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costconsole.cache.canonical import canonical_request, digest, prompt_text, scope_of
from costconsole.cache.folding import fold
from costconsole.cache.request import TRANSPORT_PARAMS, Request
from costconsole.domain.errors import UsageProblem

BODY: dict[str, Any] = {
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of France?"},
    ],
    "temperature": 0.5,
    "max_tokens": 100,
}


def request(change: dict[str, Any] | None = None, **options: Any) -> Request:
    return Request.from_body({**BODY, **(change or {})}, **options)


def user(text: Any) -> dict[str, Any]:
    return {"messages": [BODY["messages"][0], {"role": "user", "content": text}]}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt-y"},
        {"temperature": 0.6},
        {"top_p": 0.9},
        {"seed": 7},
        {"max_tokens": 101},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"response_format": {"type": "json_object"}},
        {"n": 2},
        user("What is the capital of Italy?"),
        user("what is the capital of France?"),
        {"messages": BODY["messages"][1:]},
        {"messages": [*BODY["messages"], {"role": "assistant", "content": "Paris"}]},
        {"system": "Be brief."},
    ],
)
def test_what_changes_the_answer_changes_the_key(change: dict[str, Any]) -> None:
    assert digest(request(change)) != digest(request())


def test_tenant_and_provider_change_the_key() -> None:
    names = {digest(request(tenant=t, provider=p)) for t in ("", "a", "b") for p in ("", "openai")}
    assert len(names) == 6


@pytest.mark.parametrize(
    "change",
    [
        *({name: "anything"} for name in sorted(TRANSPORT_PARAMS)),
        {"top_p": None},
        {"n": 1},
        {"max_tokens": 100.0},
        user("  What is  the capital\tof France? \n"),
        user([{"type": "text", "text": "What is the capital of France?"}]),
        user([{"type": "text", "text": "What is the capital of France?", "cache_control": {"type": "x"}}]),
    ],
)  # fmt: skip
def test_what_does_not_change_the_answer_keeps_the_key(change: dict[str, Any]) -> None:
    assert digest(request(change)) == digest(request())


def test_white_space_counts_when_it_is_asked_to() -> None:
    spaced = request(user("What is  the capital of France?"))
    assert digest(spaced, fold_whitespace=False) != digest(request(), fold_whitespace=False)


def test_the_order_of_names_does_not_matter_but_that_of_messages_does() -> None:
    turned = json.loads(json.dumps(BODY))
    turned = {name: turned[name] for name in reversed(turned)}
    turned["messages"] = [{k: m[k] for k in reversed(m)} for m in turned["messages"]]
    assert canonical_request(Request.from_body(turned)) == canonical_request(request())
    swapped = {**BODY, "messages": BODY["messages"][::-1]}
    assert digest(Request.from_body(swapped)) != digest(request())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a ```\nx  y\n```", "a ```\nx y\n```"),
        ("```\nx  y\n```", "```\nx y\n```"),
        ("fix: ```\nx\n\n\ny\n``` now", "fix: ```\nx\ny\n``` now"),
        ("~~~py\nx\n\n\ny\n~~~", "~~~py\nx\ny\n~~~"),
        ("run `a  b` now", "run `a b` now"),
        ("def f():\n    return  1", "def f():\nreturn  1"),
        ("def f():\n    x = 1\n\n    y = 2", "def f():\n    x = 1\n    y = 2"),
        ("if x:\n\ty", "if x:\ny"),
        ("a:\n  b: 1", "a:\nb: 1"),
        ("two words", "twowords"),
        ("one\ntwo", "one two"),
    ],
)
def test_white_space_that_means_something_stays(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  b", "a b"),
        ("\n\n a b\t\n", "a b"),
        ("a \r\n\r\n b", "a\nb"),
        ("a\n\n\n```\nx  y\n```\n\n\nb  c", "a\n```\nx  y\n```\nb c"),
        ("a ```b``` c\nd  e", "a ```b``` c\nd e"),
        ("fix: ```\nx\n``` now\nd  e", "fix: ```\nx\n``` now\nd e"),
        ("see  `x  y`  there", "see `x  y` there"),
        ("- a  b\n  - c  d", "- a b\n  - c d"),
        ("an odd ` tick   here", "an odd ` tick here"),
    ],
)
def test_white_space_that_means_nothing_is_folded(one: str, other: str) -> None:
    assert fold(one) == fold(other)


MARKDOWN = st.text(alphabet=" \t\n\r\f\x0b`~ab0-#\u00a0\u2028é", max_size=60)


@given(MARKDOWN)
@example("~~~\n ```\n`")
@example(" \n    `` `\n\n\t`")
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(MARKDOWN)
def test_folding_loses_only_white_space(text: str) -> None:
    space = dict.fromkeys(map(ord, " \t\n\r\f\x0b"))
    assert fold(text).translate(space) == text.translate(space)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4), st.text())
def test_any_request_has_a_key_that_survives_the_wire(params: dict[str, Any], words: str) -> None:
    body = {**params, "model": "m", "messages": [{"role": "user", "content": words}]}
    again = json.loads(json.dumps(body))
    assert digest(Request.from_body(body)) == digest(Request.from_body(again))
    assert scope_of(Request.from_body(body)) == scope_of(Request.from_body(again))


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_scope_does_not_hold_the_users_words(one: str, other: str) -> None:
    assert scope_of(Request.ask(one, model="m")) == scope_of(Request.ask(other, model="m"))


def test_the_prompt_is_the_users_own_words() -> None:
    assert prompt_text(request()) == "What is the capital of France?"
    assert (
        prompt_text(request(user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))) == "a\nb"
    )
    assert prompt_text(request({"messages": [{"role": "assistant", "content": "x"}]})) == ""
    assert prompt_text(request({"messages": []})) == ""


TEMPLATE = "You help with orders.\nQuestion: {prompt}\nAnswer shortly."


def filled(words: str, template: str = TEMPLATE) -> dict[str, Any]:
    return user(template.replace("{prompt}", words))


def test_a_template_belongs_to_the_scope_not_to_the_prompt() -> None:
    one = request(filled("Where is it?"), template=TEMPLATE)
    other = request(filled("Can I return it?"), template=TEMPLATE)
    assert prompt_text(one) == "Where is it?"
    assert scope_of(one) == scope_of(other)
    changed = TEMPLATE.replace("shortly", "at length")
    assert scope_of(request(filled("Where is it?", changed), template=changed)) != scope_of(one)
    assert prompt_text(request(user("Where is it?"), template=TEMPLATE)) == ""


def test_the_words_can_be_named_instead_of_the_template() -> None:
    one = request(filled("Where is it?"), user_text="Where is it?")
    other = request(filled("Can I return it?"), user_text="Can I return it?")
    assert prompt_text(one) == "Where is it?"
    assert scope_of(one) == scope_of(other)
    assert scope_of(one) != scope_of(request(user("Where is it?")))
    assert prompt_text(request(filled("x"), user_text="not in it")) == ""


def test_context_around_the_words_belongs_to_the_scope() -> None:
    one = request(user("Context: cats\nQ: how old?"), user_text="how old?")
    other = request(user("Context: dogs\nQ: how old?"), user_text="how old?")
    assert scope_of(one) != scope_of(other)


def test_a_body_that_is_none_says_so() -> None:
    with pytest.raises(UsageProblem, match="no model"):
        Request.from_body({"messages": []})
    with pytest.raises(UsageProblem, match="no list of messages"):
        Request.from_body({"model": "m", "messages": "hi"})
