"""Which Redis is meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from costconsole.demo.server import EmbeddedRedis, free_port
from costconsole.domain.errors import ConnectionProblem, ExitCode, UsageProblem
from costconsole.redis_store.discover import find_target
from costconsole.settings import Settings
from tests.redis_store.servers import answering

Fresh = Callable[..., EmbeddedRedis]


def test_the_named_one_is_taken_without_looking():
    settings = Settings(
        redis_url="rediss://h:1/2",
        redis_username="u",
        redis_password="p",
        ca_file="/ca",
        origins={"redis_url": "COSTCONSOLE_REDIS_URL"},
    )
    target = find_target(settings)
    assert (target.label, target.username, target.password, target.ca_file) == ("h:1/2", "u", "p", "/ca")
    assert target.origin == "COSTCONSOLE_REDIS_URL"


def test_otherwise_one_that_answers_on_this_machine(fresh_server: Fresh):
    port = fresh_server(port=0, modules=False, keep=False).port
    target = find_target(Settings(), local=("localhost", port))
    assert (target.label, target.origin) == (f"localhost:{port}/0", "default")


def test_one_that_wants_a_password_answers_too(fresh_server: Fresh):
    port = fresh_server(port=0, modules=False, keep=False, args=["--requirepass", "x"]).port
    assert find_target(Settings(), local=("localhost", port)).hosts == (("localhost", port),)


def test_without_any_it_says_what_to_do():
    with pytest.raises(ConnectionProblem) as caught:
        find_target(Settings(), local=("localhost", free_port()))
    assert caught.value.exit_code is ExitCode.CONNECT
    for way in ("costconsole demo", "--redis redis://", "COSTCONSOLE_REDIS_URL", "config"):
        assert way in str(caught.value)


def test_something_else_on_that_port_is_no_redis():
    with answering(b"HTTP/1.1 400\r\n\r\n") as port, pytest.raises(ConnectionProblem):
        find_target(Settings(), local=("127.0.0.1", port))


def test_a_wrong_url_names_where_it_came_from():
    with pytest.raises(UsageProblem, match="from COSTCONSOLE_REDIS_URL"):
        find_target(Settings(redis_url="nonsense", origins={"redis_url": "COSTCONSOLE_REDIS_URL"}))
