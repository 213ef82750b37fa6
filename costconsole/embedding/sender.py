"""Writes to a pipe without ever making the caller wait for the reader."""

from __future__ import annotations

import os
import select
import threading
from collections import deque


class Sender:
    """Sends at once what the pipe takes, and the rest, in order, from a thread that lives while there is one.

    What is sent before `open` waits for it; what can't be sent because the reader is gone is dropped,
    for the owner learns of that end by the pipe that it reads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._fd: int | None = None
        self._thread: threading.Thread | None = None

    def open(self, fd: int) -> None:
        """Begin to write to the descriptor, which stays the caller's to close, after `close`."""
        os.set_blocking(fd, False)
        with self._lock:
            self._fd = fd
            self._drain_in_background()

    def send(self, data: bytes) -> None:
        with self._lock:
            if self._fd is not None and not self._waiting:
                data = data[self._write(self._fd, data) :]
            if data:
                self._waiting.append(data)
                self._drain_in_background()

    def close(self) -> None:
        """Let go of the descriptor, whose reader must have ended."""
        with self._lock:
            self._fd = None
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _drain_in_background(self) -> None:
        """With the lock held: have what waits written, if it can be."""
        if self._fd is not None and self._waiting and self._thread is None:
            self._thread = threading.Thread(
                target=self._drain, name="costconsole-embedding-send", daemon=True
            )
            self._thread.start()

    def _drain(self) -> None:
        while True:
            with self._lock:
                if self._fd is None or not self._waiting:
                    self._thread = None
                    return
                first = self._waiting[0]
                rest = first[self._write(self._fd, first) :]
                if rest:
                    self._waiting[0] = rest
                else:
                    self._waiting.popleft()
                fd = self._fd if rest else None
            if fd is not None:
                # Also ends when the reader does: that is an error to poll.
                room = select.poll()
                room.register(fd, select.POLLOUT)
                room.poll()

    @staticmethod
    def _write(fd: int, data: bytes) -> int:
        """How many bytes need not be sent any more."""
        try:
            return os.write(fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)
