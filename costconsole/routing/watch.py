"""Follows a routing config's file: a valid change is taken at once, an invalid one is said."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from costconsole.routing.config import (
    ConfigProblem,
    beside,
    parse_config,
    problem,
    read_text,
    version_of,
)
from costconsole.routing.model import RoutingConfig

_SETTLED_S: Final = 2.0
"""Two writes may fall into one tick of a file system's clock; a file this young is read again."""

_Stamp = tuple[int, int, int, int] | None


class ConfigFollower:
    """The routing config of a file, as it is now; without a path the defaults, for good.

    `current` is the last good one (the defaults, as long as there was none), `problem` what is wrong with
    the newest content, else None. `check` is cheap: a stat of each file, read only after a change. Not
    for several threads at once.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        from costconsole.routing.defaults import default_config

        self._path = None if path is None else os.fspath(path)
        self._seen: dict[str, _Stamp] = {}
        self._version = ""
        self._young = False
        self.current: RoutingConfig = default_config()
        self.problem: ConfigProblem | None = None
        self.check()

    def check(self) -> bool:
        """Look at the file; True when `current` or `problem` is another one than before."""
        if self._path is None or not self._changed(self._path):
            return False
        return self._take(self._path)

    def _changed(self, path: str) -> bool:
        stamps = {name: _stamp(name) for name in self._files(path)}
        changed = stamps != self._seen or self._young
        self._seen = stamps
        newest = max((stamp[0] for stamp in stamps.values() if stamp), default=0)
        self._young = abs(time.time() - newest / 1e9) < _SETTLED_S
        return changed

    def _files(self, path: str) -> list[str]:
        folder = Path(path).expanduser().parent
        return [path, *(str(folder / Path(name).expanduser()) for name in self.current.includes)]

    def _take(self, path: str) -> bool:
        before = self.current, self.problem
        version = ""
        try:
            if self._seen.get(path) is None and self.current.format != "default":
                raise problem(path, "this file is gone; its last good content stays in use until it is back")
            text = read_text(path)
            # The files that it names are a part of what was read.
            others = [_text_or_nothing(name) for name in self._files(path)[1:]]
            version = version_of("\0".join((text, *others)))
            if version == self._version:
                return False
            self.current = parse_config(text, path, read=beside(path))
            self.problem = None
        except ConfigProblem as found:
            if self.problem is None or self.problem.findings != found.findings:
                self.problem = found
        if self.current is not before[0]:
            # What it names now may differ from what it named when the content was weighed.
            others = [_text_or_nothing(name) for name in self._files(path)[1:]]
            version = version_of("\0".join((text, *others)))
            self._seen = {name: _stamp(name) for name in self._files(path)}
        self._version = version
        return (self.current, self.problem) != before


def _text_or_nothing(path: str) -> str:
    try:
        return read_text(path)
    except ConfigProblem as found:
        return str(found)


def _stamp(path: str) -> _Stamp:
    """What a change of a file moves, also when an editor puts a new file in its place."""
    try:
        found = os.stat(os.path.expanduser(path))
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
