"""Bytes that the Overview sends to a terminal per refresh, and what its event loop pays for one.

    python -m benchmarks.overview [--size 120x36] [--seconds 40] [--rate 20] [--term xterm-256color] [--still]

Runs the console in a pty over figures that move once a second like those of real traffic, and sums what
arrives between two pauses of at least 0.3 s, which is one refresh with its charts. `--still`: the figures
never change, and after the first paint nothing must arrive. CPU is user + system time of the whole process;
the source that invents the traffic runs in it and is timed apart with --loop.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    """Start the console in a pty, skip the first paint, and sum bytes per refresh."""
    columns, rows = (int(n) for n in arguments.size.split("x"))
    command = [sys.executable, "-m", "tests.console.show", "moving", f"rate={arguments.rate}"]
    if arguments.still:
        command.append("still=1")
    command += arguments.setting
    pid, fd = pty.fork()
    if pid == 0:
        kept = {k: v for k, v in os.environ.items() if k not in ("COLORTERM", "NO_COLOR", "SSH_TTY", "TMUX")}
        os.execve(sys.executable, command, {**kept, "TERM": arguments.term, **dict(arguments.env)})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        first = _bytes_until_quiet(fd, quiet_s=0.6, limit_s=20)
        for key in arguments.keys:
            os.write(fd, key.encode())
            _bytes_until_quiet(fd, quiet_s=0.4, limit_s=3)
        began = _cpu_s(pid)
        bursts = _bursts(fd, arguments.seconds)
        cpu = (_cpu_s(pid) - began) / arguments.seconds
    finally:
        os.kill(pid, signal.SIGTERM)
        _bytes_until_quiet(fd, quiet_s=0.3, limit_s=2)
        os.waitpid(pid, 0)
        os.close(fd)
    sizes = sorted(bursts)
    return {
        "size": arguments.size,
        "term": arguments.term,
        "first_paint_bytes": first,
        "refreshes": len(sizes),
        "median": statistics.median(sizes) if sizes else 0,
        "p95": sizes[min(len(sizes) - 1, round(0.95 * len(sizes)))] if sizes else 0,
        "max": sizes[-1] if sizes else 0,
        "total": sum(sizes),
        "cpu_percent": round(100 * cpu, 1),
    }


def _bytes_until_quiet(fd: int, quiet_s: float, limit_s: float) -> int:
    total, end = 0, time.monotonic() + limit_s
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], quiet_s if total else limit_s)
        if not ready:
            break
        total += len(_read(fd))
    return total


def _bursts(fd: int, seconds: float) -> list[int]:
    found: list[int] = []
    end, last = time.monotonic() + seconds, 0.0
    while (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([fd], [], [], left)
        if not ready:
            break
        data = _read(fd)
        if not data:
            break
        now = time.monotonic()
        if not found or now - last > 0.3:
            found.append(0)
        found[-1] += len(data)
        last = now
    return found


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except OSError:
        return b""


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="120x36")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--term", default="xterm-256color")
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--keys", nargs="*", default=[], help="keys to press first")
    parser.add_argument("--env", type=lambda text: text.split("=", 1), action="append", default=[])
    parser.add_argument("setting", nargs="*", help="a setting, such as charset=block")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
