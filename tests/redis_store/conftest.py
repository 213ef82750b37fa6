"""Certificates for the TLS tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from costconsole.demo.server import EmbeddedRedis, free_port
from tests.redis_store.servers import Certificates, make_certificates, make_cluster


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("making certificates takes the openssl command")
    return make_certificates(Path(tmp_path_factory.mktemp("tls")))


@pytest.fixture(scope="session")
def cluster_node() -> Iterator[EmbeddedRedis]:
    """A cluster of one node, with every slot, on a loopback port; it takes two seconds to become one."""
    # The nodes of a cluster talk on the port 10,000 above.
    port = next(port for port in iter(free_port, None) if port <= 55_535)
    args = ("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
    with EmbeddedRedis(port=port, modules=False, extra_args=args) as node:
        make_cluster(node)
        yield node


@pytest.fixture
def cluster(cluster_node: EmbeddedRedis) -> EmbeddedRedis:
    """The cluster, empty."""
    with redis.Redis.from_url(cluster_node.url) as client:
        client.flushall()
    return cluster_node
