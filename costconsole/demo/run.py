"""`costconsole demo`: an embedded Redis, a process that makes calls, and the console on top of both."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import NoReturn

import costconsole
from costconsole.demo.orders import Orders
from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.errors import ExitCode, Problem
from costconsole.settings import Settings

_LINGER_S = 8.0
_WINDOW = "15m"


def run_demo(
    settings: Settings,
    *,
    rate: float,
    headless: bool,
    seconds: float | None,
    port: int | None,
    keep: str | None,
) -> int:
    """Run the demo and return an exit code. Everything that it starts ends with it.

    `rate` is calls a second. `headless`: without the console, for `seconds` or until interrupted;
    with the console, `seconds` end the traffic alone. `port` (0: a free one) has Redis on the loopback
    instead of a private socket. `keep` is a folder for Redis's data; a later run goes on from there.
    Raises Problem when Redis can't run here, or the traffic ends by itself.
    """
    server = EmbeddedRedis(Path(keep) if keep else None, port)
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="costconsole-demo-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        orders = Orders(
            rate=rate,
            seed=secrets.randbelow(2**31),
            folder=folder,
            seconds=0.0 if headless else seconds or 0.0,
            namespace=settings.namespace,
            model=settings.embedding_model,
            prompts=settings.prompts if "prompts" in settings.origins else "full",
            redact=settings.redact,
            prices=settings.prices,
            routing=routing_file(keep or folder),
        )
        if headless:
            stack.enter_context(_ends_on_signals())
        # The traffic begins to import while Redis starts: both take about as long.
        traffic = stack.enter_context(contextlib.closing(_Traffic(orders)))
        stack.enter_context(server)
        # The traffic ends before Redis does, or it would look for it.
        stack.callback(traffic.close)
        traffic.begin(server.url)
        if headless:
            return _wait(traffic, server.url, seconds)
        from costconsole.console.launch import run_console

        code = run_console(_settings_for(settings, server.url, orders.routing))
        if traffic.ended:
            print(f"costconsole: {traffic.last_words()}", file=sys.stderr)
        if keep:
            traffic.finish()
        return code


def routing_file(folder: str) -> str:
    """The demo's routing config, where it can be edited while the demo runs; one that is there stays as it
    is. Raises Problem where it can't be written."""
    path = Path(folder).expanduser() / "routing.yaml"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files("costconsole.demo").joinpath("routing.yaml").read_bytes())
    except OSError as error:
        raise Problem(f"{path} can't be written ({error.strerror}): choose another folder") from None
    return str(path)


def _settings_for(settings: Settings, url: str, routing: str) -> Settings:
    """The user's settings with the demo's Redis and routing, and without what belongs to another one.

    Unless a window was chosen it is the shortest that holds a whole day of the demo, which is ten minutes.
    """
    origins = {name: origin for name, origin in settings.origins.items() if not name.startswith("redis_")}
    return replace(
        settings,
        redis_url=url,
        routing=routing,
        window=settings.window if "window" in settings.origins else _WINDOW,
        redis_username=None,
        redis_password=None,
        ca_file=None,
        cert_file=None,
        key_file=None,
        ledger_url=None,
        embedding_url=None,
        origins=origins | {"redis_url": "demo", "routing": "demo"},
    )


def _wait(traffic: _Traffic, url: str, seconds: float | None) -> int:
    span = f"for {seconds:g} s" if seconds else "until ctrl+c"
    print(f"costconsole demo: calls go to {url} {span}", file=sys.stderr, flush=True)
    until = None if seconds is None else time.monotonic() + seconds
    if traffic.wait(until):
        raise Problem(traffic.last_words())
    traffic.finish()
    return ExitCode.OK


@contextlib.contextmanager
def _ends_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack as ctrl+c does."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Traffic:
    """The process that makes the calls (`costconsole.demo.drive`); its folder goes with it.

    It reads a pipe from here: when this process ends, however it ends, so does that one.
    """

    def __init__(self, orders: Orders) -> None:
        self._folder = orders.folder
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        package = str(Path(costconsole.__file__).parent.parent)
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "costconsole.demo.drive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            bufsize=0,
            # Temporary files of the libraries in there go with the folder.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": self._folder},
            # Ctrl+C in the terminal is for this process; it ends the other one.
            start_new_session=True,
        )
        self._say(orders.to_line())

    def begin(self, url: str) -> None:
        self._say(url.encode() + b"\n")

    def finish(self) -> None:
        """Let open calls come to their end and the ledger be written."""
        self._say(b"stop\n")
        self.wait(time.monotonic() + _LINGER_S)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self, until: float | None) -> bool:
        """Wait for its end, at most until a time of the monotonic clock; True when it came."""
        left = None if until is None else max(0.0, until - time.monotonic())
        try:
            self._process.wait(left)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"exit code {self._process.returncode}"
        return f"The demo's traffic has stopped: {why}"

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # Its end is noticed elsewhere.
            self._process.stdin.write(line)

    def close(self) -> None:
        """End it and remove its files. May be repeated."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if not self.wait(time.monotonic() + _LINGER_S):
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
