"""Sending to a process that is slow, late or gone."""

from __future__ import annotations

import os

from costconsole.embedding.sender import Sender


def read_all(fd: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += os.read(fd, 1 << 16)
    return content


def test_more_than_a_pipe_holds_is_taken_at_once_and_arrives_in_order() -> None:
    source, sink = os.pipe()
    sender = Sender()
    messages = [bytes([number]) * (number * 5_000) for number in range(1, 60)]
    sender.send(messages[0])
    sender.open(sink)
    for message in messages[1:]:
        sender.send(message)
    assert read_all(source, sum(map(len, messages))) == b"".join(messages)
    sender.send(b"small")
    assert read_all(source, 5) == b"small"
    os.close(source)
    sender.close()
    os.close(sink)


def test_a_reader_that_is_gone_stops_nobody() -> None:
    source, sink = os.pipe()
    sender = Sender()
    sender.open(sink)
    sender.send(b"x" * 1_000_000)
    os.close(source)
    sender.send(b"more")
    sender.close()
    os.close(sink)
