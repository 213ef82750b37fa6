"""Clients for a target: synchronous and asynchronous; single server, Sentinel, cluster; TLS; read-only.

RESP2 is pinned (search replies have another shape in RESP3) and replies stay bytes. `import redis` takes
longer than most commands and happens inside the functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible
from costconsole.redis_store.connections import dressed
from costconsole.redis_store.explain import explain
from costconsole.redis_store.target import RedisTarget

if TYPE_CHECKING:
    import redis
    import redis.asyncio

__all__ = ["connect", "connect_async", "explain", "is_read_only", "redis_errors"]

# A connection that was idle this long is tried with a PING before it is used.
_HEALTH_S = 30
_READ_ONLY = "_costconsole_read_only"


def redis_errors() -> tuple[type[BaseException], ...]:
    """Every type that a Redis call may raise: what to catch and give to `explain`."""
    from redis.exceptions import RedisClusterException, RedisError

    return (RedisError, RedisClusterException, OSError)


def is_cluster(client: Any) -> bool:
    """Whether a client talks to a cluster, where a command without a key must be told a node."""
    return hasattr(client, "nodes_manager")


def is_read_only(client: Any) -> bool:
    """Whether `client` was made with `read_only=True`."""
    return bool(getattr(client, _READ_ONLY, False))


def connect(target: RedisTarget, *, read_only: bool = False) -> redis.Redis | redis.RedisCluster:
    """A synchronous client. It connects at its first command, except to a cluster, which it asks at once.

    With `read_only`, a command that could write raises Refused before anything is sent. Raises
    UsageProblem for a TLS file that can't be read, and what `explain` says for a cluster that is away.
    """
    import redis

    _check_files(target)
    options = _options(target) | {"retry": _retry(asynchronous=False)}
    client: redis.Redis | redis.RedisCluster
    if target.kind == "cluster":
        client = _cluster(target, options, read_only)
    elif target.kind == "sentinel":
        client = _sentinel(target, options, read_only)
    else:
        base: Any = redis.SSLConnection if target.tls else redis.Connection
        if target.kind == "unix":
            base = redis.UnixDomainSocketConnection
        kind = dressed(base, asynchronous=False, read_only=read_only, touch=target.touch)
        pool = redis.ConnectionPool(connection_class=kind, **_place(target), **options)
        client = redis.Redis.from_pool(pool)
    setattr(client, _READ_ONLY, read_only)
    return client


def connect_async(
    target: RedisTarget, *, read_only: bool = False
) -> redis.asyncio.Redis | redis.asyncio.RedisCluster:
    """An asynchronous client that connects at its first command; otherwise as `connect`."""
    import redis.asyncio

    _check_files(target)
    options = _options(target) | {"retry": _retry(asynchronous=True)}
    client: redis.asyncio.Redis | redis.asyncio.RedisCluster
    if target.kind == "cluster":
        client = _async_cluster(target, options, read_only)
    elif target.kind == "sentinel":
        client = _async_sentinel(target, options, read_only)
    else:
        base: Any = redis.asyncio.SSLConnection if target.tls else redis.asyncio.Connection
        if target.kind == "unix":
            base = redis.asyncio.UnixDomainSocketConnection
        kind = dressed(base, asynchronous=True, read_only=read_only, touch=target.touch)
        pool = redis.asyncio.ConnectionPool(connection_class=kind, **_place(target), **options)
        client = redis.asyncio.Redis.from_pool(pool)
    setattr(client, _READ_ONLY, read_only)
    return client


def _place(target: RedisTarget) -> dict[str, Any]:
    if target.kind == "unix":
        return {"path": target.path}
    host, port = target.hosts[0]
    return {"host": host, "port": port}


def _options(target: RedisTarget) -> dict[str, Any]:
    """What every connection to the data is made with."""
    from redis import DriverInfo

    from costconsole import __version__

    options: dict[str, Any] = {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "protocol": 2,
        "decode_responses": False,
        "socket_timeout": target.timeout_s,
        "socket_connect_timeout": target.connect_timeout_s,
        "health_check_interval": _HEALTH_S,
        "driver_info": DriverInfo().add_upstream_driver("costconsole", __version__),
    }
    return options | _tls_options(target)


def _tls_options(target: RedisTarget) -> dict[str, Any]:
    if not target.tls:
        return {}
    options: dict[str, Any] = {
        "ssl_ca_certs": target.ca_file,
        "ssl_ca_path": target.ca_path,
        "ssl_certfile": target.cert_file,
        "ssl_keyfile": target.key_file,
        "ssl_cert_reqs": "required" if target.verify else "none",
        "ssl_check_hostname": target.check_hostname and target.verify,
    }
    return {name: value for name, value in options.items() if value is not None}


def _check_files(target: RedisTarget) -> None:
    if not target.tls:
        return
    for what, name in (
        ("CA", target.ca_file),
        ("client certificate", target.cert_file),
        ("client key", target.key_file),
    ):
        if name is None:
            continue
        try:
            with Path(name).open("rb"):
                pass
        except OSError as error:
            raise UsageProblem(
                f"The {what} file {visible(name)} can't be read ({error.strerror}): correct its path."
            ) from None


def _retry(*, asynchronous: bool) -> Any:
    """One more attempt, at once, when a connection turns out to be dead; never after a timeout.

    Waiting longer is the caller's business: it shows the waiting, or has other work.
    """
    from redis.backoff import ConstantBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError

    if asynchronous:
        from redis.asyncio.retry import Retry as AsyncRetry

        return AsyncRetry(ConstantBackoff(0.02), 1, (RedisConnectionError,))
    from redis.retry import Retry

    return Retry(ConstantBackoff(0.02), 1, (RedisConnectionError,))


def _cluster_options(options: dict[str, Any]) -> dict[str, Any]:
    dropped = ("db", "retry", "health_check_interval")
    return {name: value for name, value in options.items() if name not in dropped}


def _cluster(target: RedisTarget, options: dict[str, Any], read_only: bool) -> redis.RedisCluster:
    import redis
    from redis import cluster

    node: Any = cluster.ClusterNode
    base: Any = redis.SSLConnection if target.tls else redis.Connection
    (host, port), *others = target.hosts
    try:
        return redis.RedisCluster(
            # With a URL, redis-py makes each node's pool of the connection class that is given here.
            url=f"redis://{host}:{port}" if ":" not in host else f"redis://[{host}]:{port}",
            startup_nodes=[node(name, number) for name, number in others],
            retry=_retry(asynchronous=False),
            connection_class=dressed(base, asynchronous=False, read_only=read_only, touch=target.touch),
            **_cluster_options(options),
        )
    except redis_errors() as error:
        raise explain(error, target) from None


def _async_cluster(
    target: RedisTarget, options: dict[str, Any], read_only: bool
) -> redis.asyncio.RedisCluster:
    import redis.asyncio
    from redis.asyncio.cluster import ClusterNode

    options = _cluster_options(options)
    options.pop("ssl_ca_path", None)
    base: Any = redis.asyncio.SSLConnection if target.tls else redis.asyncio.Connection
    kind = dressed(base, asynchronous=True, read_only=read_only, touch=target.touch)
    try:
        client = redis.asyncio.RedisCluster(
            startup_nodes=[ClusterNode(name, number) for name, number in target.hosts],
            retry=_retry(asynchronous=True),
            ssl=target.tls,
            **options,
        )
    except redis_errors() as error:
        raise explain(error, target) from None
    # The class can't be given to the constructor; nodes found later are made from the same options.
    client.connection_kwargs["connection_class"] = kind
    for node in client.startup_nodes:
        node.connection_class = kind
    return client


def _untyped(value: Any) -> Any:
    """redis-py's Sentinel has no annotations."""
    return value


