"""What comes of an eviction or an undo, and the words for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from costconsole.cache.selection import Selection
from costconsole.domain.entry import CacheEntry
from costconsole.domain.text import first_words, visible

_NAMED = 1_000
WHY = {
    "changed": "it has changed since it was listed",
    "moved": "a key that it shares with others keeps changing",
    "gone": "it expired or was removed meanwhile",
    "exists": "it exists again, and is not overwritten",
    "expired": "it has expired meanwhile",
    "lost": "its copy is gone: copies are kept for 24 hours",
}
UNKNOWN = "it is not an entry of a known cache"
OUT_OF_MEMORY = "the server's memory is full, so that no more copies can be kept: raise its maxmemory"


def refusal(word: str) -> str:
    return f"the server refused: {visible(first_words(word, 120))}"


def ended(error: BaseException) -> str:
    """What ended it early, without what a server may quote."""
    if str(error).startswith(("OOM", "command not allowed when used memory")):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) or "onnection" in type(error).__name__:
        return "the connection to Redis was lost"
    if "imeout" in type(error).__name__:
        return "Redis did not answer in time"
    return f"Redis answered {visible(first_words(str(error), 80))}"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an eviction would remove. `complete` False: `count` is what was found in the time there was.

    `about` is how many it will be, as far as that is known: `count`, or what the caches are known to hold
    where whole ones go. `selection` is what to evict so that it is what was shown here. `bytes` is estimated
    from up to 200 entries, for as many as `about` says; the copies take as much for `undo_hours`.
    `impossible` is a sentence if it can't be undone, `warning` one if the copies may not fit.
    """

    count: int
    complete: bool
    sample: tuple[CacheEntry, ...]
    bytes: int | None
    caches: tuple[str, ...]
    undo_hours: int
    impossible: str
    warning: str
    selection: Selection
    about: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `total` None: not known. `phase`: `evicting` or `restoring`."""

    done: int
    skipped: int
    failed: int
    total: int | None
    phase: str


@dataclass(frozen=True, slots=True)
class Evicted:
    """What was evicted: the first 1,000 keys by name. `undo_id` is "" when nothing can be undone.

    `skipped` (the first 1,000) are keys with the reason why they are still there, or were gone already;
    `failed` of `skipped_count` are those that the server refused. `reason`: what ended it early, or "".
    """

    undo_id: str
    evicted: int
    keys: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    stopped: bool
    skipped_count: int = 0
    failed: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """What is back. `remaining` entries are not, and can be tried again; `note`: what else is to be known."""

    undo_id: str
    restored: int
    skipped: tuple[tuple[str, str], ...]
    stopped: bool = False
    skipped_count: int = 0
    failed: int = 0
    remaining: int = 0
    reason: str = ""
    note: str = ""


@dataclass(slots=True)
class Tally:
    """Counts while it runs, and who hears of them."""

    phase: str
    total: int | None
    heard: Callable[[Progress], None] | None
    stop: asyncio.Event | None
    done: int = 0
    skipped: int = 0
    failed: int = 0
    keys: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    reason: str = ""

    def count(self, key: str, why: str = "", *, failed: bool = False) -> None:
        if not why:
            self.done += 1
            if len(self.keys) < _NAMED:
                self.keys.append(key)
            return
        self.failed += failed
        self.skipped += not failed
        if len(self.reasons) < _NAMED:
            self.reasons.append((key, why))

    def tell(self) -> None:
        if self.heard is not None:
            self.heard(Progress(self.done, self.skipped, self.failed, self.total, self.phase))

    def stops(self) -> bool:
        if self.stop is not None and self.stop.is_set():
            self.stopped = True
        return self.stopped
