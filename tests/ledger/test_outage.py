"""Redis goes, comes back, answers into the void; processes die. No call is lost, none counts twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from costconsole.demo.server import EmbeddedRedis
from costconsole.ledger.ledger import Ledger
from costconsole.redis_store.keys import Keys
from tests.ledger.calls import hit, make_call
from tests.ledger.proxy import CuttingProxy
from tests.ledger.recounting import KEYS, assert_exactly, streamed

NOW = time.time_ns() // 1_000_000


def until(condition: Callable[[], bool], what: str, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


def client_of(server: EmbeddedRedis) -> Any:
    return redis.Redis.from_url(server.url, protocol=2)


def port_of(server: EmbeddedRedis) -> int:
    return int(server.url.rsplit(":", 1)[1].partition("/")[0])


def test_under_load_a_restart_of_the_server_loses_and_doubles_nothing(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0, args=("--appendonly", "yes", "--appendfsync", "always"))
    ids: list[str] = []
    going = threading.Event()
    going.set()
    with Ledger(server.url, spool_dir=tmp_path / "spool", flush_s=0.02) as ledger:

        def work(number: int) -> None:
            while going.is_set():
                call = make_call(ts_ms=time.time_ns() // 1_000_000, tag=str(number))
                ids.append(call.id)
                ledger.record(call)
                time.sleep(0.0005)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            flushed = ledger.status.flushed
            until(lambda flushed=flushed: ledger.status.flushed > flushed, "a flush")  # type: ignore[misc]
            server.stop()
            until(lambda: ledger.status.spooled > 100, "calls in the spool")
            assert "Nothing listens" in ledger.status.last_error or ledger.status.last_error
            server.start()
        going.clear()
        for thread in threads:
            thread.join()
        assert ledger.flush(20)
        assert ledger.status.dropped == 0
    assert len(ids) > 500
    assert_exactly(client_of(server), ids)
    assert not list((tmp_path / "spool").glob("*"))


def test_an_answer_that_got_lost_after_the_script_ran_counts_once(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    client = client_of(server)
    with CuttingProxy(port_of(server)) as proxy, Ledger(proxy.url, spool_dir=tmp_path, flush_s=60) as ledger:
        calls = [make_call(ts_ms=NOW) for _ in range(30)]
        for n, call in enumerate(calls):
            if n % 10 == 5:
                proxy.cut_after(b"EXEC")
            ledger.record(call)
            ledger.flush()
        assert ledger.flush()
        assert proxy.cuts == 3
        assert_exactly(client, [call.id for call in calls])


def test_an_answer_lost_with_no_way_back_counts_once_when_it_is_sent_from_the_spool(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costconsole.ledger import sender

    server = fresh_server(port=0)
    client = client_of(server)
    ask = sender.Sender._ask
    lost = 0

    def ask_and_lose(self: sender.Sender, packed: bytes, count: int, *, raising: bool = True) -> list[Any]:
        nonlocal lost
        replies = ask(self, packed, count, raising=raising)
        if b"EXEC" in packed and lost < 2:
            lost += 1
            raise ConnectionError("the answer got lost")
        return replies

    monkeypatch.setattr(sender.Sender, "_ask", ask_and_lose)
    with Ledger(server.url, spool_dir=tmp_path, flush_s=60) as ledger:
        calls = [make_call(ts_ms=NOW) for _ in range(3)]
        for call in calls:
            ledger.record(call)
            ledger.flush()
        assert ledger.flush()
    assert lost == 2
    assert_exactly(client, [call.id for call in calls])


_KILLED = """
import os, signal, sys, time
from costconsole.ledger.ledger import Ledger
from tests.ledger.calls import make_call
ledger = Ledger(sys.argv[1], spool_dir=sys.argv[2], flush_s=0.02)
for n in range(250):
    ledger.record(make_call(id=f"killed-{os.getpid()}-{n}", ts_ms=time.time_ns() // 1_000_000))
while ledger.status.spooled < 250:
    time.sleep(0.01)
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _killed(url: str, folder: Path) -> int:
    found = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(folder)], capture_output=True, text=True, check=False
    )
    assert found.returncode == -signal.SIGKILL, found.stderr
    return int(found.stdout)


