"""Which Redis to connect to: a URL, checked and taken apart, with nothing secret in what it shows."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

from costconsole.domain.errors import UsageProblem
from costconsole.domain.text import visible

Kind = Literal["tcp", "unix", "sentinel", "cluster"]

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
_SCHEMES: dict[str, tuple[Kind, bool]] = {
    "redis": ("tcp", False),
    "rediss": ("tcp", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_EXAMPLES: dict[Kind, str] = {
    "tcp": "redis://HOST:6379/0",
    "unix": "unix:///path/to/redis.sock",
    "sentinel": "redis+sentinel://HOST:26379,HOST2:26379/SERVICE/0",
    "cluster": "redis+cluster://HOST:6379",
}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
# Query parameters as redis-py names them: our field, or "" for those that another client's URL may carry
# and that are decided here (protocol, decoding, pools).
_QUERY = {
    "db": "db",
    "username": "username",
    "password": "password",
    "ssl_ca_certs": "ca_file",
    "ssl_ca_path": "ca_path",
    "ssl_certfile": "cert_file",
    "ssl_keyfile": "key_file",
    "ssl_cert_reqs": "verify",
    "ssl_check_hostname": "check_hostname",
    "socket_timeout": "timeout_s",
    "timeout": "timeout_s",
    "socket_connect_timeout": "connect_timeout_s",
    "sentinel_username": "sentinel_username",
    "sentinel_password": "sentinel_password",
} | dict.fromkeys(
    (
        "client_name",
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "legacy_responses",
        "lib_name",
        "lib_version",
        "max_connections",
        "protocol",
        "retry_on_timeout",
        "socket_keepalive",
        "socket_read_size",
        "virtual_host",
    ),
    "",
)
_TLS_QUERY = ("ca_file", "ca_path", "cert_file", "key_file", "verify", "check_hostname")


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """What to connect to. Made by `parse_target`; its repr and str never show a password.

    `url` is the address without user name and password. `origin` says who named it, for error messages.
    """

    url: str
    kind: Kind = "tcp"
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    ca_path: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    check_hostname: bool = True
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    origin: str = ""
    connect_timeout_s: float = 3.0
    timeout_s: float = 5.0
    touch: bool = False
    """Reading counts as use, for a server that evicts what is idle: for applications, not for onlookers."""

    @property
    def label(self) -> str:
        """Where it is, in short and safe to show: `prod-cache:6379/0`, `unix:/path`."""
        if self.kind == "unix":
            return f"unix:{visible(self.path)}" + (f" db {self.db}" if self.db else "")
        hosts = ",".join(_address(host, port) for host, port in self.hosts)
        if self.kind == "cluster":
            return f"{hosts} (cluster)"
        if self.kind == "sentinel":
            return f"{visible(self.service)}@{hosts}/{self.db} (sentinel)"
        return f"{hosts}/{self.db}"

    def __str__(self) -> str:
        return self.label


def parse_target(
    url: str,
    *,
    origin: str = "",
    username: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    connect_timeout_s: float = 3.0,
    timeout_s: float = 5.0,
) -> RedisTarget:
    """The target that `url` names; what the URL says wins over the other arguments.

    Schemes: redis, rediss (TLS), unix, redis+sentinel, redis+cluster (and rediss+... for TLS). Raises
    UsageProblem that names what is wrong with the URL, without its password.
    """
    wrong = _Wrong(origin)
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise wrong(_scheme_hint(scheme, bool(separator), rest))
    kind, tls = _SCHEMES[scheme.lower()]
    userinfo, rest = _split_userinfo(rest, wrong)
    rest, _, query = rest.partition("?")
    named = _query(query, tls, wrong)
    if ":" in userinfo:
        user, secret = (unquote(part) for part in userinfo.split(":", 1))
    else:
        user, secret = unquote(userinfo), ""
    authority, slash, tail = rest.partition("/")
    hosts: tuple[tuple[str, int], ...] = ()
    path = service = ""
    if kind == "unix":
        path = unquote(slash + tail)
        if authority or len(path) < 2:
            raise wrong(f"needs the whole path of a socket, as in {_EXAMPLES[kind]}")
        tail = ""
    else:
        default = SENTINEL_PORT if kind == "sentinel" else DEFAULT_PORT
        hosts = tuple(_host(part, default, wrong) for part in authority.split(","))
        if kind == "tcp" and len(hosts) > 1:
            raise wrong(f"names several hosts: use {_EXAMPLES['sentinel']} or {_EXAMPLES['cluster']}")
    if kind == "sentinel":
        service, _, tail = tail.partition("/")
        service = unquote(service)
        if not service:
            raise wrong(f"needs the name of the service, as in {_EXAMPLES[kind]}")
    db = _db(str(named.get("db") or tail.strip("/") or "0"), kind, wrong)
    address = path if kind == "unix" else ",".join(_address(*host) for host in hosts)
    suffix = f"/{service}" if service else ""
    suffix += f"?db={db}" if kind == "unix" and db else f"/{db}" if db else ""
    return RedisTarget(
        url=f"{scheme.lower()}://{address}{suffix}",
        kind=kind,
        hosts=hosts,
        path=path,
        service=service,
        db=db,
        tls=tls,
        username=user or named.get("username") or username,
        password=secret or named.get("password") or password,
        ca_file=named.get("ca_file") or ca_file,
        ca_path=named.get("ca_path"),
        cert_file=named.get("cert_file") or cert_file,
        key_file=named.get("key_file") or key_file,
        verify=named.get("verify", "required").lower() not in ("none", "cert_none"),
        check_hostname=named.get("check_hostname", "true").lower()
        not in ("false", "0", "no", "off", "f", "n"),
        sentinel_username=named.get("sentinel_username"),
        sentinel_password=named.get("sentinel_password"),
        origin=origin,
        connect_timeout_s=_seconds(named, "connect_timeout_s", connect_timeout_s, wrong),
        timeout_s=_seconds(named, "timeout_s", timeout_s, wrong),
    )


class _Wrong:
    """Makes the UsageProblem of one URL: it names where the URL came from, and never quotes it whole."""

    def __init__(self, origin: str) -> None:
        self._subject = (
            f"The Redis URL (from {origin})" if origin and origin != "default" else "The Redis URL"
        )

    def __call__(self, what: str) -> UsageProblem:
        return UsageProblem(f"{self._subject} {what}.")


def _scheme_hint(scheme: str, has_scheme: bool, rest: str) -> str:
    known = ", ".join(f"{name}://" for name in ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster"))
    if not has_scheme:
        # What came without a scheme may hold a password, so only a plain address is repeated.
        if scheme.startswith("/"):
            return f"has no scheme: write unix://{visible(scheme)}"
        if re.fullmatch(r"[A-Za-z0-9._-]+(:\d+)?(/\d+)?", scheme):
            return f"has no scheme: write redis://{scheme}"
        return f"has no scheme: begin it with one of {known}"
    near = difflib.get_close_matches(scheme.lower(), _SCHEMES, n=1)
    hint = f"did you mean {near[0]}://?" if near else f"use one of {known}"
    return f"begins with {visible(scheme)[:40]!r}://, which is not known: {hint}"


def _split_userinfo(rest: str, wrong: _Wrong) -> tuple[str, str]:
    head, question, _ = rest.partition("?")
    if "@" in head:
        # The last @ counts: a password that wasn't percent-encoded may hold one.
        userinfo, _, _ = head.rpartition("@")
        return userinfo, rest[len(userinfo) + 1 :]
    if question and "@" in rest and "=" not in rest.partition("?")[2].partition("@")[0]:
        raise wrong("seems to hold a '?' in its password: write it percent-encoded, as %3F")
    return "", rest


def _query(query: str, tls: bool, wrong: _Wrong) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        field_name = _QUERY.get(name)
        if field_name is None:
            near = difflib.get_close_matches(name, _QUERY, n=1)
            hint = f"did you mean {near[0]}?" if near else "remove it"
            raise wrong(f"has an unknown parameter {visible(name)[:40]!r}: {hint}")
        if field_name in _TLS_QUERY and not tls:
            raise wrong(f"has the TLS parameter {name!r} but no TLS: begin it with rediss instead of redis")
        if field_name:
            named[field_name] = value
    return named


def _host(part: str, default_port: int, wrong: _Wrong) -> tuple[str, int]:
    part = unquote(part)
    if part.startswith("["):
        host, closing, port = part[1:].partition("]")
        if not closing or not _IPV6.fullmatch(host) or (port and not port.startswith(":")):
            raise wrong("has an IPv6 address that is not complete: write it as [::1]:6379")
        port = port[1:]
    else:
        host, _, port = part.partition(":")
        if not host and not port:
            host = "localhost"
        if ":" in port or not _HOST.fullmatch(host):
            raise wrong(f"has no usable host name: write it as in {_EXAMPLES['tcp']}")
    if not port:
        return host, default_port
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise wrong("has a port that is not a number from 1 to 65535")
    return host, int(port)


def _db(value: str, kind: Kind, wrong: _Wrong) -> int:
    if not value.isascii() or not value.isdigit():
        raise wrong(f"names a database that is not a number: {visible(value)[:40]!r}")
    db = int(value)
    if db and kind == "cluster":
        raise wrong("names a database, but a cluster has only database 0: leave it out")
    return db


def _seconds(named: dict[str, str], name: str, default: float, wrong: _Wrong) -> float:
    value = named.get(name)
    if value is None:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise wrong("has a timeout that is not a number of seconds from above 0 to 3600")
    return seconds


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
