"""The terminal that we are on: whether there is one, what it can show, and how we leave it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from costconsole.domain.errors import UsageProblem

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
GRACE_S = 3.0
"""How long a signalled console may take to leave by itself."""

MIN_WIDTH, MIN_HEIGHT = 80, 24
# Whatever Textual switches on: mouse, focus events, paste brackets, in-band resize, kitty keys, no wrap.
_RESTORE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?7h\x1b[<u"
    "\x1b[?1049l\x1b[?25h\x1b[?1004l"
)


def require_terminal(
    environ: Mapping[str, str], stdin: IO[Any] | None = None, stdout: IO[Any] | None = None
) -> None:
    """Raise UsageProblem where a screen can't be drawn, before anything was written."""
    commands = "use a command that prints, such as costconsole stats, caches, search or doctor (see --help)"
    for stream, name in ((stdin or sys.stdin, "input"), (stdout or sys.stdout, "output")):
        if not _is_terminal(stream):
            raise UsageProblem(f"the console needs a terminal, and standard {name} is not one: {commands}")
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        shown = f"TERM is {term!r}" if term else "TERM is not set"
        raise UsageProblem(f"this terminal can't show a screen ({shown}): set TERM, or {commands}")


def _is_terminal(stream: IO[Any] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def colors(environ: Mapping[str, str]) -> int:
    """How many colours may be used: 0 (NO_COLOR), 16, 256 or 16,777,216."""
    if environ.get("NO_COLOR"):
        return 0
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return 1 << 24
    term = environ.get("TERM", "").lower()
    if "direct" in term or "truecolor" in term:
        return 1 << 24
    return 256 if "256" in term or term.startswith(("xterm-kitty", "alacritty", "wezterm", "foot")) else 16


def is_gone() -> bool:
    """Whether the terminal was closed under us: its descriptor no longer answers as one."""
    stream = sys.__stdin__
    return not _is_terminal(stream)


def restore() -> None:
    """Give the terminal back by force, past any thread that is stuck in writing to it."""
    try:
        fd = sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
        os.set_blocking(fd, False)
        os.write(fd, _RESTORE.encode())
    except (OSError, ValueError):
        return


class Signals:
    """SIGTERM, SIGHUP and SIGINT leave the console by its own door, and by force if that one is stuck.

    `leave(128 + n)` is called from the signal handler: it must be safe there. After `GRACE_S` seconds the
    terminal is restored and the process ends, whatever it is doing.
    """

    def __init__(self, leave: Callable[[int], None]) -> None:
        self._leave = leave
        self._before: dict[int, Any] = {}
        self._attributes = _attributes()

    def install(self) -> None:
        """Only the main thread may do so; elsewhere (in tests) nothing happens."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._received)

    def remove(self) -> None:
        """Put back what was there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _received(self, number: int, _frame: object) -> None:
        self.leave_within_grace(128 + number)

    def leave_within_grace(self, code: int) -> None:
        """Leave with this exit code, by force when it takes too long."""
        timer = threading.Timer(GRACE_S, self._end, (code,))
        timer.daemon = True
        timer.start()
        self._leave(code)

    def _end(self, code: int) -> None:
        restore()
        if self._attributes is not None:
            import termios

            try:
                termios.tcsetattr(0, termios.TCSANOW, self._attributes)
            except (OSError, termios.error):
                pass
        os._exit(code)


def _attributes() -> list[Any] | None:
    import termios

    try:
        return termios.tcgetattr(0)
    except (OSError, termios.error):
        return None