def test_the_spool_of_a_killed_process_is_sent_by_the_next_one(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    pids = [_killed(server.url, tmp_path) for _ in range(2)]
    files = list(tmp_path.glob("*.spool"))
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    server.start()
    with Ledger(server.url, spool_dir=tmp_path, flush_s=0.02) as ledger:
        until(lambda: ledger.status.adopted == 500, "both spools")
    assert_exactly(client_of(server), [f"killed-{pid}-{n}" for pid in pids for n in range(250)])
    assert not list(tmp_path.glob("*.spool"))


def test_a_torn_last_line_is_cut_off_and_reported(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    _killed(server.url, tmp_path)
    (file,) = tmp_path.glob("*.spool")
    whole = file.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n")
    file.write_bytes(whole[: last + 1 + (len(whole) - last) // 2])
    server.start()
    with Ledger(server.url, spool_dir=tmp_path, flush_s=0.02) as ledger:
        until(lambda: ledger.status.torn == 1 and not list(tmp_path.glob("*.spool")), "the rest is sent")
        adopted = ledger.status.adopted
    found = streamed(client_of(server))
    assert len(found) == adopted < 250


def test_a_living_writers_spool_and_another_namespaces_are_left_alone(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    with Ledger(server.url, spool_dir=tmp_path, flush_s=60) as one:
        one.record(make_call(ts_ms=NOW))
        one.flush()
        _killed(server.url, tmp_path)
        assert len(list(tmp_path.glob("*.spool"))) == 2
        server.start()
        with Ledger(server.url, "other", spool_dir=tmp_path) as other:
            assert other.flush()
            assert other.status.adopted == 0
        with Ledger(server.url, spool_dir=tmp_path) as two:
            assert two.flush()
            assert two.status.adopted == 250
        assert len(list(tmp_path.glob("*.spool"))) == 1
        assert one.flush()
    assert client_of(server).xlen(KEYS.calls) == 251


def test_what_is_left_at_the_end_of_a_process_is_in_the_spool(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    code = _KILLED.partition("while")[0].replace("flush_s=0.02", "flush_s=60")
    subprocess.run([sys.executable, "-c", code, server.url, str(tmp_path)], check=True, timeout=30)
    server.start()
    with Ledger(server.url, spool_dir=tmp_path) as ledger:
        assert ledger.flush()
        assert ledger.status.adopted == 250


def test_an_ending_process_flushes(redis_url: str, client: Any, tmp_path: Path) -> None:
    code = _KILLED.partition("while")[0].replace("flush_s=0.02", "flush_s=60")
    subprocess.run([sys.executable, "-c", code, redis_url, str(tmp_path)], check=True, timeout=30)
    assert client.xlen(KEYS.calls) == 250


def test_a_hung_server_holds_up_neither_callers_nor_the_end(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    ledger = Ledger(server.url + "?socket_timeout=0.3", spool_dir=tmp_path, flush_s=0.02)
    ledger.record(make_call(ts_ms=NOW))
    assert ledger.flush()
    os.kill(server.pid, signal.SIGSTOP)  # type: ignore[arg-type]
    try:
        ids = []
        for _ in range(1000):
            call = make_call(ts_ms=NOW)
            ids.append(call.id)
            ledger.record(call)
        until(lambda: ledger.status.spooled == 1000, "all is spooled")
        assert "did not answer" in ledger.status.last_error
        assert not ledger.close(2)
    finally:
        os.kill(server.pid, signal.SIGCONT)  # type: ignore[arg-type]
    with Ledger(server.url, spool_dir=tmp_path) as next_one:
        until(lambda: next_one.flush() and not list(tmp_path.glob("*.spool")), "the spool is sent")
    assert client_of(server).xlen(KEYS.calls) == 1001


def test_when_nothing_can_be_written_memory_is_bounded_and_the_loss_is_counted(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with Ledger(server.url, spool_dir=blocked / "spool", flush_s=0.02, max_buffer=100) as ledger:
        ids = []
        for _ in range(100):
            call = make_call(ts_ms=NOW)
            ids.append(call.id)
            ledger.record(call)
        until(lambda: ledger.status.pending == 100 and "spool" in ledger.status.last_error, "memory is full")
        until(lambda: not ledger._queue, "the queue is taken over")
        for _ in range(150):
            call = make_call(ts_ms=NOW)
            ids.append(call.id)
            ledger.record(call)
        status = ledger.status
        assert (status.recorded, status.pending, status.dropped, status.flushed) == (250, 200, 50, 0)
        server.start()
        assert ledger.flush(10)
        assert ledger.status.last_error == ""
        assert_exactly(client_of(server), ids[:200])


def test_a_full_disk_is_reported_and_leaves_a_sound_spool(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fresh_server(port=0)
    server.stop()
    pwrite = os.pwrite
    room = 3000

    def small_disk(descriptor: int, data: Any, at: int) -> int:
        if at + len(data) > room:
            if at >= room:
                raise OSError(28, "No space left on device")
            data = bytes(data)[: room - at]
        return pwrite(descriptor, data, at)

    with Ledger(server.url, spool_dir=tmp_path, flush_s=60) as ledger:
        calls = [make_call(ts_ms=NOW) for _ in range(40)]
        monkeypatch.setattr(os, "pwrite", small_disk)
        for n, call in enumerate(calls):
            ledger.record(call)
            if n % 4 == 3:
                assert not ledger.flush()
        status = ledger.status
        assert status.spooled > 0
        assert status.pending > 0
        assert status.spooled + status.pending == 40
        assert "No space left" in status.last_error
        monkeypatch.undo()
        server.start()
        assert ledger.flush()
    assert_exactly(client_of(server), [call.id for call in calls])


def test_a_server_that_may_take_no_more_memory_is_waited_for(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0, args=("--maxmemory-policy", "noeviction"))
    client = client_of(server)
    client.config_set("maxmemory", 1)
    with Ledger(server.url, spool_dir=tmp_path, flush_s=60) as ledger:
        call = make_call(ts_ms=NOW)
        ledger.record(call)
        assert not ledger.flush()
        assert "memory" in ledger.status.last_error
        assert client.dbsize() == 0
        client.config_set("maxmemory", 0)
        assert ledger.flush()
    assert_exactly(client, [call.id])


@pytest.mark.parametrize("right", ["xadd", "hincrby", "zadd"])
def test_a_user_without_a_right_writes_nothing_at_all_until_it_has_it(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path, right: str
) -> None:
    server = fresh_server(port=0)
    client = client_of(server)
    client.execute_command(
        "ACL", "SETUSER", "app", "on", ">secret-word", "~costconsole:*", "+@all", f"-{right}"
    )
    url = server.url.replace("redis://", "redis://app:secret-word@")
    with Ledger(url, spool_dir=tmp_path, flush_s=60) as ledger:
        call = hit(ts_ms=NOW)
        ledger.record(call)
        assert not ledger.flush()
        assert right.upper() in ledger.status.last_error
        assert "secret-word" not in ledger.status.last_error
        assert client.exists(KEYS.calls, KEYS.hits, f"{KEYS.root}minute:{NOW // 60_000}") == 0
        client.execute_command("ACL", "SETUSER", "app", f"+{right}")
        assert ledger.flush()
    assert_exactly(client, [call.id])


def test_a_replica_is_waited_for_until_it_is_the_master(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    client = client_of(server)
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    with Ledger(server.url, spool_dir=tmp_path, flush_s=60) as ledger:
        call = make_call(ts_ms=NOW)
        ledger.record(call)
        assert not ledger.flush()
        assert ledger.status.last_error
        client.execute_command("REPLICAOF", "NO", "ONE")
        assert ledger.flush()
    assert_exactly(client, [call.id])


def test_a_key_of_another_type_costs_its_own_figures_only_and_is_reported(
    redis_url: str, client: Any, tmp_path: Path
) -> None:
    hour = Keys().root + f"hour:{NOW // 3_600_000}"
    client.set(hour, "not ours")
    with Ledger(redis_url, spool_dir=tmp_path) as ledger:
        ledger.record(make_call(ts_ms=NOW))
        assert ledger.flush()
        assert "WRONGTYPE" in ledger.status.last_error
    assert client.xlen(KEYS.calls) == 1
    assert client.hget(Keys().root + f"minute:{NOW // 60_000}", "calls|total|") == b"1"


def test_a_forked_child_has_a_ledger_of_its_own(redis_url: str, client: Any, tmp_path: Path) -> None:
    code = """
import os, sys, time; NOW = time.time_ns() // 1_000_000
from costconsole.ledger.ledger import Ledger
from tests.ledger.calls import make_call
ledger = Ledger(sys.argv[1], spool_dir=sys.argv[2], flush_s=60)
ledger.record(make_call(id="parent-1", ts_ms=NOW))
assert ledger.flush()
ledger.record(make_call(id="parent-2", ts_ms=NOW))
children = []
for n in range(3):
    pid = os.fork()
    if not pid:
        for i in range(10):
            ledger.record(make_call(id=f"child-{n}-{i}", ts_ms=NOW))
        ok = ledger.close(10) and ledger.status.flushed == 10
        os._exit(0 if ok else 1)
    children.append(pid)
ledger.record(make_call(id="parent-3", ts_ms=NOW))
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
assert ledger.close()
assert ledger.status.flushed == 3
"""
    subprocess.run([sys.executable, "-c", code, redis_url, str(tmp_path)], check=True, timeout=60)
    children = [f"child-{n}-{i}" for n in range(3) for i in range(10)]
    assert_exactly(client, ["parent-1", "parent-2", "parent-3", *children])


def test_a_child_does_not_keep_the_parents_spool_locked(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path
) -> None:
    server = fresh_server(port=0)
    server.stop()
    code = """
import os, signal, sys, time
from costconsole.ledger.ledger import Ledger
from tests.ledger.calls import make_call
ledger = Ledger(sys.argv[1], spool_dir=sys.argv[2], flush_s=0.02)
ledger.record(make_call(id="parent"))
while not ledger.status.spooled:
    time.sleep(0.01)
pid = os.fork()
if not pid:
    os.close(1)
    os.close(2)
    signal.pause()
print(pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    found = subprocess.run(
        [sys.executable, "-c", code, server.url, str(tmp_path)], capture_output=True, text=True, check=False
    )
    child = int(found.stdout)
    try:
        server.start()
        with Ledger(server.url, spool_dir=tmp_path) as ledger:
            assert ledger.flush()
            assert ledger.status.adopted == 1
    finally:
        os.kill(child, signal.SIGKILL)
    assert [call.id for call in streamed(client_of(server))] == ["parent"]


def test_an_old_batch_that_may_have_arrived_is_not_counted_twice(
    fresh_server: Callable[..., EmbeddedRedis], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fresh_server(port=0)
    server.stop()
    _killed(server.url, tmp_path)
    server.start()
    later = time.time_ns() + 100 * 86_400 * 10**9
    monkeypatch.setattr("costconsole.ledger.flusher.time.time_ns", lambda: later)
    with Ledger(server.url, spool_dir=tmp_path) as ledger:
        assert ledger.flush()
        status = ledger.status
    assert status.dropped > 0
    assert status.dropped + status.adopted == 250
    assert client_of(server).xlen(KEYS.calls) == status.adopted
