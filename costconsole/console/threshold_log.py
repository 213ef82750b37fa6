"""The look-ups of the ledger, read once and then only what is new. Blocks: for a thread."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from sys import intern
from typing import Any

from costconsole.calibration.events import Event
from costconsole.calibration.evidence import MOST
from costconsole.redis_store.keys import Keys
from costconsole.redis_store.replies import text

_PAGE = 1_000
_SLACK = 5_000
UNPRICED = -1


class LookupLog:
    """The newest look-ups, oldest first, and columns of them.

    `worth`: what a hit saves there, in nano-dollars; `scores`: its similarity, -1 where a guard refused it or
    nothing was near; `routes` and `models`: numbers of names in `names`.
    """

    def __init__(self, client: Any, keys: Keys, most: int = MOST) -> None:
        self._client = client
        self._keys = keys
        self._most = most
        self._last = ""
        self.events: list[Event] = []
        self.worth: array[int] = array("q")
        self.scores: array[float] = array("d")
        self.thresholds: array[float] = array("d")
        self.routes: array[int] = array("l")
        self.models: array[int] = array("l")
        self.names: dict[str, int] = {}
        self.truncated = False
        """Whether there are older look-ups that aren't looked at."""

    def read(self, progress: Callable[[int], None] | None = None) -> int:
        """Read what is new, and return how much that was. Errors of the client are the caller's."""
        if not self._last:
            return self._first(progress)
        found = 0
        while True:
            page = self._client.execute_command(
                "XRANGE", self._keys.calls, f"({self._last}", "+", "COUNT", _PAGE
            )
            for _name, fields in page:
                found += self._take(fields)
            if page:
                self._last = text(page[-1][0])
            if len(page) < _PAGE:
                break
        if len(self.events) > self._most + _SLACK:
            over = len(self.events) - self._most
            del self.events[:over]
            for column in self._columns:
                del column[:over]
            self.truncated = True
        return found

    @property
    def _columns(self) -> tuple[array[Any], ...]:
        return (self.worth, self.scores, self.thresholds, self.routes, self.models)

    def _first(self, progress: Callable[[int], None] | None) -> int:
        end = "+"
        while len(self.events) < self._most:
            page = self._client.execute_command("XREVRANGE", self._keys.calls, end, "-", "COUNT", _PAGE)
            if page and not self._last:
                self._last = text(page[0][0])
            for _name, fields in page:
                self._take(fields)
            if progress is not None:
                progress(len(self.events))
            if len(page) < _PAGE:
                break
            end = f"({text(page[-1][0])}"
        else:
            self.truncated = True
        self.events.reverse()
        for column in self._columns:
            column.reverse()
        return len(self.events)

    def _take(self, fields: Any) -> bool:
        if not isinstance(fields, dict):
            fields = dict(zip(fields[::2], fields[1::2], strict=True))
        try:
            found = lookup_of(fields)
        except (ValueError, KeyError):
            return False
        if found is None:
            return False
        event, worth = found
        self.events.append(event)
        self.worth.append(worth)
        self.scores.append(-1.0 if event.guards else event.similarity)
        self.thresholds.append(event.threshold or 0.0)
        self.routes.append(self.names.setdefault(event.route, len(self.names)))
        self.models.append(self.names.setdefault(event.model, len(self.names)))
        return True


def lookup_of(fields: Mapping[bytes, bytes]) -> tuple[Event, int] | None:
    """The same event as `calibration.evidence.as_event` makes of a call, and what a hit saves there.

    Of thirty fields these are the few that count; a hundred thousand calls are read in half the time.
    Raises ValueError or KeyError for what is no call.
    """
    outcome = fields[b"outcome"]
    if b"threshold" not in fields or outcome == b"exact":
        return None
    hit = outcome == b"semantic"
    if fields.get(b"cost_status", b"unpriced") == b"unpriced":
        worth = UNPRICED
    else:
        worth = int(fields.get(b"saved_semantic_nano" if hit else b"spend_nano", UNPRICED))
    guards = _text(fields, b"guard")
    event = Event(
        id=fields[b"id"].decode(),
        ts_ms=int(fields[b"ts_ms"]),
        similarity=float(fields.get(b"similarity", -1.0)),
        threshold=float(fields[b"threshold"]),
        policy_version=int(fields.get(b"policy_version", 0)),
        hit=hit,
        query=_text(fields, b"preview"),
        # A hundred thousand look-ups have few of these: each name is kept once.
        neighbor=intern(_text(fields, b"neighbor")),
        scope=intern(_text(fields, b"scope")),
        route=intern(_text(fields, b"route")),
        model=intern(_text(fields, b"requested_model") or _text(fields, b"model")),
        guards=tuple(name for name in guards.split(",") if name) if guards else (),
    )
    return event, worth


def _text(fields: Mapping[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="backslashreplace")
