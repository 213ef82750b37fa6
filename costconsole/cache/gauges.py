"""What LiteLLM says in Redis of the money it spends: live gauges, each for a minute or a budget's window.

The lasting record is in its own database. A gauge that isn't refreshed expires, so that none means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from costconsole.cache.commands import arun_all
from costconsole.cache.layouts.base import Family, KeyShape
from costconsole.cache.layouts.values import number
from costconsole.domain.known import SpendGauge

_SPENT = re.compile(
    r"(?:.*:)?(?:spend:(?P<of>key|team|user|org|tag|end_user|project|team_member):(?P<name>.+?)"
    r"(?::window:(?P<window>[^:]+))?"
    r"|(?P<budget>provider|deployment|tag)_spend:(?P<named>.+):(?P<span>[^:]+))\Z",
    re.DOTALL,
)
SPEND_GAUGES = KeyShape(
    "string",
    "*spend:*",
    re.compile(
        rb"((?:.*:)?(?:spend:(?:key|team|user|org|tag|end_user|project|team_member)"
        rb"|(?:provider|deployment|tag)_spend):.+)\Z",
        re.DOTALL,
    ),
)
"""Each gauge is a family of its own: the first group is the whole key."""
_MOST = 200
_DIGITS = 12
"""So much of a hash names a key well enough."""


def gauge_keys(families: Iterable[Family]) -> tuple[str, ...]:
    """The gauges among the families that a survey found."""
    return tuple(sorted(family.sample for family in families if family.shape is SPEND_GAUGES))


async def read_gauges(client: Any, keys: Sequence[str]) -> tuple[SpendGauge, ...]:
    """What they say now, the dearest first; one that has expired, or is no number, is left out."""
    replies = await arun_all(client, [("GET", key) for key in keys[:_MOST]])
    found = []
    for key, reply in zip(keys, replies, strict=False):
        match, usd = _SPENT.fullmatch(key), None if isinstance(reply, Exception) else number(reply)
        if match is None or usd is None:
            continue
        of, name = match["of"] or match["budget"], match["name"] or match["named"]
        if of == "key" and re.fullmatch(r"[0-9a-f]{40,}", name):
            name = name[:_DIGITS] + "…"
        window = match["window"] or match["span"] or ""
        found.append(SpendGauge(key, of, name, window, round(usd * 1e9)))
    return tuple(sorted(found, key=lambda gauge: (-gauge.spend_nano, gauge.key)))
