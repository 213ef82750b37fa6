"""What a read said, in 40 hex digits: whether an entry is still what a list showed.

The same is computed in Lua (`DIGEST`), so that a script can compare and remove in one step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any


def digest(reply: Any) -> str:
    """SHA-1 of a reply with its shape. A mapping counts as the flat list that RESP2 has."""
    words: list[bytes] = []
    _flatten(reply, words)
    return hashlib.sha1(b"".join(words), usedforsecurity=False).hexdigest()


def _flatten(reply: Any, words: list[bytes]) -> None:
    if isinstance(reply, str):
        reply = reply.encode("utf-8", "surrogateescape")
    if isinstance(reply, bytes | bytearray | memoryview):
        raw = bytes(reply)
        words += (b"$%d\n" % len(raw), raw)
    elif reply is None or isinstance(reply, BaseException):
        words.append(b"-\n")
    elif isinstance(reply, Mapping):
        _flatten([word for pair in reply.items() for word in pair], words)
    elif isinstance(reply, Sequence):
        words.append(b"*%d\n" % len(reply))
        for part in reply:
            _flatten(part, words)
    else:
        words.append(b":%d\n" % int(reply))


DIGEST = """
local function flatten(reply, words)
  local kind = type(reply)
  if kind == 'string' then
    local at = #words
    words[at + 1], words[at + 2], words[at + 3], words[at + 4] = '$', #reply, '\\n', reply
  elseif kind == 'number' then
    words[#words + 1] = string.format(':%.0f\\n', reply)
  elseif kind ~= 'table' or reply.err then
    words[#words + 1] = '-\\n'
  elseif reply.ok then
    flatten(reply.ok, words)
  else
    words[#words + 1] = '*' .. #reply .. '\\n'
    for i = 1, #reply do flatten(reply[i], words) end
  end
end
local function digest(reply)
  local words = {}
  flatten(reply, words)
  return redis.sha1hex(table.concat(words))
end
"""
