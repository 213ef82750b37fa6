"""Connecting, synchronously and asynchronously, to every kind of server there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from costconsole.demo.server import EmbeddedRedis
from costconsole.domain.errors import ConnectionProblem, Problem, Refused, TimeoutProblem, UsageProblem
from costconsole.redis_store.connect import (
    connect,
    connect_async,
    explain,
    is_read_only,
    redis_errors,
)
from costconsole.redis_store.target import RedisTarget, parse_target
from tests.redis_store.servers import Certificates, Sentinel, tls_front

Fresh = Callable[..., EmbeddedRedis]


def sync_get(target: RedisTarget, **options: Any) -> Any:
    client = connect(target, **options)
    try:
        return client.get("k")
    except redis_errors() as error:
        raise explain(error, target) from None
    finally:
        client.close()


def async_get(target: RedisTarget, **options: Any) -> Any:
    async def get() -> Any:
        client = connect_async(target, **options)
        try:
            return await client.get("k")
        except redis_errors() as error:
            raise explain(error, target) from None
        finally:
            await client.aclose()

    return asyncio.run(get())


both = pytest.mark.parametrize("get", [sync_get, async_get], ids=["sync", "async"])


def own_line(client: Any) -> dict[str, str]:
    return next(line for line in client.client_list() if line["id"] == str(client.client_id()))


@pytest.mark.parametrize("port", [None, 0], ids=["unix", "tcp"])
def test_a_connection_speaks_resp2_has_a_name_and_leaves_idle_times_alone(
    fresh_server: Fresh, port: int | None
):
    server = fresh_server(port=port)
    client = connect(parse_target(server.url))
    client.set("k", b"\xff\x00")
    assert client.get("k") == b"\xff\x00"
    line = own_line(client)
    assert line["name"] == "costconsole"
    assert line["resp"] == "2"
    assert "T" in line["flags"]
    assert line["lib-name"].startswith("redis-py(costconsole_v")
    client.close()


async def test_an_async_connection_does_too(redis_url: str):
    client = connect_async(parse_target(redis_url))
    await client.set("k", b"\xff\x00")
    assert await client.get("k") == b"\xff\x00"
    own = await client.client_id()
    line = next(line for line in await client.client_list() if line["id"] == str(own))
    assert (line["name"], line["resp"], "T" in line["flags"]) == ("costconsole", "2", True)
    await client.aclose()


async def test_every_connection_of_a_pool_introduces_itself(redis_url: str):
    client = connect_async(parse_target(redis_url))
    await asyncio.gather(*(client.execute_command("CLIENT", "NO-TOUCH", "ON") for _ in range(5)))
    subscription = client.pubsub()
    await subscription.subscribe("c")
    lines = [
        line for line in await client.client_list() if line["lib-name"].startswith("redis-py(costconsole")
    ]
    assert len(lines) > 1
    assert all(line["name"] == "costconsole" and "T" in line["flags"] for line in lines)
    await subscription.aclose()
    await client.aclose()


@both
def test_a_database_other_than_0(get: Any, client: redis.Redis, redis_server: EmbeddedRedis):
    with redis.Redis(unix_socket_path=str(redis_server.socket_path), db=3) as third:
        third.set("k", "three")
    assert get(parse_target(f"{redis_server.url}?db=3")) == b"three"
    assert get(parse_target(redis_server.url)) is None


@both
def test_user_and_password_with_odd_characters(get: Any, client: redis.Redis, redis_url: str):
    client.execute_command("ACL", "SETUSER", "al@ice", "on", ">p:w/@%ü", "~*", "+@all")
    try:
        client.set("k", "v")
        path = redis_url.removeprefix("unix://")
        assert get(parse_target(f"unix://al%40ice:p%3Aw%2F%40%25%C3%BC@{path}")) == b"v"
        assert get(parse_target(redis_url, username="al@ice", password="p:w/@%ü")) == b"v"
    finally:
        client.execute_command("ACL", "DELUSER", "al@ice")


@both
def test_a_user_who_may_not_name_himself_is_let_in(get: Any, client: redis.Redis, redis_url: str):
    client.execute_command("ACL", "SETUSER", "small", "on", ">pw", "~*", "+get")
    try:
        client.set("k", "v")
        assert get(parse_target(redis_url, username="small", password="pw")) == b"v"
    finally:
        client.execute_command("ACL", "DELUSER", "small")


@both
def test_a_server_that_comes_back_is_found_again(get: Any, fresh_server: Fresh):
    server = fresh_server(port=0)
    target = parse_target(server.url)
    client = connect(target)
    client.set("k", "v")
    server.stop()
    with pytest.raises(ConnectionProblem, match="Nothing listens"):
        get(target)
    server.start()
    # The old client's connection is dead: its next command goes through all the same.
    assert client.get("k") == b"v"
    assert get(target) == b"v"
    client.close()


async def test_an_async_client_survives_a_restart(fresh_server: Fresh):
    server = fresh_server()
    client = connect_async(parse_target(server.url))
    await client.set("k", "v")
    server.stop()
    server.start()
    assert await client.get("k") == b"v"
    await client.aclose()


# --- TLS ---------------------------------------------------------------------------------------------


@both
def test_tls_with_an_own_ca(get: Any, fresh_server: Fresh, certificates: Certificates):
    server = fresh_server(port=0)
    with tls_front(server.port, certificates) as port:
        url = f"rediss://localhost:{port}"
        assert get(parse_target(url, ca_file=str(certificates.ca))) is None
        assert get(parse_target(f"{url}?ssl_ca_certs={certificates.ca}"), read_only=True) is None
        assert get(parse_target(f"{url}?ssl_cert_reqs=none")) is None


@both
def test_tls_that_can_not_be_trusted_names_the_ca_setting(
    get: Any, fresh_server: Fresh, certificates: Certificates
):
    server = fresh_server(port=0)
    with tls_front(server.port, certificates) as port:
        for url in (
            f"rediss://localhost:{port}",
            f"rediss://localhost:{port}?ssl_ca_certs={certificates.stranger}",
        ):
            with pytest.raises(
                ConnectionProblem, match=r"certificate of localhost:\d+/0 can't be verified.*ssl_ca_certs"
            ):
                get(parse_target(url))


@both
def test_a_client_certificate(get: Any, fresh_server: Fresh, certificates: Certificates):
    server = fresh_server(port=0)
    with tls_front(server.port, certificates, client_required=True) as port:
        target = parse_target(
            f"rediss://127.0.0.1:{port}",
            ca_file=str(certificates.ca),
            cert_file=str(certificates.client),
            key_file=str(certificates.client_key),
        )
        assert get(target) is None
        with pytest.raises(ConnectionProblem, match="client certificate"):
            get(parse_target(f"rediss://127.0.0.1:{port}", ca_file=str(certificates.ca)))
        mixed = parse_target(
            f"rediss://127.0.0.1:{port}",
            ca_file=str(certificates.ca),
            cert_file=str(certificates.client),
            key_file=str(certificates.server_key),
        )
        with pytest.raises(Problem, match="belong together"):
            get(mixed)


@both
def test_tls_to_a_plain_port_and_plain_to_a_tls_port(
    get: Any, fresh_server: Fresh, certificates: Certificates
):
    server = fresh_server(port=0)
    with pytest.raises(TimeoutProblem, match=r"without TLS \(then use redis://\)"):
        get(parse_target(f"rediss://127.0.0.1:{server.port}?timeout=0.3&socket_connect_timeout=0.3"))
    with tls_front(server.port, certificates) as port, pytest.raises(ConnectionProblem, match="wants TLS"):
        get(parse_target(f"redis://127.0.0.1:{port}"))


@pytest.mark.parametrize("make", [connect, connect_async])
def test_a_tls_file_that_is_missing_is_named(make: Any, tmp_path: Path):
    with pytest.raises(UsageProblem, match=r"CA file .*nowhere\.pem can't be read"):
        make(parse_target("rediss://h", ca_file=str(tmp_path / "nowhere.pem")))


# --- Sentinel and cluster ----------------------------------------------------------------------------


@both
def test_sentinel(get: Any, fresh_server: Fresh, tmp_path: Path):
    primary = fresh_server(port=0)
    with redis.Redis(port=primary.port) as client:
        client.set("k", "v")
    with Sentinel(primary, tmp_path) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}"
        assert get(parse_target(f"{url}/mymaster")) == b"v"
        assert get(parse_target(f"{url}/mymaster/2"), read_only=True) is None
        with pytest.raises(ConnectionProblem, match="know no primary of that name"):
            get(parse_target(f"{url}/nobody"))
        with pytest.raises(Refused):
            connect(parse_target(f"{url}/mymaster"), read_only=True).set("k", "new")
        client = connect(parse_target(f"{url}/mymaster"))
        assert own_line(client)["name"] == "costconsole"
        client.close()
    with pytest.raises(ConnectionProblem):
        get(parse_target(f"{url}/mymaster"))


@both
def test_cluster(get: Any, cluster: EmbeddedRedis):
    target = parse_target(f"redis+cluster://127.0.0.1:{cluster.port}")
    writer = connect(target)
    writer.set("k", b"\xff")
    writer.close()
    assert get(target) == b"\xff"
    assert get(target, read_only=True) == b"\xff"


def test_a_cluster_connection_introduces_itself_and_is_guarded(cluster: EmbeddedRedis):
    target = parse_target(f"redis+cluster://127.0.0.1:{cluster.port}")
    client = connect(target, read_only=True)
    names = {line["name"] for line in client.client_list(target_nodes=client.get_default_node())}
    assert "costconsole" in names
    for write in (
        lambda: client.set("k", "v"),
        lambda: client.pipeline().set("k", "v").execute(),
        lambda: client.eval("return redis.call('set', KEYS[1], 1)", 1, "k"),
    ):
        with pytest.raises(Refused):
            write()
    assert client.get("k") is None
    client.close()


async def test_an_async_cluster_connection_does_too(cluster: EmbeddedRedis):
    target = parse_target(f"redis+cluster://127.0.0.1:{cluster.port}")
    client = connect_async(target, read_only=True)
    assert await client.get("k") is None
    names = {line["name"] for line in await client.client_list(target_nodes=client.get_default_node())}
    assert "costconsole" in names
    with pytest.raises(Refused):
        await client.set("k", "v")
    with pytest.raises(Refused):
        await client.pipeline().set("k", "v").execute()
    assert await client.get("k") is None
    await client.aclose()


@both
def test_a_cluster_that_is_away_or_is_none(get: Any, fresh_server: Fresh):
    single = fresh_server(port=0)
    with pytest.raises(UsageProblem, match="is not a cluster: use redis://"):
        get(parse_target(f"redis+cluster://127.0.0.1:{single.port}"))
    single.stop()
    with pytest.raises(ConnectionProblem, match="Nothing listens"):
        get(parse_target(f"redis+cluster://127.0.0.1:{single.port}"))


def test_the_client_knows_that_it_is_read_only(redis_url: str):
    target = parse_target(redis_url)
    assert is_read_only(connect(target, read_only=True))
    assert is_read_only(connect_async(target, read_only=True))
    assert not is_read_only(connect(target))
