"""The look-ups of the ledger, read once and then only what is new. Blocks: for a thread."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from sys import intern
from typing import Any

from costconsole.calibration.events import Event
from costconsole.calibration.evidence import MOST, as_event
from costconsole.domain.call import Outcome
from costconsole.ledger.view import parse_call
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
        if b"threshold" not in fields:
            return False
        call = parse_call(fields)
        event = None if call is None else as_event(call)
        if call is None or event is None:
            return False
        worth: int | None
        if call.outcome is Outcome.SEMANTIC:
            worth = call.savings.semantic if call.priced else None
        else:
            worth = call.spend_nano
        for name in ("neighbor", "scope", "route", "model"):
            # A hundred thousand look-ups have few of these: each name is kept once.
            object.__setattr__(event, name, intern(getattr(event, name)))
        self.events.append(event)
        self.worth.append(UNPRICED if worth is None else worth)
        self.scores.append(-1.0 if event.guards else event.similarity)
        self.thresholds.append(event.threshold or 0.0)
        self.routes.append(self.names.setdefault(event.route, len(self.names)))
        self.models.append(self.names.setdefault(event.model, len(self.names)))
        return True
