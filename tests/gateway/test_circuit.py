"""What fails is left alone for a while."""

from __future__ import annotations

from costconsole.gateway.circuit import Circuit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_rests_lets_one_try_and_closes() -> None:
    clock = Clock()
    circuit = Circuit(rest_s=1.0, clock=clock)
    assert circuit.allows()
    assert circuit.failed("no connection")
    assert circuit.reason == "no connection"
    assert not circuit.allows()
    clock.now = 1.0
    assert circuit.allows()
    assert not circuit.allows(), "only one caller tries at a time"
    assert circuit.succeeded()
    assert circuit.closed
    assert circuit.reason == ""
    assert circuit.allows()
    assert circuit.allows()


def test_rests_grow_up_to_a_limit() -> None:
    clock = Clock()
    circuit = Circuit(rest_s=1.0, longest_s=4.0, clock=clock)
    for rest_s in (1.0, 2.0, 4.0, 4.0):
        circuit.failed("away")
        clock.now += rest_s - 0.01
        assert not circuit.allows()
        clock.now += 0.01
        assert circuit.allows()


def test_a_caller_that_never_tells_does_not_keep_it_open() -> None:
    clock = Clock()
    circuit = Circuit(rest_s=1.0, clock=clock)
    circuit.failed("away")
    clock.now = 1.0
    assert circuit.allows()
    clock.now = 2.0
    assert circuit.allows()
