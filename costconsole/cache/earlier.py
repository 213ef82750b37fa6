"""How often earlier processes of this user asked the search indexes of a server, kept in a file.

A server counts the queries of an index since it was started: who wants to know the application's share from
one reading has to take off what was asked by every console, not only by this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costconsole.redis_store.lookups import all_own_uses

_SERVERS = 20
_written: dict[tuple[str, str], dict[str, int]] = {}
"""What this process has added to a file, by the file and the server."""


class EarlierLookups:
    """Counts by index, for a server since its start (`run_id`). A file that can't be used counts nothing."""

    def __init__(self, path: Path, run_id: str) -> None:
        self._path = path
        self._run_id = run_id
        self._mine = _written.setdefault((str(path), run_id), {})
        self._counts: dict[str, int] = {}
        if run_id:
            found = _whole(_read(path).get(run_id))
            self._counts = {name: count - self._mine.get(name, 0) for name, count in found.items()}

    def of(self, index: str) -> int:
        """How often other processes have asked it before this object was made."""
        return max(0, self._counts.get(index, 0))

    def keep(self) -> None:
        """Add to the file what this process has asked since the last time."""
        now = all_own_uses()
        asked = {name: count - self._mine.get(name, 0) for name, count in now.items()}
        if not self._run_id or not any(asked.values()):
            return
        servers = _read(self._path)
        known = _whole(servers.pop(self._run_id, None))
        for name, count in asked.items():
            known[name] = known.get(name, 0) + count
        servers[self._run_id] = known
        newest = dict(list(servers.items())[-_SERVERS:])
        try:
            aside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            aside.write_text(json.dumps(newest), "utf-8")
            aside.replace(self._path)
        except OSError:
            return
        self._mine.update(now)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(stored: Any) -> dict[str, int]:
    if not isinstance(stored, Mapping):
        return {}
    return {name: count for name, count in stored.items() if isinstance(count, int) and count > 0}
