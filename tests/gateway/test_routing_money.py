"""What calls cost whose first model failed, and who pays when many ask the same at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from costconsole.demo.provider import StandInProvider
from costconsole.domain.call import Call, Outcome
from tests.gateway.conftest import Ledgered, Make
from tests.gateway.test_routing import CONFIG, HARD, SIMPLE


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "routing.yaml"
    path.write_text(CONFIG)
    return path


def adds_up(call: Call) -> bool:
    assert call.spend_nano is not None
    return call.spend_nano + call.savings.total == call.baseline_nano


def test_every_attempt_adds_up_and_only_the_answer_saves(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next(500, times=3)
    gateway.complete(SIMPLE, model="auto")
    failed, answered = ledgered(gateway)
    assert (failed.model, failed.error, failed.spend_nano, failed.baseline_nano) == (
        "gpt-4o-mini",
        "server",
        0,
        0,
    )
    assert failed.savings.total == 0
    assert answered.model == "gpt-4o"
    assert answered.savings.routing == 0, "the model that stood in is the one savings count against"
    assert adds_up(failed)
    assert adds_up(answered)


def test_many_who_ask_at_once_pay_once_though_a_model_failed(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next(500, times=3)
    stand_in.pause()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(gateway.complete, HARD, model="auto") for _ in range(6)]
        assert stand_in.wait_arrived(1)
        stand_in.resume()
        done = [call.result(60) for call in asked]
    assert {completion.text for completion in done} == {done[0].text}
    calls = ledgered(gateway)
    failed = [call for call in calls if call.error]
    paid = [call for call in calls if call.spend_nano]
    assert [call.model for call in failed] == ["gpt-4o"]
    assert [call.model for call in paid] == ["claude-3-5-sonnet-20241022"]
    assert len(calls) == 7
    assert sum(call.outcome is Outcome.EXACT for call in calls) == 5
    assert all(map(adds_up, calls))


def test_a_refusal_that_was_billed_saves_nothing(
    make_gateway: Make, ledgered: Ledgered, config: Path, stand_in: StandInProvider
) -> None:
    gateway = make_gateway(routing=config)
    assert gateway.routing.router.wait(60)
    stand_in.fail_next("refusal")
    with pytest.raises(Exception, match="refused"):
        gateway.complete(SIMPLE, model="auto")
    (call,) = ledgered(gateway)
    assert call.spend_nano
    assert call.savings.routing == 0
    assert adds_up(call)
