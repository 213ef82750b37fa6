"""An alarm for every page: labels refute a threshold that is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from costconsole.domain.errors import Problem

if TYPE_CHECKING:
    from costconsole.console.source import Source

EVERY_S = 60.0


class AlarmWatch:
    """Keeps `words`, "" while all is well; `changed` is called when they are others.

    Asking costs two commands while nobody labels anything. What can't be asked leaves the words as they were.
    """

    def __init__(self, source: Source, changed: Callable[[], None]) -> None:
        self.words = ""
        self._source = source
        self._changed = changed
        self._asking = False

    async def look(self) -> None:
        """Ask once; a second question meanwhile is none."""
        if self._asking:
            return
        self._asking = True
        try:
            words = await self._source.thresholds.alarm()
        except Problem:
            # The header says how the connection is.
            return
        finally:
            self._asking = False
        if words != self.words:
            self.words = words
            self._changed()
