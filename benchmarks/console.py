"""What the console costs: first paint, memory, bytes and processor time of a refresh.

    python benchmarks/console.py [--runs 7] [--seconds 20] [--json]

Floors are measured in the same run, interleaved: a minimal Textual app (Input, Static, a table of 50 rows).
An embedded Redis is filled with calls, and goes on being fed while refreshes are measured. First paint is
when the screen holds its first text; processor time counts the process and its children up to then.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.console.terminal import Terminal  # noqa: E402

MINIMAL = """
from textual.app import App
from textual.widgets import DataTable, Input, Static
class Minimal(App):
    def compose(self):
        yield Input(placeholder="search"); yield Static("ready"); yield DataTable()
    def on_mount(self):
        table = self.query_one(DataTable); table.add_columns("model", "calls", "spend")
        for i in range(50): table.add_row(f"model {i}", str(i), str(i))
Minimal().run()
"""
READS = """
import time, sys
from textual.app import App
from textual.widgets import DataTable, Input, Static
class Minimal(App):
    def compose(self):
        yield Input(placeholder="search"); yield Static("ready", id="s"); yield DataTable()
    def on_mount(self):
        table = self.query_one(DataTable); table.add_columns("model", "calls", "spend")
        for i in range(50): table.add_row(f"model {i}", str(i), str(i))
        self.call_after_refresh(self.read)
    async def read(self):
        import redis.asyncio
        client = redis.asyncio.Redis.from_url(sys.argv[1], protocol=2)
        pipe = client.pipeline(transaction=False)
        now = int(time.time() // 60)
        for minute in range(now - 60, now + 1): pipe.hgetall("costconsole:{default}:minute:%d" % minute)
        found = await pipe.execute()
        self.query_one("#s").update("figures of %d fields" % sum(map(len, found)))
Minimal().run()
"""
CONSOLE = ["-m", "costconsole", "--redis"]
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and of what it started and waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(n) for n in fields[11:15]) / _TICKS


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def first(arguments: list[str], pattern: str) -> tuple[float, float]:
    """(wall seconds, processor seconds) until the screen shows the pattern."""
    started = time.perf_counter()
    with Terminal(arguments) as terminal:
        import re

        wanted = re.compile(pattern)
        while not wanted.search(terminal.text):
            terminal.read(0.002)
            if time.perf_counter() - started > 60:
                raise SystemExit(f"no {pattern!r} within a minute:\n{terminal.text}")
        return time.perf_counter() - started, cpu_s(terminal.pid)


def start_up(url: str, runs: int) -> dict[str, Any]:
    cases = {
        "minimal app, first paint": (["-c", MINIMAL], "ready|search"),
        "console, first paint": ([*CONSOLE, url], "costconsole|connecting|live"),
        "minimal app + redis + 61 reads": (["-c", READS, url], r"figures of \d+"),
        "console, first figures": ([*CONSOLE, url], "gpt-4o"),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, (arguments, pattern) in cases.items():
            found[name].append(first(arguments, pattern))
    result: dict[str, Any] = {
        name: {
            "wall_s": round(statistics.median(w for w, _ in pairs), 3),
            "cpu_s": round(statistics.median(c for _, c in pairs), 3),
        }
        for name, pairs in found.items()
    }
    for ours, floor, name in (
        ("console, first paint", "minimal app, first paint", "ratio first paint (goal 1.3)"),
        ("console, first figures", "minimal app + redis + 61 reads", "ratio first figures (goal 1.5)"),
    ):
        result[name] = {
            unit: round(result[ours][unit] / result[floor][unit], 2) for unit in ("wall_s", "cpu_s")
        }
    return result


def running(url: str, seconds: float, feed: bool, size: tuple[int, int]) -> dict[str, Any]:
    """Bytes of each refresh, processor share and memory, at one refresh a second in 256 colours."""
    feeder = _feeder(url, seconds + 12) if feed else None
    with Terminal([*CONSOLE, url, "--refresh", "1"], size=size) as terminal:
        terminal.until("gpt-4o")
        terminal.read(5)
        before, started = cpu_s(terminal.pid), time.perf_counter()
        bursts: list[int] = []
        end = started + seconds
        while (left := end - time.perf_counter()) > 0:
            came = terminal.read(min(0.02, left))
            if came:
                while more := terminal.read(0.08):
                    came += more
                bursts.append(len(came))
        share = (cpu_s(terminal.pid) - before) / (time.perf_counter() - started)
        memory = rss_mb(terminal.pid)
        painted = len(terminal.raw.partition(b"gpt-4o")[0])
    if feeder is not None:
        feeder.wait()
    bursts.sort()
    return {
        "refreshes": len(bursts),
        "bytes_median": bursts[len(bursts) // 2] if bursts else 0,
        "bytes_p95": bursts[int(len(bursts) * 0.95)] if bursts else 0,
        "bytes_total": sum(bursts),
        "cpu_percent": round(share * 100, 1),
        "rss_mb": round(memory, 1),
        "bytes_to_first_figures": painted,
    }


def _feeder(url: str, seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--feed", url, "--seconds", str(seconds)])


def feed(url: str, seconds: float) -> None:
    """About 40 calls a second for so long."""
    from dataclasses import replace

    from costconsole.ledger.ledger import Ledger
    from tests.console.fakes import calls

    ledger = Ledger(url)
    end = time.time() + seconds
    number = 0
    while time.time() < end:
        for call in random.sample(calls(30), 10):
            number += 1
            ledger.record(replace(call, id=f"{os.getpid()}-{number}", ts_ms=int(time.time() * 1000)))
        time.sleep(0.25)
    ledger.close()


def fill(url: str) -> None:
    """An hour of calls, up to two minutes ago: the rate of calls has come to rest."""
    from dataclasses import replace

    from costconsole.ledger.ledger import Ledger
    from tests.console.fakes import calls

    ledger = Ledger(url)
    now = int(time.time() * 1000)
    for minute in range(2, 60):
        for n, call in enumerate(calls(30)):
            ledger.record(replace(call, id=f"fill-{minute}-{n}", ts_ms=now - minute * 60_000 - n * 1000))
    ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--feed", metavar="URL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.feed:
        feed(chosen.feed, chosen.seconds)
        return
    from costconsole.demo.server import EmbeddedRedis

    with EmbeddedRedis() as server:
        fill(server.url)
        result: dict[str, Any] = start_up(server.url, chosen.runs)
        quiet = running(server.url, min(chosen.seconds, 10), False, (120, 36))
        result["120x36, figures change"] = running(server.url, chosen.seconds, True, (120, 36))
        result["80x24, figures change"] = running(server.url, chosen.seconds, True, (80, 24))
        result["120x36, nothing changes"] = quiet
    if chosen.json:
        print(json.dumps(result, indent=1))
        return
    for name, values in result.items():
        print(f"{name:34}", "  ".join(f"{key} {value}" for key, value in values.items()))


if __name__ == "__main__":
    main()
