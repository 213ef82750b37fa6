"""The user's own keys: accepted in people's spelling, and named when they can't be."""

from __future__ import annotations

import pytest
from textual.binding import Binding

from costconsole.console.keymap import all_bindings, check_keymap, full_keys, key_name
from costconsole.domain.errors import UsageProblem

CONTEXTS = {
    "everywhere": [Binding("space", "pause", id="app.pause"), Binding("q", "quit", id="app.quit")],
    "Entries": [Binding("d", "evict", id="entries.evict")],
    "Lab": [Binding("d", "drop", id="lab.drop")],
}


def test_keys_in_peoples_spelling() -> None:
    assert check_keymap({"app.pause": "p,f5"}, CONTEXTS, "config") == {"app.pause": "p,f5"}
    assert full_keys("?") == "question_mark"
    assert full_keys("ctrl+p, [") == "ctrl+p,left_square_bracket"
    assert key_name("question_mark") == "?"
    assert key_name("ctrl+r") == "ctrl+r"


@pytest.mark.parametrize(
    ("keymap", "words"),
    [
        ({"app.puase": "p"}, ["unknown action 'app.puase'", "did you mean 'app.pause'?"]),
        ({"app.pause": "q"}, ["keys.app.pause", "'q' is taken by app.quit"]),
        ({"app.pause": "d"}, ["'d' is taken by", "on Entries"]),
        ({"entries.evict": "space"}, ["keys.entries.evict", "taken by app.pause"]),
        ({"app.pause": "x", "app.quit": "x"}, ["'x' is taken by"]),
        ({"app.pause": "ctrl+"}, ["keys.app.pause", "is no key"]),
    ],
)
def test_what_cannot_be_is_wrong_usage(keymap: dict[str, str], words: list[str]) -> None:
    with pytest.raises(UsageProblem) as told:
        check_keymap(keymap, CONTEXTS, "config file /x/config.toml")
    assert told.value.exit_code == 2
    assert str(told.value).startswith("config file /x/config.toml, keys")
    for word in words:
        assert word in str(told.value)


def test_a_key_may_serve_two_pages_and_move_from_one_action_to_another() -> None:
    assert check_keymap({"entries.evict": "x", "lab.drop": "x"}, CONTEXTS, "config")
    assert check_keymap({"app.pause": "q", "app.quit": "space"}, CONTEXTS, "config")


def test_every_binding_of_ours_has_an_id_and_no_two_share_a_key_where_both_hold() -> None:
    contexts = all_bindings()
    for context, bindings in contexts.items():
        taken: dict[str, str] = {}
        for binding in [*contexts["everywhere"], *bindings] if context != "everywhere" else bindings:
            assert binding.id, binding
            if binding.priority and context != "everywhere":
                continue  # It goes before what the table does with its key, on purpose.
            other = taken.setdefault(binding.key, binding.id)
            assert other == binding.id, f"{context}: {binding.key} is {other} and {binding.id}"