def _sentinel_options(target: RedisTarget, *, asynchronous: bool) -> dict[str, Any]:
    """For the Sentinels themselves, which have users of their own and hold no data."""
    options: dict[str, Any] = {
        "username": target.sentinel_username,
        "password": target.sentinel_password,
        "protocol": 2,
        "socket_timeout": target.timeout_s,
        "socket_connect_timeout": target.connect_timeout_s,
        # Otherwise redis-py waits for seconds between attempts; there may be other Sentinels to ask.
        "retry": _retry(asynchronous=asynchronous),
    }
    if target.tls:
        options |= {"ssl": True} | _tls_options(target)
    return options


def _sentinel(target: RedisTarget, options: dict[str, Any], read_only: bool) -> redis.Redis:
    from redis import sentinel

    base: Any = sentinel.SentinelManagedSSLConnection if target.tls else sentinel.SentinelManagedConnection
    manager: Any = _untyped(sentinel.Sentinel)(
        list(target.hosts), sentinel_kwargs=_sentinel_options(target, asynchronous=False)
    )
    kind = dressed(base, asynchronous=False, read_only=read_only, touch=target.touch)
    client: redis.Redis = manager.master_for(target.service, connection_class=kind, **options)
    return client


def _async_sentinel(target: RedisTarget, options: dict[str, Any], read_only: bool) -> redis.asyncio.Redis:
    from redis.asyncio import sentinel

    base: Any = sentinel.SentinelManagedSSLConnection if target.tls else sentinel.SentinelManagedConnection
    manager: Any = _untyped(sentinel.Sentinel)(
        list(target.hosts), sentinel_kwargs=_sentinel_options(target, asynchronous=True)
    )
    kind = dressed(base, asynchronous=True, read_only=read_only, touch=target.touch)
    client: redis.asyncio.Redis = manager.master_for(target.service, connection_class=kind, **options)
    return client
