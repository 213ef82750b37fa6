"""Every failure gets one sentence that names the server and the next step, and never shows a password."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from costconsole.demo.server import EmbeddedRedis, free_port
from costconsole.domain.errors import (
    ConnectionProblem,
    ExitCode,
    Problem,
    Refused,
    TimeoutProblem,
    UsageProblem,
)
from costconsole.redis_store.connect import connect, connect_async, explain, redis_errors
from costconsole.redis_store.target import parse_target
from tests.redis_store.servers import answering

Fresh = Callable[..., EmbeddedRedis]
SECRET = "s3cr3t!hush"


def fail_sync(url: str, *command: Any, **options: Any) -> Problem:
    target = parse_target(url, origin="--redis", **options)
    client = connect(target)
    with pytest.raises(redis_errors()) as caught:
        client.execute_command(*(command or ("GET", "k")))
    client.close()
    return explain(caught.value, target)


def fail_async(url: str, *command: Any, **options: Any) -> Problem:
    async def run() -> Problem:
        target = parse_target(url, origin="--redis", **options)
        client = connect_async(target)
        with pytest.raises(redis_errors()) as caught:
            await client.execute_command(*(command or ("GET", "k")))
        await client.aclose()
        return explain(caught.value, target)

    return asyncio.run(run())


both = pytest.mark.parametrize("fail", [fail_sync, fail_async], ids=["sync", "async"])


def is_one_sentence(problem: Problem) -> bool:
    text = str(problem)
    return "\n" not in text and text.endswith((".", "`")) and ":" in text and SECRET not in text


@pytest.fixture
def locked(fresh_server: Fresh) -> EmbeddedRedis:
    """A server with a password and a user without rights."""
    server = fresh_server(port=0, modules=False, keep=False, args=["--requirepass", "right"])
    with redis.Redis(port=server.port, password="right") as client:
        client.execute_command(
            "ACL", "SETUSER", "viewer", "on", f">{SECRET}", "~seen:*", "&seen:*", "+get", "+publish"
        )
    return server


def host(server: EmbeddedRedis) -> str:
    return f"127.0.0.1:{server.port}"


@both
def test_no_password(fail: Any, locked: EmbeddedRedis):
    problem = fail(f"redis://{host(locked)}")
    assert type(problem) is ConnectionProblem
    assert "wants a password" in str(problem)
    assert "COSTCONSOLE_REDIS_PASSWORD" in str(problem)
    assert f"{host(locked)}/0 (from --redis)" in str(problem)
    assert is_one_sentence(problem)


@both
def test_a_wrong_password(fail: Any, locked: EmbeddedRedis):
    for url, user in ((f"redis://:{SECRET}@", "the default user"), (f"redis://bob:{SECRET}@", "user bob")):
        problem = fail(url + host(locked))
        assert type(problem) is ConnectionProblem
        assert f"refuses the password of {user}" in str(problem)
        assert is_one_sentence(problem)


@both
def test_a_password_for_a_server_without_one(fail: Any, fresh_server: Fresh):
    server = fresh_server(port=0, modules=False, keep=False)
    problem = fail(f"redis://:{SECRET}@{host(server)}")
    assert "has no password, but one was given" in str(problem)
    assert is_one_sentence(problem)


@both
def test_a_missing_right_names_user_and_command(fail: Any, locked: EmbeddedRedis):
    url = f"redis://viewer:{SECRET}@{host(locked)}"
    problem = fail(url, "HSET", "seen:k", "f", "v")
    assert type(problem) is Refused
    assert problem.exit_code is ExitCode.REFUSED
    assert "User viewer of 127.0.0.1" in str(problem)
    assert "may not run HSET" in str(problem)
    assert "(+hset)" in str(problem)
    assert "may not run CLIENT LIST" in str(fail(url, "CLIENT", "LIST"))
    assert "may not use a key" in str(fail(url, "GET", "unseen"))
    assert "may not use a key or channel" in str(fail(url, "PUBLISH", "unseen", "m"))
    assert "may not run SELECT" in str(fail(url + "/2"))
    assert is_one_sentence(problem)


@both
def test_nothing_listens(fail: Any, tmp_path: Path):
    problem = fail(f"redis://u:{SECRET}@127.0.0.1:{free_port()}")
    assert type(problem) is ConnectionProblem
    assert "Nothing listens at 127.0.0.1" in str(problem)
    assert "costconsole demo" in str(problem)
    assert is_one_sentence(problem)
    missing = fail(f"unix://{tmp_path}/none.sock")
    assert "There is no socket at unix:" in str(missing)
    assert is_one_sentence(missing)


@both
def test_a_socket_that_nobody_listens_on(fail: Any, tmp_path: Path):
    import socket

    path = f"/tmp/costconsole-dead-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    try:
        assert "Nothing listens at unix:" in str(fail(f"unix://{path}"))
    finally:
        os.unlink(path)


@both
def test_a_name_that_can_not_be_resolved(fail: Any):
    problem = fail(f"redis://u:{SECRET}@no-such-host.invalid")
    assert type(problem) is ConnectionProblem
    assert "can't be resolved" in str(problem)
    assert "no-such-host.invalid" in str(problem)
    assert is_one_sentence(problem)


@pytest.fixture
def stopped(fresh_server: Fresh) -> Iterator[EmbeddedRedis]:
    server = fresh_server(port=0, modules=False, keep=False)
    os.kill(server.pid, signal.SIGSTOP)
    yield server
    os.kill(server.pid, signal.SIGCONT)


@both
def test_a_server_that_hangs_is_a_timeout_after_one_wait(fail: Any, stopped: EmbeddedRedis):
    problem = fail(f"redis://{host(stopped)}?socket_timeout=0.2")
    assert type(problem) is TimeoutProblem
    assert problem.exit_code is ExitCode.TIMEOUT
    assert "did not answer within 0.2 s" in str(problem)
    assert is_one_sentence(problem)


@both
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a\r\n",
        b"",
    ],
    ids=["http", "ssh", "binary", "hang-up"],
)
def test_a_port_that_is_not_redis(fail: Any, reply: bytes):
    with answering(reply) as port:
        problem = fail(f"redis://:{SECRET}@127.0.0.1:{port}?socket_timeout=1")
    assert isinstance(problem, ConnectionProblem)
    assert "not Redis" in str(problem)
    assert is_one_sentence(problem)


@both
@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", ConnectionProblem, "still loading its data"),
        (
            b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
            ConnectionProblem,
            "has lost its primary",
        ),
        (b"-READONLY You can't write against a read only replica.\r\n", Refused, "read-only replica"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", Problem, "out of memory"),
        (
            b"-MISCONF Redis is configured to save RDB snapshots, but ...\r\n",
            Problem,
            "can't save to its disk",
        ),
        (b"-CLUSTERDOWN The cluster is down\r\n", ConnectionProblem, "is down or has unserved slots"),
        (b"-MOVED 12182 10.0.0.1:7002\r\n", UsageProblem, "use redis+cluster:// instead of redis://"),
        (b"-BUSY Redis is busy running a script. You can only call ...\r\n", TimeoutProblem, "long script"),
        (b"-ERR max number of clients reached\r\n", ConnectionProblem, "no free connection"),
        (b"-DENIED Redis is running in protected mode because ...\r\n", ConnectionProblem, "protected mode"),
        (b"-ERR unknown command 'FT.SEARCH', with args beginning with: \r\n", Problem, "costconsole doctor"),
        (b"-WEIRD s3cr3t!hush \x1b[2J\r\n", Problem, "answered with an error"),
    ],
    ids=lambda value: value[1:9].decode().split()[0] if isinstance(value, bytes) else None,
)
def test_what_a_server_may_answer(fail: Any, reply: bytes, kind: type[Problem], says: str):
    with answering(reply) as port:
        problem = fail(f"redis://127.0.0.1:{port}")
    assert type(problem) is kind
    assert says in str(problem)
    assert f"127.0.0.1:{port}" in str(problem)
    assert is_one_sentence(problem)
    assert str(problem).isprintable()


@both
def test_a_real_replica_and_real_full_memory(fail: Any, fresh_server: Fresh):
    primary = fresh_server(port=0, modules=False, keep=False)
    with redis.Redis(port=primary.port) as client:
        client.config_set("maxmemory", 1)
        assert "out of memory" in str(fail(primary.url, "SET", "k", "v"))
        client.config_set("maxmemory", 0)
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        assert type(fail(primary.url, "SET", "k", "v")) is Refused
        client.config_set("replica-serve-stale-data", "no")
        assert "has lost its primary" in str(fail(primary.url, "GET", "k"))


@both
def test_a_database_that_does_not_exist(fail: Any, redis_url: str):
    problem = fail(f"{redis_url}?db=99")
    assert type(problem) is UsageProblem
    assert "has no database 99" in str(problem)


def test_a_problem_stays_as_it_is():
    problem = Refused("No.")
    assert explain(problem, parse_target("redis://h")) is problem


@given(
    st.text(),
    st.sampled_from([OSError, redis.RedisError, redis.ConnectionError, redis.ResponseError, ValueError]),
)
def test_any_error_of_any_words_is_one_printable_sentence(words: str, kind: type[Exception]):
    target = parse_target(f"redis://u:{SECRET}@h")
    problem = explain(kind(words), target)
    assert str(problem).isprintable()
    assert "h:6379/0" in str(problem)
    assert SECRET not in str(problem)


@given(st.sampled_from([redis.RedisError, redis.ConnectionError, redis.ResponseError, OSError]))
def test_words_that_quote_the_url_do_not_get_out(kind: type[Exception]):
    target = parse_target(f"redis://u:{SECRET}@h")
    for words in (f"Error 1 connecting to redis://u:{SECRET}@h", f"{SECRET} no", f"User {SECRET} is odd"):
        assert SECRET not in str(explain(kind(words), target))
