"""How often this process itself asked each search index.

A server counts all queries of an index alike. Who wants to know how often the application looked something
up must take its own queries off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_NAMES = ("FT.SEARCH", "FT.AGGREGATE", "FT.INFO")
_COUNTED = frozenset((*_NAMES, *(name.encode() for name in _NAMES)))
_asked: Counter[str] = Counter()


def note(args: Sequence[Any]) -> None:
    """Count a command that is about to be sent, if the server counts it as a use of an index."""
    if len(args) > 1 and args[0] in _COUNTED:
        name = args[1]
        _asked[name if isinstance(name, str) else bytes(name).decode("utf-8", "backslashreplace")] += 1


def own_uses(index: str) -> int:
    """How often connections that only look on have asked this index since the process began."""
    return _asked[index]


def all_own_uses() -> Mapping[str, int]:
    """The same for every index that was asked."""
    return dict(_asked)
