"""The ledger on a cluster: all keys of a namespace lie in one slot."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.window import parse_window
from costconsole.ledger.ledger import Ledger
from costconsole.ledger.reader import LedgerReader, read_view
from costconsole.redis_store.connect import connect, connect_async
from costconsole.redis_store.target import parse_target
from tests.ledger.calls import hit, make_call, recount
from tests.ledger.recounting import KEYS

NOW = time.time_ns() // 1_000_000


@pytest.fixture
def cluster_url(fresh_server: Callable[..., EmbeddedRedis]) -> str:
    """A cluster of one node, which refuses commands over several slots as any cluster does."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        bus = probe.getsockname()[1]
    args = ("--cluster-enabled", "yes", "--cluster-port", bus)
    server = fresh_server(modules=False, port=0, args=args)
    client = redis.Redis.from_url(server.url, protocol=2)
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    deadline = time.monotonic() + 10
    while "'cluster_state': 'ok'" not in str(client.execute_command("CLUSTER INFO")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server.url.replace("redis://", "redis+cluster://").removesuffix("/0")


async def test_calls_arrive_and_are_read(cluster_url: str, tmp_path: Path) -> None:
    calls = [make_call(ts_ms=NOW) for _ in range(5)] + [hit(ts_ms=NOW)]
    with Ledger(cluster_url, spool_dir=tmp_path) as ledger:
        for call in calls:
            ledger.record(call)
        assert ledger.flush(), ledger.status.last_error
    target = parse_target(cluster_url)
    window = parse_window("1h")
    aclient: Any = connect_async(target)
    reader = LedgerReader(aclient, KEYS)
    for _ in range(2):
        view = await reader.view(window, now_ms=NOW)
        assert view.total == recount(calls)
        assert len(view.recent) == 6
    await aclient.aclose()
    client = connect(target)
    assert read_view(client, KEYS, window, at_ms=NOW).total == recount(calls)
    client.close()
