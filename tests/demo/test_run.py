"""The demo as a whole: real calls soon, the live policy followed, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from costconsole.cache.policy import Author, read_policy, write_policy
from costconsole.demo.run import run_demo
from costconsole.domain.call import Call
from costconsole.redis_store.keys import Keys
from costconsole.settings import Settings

KEYS = Keys("default")
RUN = (
    "import sys; from costconsole.cli import main; "
    "sys.exit(main(['demo', '--headless', '--port', '0', *sys.argv[1:]]))"
)


class Demo:
    """A headless demo in a process of its own, its temporary files in a folder of the test's."""

    def __init__(self, tmp: Path, *arguments: str) -> None:
        self.tmp = tmp
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            stderr=subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(tmp)},
            start_new_session=True,
            text=True,
        )
        assert self.process.stderr is not None
        self.line = self.process.stderr.readline()
        found = re.search(r"redis://\S+", self.line)
        assert found, self.line
        self.client = redis.Redis.from_url(found[0], protocol=2)

    def calls(self) -> list[Call]:
        entries = self.client.xrange(KEYS.calls)
        return [Call.from_fields({k.decode(): v.decode() for k, v in f.items()}) for _, f in entries]

    def family(self) -> set[int]:
        """All processes that descend from the demo's, itself included."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def end(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        # A short path: a socket's address has room for 107 bytes.
        started.append(Demo(tmp_path_factory.mktemp("d"), *arguments))
        return started[-1]

    yield start
    for one in started:
        one.end()


def until(happened: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_calls_come_are_priced_and_follow_the_live_threshold(demo: Callable[..., Demo]) -> None:
    running = demo("--rate", "40")
    assert until(lambda: len(running.calls()) > 150)
    calls = running.calls()
    outcomes = Counter(call.outcome for call in calls)
    assert outcomes["miss"] > outcomes["semantic"] > 0
    assert outcomes["exact"] > 0
    assert len({call.model for call in calls}) >= 4
    assert len({call.tag for call in calls}) >= 5
    assert sum(call.spend_nano or 0 for call in calls) > 0
    policy = read_policy(running.client, KEYS)
    assert (policy.threshold, policy.ttl_s) == (0.95, 600)

    write_policy(running.client, KEYS, {"threshold": 0.6}, Author("test", "here"))
    assert until(lambda: any(c.threshold == 0.6 and c.outcome == "semantic" for c in running.calls()))
    loose = [c for c in running.calls() if c.threshold == 0.6 and c.outcome == "semantic"]
    assert all(c.similarity is not None and c.similarity >= 0.6 for c in loose)


def test_it_ends_after_its_seconds_and_leaves_nothing(demo: Callable[..., Demo]) -> None:
    running = demo("--seconds", "4")
    family = running.family()
    assert until(lambda: len(running.calls()) > 0)
    assert running.process.wait(30) == 0
    assert until(lambda: not any(alive(pid) for pid in family), 5)
    assert list(running.tmp.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_of_it_quietly(demo: Callable[..., Demo], number: int, code: int) -> None:
    running = demo()
    assert until(lambda: len(running.calls()) > 0)
    family = running.family()
    assert len(family) >= 4, "itself, the traffic, the model, Redis"
    running.process.send_signal(number)
    assert running.process.wait(15) == code
    assert running.process.stderr is not None
    assert running.process.stderr.read() == ""
    assert until(lambda: not any(alive(pid) for pid in family), 5)
    assert list(running.tmp.iterdir()) == []


def test_nothing_survives_its_killing(demo: Callable[..., Demo]) -> None:
    running = demo()
    assert until(lambda: len(running.calls()) > 0)
    family = running.family()
    running.process.kill()
    assert until(lambda: not any(alive(pid) for pid in family - {running.process.pid}), 15)
    assert until(lambda: list(running.tmp.iterdir()) == [], 5)


def test_the_console_gets_the_demos_redis_and_nothing_of_the_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Settings] = []

    def run_console(settings: Settings) -> int:
        seen.append(settings)
        assert settings.redis_url is not None
        with redis.Redis.from_url(settings.redis_url, protocol=2) as client:
            assert until(lambda: client.xlen(Keys("shop").calls) > 0)
        return 7

    fake = types.ModuleType("costconsole.console.launch")
    fake.run_console = run_console  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "costconsole.console.launch", fake)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = Settings(
        redis_url="rediss://prod:6380",
        redis_password="secret",
        ca_file="/ca.pem",
        ledger_url="redis://ledger:6379",
        embedding_url="https://api.example/v1",
        namespace="shop",
        theme="costconsole-light",
        origins={"redis_url": "config file", "redis_password": "config file", "theme": "--theme"},
    )
    assert run_demo(mine, rate=30, headless=False, seconds=None, port=None, keep=None) == 7
    (settings,) = seen
    assert str(settings.redis_url).startswith("unix:///")
    assert settings.redis_password is None
    assert (settings.ca_file, settings.ledger_url, settings.embedding_url) == (None, None, None)
    assert (settings.namespace, settings.theme, settings.window) == ("shop", "costconsole-light", "15m")
    assert settings.origins == {"redis_url": "demo", "routing": "demo", "theme": "--theme"}
    assert list(tmp_path.iterdir()) == []


def test_kept_data_are_there_the_next_time(demo: Callable[..., Demo], tmp_path: Path) -> None:
    first = demo("--keep", str(tmp_path / "kept"))
    assert until(lambda: len(first.calls()) > 20)
    seen = {call.id for call in first.calls()}
    write_policy(first.client, KEYS, {"threshold": 0.9}, Author("test", "here"))
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(30) == 130

    second = demo("--keep", str(tmp_path / "kept"))
    assert {call.id for call in second.calls()} >= seen
    assert read_policy(second.client, KEYS).threshold == 0.9
    assert not [c for c in second.calls() if c.error == "cancelled"]
    before = len(second.calls())
    assert until(lambda: len(second.calls()) > before), "it goes on from there"


def test_traffic_that_stops_by_itself_is_a_sentence(demo: Callable[..., Demo]) -> None:
    running = demo()
    assert until(lambda: len(running.calls()) > 0)
    traffic = [p for p in running.family() if b"demo.drive" in Path(f"/proc/{p}/cmdline").read_bytes()]
    os.kill(traffic[0], signal.SIGTERM)
    assert running.process.wait(15) == 1
    assert running.process.stderr is not None
    said = running.process.stderr.read().strip()
    assert said.startswith("costconsole: The demo's traffic has stopped")
    assert "\n" not in said
