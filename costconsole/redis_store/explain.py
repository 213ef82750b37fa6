"""What went wrong with Redis, in one sentence that names the server and the next step.

Nothing of a URL's password gets in: the server is named by its label, and of a server's own words only
those are repeated that can't hold one.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

from costconsole.domain.errors import (
    ConnectionProblem,
    Problem,
    Refused,
    TimeoutProblem,
    UsageProblem,
)
from costconsole.domain.text import first_words, visible
from costconsole.redis_store.sentences import CLOSED, SIGNS
from costconsole.redis_store.target import RedisTarget

_PERMISSION = re.compile(
    r"(?:User (?P<user>\S+) has no permissions|[Nn]o permissions) to (?P<what>run the '(?P<command>[^']+)'"
    r"|access (?P<thing>a key|one of the keys|a channel|one of the channels)[^.]*)"
)
# An error code, as Redis writes it in front of its message.
_CODE = re.compile(r"[A-Z]{3,24}(?= )")
_START = "try `costconsole demo`, or start one with `docker run -p 6379:6379 redis:8`"


def explain(error: BaseException, target: RedisTarget) -> Problem:
    """Any error of the Redis client, of the network or of TLS as a Problem; a Problem stays as it is.

    ConnectionProblem: not reachable or not let in; TimeoutProblem: too slow; Refused: no rights, or a
    replica; UsageProblem: the URL doesn't fit the server; Problem: the server answered with an error.
    """
    if isinstance(error, Problem):
        return error
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, Problem):
            return link
    for link in chain:
        problem = _by_type(link, target)
        if problem is not None:
            return problem
    for link in chain:
        problem = _by_words(_words(link), target)
        if problem is not None:
            return problem
    return _other(error, target)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, as far as it is known."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        for arg in link.args:
            # redis-py wraps what it doesn't know as ConnectionError(original).
            if isinstance(arg, BaseException) and id(arg) not in seen:
                yield arg
        link = link.__cause__ or link.__context__


def _words(error: BaseException) -> str:
    return " ".join(arg for arg in error.args if isinstance(arg, str))


def _named(target: RedisTarget) -> str:
    origin = target.origin
    return f"{target.label} (from {origin})" if origin and origin != "default" else target.label


def _by_type(error: BaseException, target: RedisTarget) -> Problem | None:
    """What the type of an error alone tells."""
    where = _named(target)
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = first_words(error.verify_message or "not trusted", 120)
        return ConnectionProblem(
            f"The TLS certificate of {where} can't be verified ({reason}): name its CA with "
            "?ssl_ca_certs=FILE in the URL or redis.ca_file in the config file."
        )
    if isinstance(error, ssl.SSLError):
        return _tls(error, where)
    if isinstance(error, socket.gaierror):
        hosts = ", ".join(host for host, _ in target.hosts) or where
        return ConnectionProblem(
            f"The host name {hosts} can't be resolved ({where}): check its spelling and this machine's DNS."
        )
    if isinstance(error, TimeoutError):
        return _timeout(target)
    if isinstance(error, ConnectionRefusedError):
        return _refused(target)
    if isinstance(error, FileNotFoundError) and target.kind == "unix":
        return ConnectionProblem(f"There is no socket at {where}: check the path and that Redis is running.")
    if isinstance(error, PermissionError) and target.kind == "unix":
        return ConnectionProblem(f"This user may not open the socket {where}: ask for its group or its mode.")
    return None


def _tls(error: ssl.SSLError, where: str) -> Problem:
    reason = (error.reason or "").replace("_", " ").lower()
    if not reason or "eof" in reason:
        return _closed_tls(where)
    if "wrong version number" in reason or "record layer failure" in reason:
        return ConnectionProblem(
            f"{where} does not speak TLS: use redis:// instead of rediss://, or its TLS port."
        )
    if "certificate required" in reason or "alert" in reason or "handshake failure" in reason:
        return ConnectionProblem(
            f"{where} refuses our side of TLS ({reason}): give a client certificate it knows with "
            "?ssl_certfile=FILE&ssl_keyfile=FILE or redis.cert_file and redis.key_file."
        )
    if "key values mismatch" in reason or "pem lib" in reason or "no start line" in reason:
        return UsageProblem(
            f"The TLS files for {where} can't be used ({reason}): check that the certificate and the key "
            "are PEM files and belong together."
        )
    return ConnectionProblem(f"TLS with {where} failed ({reason}): check the port and the files.")


def _closed_tls(where: str) -> Problem:
    return ConnectionProblem(
        f"{where} closed the TLS connection: it may want a client certificate (?ssl_certfile=FILE&"
        "ssl_keyfile=FILE, or redis.cert_file and redis.key_file), or that port is without TLS."
    )


def _timeout(target: RedisTarget) -> Problem:
    if target.tls:
        why = "it is busy, stopped, behind a firewall, or that port is without TLS (then use redis://)"
    else:
        why = "it is busy, stopped or behind a firewall"
    return TimeoutProblem(
        f"{_named(target)} did not answer within {target.timeout_s:g} s: {why}; "
        "try again, or check it with redis-cli."
    )


def _refused(target: RedisTarget) -> Problem:
    return ConnectionProblem(
        f"Nothing listens at {_named(target)}: start Redis there or correct the address, or {_START}."
    )


def _by_words(words: str, target: RedisTarget) -> Problem | None:
    """What the words of a server's answer, or of redis-py, tell."""
    where = _named(target)
    text = words.lower()
    permission = _PERMISSION.search(words)
    if permission:
        return _no_rights(permission, target)
    if any(sign in text for sign in ("timeout reading", "timeout connecting", "timeout writing")):
        return _timeout(target)
    if target.tls and any(sign in text for sign in CLOSED):
        return _closed_tls(where)
    for signs, (kind, sentence) in SIGNS:
        if any(sign in text for sign in signs):
            return kind(sentence.format(where=where, user=_user(target), db=target.db, start=_START))
    return None


def _user(target: RedisTarget) -> str:
    return f"user {visible(target.username)}" if target.username else "the default user"


def _no_rights(match: re.Match[str], target: RedisTarget) -> Problem:
    user = match["user"] or target.username or "default"
    if match["command"]:
        what = f"run {visible(match['command']).upper().replace('|', ' ')}"
        step = "+" + visible(match["command"])
    else:
        what = "use a key or channel it needs"
        step = "~costconsole:* &costconsole:*"
    return Refused(
        f"User {visible(user)} of {_named(target)} may not {what}: ask for the right ({step}) "
        "or connect as another user."
    )


def _other(error: BaseException, target: RedisTarget) -> Problem:
    where = _named(target)
    if isinstance(error, OSError):
        return ConnectionProblem(
            f"{where} can't be reached ({_reason(error)}): check the address and the network."
        )
    name = type(error).__name__
    if "Moved" in name or "Ask" in name:
        return UsageProblem(f"{where} is part of a cluster: use redis+cluster:// instead of redis://.")
    if "InvalidResponse" in name:
        return ConnectionProblem(f"What answers at {where} is not Redis: check the port.")
    if "Timeout" in name:
        return _timeout(target)
    if "Connection" in name:
        return ConnectionProblem(
            f"The connection to {where} failed: check the address with redis-cli, then try again."
        )
    # Beyond its code, a server's answer may quote what was sent: a query, a prompt.
    code = _CODE.match(_words(error))
    shown = f"{name}: {code[0]}" if code else name
    return Problem(f"{where} answered with an error ({shown}): `costconsole doctor` says what it can do.")


def _reason(error: OSError) -> str:
    return first_words(error.strerror or type(error).__name__, 80)
