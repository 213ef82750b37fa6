"""Minimizing a call: which messages change, and that nothing before a provider's cache mark does."""

from __future__ import annotations

import copy
import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costconsole.domain.errors import UsageProblem
from costconsole.ledger.tokens import count
from costconsole.prompt.messages import PromptMinimizer, minimize_messages

WIDE = "The lamp   came  back.   \n\n\n\n\nIt   is fine.   "
NARROW = "The lamp came back.\n\nIt is fine."
MARK = {"type": "ephemeral"}


def part(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def test_users_and_instructions_change_answers_and_tools_never() -> None:
    messages = (
        {"role": "system", "content": WIDE},
        {"role": "system", "name": "example_user", "content": WIDE},
        user(WIDE),
        {"role": "assistant", "content": WIDE, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": WIDE},
        {"role": "function", "name": "f", "content": WIDE},
        user(
            [
                part(WIDE),
                {"type": "image_url", "image_url": {"url": "a  b"}},
                {"type": "tool_result", "content": WIDE},
            ]
        ),
    )
    given_messages = copy.deepcopy(messages)
    found, saved, steps = minimize_messages(messages)
    assert messages == given_messages
    assert found[0]["content"] == found[2]["content"] == NARROW
    for same in (1, 3, 4, 5):
        assert found[same] is messages[same]
    assert found[6]["content"] == [part(NARROW), *messages[6]["content"][1:]]  # type: ignore[index]
    one = count(WIDE, "gpt-4o")[0] - count(NARROW, "gpt-4o")[0]
    assert saved == 3 * one == sum(step.tokens_saved for step in steps)


def test_instructions_are_only_ever_minimized_safely() -> None:
    text = "Use this.\n\n```python\nx = 1  # a long remark about the number one\n```\n"
    system, asked = {"role": "system", "content": text}, user(text)
    found, _, _ = minimize_messages((system, asked), level="strong")
    assert found[0] is system
    assert "remark" not in found[1]["content"]


@pytest.mark.parametrize(
    ("messages", "first"),
    [
        ([user(WIDE), user([part(WIDE, cache_control=MARK)]), user(WIDE)], 2),
        ([user(WIDE), user(WIDE, cache_control=MARK), user(WIDE)], 2),
        ([user(WIDE), {"role": "assistant", "content": [part("x", cache_control=MARK)]}, user(WIDE)], 2),
        ([user([{"type": "tool_result", "content": [part(WIDE, cache_control=MARK)]}]), user(WIDE)], 1),
        ([user([part(WIDE), {"cachePoint": {"type": "default"}}]), user(WIDE)], 1),
        ([{"role": "system", "content": [part(WIDE, cache_control=MARK)]}, user(WIDE)], 1),
        ([user(WIDE), user([part(WIDE), part(WIDE, cache_control=MARK)])], 2),
    ],
)
def test_nothing_changes_at_or_before_a_mark(messages: list[dict[str, Any]], first: int) -> None:
    found, _, _ = minimize_messages(messages)
    for at, message in enumerate(messages):
        if at < first:
            assert found[at] is message
        else:
            assert found[at]["content"] == NARROW


def test_parts_after_a_mark_in_the_same_message_change() -> None:
    found, saved, _ = minimize_messages([user([part(WIDE, cache_control=MARK), part(WIDE)])])
    assert found[0]["content"] == [part(WIDE, cache_control=MARK), part(NARROW)]
    assert saved > 0


def test_a_mark_of_the_whole_request_protects_all_of_it() -> None:
    minimizer = PromptMinimizer()
    messages = (user(WIDE),)
    assert minimizer(messages, {"cache_control": MARK}) == (messages, 0)
    assert minimizer(messages, {"temperature": 0})[0][0]["content"] == NARROW


contents = st.sampled_from([WIDE, "plain", '{"a":  [1,  2]}', "a\n\n\n\n\nb", "Is it indented?  \n\n\n\nNo"])
parts = st.builds(
    lambda text, marked: part(text, **({"cache_control": MARK} if marked else {})), contents, st.booleans()
)
turns = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system", "tool"]),
    contents | st.lists(parts, min_size=1, max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(turns, min_size=1, max_size=6))
def test_the_bytes_up_to_the_last_mark_stay(messages: list[dict[str, Any]]) -> None:
    found, _, _ = minimize_messages(messages)
    before, after = json.dumps(messages), json.dumps(found)
    end = before.rfind('"cache_control"')
    if end >= 0:
        assert after.startswith(before[:end])
    for old, new in zip(messages, found, strict=True):
        if old["role"] in ("assistant", "tool"):
            assert new is old


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(lambda r, c: {"role": r, "content": c}, st.sampled_from(["user", "assistant"]), contents),
        min_size=2,
        max_size=6,
    )
)
def test_a_conversation_that_goes_on_keeps_the_bytes_it_began_with(messages: list[dict[str, Any]]) -> None:
    system = {"role": "system", "content": "Be   brief.  \n\n\n\n\nThank you.  "}
    minimizer = PromptMinimizer()
    earlier: tuple[Any, ...] = ()
    for length in range(1, len(messages) + 1):
        now, _ = minimizer((system, *messages[:length]))
        assert now[: len(earlier)] == earlier
        earlier = now


def test_what_instructions_speak_of_holds_for_the_messages() -> None:
    table = "a\n\n\n\n\n\n\n\n\nb   c   and so on   "
    plain, _, _ = minimize_messages([{"role": "system", "content": "Answer."}, user(table)])
    careful, _, _ = minimize_messages([{"role": "system", "content": "Keep all blank lines."}, user(table)])
    assert plain[1]["content"] != table
    assert careful[1]["content"] == table


def test_the_minimizer_gives_back_what_it_can_not_shorten() -> None:
    minimizer = PromptMinimizer()
    messages = (user("How long do I have?"), user([{"type": "image_url"}]), {"role": "user"}, user(None))
    assert minimizer(messages)[0] is messages
    assert minimizer(()) == ((), 0)


def test_the_minimizer_remembers_and_forgets() -> None:
    minimizer = PromptMinimizer(remember=4_000)
    texts = [f"{WIDE} number   {n}  " for n in range(200)]
    first = [minimizer((user(text),)) for text in texts]
    assert [minimizer((user(text),)) for text in texts] == first
    assert minimizer._memory._used <= 4_000


def test_the_version_tells_rules_level_and_list_apart() -> None:
    versions = {
        PromptMinimizer().version,
        PromptMinimizer("strong").version,
        PromptMinimizer(boilerplate=["x"]).version,
        PromptMinimizer(boilerplate=["y"]).version,
    }
    assert len(versions) == 4


def test_wrong_arguments_are_refused_at_once() -> None:
    with pytest.raises(UsageProblem, match="safe or strong"):
        PromptMinimizer("weak")  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="expression 1"):
        PromptMinimizer(boilerplate=["("])


def test_threads_may_share_a_minimizer() -> None:
    minimizer = PromptMinimizer(remember=2_000)
    texts = [f"{WIDE} {n}  " for n in range(30)]
    expected = [PromptMinimizer(remember=0)((user(text),)) for text in texts]
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(5):
            for text, want in zip(texts, expected, strict=True):
                if minimizer((user(text),)) != want:
                    wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
