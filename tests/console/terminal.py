"""A terminal for tests: a pty whose other end is read, counted and drawn."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

ROOT = Path(__file__).parent.parent.parent
# pyte draws the answer-less queries of the kitty keyboard protocol as text.
_KITTY = re.compile(rb"\x1b\[[<>=]\d*u")


class Terminal:
    """One program in one terminal. `raw` is all that it sent; `screen` what is to be seen."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        size: tuple[int, int] = (120, 36),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.raw = b""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.code: int | None = None
        environ = {
            key: value
            for key, value in os.environ.items()
            if key not in ("NO_COLOR", "COLORTERM", "TERM", "TMUX", "SSH_TTY", "COLUMNS", "LINES")
        }
        environ |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **(env or {})}
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.execve(sys.executable, [sys.executable, *arguments], environ)
        self.resize(*size)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds: float) -> bytes:
        """What comes within so many seconds."""
        came = b""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                try:
                    data = os.read(self._fd, 1 << 16)
                except OSError:
                    break
                if not data:
                    break
                came += data
                self._stream.feed(_KITTY.sub(b"", data))
        self.raw += came
        return came

    def until(self, pattern: str, timeout: float = 60) -> None:
        """Read until the screen shows the pattern."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} on the screen:\n{self.text}")
            self.read(0.05)

    def settle(self, quiet_s: float = 0.4, timeout: float = 60) -> None:
        """Read until nothing has come for a while."""
        end = time.monotonic() + timeout
        while self.read(quiet_s) and time.monotonic() < end:
            pass

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def wait(self, timeout: float = 30) -> int:
        """The exit code; minus the signal's number when one killed it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._fd >= 0:
                self.read(0.02)
            else:
                time.sleep(0.02)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
                if self._fd >= 0:
                    self.read(0.1)
                return self.code
        raise AssertionError(f"still running after {timeout} s")

    @property
    def state(self) -> str:
        """The process's state, as in /proc: R, S, T (stopped) ..."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    @property
    def restored(self) -> bool:
        """Whether the terminal was given back: normal screen, cursor on, no mouse, no pasting brackets."""
        modes: dict[bytes, bytes] = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", self.raw))
        wanted = {b"1049": b"l", b"25": b"h", b"1000": b"l", b"1003": b"l", b"1006": b"l", b"2004": b"l"}
        return all(modes.get(mode, state) == state for mode, state in wanted.items())
