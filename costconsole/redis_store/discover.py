"""Which Redis is meant: the one that was named, else one that answers on this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from costconsole.domain.errors import ConnectionProblem
from costconsole.redis_store.target import RedisTarget, parse_target

if TYPE_CHECKING:
    from costconsole.settings import Settings

LOCAL = ("localhost", 6379)
_LOOK_S = 0.5


def find_target(settings: Settings, *, local: tuple[str, int] = LOCAL) -> RedisTarget:
    """The Redis of the settings (--redis, environment, config), else `local` if a Redis answers there.

    Blocks for at most half a second. Raises ConnectionProblem that says what to do when there is none,
    UsageProblem for a URL that is wrong.
    """
    url, origin = settings.redis_url, settings.origins.get("redis_url", "")
    if not url:
        host, port = local
        if not answers(host, port):
            raise ConnectionProblem(
                f"No Redis was named, and none answers at {host}:{port}: try `costconsole demo`, or name one "
                "with --redis redis://HOST:6379, COSTCONSOLE_REDIS_URL, or url under [redis] in the config "
                "file (`costconsole config path` shows where)."
            )
        url, origin = f"redis://{host}:{port}", "default"
    return parse_target(
        url,
        origin=origin,
        username=settings.redis_username,
        password=settings.redis_password,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )


def answers(host: str, port: int) -> bool:
    """Whether something that speaks Redis's protocol listens there (a demand for a password counts)."""
    try:
        with socket.create_connection((host, port), timeout=_LOOK_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64)[:1] in (b"+", b"-")
    except OSError:
        return False
