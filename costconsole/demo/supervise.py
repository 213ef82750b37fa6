"""Run one server and end it when the process that asked for it is gone.

Standard library only; run as a script, so that it starts in a moment and stays small.
`python -I -S supervise.py PARENT_PID PRIVATE_FOLDER -- COMMAND...` prints the server's process id and then
watches standard input: one byte asks for an orderly stop, end of file means that the parent has died
(however it died: its end of the pipe closes with it), and then the private folder is removed as well.
A pipe is used, and not a parent-death signal on the server itself, because that signal is tied to the
*thread* that started the process, and would stop the server when a worker thread ends.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_SAVE_S = 20.0
_LOOK_S = 0.5


def _spawn(command: list[str]) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        # Should this supervisor be killed itself, the server still ends: here there is one thread only.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(127)
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open("server.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 256)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _ended(pid: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while True:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.005)


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    if not _ended(pid, _SAVE_S):
        os.kill(pid, signal.SIGKILL)
        _ended(pid, _SAVE_S)


def main(parent: int, folder: str, command: list[str]) -> int:
    """Supervise `command` until it ends, or `parent` ends or asks for a stop. Returns an exit code."""
    os.chdir(folder)
    stop_asked = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop_asked.append(True))
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pid = _spawn(command)
    os.write(1, b"%d\n" % pid)
    while True:
        ready = select.select([0, wake], [], [], _LOOK_S)[0]
        if wake in ready:
            os.read(wake, 64)
        if _ended(pid, 0):
            return 1
        if 0 in ready:
            orphaned = os.read(0, 1) == b""
            break
        # A child that was forked from the parent may hold the pipe open after the parent's death.
        orphaned = os.getppid() != parent
        if orphaned or stop_asked:
            break
    _stop(pid)
    if orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[4:]))
