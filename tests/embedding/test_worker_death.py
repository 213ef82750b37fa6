"""Whatever dies, nothing hangs and nothing is left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from costconsole.domain.errors import Problem
from costconsole.embedding.local import LocalEmbedder

BULK = [f"a text that keeps the worker busy, number {number}" for number in range(2000)]


@pytest.fixture
def local() -> Iterator[LocalEmbedder]:
    """An embedder whose worker a test may kill."""
    embedder = LocalEmbedder()
    yield embedder
    embedder.close()


def pid_of(embedder: LocalEmbedder) -> int:
    pid = embedder.worker_pid
    assert pid is not None
    return pid


def wait_for_end(pidfd: int) -> bool:
    """Whether the process ends within 20 s, waited for as an event."""
    ended, _, _ = select.select([pidfd], [], [], 20)
    os.close(pidfd)
    return bool(ended)


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)


def test_a_killed_worker_fails_its_requests_and_the_next_one_gets_another(local: LocalEmbedder) -> None:
    (before,) = local.embed(["before"])
    killed = pid_of(local)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(local.embed, BULK)
        # Answered after the bulk request was taken up, for the frames arrive in order.
        local.embed(["in between"])
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(Problem, match="SIGKILL"):
            pending.result(timeout=20)
    (after,) = local.embed(["before"])
    assert after == before
    assert pid_of(local) != killed
    assert local.status == "ready"


def test_after_three_quick_deaths_it_says_so_and_fails_at_once(
    local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(3):
        with pytest.raises(Problem, match="ended"):
            local.embed(["x"])
    assert local.status.startswith("failed: The embedding process of all-MiniLM-L6-v2 ended 3 times in a row")
    with pytest.raises(Problem, match="3 times in a row"):
        local.embed(["x"])
    assert local.worker_pid is None


def test_start_tries_again_after_failures(local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/bin/false")
        for _ in range(3):
            with pytest.raises(Problem):
                local.embed(["x"])
    local.start()
    assert local.embed(["x"])[0].dims == 384


def test_an_interpreter_that_is_not_there_is_a_sentence(
    local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Problem, match=r"can't be started .*/nowhere/python"):
        local.embed(["x"])


def test_closing_ends_the_worker_and_fails_what_waits(local: LocalEmbedder) -> None:
    local.embed(["x"])
    pidfd = os.pidfd_open(pid_of(local))
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(local.embed, BULK)
        local.embed(["in between"])
        local.close()
        with pytest.raises(Problem, match="closed"):
            pending.result(timeout=20)
    assert wait_for_end(pidfd)


def test_the_worker_is_out_of_reach_of_ctrl_c(local: LocalEmbedder) -> None:
    local.embed(["x"])
    pid = pid_of(local)
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGINT)
    local.embed(["y"])
    assert pid_of(local) == pid


def test_a_killed_parent_takes_its_worker_along() -> None:
    script = (
        "import sys\n"
        "from costconsole.embedding.local import LocalEmbedder\n"
        "local = LocalEmbedder()\n"
        "local.embed(['x'])\n"
        "print(local.worker_pid, flush=True)\n"
        "local.embed(['busy ' * 200] * 2000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    assert wait_for_end(pidfd)


@pytest.mark.parametrize(
    "last", ["local.start()", "local.embed(['x'])", "local._submit(['busy ' * 200] * 500)"]
)
def test_the_interpreter_ends_whatever_the_worker_is_at(last: str) -> None:
    done = run(
        "from costconsole.embedding.local import LocalEmbedder\n"
        "local = LocalEmbedder()\n"
        f"{last}\n"
        "print('end')"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_forked_child_starts_a_worker_of_its_own() -> None:
    script = (
        "import os, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from costconsole.embedding.local import LocalEmbedder\n"
        "local = LocalEmbedder()\n"
        "vector = local.embed(['x'])[0].vector\n"
        "first = local.worker_pid\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    same = local.embed(['x'])[0].vector == vector\n"
        "    own = local.worker_pid != first\n"
        "    local.close()\n"
        "    os._exit(0 if same and own else 9)\n"
        "_, status = os.waitpid(child, 0)\n"
        "still = local.embed(['x'])[0].vector == vector and local.worker_pid == first\n"
        "print(os.waitstatus_to_exitcode(status), still)\n"
    )
    assert run(script).stdout == "0 True\n"
