"""Who changed what, and from where: one entry of the audit for every change."""

from __future__ import annotations

import time
from typing import Any

from costconsole.cache.commands import Command
from costconsole.cache.policy import Author
from costconsole.redis_store.keys import Keys

_KEPT = 20_000


def audit_command(keys: Keys, author: Author, what: str, **facts: Any) -> Command:
    """The command that writes an audit entry. Facts never hold a prompt; None is left out."""
    words: list[Any] = ["what", what, "who", author.who, "host", author.host, "ts_ms", now_ms()]
    for name, value in facts.items():
        if value is not None:
            words += [name, value]
    return ("XADD", keys.audit, "MAXLEN", "~", _KEPT, "*", *words)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
