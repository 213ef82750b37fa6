"""Prompts that are sent shorter: what of it the caches, the marks and the switch see."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from costconsole.cache.policy import Author, write_policy
from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Outcome
from costconsole.prompt.messages import PromptMinimizer
from costconsole.redis_store.keys import Keys
from tests.gateway.conftest import Make, until

TABLE = "| name   | price   |\n|--------|---------|\n| a      | 2       |\n| b      | 3       |\n"
PADDED = f"Which of these is the cheapest?   \n\n\n\n\n{TABLE}"


def own(messages: Any) -> tuple[Any, int]:
    """A minimizer as an application may bring along."""
    return tuple({**message, "content": str(message["content"])[:12]} for message in messages), 5


@pytest.mark.parametrize("minimizer", ["safe", "strong", PromptMinimizer("safe"), own])
@pytest.mark.parametrize("mark", [{}, {"cache_control": {"type": "ephemeral"}}])
def test_a_mark_on_the_whole_request_keeps_every_byte(
    make_gateway: Make, stand_in: StandInProvider, minimizer: Any, mark: dict[str, Any]
) -> None:
    gateway = make_gateway(minimizer=minimizer)
    done = gateway.complete(PADDED, cache=False, **mark)
    assert (stand_in.served[-1].prompt == PADDED) is bool(mark)
    assert (done.call.input_saved == 0) is bool(mark)


def test_the_switch_never_leads_to_a_wrong_answer_nor_empties_the_semantic_cache(
    make_gateway: Make, stand_in: StandInProvider, client: redis.Redis
) -> None:
    gateway = make_gateway()

    def switch(on: bool) -> None:
        write_policy(client, Keys(), {"minimization": on}, Author("me", "here"))
        until(lambda: gateway.policy.minimization is on)

    first = gateway.complete(PADDED)
    assert first.outcome is Outcome.MISS
    assert gateway.complete(PADDED).outcome is Outcome.EXACT
    switch(False)
    # What would be sent is another request now, but the words are the same as they were.
    whole = gateway.complete(PADDED)
    assert whole.outcome is Outcome.SEMANTIC
    assert whole.similarity == pytest.approx(1.0, abs=1e-3)
    assert whole.text == first.text
    fresh = gateway.complete(PADDED, cache=False)
    assert stand_in.served[-1].prompt == PADDED
    switch(True)
    assert gateway.complete(PADDED).outcome is Outcome.EXACT
    assert len(stand_in.served) == 2, "nothing was asked twice"
    assert fresh.outcome is Outcome.BYPASS


def test_words_that_become_the_same_bytes_share_their_answer(
    make_gateway: Make, stand_in: StandInProvider
) -> None:
    gateway = make_gateway()
    first = gateway.complete(PADDED)
    more = gateway.complete(PADDED.replace("\n\n\n\n\n", "\n\n\n\n\n\n\n"))
    assert (more.outcome, more.text) == (Outcome.EXACT, first.text)
    other = gateway.complete(PADDED.replace("| 3 ", "| 4 "))
    assert other.outcome is not Outcome.EXACT, "another number is another request"
